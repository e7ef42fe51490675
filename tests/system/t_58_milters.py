"""Milters: a scripted one (python3-milter) and opendkim, with mail by SMTP and by the sendmail command."""

import os
import pathlib
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import unittest

from instance import Instance, wait

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "support" / "scripted_milter.py"
PYTHON = "/usr/bin/python3"
HAS_MILTER = subprocess.run([PYTHON, "-c", "import Milter"], capture_output=True).returncode == 0
OPENDKIM = shutil.which("opendkim", path="/usr/sbin:/usr/bin")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


class Scripted:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-milter-"))
        self.log_path = self.folder / "log"
        self.port = free_port()
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([PYTHON, SCRIPT, f"inet:{self.port}@127.0.0.1", self.log_path],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait(lambda: listens(self.port), "the milter's port")

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def remove(self):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)


def text(do="", more=""):
    return f"From: ann@client.test\r\nSubject: one\r\nX-Secret: s\r\nDo: {do}\r\n{more}\r\nhello\r\n"


@unittest.skipUnless(HAS_MILTER, "needs Debian's python3-milter")
class ScriptedMilter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.milter = Scripted()
        cls.mail = Instance(params={"smtpd_milters": f"inet:localhost:{cls.milter.port}",
                                    "non_smtpd_milters": "$smtpd_milters", "milter_macro_daemon_name": "ORIGINATING",
                                    "milter_command_timeout": "20s", "relayhost": "[127.0.0.1]:1",
                                    "minimal_backoff_time": "1000s", "maximal_backoff_time": "1000s", "recipient_delimiter": "+",
                                    "milter_header_checks": "regexp:$config_directory/milter_header_checks"})
        (cls.mail.etc / "milter_header_checks").write_text(
            "/^X-Top: (.*)/ WARN seen\n/^Subject: forbidden/ REJECT not so\n/^Subject: unwanted/ IGNORE\n")
        cls.mail.start()
        cls.bob, cls.carol = cls.mail.add_user("bob"), cls.mail.add_user("carol")

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None)
        cls.milter.remove()

    def send(self, do="", sender="ann@client.test", to=("bob@example.test",)):
        with smtplib.SMTP(*self.mail.address("smtp"), timeout=30) as smtp:
            return smtp.sendmail(sender, list(to), text(do))

    def delivered(self, do, maildir=None):
        maildir = maildir or self.bob
        before = set(self.mail.messages(maildir))
        self.send(do)
        self.mail.wait_messages(maildir, len(before) + 1)
        return next(iter(set(self.mail.messages(maildir)) - before)).read_text()

    def refused(self, code, said, **more):
        with self.assertRaises(smtplib.SMTPException) as failed:
            self.send(**more)
        error = failed.exception
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            got = next(iter(error.recipients.values()))
        else:
            got = (error.smtp_code, error.smtp_error)
        self.assertEqual((got[0], got[1].decode()), (code, said))

    def test_changes_of_text_and_envelope(self):
        got = self.delivered("header insert change delete")
        self.assertRegex(got, r"(?s)^Return-Path: [^\n]*\n(.*\n)?X-Top: first\n.*Received: ")
        self.assertIn("\nX-Added: by the milter\n\tin two lines\n", got)
        self.assertIn("\nSubject: changed\n", got)
        self.assertNotIn("X-Secret", got)
        got = self.delivered("body from")
        self.assertTrue(got.endswith("\n\nnew text\n.with a dot\n"), got)
        self.assertIn("Return-Path: <changed@example.test>\n", got)
        self.delivered("addrcpt delrcpt", self.carol)
        log = self.milter.log()
        self.assertIn("connect localhost 127.0.0.1 mail.example.test ORIGINATING\n", log)
        self.assertRegex(log, r"mail <ann@client.test> SIZE=\d+ auth=None\nrcpt <bob@example.test> bob@example.test\ndata \w+\nheader From ")
        self.assertNotIn("header Received", log)

    def test_fields_of_milters_are_looked_up(self):
        self.delivered("insert")
        self.mail.wait_log(r"\w+: milter-header-warning: header X-Top: first from \S+\[127.0.0.1\]; from=<ann@client.test> .*: seen")
        self.assertNotIn("\nSubject: unwanted", self.delivered("subject:unwanted"))
        self.refused(550, "5.7.1 not so", do="subject:forbidden")
        self.mail.wait_log(r"\w+: milter-header-reject: header Subject: forbidden from .*: not so")

    def test_refusals(self):
        self.refused(550, "5.7.1 Command rejected", do="reject")
        self.mail.wait_log(r"postfix/cleanup\[\d+\]: \w+: milter-reject: END-OF-MESSAGE from \S+\[127.0.0.1\]: 5.7.1 Command "
                           r"rejected; from=<ann@client.test> to=<bob@example.test> proto=ESMTP helo=<\S+>")
        self.refused(550, "5.6.0 not with that text, 100% sure", do="code")
        self.refused(451, "4.7.1 Service unavailable - try again later", do="tempfail")
        self.refused(550, "5.7.1 Command rejected", sender="reject-mail@client.test")
        self.mail.wait_log(r"postfix/smtpd\[\d+\]: NOQUEUE: milter-reject: MAIL from \S+\[127.0.0.1\]: 550 5.7.1 Command "
                           r"rejected; from=<reject-mail@client.test> proto=ESMTP helo=<\S+>")
        self.refused(553, "5.1.7 not in this town", to=["bob+code-rcpt@example.test"])
        self.refused(451, "4.7.1 Service unavailable - try again later", to=["bob+tempfail-rcpt@example.test"])
        # The session goes on after each.
        with smtplib.SMTP(*self.mail.address("smtp"), timeout=30) as smtp:
            for _ in range(2):
                with self.assertRaises(smtplib.SMTPDataError):
                    smtp.sendmail("a@client.test", ["bob@example.test"], text("reject"))
            smtp.sendmail("a@client.test", ["bob@example.test"], text())

    def test_discard_and_quarantine(self):
        before = len(self.mail.messages(self.bob))
        self.send("discard")
        self.mail.wait_log(r"\w+: milter-discard: END-OF-MESSAGE from \S+: milter triggers DISCARD action; from=<ann@client.test>")
        self.send(sender="discard-mail@client.test")
        self.mail.wait_log(r"milter-discard: .* from=<discard-mail@client.test>")
        self.send("quarantine")
        found = self.mail.wait_log(r"(\w+): milter-hold: END-OF-MESSAGE from \S+: looks odd; from=<ann@client.test>")
        wait(lambda: (self.mail.queue / "hold" / found[1]).exists(), "the message in hold/", self.mail.log)
        self.assertEqual(len(self.mail.messages(self.bob)), before)
        self.mail.run("postsuper", "-d", found[1])

    def test_mail_of_local_users(self):
        before = set(self.mail.messages(self.bob))
        self.mail.run("sendmail", "-f", "ann@example.test", "bob@example.test", input="Do: header\nSubject: local\n\nx\n")
        self.mail.wait_messages(self.bob, len(before) + 1)
        got = next(iter(set(self.mail.messages(self.bob)) - before)).read_text()
        self.assertIn("\nX-Added: by the milter\n", got)
        self.mail.run("sendmail", "-f", "carol@example.test", "bob@example.test", input="Do: code\nSubject: refused\n\nx\n")
        self.mail.wait_log(r"milter-reject: END-OF-MESSAGE from localhost\[127.0.0.1\]: 5.6.0 not with that text")
        wait(lambda: any("not with that text" in p.read_text() for p in self.mail.messages(self.carol)), "the bounce",
             self.mail.log)


