"""Mail through a relay host that wants TLS and a password: the real submission service of a second instance."""

import os
import smtplib
import subprocess
import unittest

from instance import Instance, private_mounts

MESSAGE = "From: ann@client.test\r\nSubject: hello\r\n\r\nhi\r\n"


def make_certificate(folder, name="relay.test"):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", folder / "key.pem",
                    "-out", folder / "cert.pem"], check=True, capture_output=True)
    (folder / "key.pem").chmod(0o644)  # for the account that this instance runs under
    return folder / "cert.pem", folder / "key.pem"


def make_relay():
    relay = Instance(params={"mydestination": "far.test"}, services=("submission", "smtps"))
    certificate, key = make_certificate(relay.etc)
    with open(relay.etc / "main.cf", "a") as main_cf:
        main_cf.write(f"smtpd_tls_security_level = encrypt\nsmtpd_tls_cert_file = {certificate}\n"
                      f"smtpd_tls_key_file = {key}\nmynetworks =\n"
                      "smtpd_recipient_restrictions = permit_sasl_authenticated, reject\n"
                      "smtpd_sasl_authenticated_header = yes\nsmtpd_tls_received_header = yes\n")
    relay.start()
    return relay, certificate, relay.add_user("bob", "geheim")


def send(mail):
    with smtplib.SMTP(*mail.address("smtp")) as smtp:
        smtp.sendmail("ann@client.test", ["bob@far.test"], MESSAGE)


class RelayLogin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay, cls.certificate, cls.maildir = make_relay()
        cls.hop = "[%s]:%d" % cls.relay.address("submission")

    @classmethod
    def tearDownClass(cls):
        cls.relay.__exit__(None)

    def client(self, password="bob:geheim", **params):
        mail = Instance(params={"relayhost": self.hop, "smtp_sasl_auth_enable": "yes",
                                "smtp_sasl_password_maps": "hash:$config_directory/sasl_passwd",
                                "smtp_sasl_security_options": "noanonymous", "smtp_tls_security_level": "encrypt",
                                "smtp_tls_loglevel": "1", **params})
        self.addCleanup(mail.__exit__, None)
        (mail.etc / "sasl_passwd").write_text(f"{self.hop} {password}\n")
        mail.run("postmap", f"hash:{mail.etc}/sasl_passwd")
        mail.start()
        return mail

    def test_logs_in_under_tls(self):
        mail = self.client()
        before = len(self.relay.messages(self.maildir))
        send(mail)
        mail.wait_empty_queue()
        text = self.relay.wait_messages(self.maildir, before + 1)[-1].read_text()
        self.assertRegex(text, r"\n\t\(using TLSv1.3 with cipher \S+ \(256/256 bits\)\)\n\t\(No client certificate requested\)\n\t\(Authenticated sender: bob\)\n\tby ")
        mail.wait_log(r"postfix/smtp\[\d+\]: Untrusted TLS connection established to [\d.]+\[[\d.]+\]:\d+: TLSv1.3 with "
                      r"cipher \S+ \(256/256 bits\) key-exchange X25519 server-signature ECDSA \(P-256\) server-digest SHA256")
        self.relay.wait_log(r"sasl_method=\w+, sasl_username=bob")

    def test_a_new_password_is_seen_without_a_reload(self):
        mail = self.client("bob:wrong", minimal_backoff_time="1s")
        send(mail)
        mail.wait_log(r"status=deferred \(SASL authentication failed; server [\d.]+\[[\d.]+\] said: 535 ")
        (mail.etc / "sasl_passwd").write_text(f"{self.hop} bob:geheim\n")
        mail.run("postmap", f"hash:{mail.etc}/sasl_passwd")
        mail.run("postqueue", "-f")
        mail.wait_empty_queue()

    def test_the_certificate_is_checked(self):
        mail = self.client(smtp_tls_policy_maps="texthash:$config_directory/policy", smtp_tls_CAfile=str(self.certificate))
        # Without a file the mail waits: no policy is not "no TLS".
        send(mail)
        mail.wait_log(r"status=deferred \(client configuration problem: ")
        (mail.etc / "policy").write_text(f"{self.hop} secure match=other.test\n")
        mail.run("postqueue", "-f")
        mail.wait_log(r"status=deferred \(Server certificate not verified\)")
        (mail.etc / "policy").write_text(f"{self.hop} secure match=relay.test ciphers=high\n")
        mail.run("postqueue", "-f")
        mail.wait_empty_queue()
        mail.wait_log(r"Verified TLS connection established to [\d.]+\[[\d.]+\]")

    def test_tls_from_the_start(self):
        mail = self.client(relayhost="[%s]:%d" % self.relay.address("smtps"), smtp_tls_wrappermode="yes",
                           smtp_sasl_password_maps="static:bob:geheim", smtp_sasl_mechanism_filter="login")
        send(mail)
        mail.wait_empty_queue()
        self.relay.wait_log(r"sasl_method=LOGIN, sasl_username=bob")


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class PasswordsOfRoot(unittest.TestCase):
    def test_a_table_that_only_root_reads(self):
        private_mounts()
        relay, _, maildir = make_relay()
        self.addCleanup(relay.__exit__, None)
        hop = "[%s]:%d" % relay.address("submission")
        mail = Instance(params={"relayhost": hop, "smtp_sasl_auth_enable": "yes", "smtp_tls_security_level": "encrypt",
                                "smtp_sasl_password_maps": "hash:$config_directory/sasl_passwd",
                                "smtp_sasl_security_options": "noanonymous"}, real_uids=True)
        self.addCleanup(mail.__exit__, None)
        (mail.etc / "sasl_passwd").write_text(f"{hop} bob:geheim\n")
        mail.run("postmap", f"hash:{mail.etc}/sasl_passwd")
        os.chmod(mail.etc / "sasl_passwd.db", 0o600)
        os.chown(mail.etc / "sasl_passwd.db", 0, 0)
        mail.run("postern", "set-permissions")
        mail.take_standard_place()
        mail.start()
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.sendmail("ann@client.test", ["bob@far.test"], MESSAGE)
        mail.wait_log(r"to=<bob@far.test>, relay=[\d.]+\[[\d.]+\]:\d+, .*status=sent")
        relay.wait_log(r"sasl_username=bob")


if __name__ == "__main__":
    unittest.main()
