"""Certificates: of the server by the name that a client asks for, of clients for relaying."""

import smtplib
import socket
import ssl
import subprocess
import unittest

from instance import Instance, wait
from t_15_submission_tls import careless


def make(folder, name, signed_by=None):
    """Key and certificate of that name in one file; its path."""
    key, certificate, both = (folder / f"{name}.{kind}" for kind in ("key", "crt", "pem"))
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9",
             "-subj", f"/CN={name}", "-keyout", key, "-out", certificate]
    if signed_by:
        words += ["-CA", f"{folder}/{signed_by}.crt", "-CAkey", f"{folder}/{signed_by}.key"]
    subprocess.run(words, check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    both.chmod(0o644)
    return both


def shown(address, name, talk=False):
    """The common name of the certificate that a server shows to a client that asks for this name."""
    with socket.create_connection(address, 20) as plain:
        if talk:
            lines = plain.makefile("rwb", buffering=0)
            lines.readline()
            lines.write(b"EHLO x\r\n")
            while lines.readline()[3:4] == b"-":
                pass
            lines.write(b"STARTTLS\r\n")
            lines.readline()
        with careless().wrap_socket(plain, server_hostname=name) as secured:
            der = secured.getpeercert(binary_form=True)
    text = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "multiline"], input=der,
                          capture_output=True, check=True).stdout.decode()
    return text.split("commonName")[1].split("=")[1].strip()


class ServerNames(unittest.TestCase):
    def test_each_name_has_its_certificate(self):
        mail = Instance(services=("smtp", "smtps", "imaps"), params={"tls_server_sni_maps": "hash:$config_directory/sni"})
        self.addCleanup(mail.__exit__, None)
        usual, one, two = (make(mail.etc, name) for name in ("usual.test", "one.test", "two.test"))
        (mail.etc / "sni").write_text(f"one.test {one}\n.two.test {two}\nbroken.test {mail.etc}/usual.test.crt\n")
        mail.run("postmap", "-F", f"hash:{mail.etc}/sni")
        with open(mail.etc / "main.cf", "a") as main_cf:
            main_cf.write(f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {usual}\n")
        mail.start()
        for service in ("smtp", "smtps", "imaps"):
            address, talk = mail.address(service), service == "smtp"
            self.assertEqual(shown(address, "one.test", talk), "one.test", service)
            self.assertEqual(shown(address, "mx.two.test", talk), "two.test", service)
            self.assertEqual(shown(address, "other.test", talk), "usual.test", service)
            self.assertEqual(shown(address, None, talk), "usual.test", service)
        with self.assertRaises(OSError):
            shown(mail.address("smtps"), "broken.test")
        mail.wait_log(r"warning: tls_server_sni_maps: broken.test: no private key")
        # New certificates are there after a reload.
        make(mail.etc, "three.test")
        (mail.etc / "sni").write_text(f"one.test {mail.etc}/three.test.pem\n")
        mail.run("postmap", "-F", f"hash:{mail.etc}/sni")
        mail.run("postern", "reload")
        wait(lambda: shown(mail.address("smtps"), "one.test") == "three.test", "the new certificate")


class ClientCertificates(unittest.TestCase):
    def start(self, **params):
        mail = Instance(services=("smtp", "submission"), params={
            "smtpd_tls_security_level": "may", "smtpd_tls_ask_ccert": "yes", "smtpd_tls_fingerprint_digest": "sha256",
            "smtpd_tls_loglevel": "2", "smtpd_tls_received_header": "yes", "relay_clientcerts": "texthash:$config_directory/known",
            "mynetworks": "192.0.2.1", **params})
        self.addCleanup(mail.__exit__, None)
        make(mail.etc, "ca.test")
        make(mail.etc, "signed.test", "ca.test")
        make(mail.etc, "known.test")
        server = make(mail.etc, "mail.test")
        digest = subprocess.run(["openssl", "x509", "-in", mail.etc / "known.test.crt", "-noout", "-fingerprint", "-sha256"],
                                capture_output=True, check=True).stdout.decode().split("=")[1].strip()
        (mail.etc / "known").write_text(f"{digest} bob\n")
        with open(mail.etc / "main.cf", "a") as main_cf:
            main_cf.write(f"smtpd_tls_chain_files = {server}\nsmtpd_tls_CAfile = {mail.etc}/ca.test.crt\n")
        mail.start()
        return mail, digest

    def relay(self, mail, certificate, recipient="ann@far.test", service="smtp"):
        context = careless()
        if certificate:
            context.load_cert_chain(mail.etc / f"{certificate}.pem")
        with smtplib.SMTP(*mail.address(service), timeout=20) as smtp:
            smtp.starttls(context=context)
            smtp.ehlo()
            smtp.mail("a@client.test")
            reply = smtp.rcpt(recipient)
            if reply[0] == 250 and recipient.endswith("@example.test"):
                smtp.data("Subject: x\r\n\r\nx\r\n")
            return reply[0]

    def test_who_may_relay(self):
        mail, digest = self.start(smtpd_relay_restrictions="permit_tls_clientcerts, reject_unauth_destination", relayhost="[127.0.0.1]:1")
        self.assertEqual(self.relay(mail, "known.test"), 250)
        self.assertEqual(self.relay(mail, "signed.test"), 554)
        self.assertEqual(self.relay(mail, None), 554)
        mail.wait_log(rf"Untrusted: subject_CN=known.test, issuer=known.test, fingerprint={digest}, pkey_fingerprint=")
        mail.wait_log(r"Trusted TLS connection established from localhost")
        bob = mail.add_user("bob")
        self.assertEqual(self.relay(mail, "signed.test", "bob@example.test"), 250)
        text = mail.wait_messages(bob, 1)[0].read_text()
        self.assertIn('(Client CN "signed.test", Issuer "ca.test" (verified OK))', text)

    def test_any_that_an_authority_has_signed(self):
        mail, _ = self.start(smtpd_relay_restrictions="permit_tls_all_clientcerts, reject_unauth_destination", relayhost="[127.0.0.1]:1")
        self.assertEqual(self.relay(mail, "signed.test"), 250)
        self.assertEqual(self.relay(mail, "known.test"), 554)

    def test_required(self):
        mail, _ = self.start(smtpd_tls_security_level="encrypt", smtpd_tls_req_ccert="yes")
        with self.assertRaises((smtplib.SMTPException, ssl.SSLError, OSError)):
            self.relay(mail, "known.test")
        mail.wait_log(r"NOQUEUE: abort: TLS from localhost\[127.0.0.1\]: Client certificate not trusted")
        with self.assertRaises((smtplib.SMTPException, ssl.SSLError, OSError)):
            self.relay(mail, None)
        mail.wait_log(r"NOQUEUE: abort: TLS from localhost\[127.0.0.1\]: No client certificate presented")
        mail.add_user("bob")
        self.assertEqual(self.relay(mail, "signed.test", "bob@example.test"), 250)


if __name__ == "__main__":
    unittest.main()
