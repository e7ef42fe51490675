"""AUTH with a real Dovecot as password server: smtpd_sasl_type = dovecot, smtpd_sasl_path = private/auth."""

import contextlib
import os
import pathlib
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import unittest

from instance import Instance, wait

DOVECOT = shutil.which("dovecot", path="/usr/sbin:/usr/bin")

CONFIG = """base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols =
ssl = no
auth_mechanisms = plain login cram-md5
disable_plaintext_auth = no
default_internal_user = nobody
default_login_user = nobody
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service stats {{
  chroot =
}}
service anvil {{
  chroot =
}}
service auth {{
  unix_listener {socket} {{
    mode = 0666
  }}
  {inet}
}}
"""


class Dovecot:
    """Dovecot's master and auth processes with a configuration of their own."""

    def __init__(self, socket, inet=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-dovecot-"))
        self.folder.chmod(0o755)
        self.socket = pathlib.Path(socket)
        (self.folder / "users").write_text("ann:geheim\n")
        config = self.folder / "dovecot.conf"
        config.write_text(CONFIG.format(folder=self.folder, socket=socket, inet=inet))
        self.process = subprocess.Popen([DOVECOT, "-F", "-c", config], stderr=subprocess.PIPE, text=True)
        try:
            wait(lambda: self.listens() or self.process.poll() is not None, "Dovecot's socket", self.log)
        except AssertionError:
            self.stop()
            raise
        if self.process.poll() is not None:
            raise AssertionError(self.process.stderr.read())

    def listens(self):
        # The name is there a moment before anybody listens.
        with socket.socket(socket.AF_UNIX) as one:
            return one.connect_ex(str(self.socket)) == 0

    def log(self):
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def stop(self):
        if self.process.poll() is None:
            pid = self.process.pid
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            # Its auth process would serve the connections that it has, with its users' file gone.
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
        self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@unittest.skipUnless(DOVECOT and os.geteuid() == 0, "needs root and Debian's dovecot-core")
class DovecotAuth(unittest.TestCase):
    def instance(self, **params):
        mail = Instance(params={"smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "private/auth",
                                "smtpd_sasl_auth_enable": "yes", "mynetworks": "", "relayhost": "[127.0.0.1]:1",
                                "smtpd_relay_restrictions": "permit_sasl_authenticated, reject", **params})
        self.addCleanup(mail.__exit__, None)
        mail.start()
        return mail

    def test_an_unchanged_main_cf_asks_the_dovecot_that_it_asked_before(self):
        mail = self.instance()
        dovecot = Dovecot(mail.queue / "private" / "auth")  # after us: nobody of ours has that place
        self.addCleanup(dovecot.stop)
        for mechanism in ("CRAM-MD5", "PLAIN", "LOGIN"):
            with smtplib.SMTP(*mail.address("smtp"), timeout=20) as smtp:
                smtp.ehlo()
                self.assertEqual(set(smtp.esmtp_features["auth"].split()), {"CRAM-MD5", "PLAIN", "LOGIN"})
                smtp.user, smtp.password = "ann", "geheim"
                method = getattr(smtp, "auth_" + mechanism.lower().replace("-", "_"))
                self.assertEqual(smtp.auth(mechanism, method)[0], 235, mechanism)
                smtp.sendmail("ann@example.test", ["far@elsewhere.test"], "Subject: x\r\n\r\nx\r\n")
            mail.wait_log(rf"postfix/smtpd\[\d+\]: \w+: client=\S+, sasl_method={mechanism}, sasl_username=ann")
        with smtplib.SMTP(*mail.address("smtp"), timeout=20) as smtp:
            with self.assertRaises(smtplib.SMTPAuthenticationError) as failed:
                smtp.login("ann", "falsch")
            self.assertEqual(failed.exception.smtp_code, 535)
        mail.wait_log(r"warning: \S+\[127\.0\.0\.1\]: SASL \S+ authentication failed: ")
        # Our own service has its own place.
        self.assertTrue((mail.queue / "private" / "postern-auth").is_socket())

    def test_dovecot_restarts_and_is_away(self):
        mail = self.instance(smtpd_sasl_security_options="noanonymous, noplaintext")
        with smtplib.SMTP(*mail.address("smtp"), timeout=20) as smtp:
            smtp.ehlo()
            self.assertFalse(smtp.has_extn("auth"))
        mail.wait_log(r"warning: SASL: Dovecot's authentication server at private/auth: .*No such file")
        for _ in range(2):
            dovecot = Dovecot(mail.queue / "private" / "auth")
            try:
                with smtplib.SMTP(*mail.address("smtp"), timeout=20) as smtp:
                    smtp.ehlo()
                    self.assertEqual(smtp.esmtp_features["auth"].split(), ["CRAM-MD5"])
                    self.assertEqual(smtp.login("ann", "geheim")[0], 235)
            finally:
                dovecot.stop()
            (mail.queue / "private" / "auth").unlink(missing_ok=True)

    def test_over_the_network(self):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-dovecot-"))
        self.addCleanup(shutil.rmtree, folder, True)
        dovecot = Dovecot(folder / "auth", f"inet_listener {{\n address = 127.0.0.1\n port = {port}\n }}")
        self.addCleanup(dovecot.stop)
        mail = self.instance(smtpd_sasl_path=f"inet:localhost:{port}")
        with smtplib.SMTP(*mail.address("smtp"), timeout=20) as smtp:
            self.assertEqual(smtp.login("ann", "geheim")[0], 235)


class OtherTypes(unittest.TestCase):
    def test_cyrus_is_said_not_to_be_there(self):
        with Instance(params={"smtpd_sasl_type": "cyrus", "smtpd_sasl_auth_enable": "yes"}) as mail:
            with smtplib.SMTP(*mail.address("smtp"), timeout=20) as smtp:
                smtp.ehlo()
                self.assertFalse(smtp.has_extn("auth"))
            mail.wait_log(r"warning: smtpd_sasl_type = cyrus: there is no Cyrus SASL here, and AUTH is not offered")


if __name__ == "__main__":
    unittest.main()
