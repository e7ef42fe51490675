"""As root: aliases, forwarding and virtual mailboxes with daemons that are different users."""

import os
import re
import smtplib
import unittest

from instance import Instance, private_mounts

OWNER = (31001, 31001)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class TablesAsRoot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        private_mounts()
        cls.mail = mail = Instance(real_uids=True)
        base = mail.prefix / "vmail"
        base.mkdir()
        os.chown(base, *OWNER)
        (mail.etc / "aliases").write_text("team: bob, v1@vm.test\n")
        mail.run("postalias", f"hash:{mail.etc}/aliases")
        mail.run("postconf", "-e", f"alias_maps = hash:{mail.etc}/aliases", f"auth_passwd_file = {mail.etc}/users",
                 "local_recipient_maps = passwdfile:$auth_passwd_file proxy:unix:passwd.byname $alias_maps",
                 "virtual_mailbox_domains = vm.test", f"virtual_mailbox_base = {base}",
                 "virtual_mailbox_maps = inline:{v1@vm.test=vm.test/v1/}",
                 f"virtual_uid_maps = static:{OWNER[0]}", f"virtual_gid_maps = static:{OWNER[1]}")
        cls.base = base
        mail.run("postern", "set-permissions")
        mail.take_standard_place()
        mail.start()
        cls.maildir = mail.add_user("bob")

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None)

    def send(self, recipient):
        with smtplib.SMTP(*self.mail.address("smtp")) as smtp:
            smtp.ehlo()
            smtp.mail("ann@client.test")
            code, text = smtp.rcpt(recipient)
            self.assertEqual(code, 250, text)
            _, text = smtp.data("Subject: x\r\n\r\nhi\r\n")
            return re.search(rb"queued as (\w+)", text).group(1).decode()

    def test_alias_is_forwarded_to_user_and_virtual_mailbox(self):
        mail = self.mail
        qid = self.send("team@example.test")
        mail.wait_log(rf"{qid}: to=<team@example.test>, relay=local, .*status=sent \(forwarded as \w+\)")
        *_, mine = mail.wait_messages(self.maildir, 1)
        self.assertEqual(mine.stat().st_uid, self.maildir.parent.stat().st_uid)
        (other,) = mail.wait_messages(self.base / "vm.test/v1", 1)
        self.assertEqual((other.stat().st_uid, other.stat().st_gid), OWNER)
        self.assertEqual(other.stat().st_mode & 0o077, 0)

    def test_unknown_users_are_refused(self):
        with smtplib.SMTP(*self.mail.address("smtp")) as smtp:
            smtp.ehlo()
            smtp.mail("ann@client.test")
            self.assertEqual(smtp.rcpt("nobody-here@example.test")[0], 550)
            self.assertEqual(smtp.rcpt("bob@example.test")[0], 250)


if __name__ == "__main__":
    unittest.main()