@unittest.skipUnless(HAS_MILTER, "needs Debian's python3-milter")
class MilterTrouble(unittest.TestCase):
    def one(self, milters, **params):
        mail = Instance(params={"smtpd_milters": milters, **params})
        self.addCleanup(mail.__exit__, None)
        mail.start()
        return mail, mail.add_user("bob")

    def try_one(self, mail, do=""):
        try:
            with smtplib.SMTP(*mail.address("smtp"), timeout=30) as smtp:
                smtp.sendmail("ann@client.test", ["bob@example.test"], text(do))
        except smtplib.SMTPConnectError as error:
            return error.smtp_code
        except smtplib.SMTPResponseException as error:
            return error.smtp_code
        except smtplib.SMTPServerDisconnected:
            return 421
        return 250

    def test_down_with_each_default_action(self):
        port = free_port()
        for action, code in (("accept", 250), ("quarantine", 250), ("tempfail", 421), ("reject", 554), ("shutdown", 421)):
            with self.subTest(action):
                mail, maildir = self.one(f"{{ inet:127.0.0.1:{port}, default_action = {action} }}",
                                         milter_default_action="reject")
                self.assertEqual(self.try_one(mail), code)
                mail.wait_log(rf"warning: milter inet:127.0.0.1:{port}: .*Connection refused")
                if action == "accept":
                    mail.wait_messages(maildir, 1)
                if action == "quarantine":
                    mail.wait_log(r"milter-hold: END-OF-MESSAGE")
                    wait(lambda: list((mail.queue / "hold").iterdir()), "a held message", mail.log)

    def test_dies_in_the_middle(self):
        milter = Scripted()
        self.addCleanup(milter.remove)
        mail, maildir = self.one(f"inet:127.0.0.1:{milter.port}", milter_default_action="accept")
        self.assertEqual(self.try_one(mail, "header die"), 250)
        (path,) = mail.wait_messages(maildir, 1)
        self.assertNotIn("X-Added", path.read_text())  # half of its changes is none
        milter.end()
        milter.start()
        mail.stop()
        mail.run("postconf", "-e", "milter_default_action=tempfail")
        mail.start()
        self.assertEqual(self.try_one(mail, "die"), 451)

    def test_a_misspelt_list_is_not_no_milter(self):
        mail, _ = self.one("inet:127.0.0.1", milter_default_action="tempfail")
        self.assertEqual(self.try_one(mail), 421)
        mail.wait_log(r'warning: smtpd_milters: milter "inet:127.0.0.1": neither inet:host:port nor unix:path')

    def test_a_service_may_have_its_own(self):
        mail = Instance(params={"smtpd_milters": "inet:127.0.0.1:1"}, listener_options={"smtp": "-o smtpd_milters="})
        self.addCleanup(mail.__exit__, None)
        mail.start()
        maildir = mail.add_user("bob")
        self.assertEqual(self.try_one(mail), 250)
        mail.wait_messages(maildir, 1)


