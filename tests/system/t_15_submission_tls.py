"""The submission services: STARTTLS and implicit TLS, passwords, who may relay; keys that root alone reads."""

import os
import smtplib
import ssl
import subprocess
import unittest

from instance import Instance, private_mounts

MESSAGE = "From: bob@example.test\r\nTo: bob@example.test\r\nSubject: hello\r\n\r\nhi\r\n"
TLS = ("submission", "smtps")


def make_certificate(folder, owner=None):
    """A certificate and its key in one file that its owner alone may read."""
    path = folder / "server.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9",
             "-subj", "/CN=mail.example.test", "-keyout", str(path), "-out", str(folder / "cert.pem")]
    subprocess.run(words, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (folder / "cert.pem").read_bytes())
    path.chmod(0o600)
    if owner:
        os.chown(path, *owner)
    return path


def careless():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def make_instance(**more):
    mail = Instance(services=("smtp", *TLS), **more)
    path = make_certificate(mail.etc, mail.identity)
    with open(mail.etc / "main.cf", "a") as main_cf:
        main_cf.write(f"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {path}\nsmtpd_tls_loglevel = 1\n")
    return mail


class Submission(unittest.TestCase):
    def test_starttls_and_passwords(self):
        with make_instance() as mail:
            maildir = mail.add_user("bob", "secret")
            with smtplib.SMTP(*mail.address("submission")) as smtp:
                smtp.ehlo()
                self.assertTrue(smtp.has_extn("starttls") and smtp.has_extn("auth"))
                smtp.starttls(context=careless())
                with self.assertRaises(smtplib.SMTPRecipientsRefused):
                    smtp.sendmail("bob@example.test", ["bob@example.test"], MESSAGE)
                with self.assertRaises(smtplib.SMTPAuthenticationError) as wrong:
                    smtp.login("bob", "wrong")
                self.assertEqual(wrong.exception.smtp_code, 535)
                self.assertEqual(smtp.login("bob", "secret")[0], 235)
                smtp.sendmail("bob@example.test", ["bob@example.test"], MESSAGE)
            (path,) = mail.wait_messages(maildir, 1)
            self.assertRegex(path.read_text(), r"(?s)\nReceived: from .*with ESMTPSA ")
            mail.wait_log(r"smtpd\[\d+\]: Anonymous TLS connection established from \S+: TLSv1.[23] with cipher ")
            mail.wait_log(r"smtpd\[\d+\]: warning: \S+\[127.0.0.\d\]: SASL (PLAIN|LOGIN) authentication failed")
            mail.wait_log(r"smtpd\[\d+\]: \w+: client=\S+, sasl_method=(PLAIN|LOGIN), sasl_username=bob")

    def test_implicit_tls(self):
        with make_instance() as mail:
            maildir = mail.add_user("bob", "secret")
            with smtplib.SMTP_SSL(*mail.address("smtps"), context=careless()) as smtp:
                smtp.login("bob", "secret")
                smtp.sendmail("bob@example.test", ["bob@example.test"], MESSAGE)
            mail.wait_messages(maildir, 1)

    def test_port_25_offers_tls_and_no_passwords(self):
        with make_instance() as mail:
            mail.add_user("bob")
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.starttls(context=careless())
                smtp.ehlo()
                self.assertFalse(smtp.has_extn("auth"))
                smtp.sendmail("ann@client.test", ["bob@example.test"], MESSAGE)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class RootsKey(unittest.TestCase):
    def test_a_key_that_root_alone_reads(self):
        private_mounts()
        with make_instance(real_uids=True) as mail:
            mail.add_user("bob", "secret")
            self.assertEqual((mail.etc / "server.pem").stat().st_uid, 0)
            with smtplib.SMTP_SSL(*mail.address("smtps"), context=careless()) as smtp:
                self.assertEqual(smtp.login("bob", "secret")[0], 235)


if __name__ == "__main__":
    unittest.main()
