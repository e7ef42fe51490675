"""As root: master keeps root, each daemon changes to its own user, and users are kept apart."""

import grp
import imaplib
import os
import pathlib
import pwd
import shutil
import smtplib
import stat
import tempfile
import unittest

from instance import Instance, private_mounts, wait

USERS = {"smtpd": "postern-net", "cleanup": "postern-queue", "qmgr": "postern-queue", "pickup": "postern",
         "policy": "postern-policy", "rewrite": "postern-policy", "postern-auth": "postern-auth", "local": "root", "imapd": "root"}
ANN, EVE = (30001, 30001), (30002, 30002)


def has_process(uid):
    for process in pathlib.Path("/proc").iterdir():
        try:
            if process.name.isdigit() and process.stat().st_uid == uid:
                return True
        except FileNotFoundError:
            pass  # gone since the listing
    return False


def owner(pid):
    return pwd.getpwuid(os.stat(f"/proc/{pid}").st_uid).pw_name


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class RealUids(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        private_mounts()
        cls.mail = Instance(services=("smtp", "imap"), real_uids=True,
                            params={"mydestination": "example.test, mail.example.test, localhost",
                                    "imap_hibernate_timeout": "1s"})
        cls.mail.run("postern", "set-permissions")
        cls.mail.take_standard_place()
        cls.mail.start()
        cls.maildir = cls.mail.add_user("bob")

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None)

    def test_one_user_submits_another_receives(self):
        mail = self.mail
        before = len(mail.messages(self.maildir))
        mail.run("sendmail", "-f", "ann@example.test", "bob", input="Subject: between users\n\nhi\n", user=ANN)
        *_, path = mail.wait_messages(self.maildir, before + 1)
        info = path.stat()
        self.assertEqual(info.st_uid, self.maildir.parent.stat().st_uid)
        self.assertEqual(stat.S_IMODE(info.st_mode) & 0o077, 0)
        mail.wait_log(rf"pickup\[\d+\]: \w+: uid={ANN[0]} from=<ann@example.test>")

    def test_every_user_adds_to_the_trace_and_root_alone_reads_it(self):
        mail = self.mail
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.sendmail("trace@far.test", ["bob@example.test"], "Subject: x\n\nhi\n")
        told = lambda: mail.run("mailtrace", "trace@far.test", check=False).stdout
        wait(lambda: "all is done" in told(), "the story", lambda: told() + mail.log())
        for program in ("smtpd", "cleanup", "qmgr", "local"):
            self.assertRegex(told(), rf"(?m)^\S+ +\S+  {program} ")
        records = mail.queue / "mailtrace/records"
        self.assertEqual((records.stat().st_uid, stat.S_IMODE(records.stat().st_mode)), (0, 0o600))
        for user in (ANN, (pwd.getpwnam("postern-net").pw_uid, pwd.getpwnam("postern-net").pw_gid)):
            result = mail.run("mailtrace", "trace@far.test", check=False, user=user)
            self.assertEqual((result.returncode, result.stdout), (69, ""))
            self.assertIn("only root may look there", result.stderr)

    def test_daemons_run_as_their_users(self):
        mail = self.mail
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.sendmail("ann@client.test", ["bob@example.test"], "Subject: x\r\n\r\nx\r\n")
            with imaplib.IMAP4(*mail.address("imap")) as imap:
                imap.login("bob", "secret")
                for service, user in USERS.items():
                    name = {"smtpd": "127.0.0.1:0"}.get(service, service)
                    for pid in mail.pids(name):
                        self.assertEqual(owner(pid), user, service)
                for pid in mail.pids("127.0.0.3:0"):
                    self.assertEqual(owner(pid), "postern-net")
                # The session's process has become its user.
                self.assertTrue(has_process(self.maildir.parent.stat().st_uid))
        self.assertTrue(mail.pids("127.0.0.1:0") and mail.pids("cleanup") and mail.pids("policy"))

    def test_a_session_hibernates_and_comes_back_as_its_user(self):
        mail, uid = self.mail, self.maildir.parent.stat().st_uid
        with imaplib.IMAP4(*mail.address("imap")) as imap:
            imap.login("bob", "secret")
            imap.select()
            imap.send(b"i IDLE\r\n")
            imap.readline()
            wait(lambda: not has_process(uid), "the end of the session's process", mail.log)
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.sendmail("ann@client.test", ["bob@example.test"], "Subject: wake up\r\n\r\nx\r\n")
            while b"EXISTS" not in (line := imap.readline()):
                self.assertTrue(line.startswith(b"* "), mail.log())
            self.assertTrue(has_process(uid))
            imap.send(b"DONE\r\n")
            while not (line := imap.readline()).startswith(b"i "):
                self.assertTrue(line, mail.log())
            self.assertTrue(line.startswith(b"i OK"), line)

    def test_nobody_else_reads_the_queue_or_the_mail(self):
        for folder in ("incoming", "deferred", "hold", "active", "maildrop", "private"):
            result = os.spawnlp(os.P_WAIT, "setpriv", "setpriv", f"--reuid={EVE[0]}", f"--regid={EVE[1]}", "--clear-groups",
                                "sh", "-c", f"ls '{self.mail.queue}/{folder}' >/dev/null 2>&1")
            self.assertNotEqual(result, 0, folder)
        result = os.spawnlp(os.P_WAIT, "setpriv", "setpriv", f"--reuid={EVE[0]}", f"--regid={EVE[1]}", "--clear-groups",
                            "sh", "-c", f"ls '{self.maildir}/new' >/dev/null 2>&1")
        self.assertNotEqual(result, 0)

    def test_mailq_for_everybody_control_for_root_only(self):
        mail = self.mail
        self.assertIn("empty", mail.run("mailq", user=EVE).stdout)
        self.assertNotEqual(mail.run("postsuper", "-d", "ALL", user=EVE, check=False).returncode, 0)
        self.assertNotEqual(mail.run("postern", "stop", user=EVE, check=False).returncode, 0)
        self.assertTrue(mail.running())

    def test_what_postsuper_makes_is_the_queue_owners(self):
        mail = self.mail
        owner_of = lambda path: pwd.getpwuid(path.stat().st_uid).pw_name
        misplaced = mail.queue / "deferred/Z/4WRONGPLACE"
        misplaced.parent.mkdir(mode=0o700)
        misplaced.write_bytes(b"")
        for path in (misplaced.parent, misplaced):
            os.chown(path, pwd.getpwnam("postern-queue").pw_uid, -1)
        mail.run("postsuper", "-s")
        right = mail.queue / "deferred/E/4WRONGPLACE"
        self.assertTrue(right.exists())
        self.assertEqual((owner_of(right.parent), owner_of(right)), ("postern-queue", "postern-queue"))
        mail.run("postsuper", "-d", "4WRONGPLACE")
        self.assertFalse(right.exists())
        misplaced.parent.rmdir()
        # Where mail of local users waits only root may remove anything.
        dropped = mail.queue / "maildrop/4DROPPED000"
        dropped.write_text("not complete")
        mail.run("postsuper", "-d", "4DROPPED000")
        self.assertFalse(dropped.exists())
        (mail.queue / "corrupt").rmdir()
        refused = mail.run("postsuper", "-s", check=False)
        self.assertIn("set-permissions", refused.stderr)
        mail.run("postern", "set-permissions")
        mail.run("postsuper", "-s")

    def test_permissions_are_checked(self):
        mail = self.mail
        self.assertEqual(mail.run("postern", "check", check=False).returncode, 0)
        os.chmod(mail.queue / "maildrop", 0o777)
        try:
            result = mail.run("postern", "check", check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn("maildrop: owner", result.stderr)
        finally:
            mail.run("postern", "set-permissions")
        self.assertEqual(mail.run("postern", "check", check=False).returncode, 0)

    def test_alias_files_get_their_databases(self):
        mail = self.mail
        text, no_text = mail.etc / "more-aliases", mail.etc / "aliases.cf"
        text.write_text("sales: bob\n")
        before = (mail.etc / "main.cf").read_text()
        mail.run("postconf", "-e", f"alias_database = hash:{text} mysql:{no_text}")
        try:
            mail.run("postern", "set-permissions")
            self.assertEqual(mail.run("postalias", "-q", "sales", f"hash:{text}").stdout, "bob\n")
            self.assertFalse(no_text.exists())
        finally:
            (mail.etc / "main.cf").write_text(before)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Mailboxes(unittest.TestCase):
    """With uids of their own: policy asks local for quota; an mbox that is the INBOX."""

    def serve(self, **params):
        private_mounts()
        mail = Instance(services=("smtp", "imap"), real_uids=True, params=params)
        mail.run("postern", "set-permissions")
        mail.take_standard_place()
        mail.start()
        self.addCleanup(mail.__exit__, None)
        return mail

    def test_a_full_mailbox_is_refused_at_rcpt(self):
        mail = self.serve(mailbox_quota_rule="*:bytes=1000")
        mail.add_user("bob")
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.ehlo()
            smtp.mail("ann@client.test", ["size=5000"])
            code, text = smtp.rcpt("bob@example.test")
            self.assertEqual((code, text[:6]), (552, b"5.2.2 "), mail.log())
            smtp.rset()
            smtp.mail("ann@client.test", ["size=500"])
            self.assertEqual(smtp.rcpt("bob@example.test")[0], 250)

    def test_an_mbox_in_a_spool_directory_of_the_group(self):
        """As on Debian: users may not make files there, so that fcntl alone locks."""
        spool = pathlib.Path(tempfile.mkdtemp(prefix="postern-spool-"))
        self.addCleanup(shutil.rmtree, spool)
        os.chown(spool, 0, grp.getgrnam("mail").gr_gid)
        os.chmod(spool, 0o2775)
        mail = self.serve(mailbox_inbox_file=f"{spool}/$user")
        uid = mail.add_user("bob").parent.stat().st_uid
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.sendmail("ann@client.test", ["bob@example.test"], "Subject: one\n\nhi\n")
        wait(lambda: (spool / "bob").exists() and b"Subject: one" in (spool / "bob").read_bytes(), "the delivery", mail.log)
        self.assertEqual((spool / "bob").stat().st_uid, uid)
        imap = imaplib.IMAP4(*mail.address("imap"))
        imap.login("bob", "secret")
        self.assertEqual(imap.select()[1], [b"1"], mail.log())
        imap.store("1", "+FLAGS", "\\Seen")
        imap.logout()
        wait(lambda: b"Status: RO" in (spool / "bob").read_bytes(), "the flag", mail.log)
        self.assertEqual([path.name for path in spool.iterdir()], ["bob"])


if __name__ == "__main__":
    unittest.main()