@unittest.skipUnless(OPENDKIM and shutil.which("openssl"), "needs Debian's opendkim")
class Opendkim(unittest.TestCase):
    def test_signs_and_verifies(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-opendkim-"))
        self.addCleanup(shutil.rmtree, folder, True)
        subprocess.run(["openssl", "genrsa", "-out", folder / "key.pem", "2048"], check=True, capture_output=True)
        (folder / "key.pem").chmod(0o600)
        public = subprocess.run(["openssl", "rsa", "-in", folder / "key.pem", "-pubout", "-outform", "DER"], check=True,
                                capture_output=True).stdout
        import base64
        (folder / "keys").write_text("sel._domainkey.example.test v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode() + "\n")
        ports = []
        for mode, extra in (("s", f"Domain example.test\nSelector sel\nKeyFile {folder}/key.pem\n"), ("v", "")):
            port = free_port()
            config = folder / f"{mode}.conf"
            config.write_text(f"Mode {mode}\nSocket inet:{port}@127.0.0.1\nSyslog no\nBackground no\nCanonicalization relaxed/simple\n"
                              f"TestPublicKeys {folder}/keys\nRequireSafeKeys no\nPidFile {folder}/{mode}.pid\n"
                              f"InternalHosts {'127.0.0.1' if mode == 's' else '192.0.2.1'}\nAlwaysAddARHeader yes\n" + extra)
            process = subprocess.Popen([OPENDKIM, "-f", "-x", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(process.wait, 20)
            self.addCleanup(process.terminate)
            wait(lambda: listens(port), f"opendkim's port, mode {mode}")
            ports.append(port)
        # The second sees what the first has added.
        mail = Instance(params={"smtpd_milters": f"inet:127.0.0.1:{ports[0]}, inet:127.0.0.1:{ports[1]}"})
        self.addCleanup(mail.__exit__, None)
        mail.start()
        maildir = mail.add_user("bob")
        with smtplib.SMTP(*mail.address("smtp"), timeout=30) as smtp:
            smtp.sendmail("ann@example.test", ["bob@example.test"],
                          "From: ann@example.test\r\nTo: bob@example.test\r\nSubject: signed\r\n\r\nhello\r\n.dot\r\n")
        (path,) = mail.wait_messages(maildir, 1)
        got = path.read_text()
        self.assertRegex(got, r"(?s)DKIM-Signature: v=1; .*d=example\.test; s=sel;")
        self.assertRegex(got, r"(?s)Authentication-Results: .*dkim=pass")


if __name__ == "__main__":
    unittest.main()
