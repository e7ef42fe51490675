"""As root: system users with mailboxes in mbox format, their .forward files and commands, each with its
owner's rights and no others."""

import os
import pathlib
import re
import smtplib
import subprocess
import unittest

from instance import Instance, private_mounts

CAROL, DAVE, SPOOL_GROUP = 32001, 32002, 32010


def send(mail, recipient, sender="ann@client.test", size=0):
    with smtplib.SMTP(*mail.address("smtp")) as smtp:
        smtp.ehlo()
        smtp.mail(sender)
        code, answer = smtp.rcpt(recipient)
        assert code == 250, answer
        _, answer = smtp.data("Subject: x\r\n\r\nFrom me\r\nhi\r\n" + "x" * 70 * (size > 0) + ("\r\n" + "x" * 70) * (size // 72))
        return re.search(rb"queued as (\w+)", answer).group(1).decode()


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class SystemUsers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        private_mounts()
        cls.mail = mail = Instance(real_uids=True)
        cls.homes = {}
        text = pathlib.Path("/etc/passwd").read_text()
        for name, uid in (("carol", CAROL), ("dave", DAVE)):
            home = cls.homes[name] = mail.prefix / "home" / name
            home.mkdir()
            home.chmod(0o700)
            os.chown(home, uid, uid)
            text += f"{name}:x:{uid}:{uid}::{home}:/bin/sh\n"
        (mail.prefix / "passwd").write_text(text)
        subprocess.run(["mount", "--bind", mail.prefix / "passwd", "/etc/passwd"], check=True)
        cls.spool = mail.prefix / "spool"
        cls.spool.mkdir()
        os.chown(cls.spool, 0, SPOOL_GROUP)
        cls.spool.chmod(0o2775)
        cls.out = mail.prefix / "out"
        cls.out.mkdir()
        cls.out.chmod(0o1777)
        (mail.etc / "aliases").write_text(
            f'who: "|id -un >{cls.out}/alias-who; id -Gn >>{cls.out}/alias-who"\nroot: carol\n'
            f'incl: ":include:{mail.prefix}/members"\n')
        (mail.prefix / "members").write_text(f'"|id -un >{cls.out}/include-who"\n')
        os.chown(mail.prefix / "members", DAVE, DAVE)
        mail.run("postalias", f"hash:{mail.etc}/aliases")
        mail.run("postconf", "-e", f"alias_maps = hash:{mail.etc}/aliases", "home_mailbox =",
                 f"mail_spool_directory = {cls.spool}", "mailbox_size_limit = 20000",
                 "local_recipient_maps = proxy:unix:passwd.byname $alias_maps", "recipient_delimiter = +",
                 "allow_mail_to_commands = alias, forward, include")
        mail.run("postern", "set-permissions")
        mail.take_standard_place()
        mail.start()

    @classmethod
    def tearDownClass(cls):
        subprocess.run(["umount", "/etc/passwd"], check=True)
        cls.mail.__exit__(None)

    def tearDown(self):
        for home in self.homes.values():
            for path in home.glob(".forward*"):
                path.unlink()

    def forward(self, user, text):
        path = self.homes[user] / ".forward"
        path.write_text(text)
        os.chown(path, self.homes[user].stat().st_uid, self.homes[user].stat().st_uid)
        return path

    def test_mbox_in_the_spool(self):
        mail, box = self.mail, self.spool / "carol"
        first, second = send(mail, "carol@example.test"), send(mail, "carol@example.test")
        for qid in (first, second):
            mail.wait_log(rf"{qid}: to=<carol@example.test>, relay=local, .*dsn=2.0.0, status=sent \(delivered to mailbox\)")
        text = box.read_text()
        self.assertEqual(len(re.findall(r"^From ann@client.test  ", text, re.M)), 2)
        self.assertEqual(text.count("\n>From me\n"), 2)
        self.assertTrue(text.endswith("\nhi\n\n"))
        info = box.stat()
        self.assertEqual((info.st_uid, info.st_mode & 0o777), (CAROL, 0o600))
        self.assertFalse((self.spool / "carol.lock").exists())

    def test_full_mailbox_returns_the_mail(self):
        mail = self.mail
        qid = send(mail, "dave@example.test", sender="carol@example.test", size=30000)
        mail.wait_log(rf"{qid}: to=<dave@example.test>, .*dsn=5.2.2, status=bounced"
                      rf" \(cannot update mailbox {self.spool}/dave. mailbox size limit exceeded\)")
        self.assertEqual((self.spool / "dave").read_text(), "")

    def test_user_command_has_all_and_only_his_rights(self):
        mail = self.mail
        mine = self.homes["carol"] / "who"
        self.forward("carol", f'"|id -u >{mine}; id -g >>{mine}; id -G >>{mine}; cat {self.homes["dave"]}/x 2>>{mine}"\n')
        (self.homes["dave"] / "x").write_text("secret")
        qid = send(mail, "carol@example.test")
        mail.wait_log(rf"{qid}: to=<carol@example.test>, .*status=(bounced|sent)")
        self.assertRegex(mine.read_text(), rf"\A{CAROL}\n{CAROL}\n{CAROL}\n.*Permission denied")

    def test_user_command_may_send_mail(self):
        """sendmail is set-gid: a command must be able to gain that."""
        mail = self.mail
        self.forward("carol", f'\\carol, "|{mail.prefix}/bin/sendmail -f carol@example.test dave@example.test"\n')
        qid = send(mail, "carol@example.test")
        mail.wait_log(rf"{qid}: to=<carol@example.test>, .*status=sent \(delivered to command: ")
        mail.wait_log(r"to=<dave@example.test>, .*status=sent \(delivered to mailbox\)")
        mail.wait_log(rf"{qid}: to=<carol@example.test>, .*status=sent \(delivered to mailbox\)")

    def test_other_owners_file_is_ignored(self):
        mail = self.mail
        path = self.forward("carol", "dave\n")
        os.chown(path, DAVE, DAVE)
        qid = send(mail, "carol@example.test")
        mail.wait_log(rf"{qid}: to=<carol@example.test>, .*status=sent \(delivered to mailbox\)")
        mail.wait_log(rf"warning: file {path} has bad owner uid {DAVE}: ignored")

    def test_alias_commands_run_as_nobody(self):
        mail = self.mail
        qid = send(mail, "who@example.test")
        mail.wait_log(rf"{qid}: to=<who@example.test>, .*status=sent \(delivered to command")
        self.assertEqual((self.out / "alias-who").read_text(), "nobody\nnogroup\n")

    def test_include_commands_run_as_its_owner(self):
        mail = self.mail
        qid = send(mail, "incl@example.test")
        mail.wait_log(rf"{qid}: to=<incl@example.test>, .*status=sent \(delivered to command")
        self.assertEqual((self.out / "include-who").read_text(), "dave\n")

    def test_root_has_no_mailbox_but_an_alias(self):
        mail = self.mail
        qid = send(mail, "root@example.test")
        mail.wait_log(rf"{qid}: to=<carol@example.test>, orig_to=<root@example.test>, .*status=sent \(delivered to mailbox\)")


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class MailboxCommand(unittest.TestCase):
    def test_delivers_for_all_system_users(self):
        SystemUsers.setUpClass()
        mail, homes = SystemUsers.mail, SystemUsers.homes
        try:
            mail.run("postconf", "-e", 'mailbox_command = cat >"$HOME/by-command"; echo "$USER $EXTENSION" >"$HOME/facts"')
            mail.run("postern", "reload")
            qid = send(mail, "carol+x@example.test")
            mail.wait_log(rf"{qid}: to=<carol\+x@example.test>, .*status=sent \(delivered to command: cat >")
            self.assertIn("Delivered-To: carol+x@example.test", (homes["carol"] / "by-command").read_text())
            self.assertEqual((homes["carol"] / "facts").read_text(), "carol x\n")
            self.assertEqual((homes["carol"] / "facts").stat().st_uid, CAROL)
        finally:
            SystemUsers.tearDownClass()


if __name__ == "__main__":
    unittest.main()
