"""Quota: the rule of main.cf and of a user, mail that does not fit, what IMAP clients see, maildirsize as Dovecot and
Courier know it."""

import imaplib
import smtplib
import unittest

from instance import Instance, wait

PARAMS = {"mailbox_quota_rule": "*:storage=20k:messages=10", "mailbox_quota_at_recipient": "no"}


def letter(size, subject="x"):
    return f"From: ann@client.test\nSubject: {subject}\n\n" + "line of text\n" * (size // 13)


class Quota(unittest.TestCase):
    def serve(self, **params):
        mail = Instance({**PARAMS, **params}, services=("smtp", "imap", "pop3"))
        mail.start()
        self.addCleanup(mail.__exit__, None)
        return mail

    def send(self, mail, size, user="bob"):
        def results():
            return [line for line in mail.log().splitlines() if "status=" in line and f"to=<{user}@" in line]

        before = len(results())
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.sendmail("ann@client.test", [f"{user}@example.test"], letter(size))
        wait(lambda: len(results()) > before, "a delivery", mail.log)
        return results()[-1]

    def imap(self, mail, user="bob"):
        imap = imaplib.IMAP4(*mail.address("imap"))
        self.addCleanup(imap.logout)
        imap.login(user, "secret")
        return imap

    def test_mail_that_does_not_fit_is_returned(self):
        mail = self.serve()
        maildir = mail.add_user("bob")
        self.assertIn("status=sent", self.send(mail, 15000))
        refused = self.send(mail, 9000)
        self.assertIn("dsn=5.2.2, status=bounced (Quota exceeded (mailbox is full))", refused)
        self.assertRegex((maildir / "maildirsize").read_text(), r"^20480S,10C\n15\d{3} 1\n$")
        self.assertIn("status=sent", self.send(mail, 2000))
        self.assertRegex((maildir / "maildirsize").read_text(), r"^20480S,10C\n15\d{3} 1\n2\d{3} 1\n$")
        mail.wait_log(r"warning: .*to=<bob@example.test>: mailbox is 8\d% full")
        self.assertEqual(len(mail.messages(maildir)), 2)

    def refusal(self, mail, size, user="bob"):
        """What RCPT says to a message of that size; empty: it is taken."""
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.ehlo()
            smtp.mail("ann@client.test", [f"size={size}"])
            code, text = smtp.rcpt(f"{user}@example.test")
            return "" if code == 250 else f"{code} {text.decode()}"

    def test_rcpt_refuses_what_does_not_fit(self):
        mail = self.serve(mailbox_quota_at_recipient="yes", alias_maps="inline:{single=bob, {list=bob,eve}}")
        mail.add_user("bob")
        self.assertIn("status=sent", self.send(mail, 15000))
        self.assertEqual(self.refusal(mail, 9000),
                         "552 5.2.2 <bob@example.test>: Recipient address rejected: Quota exceeded (mailbox is full)")
        mail.wait_log(r"NOQUEUE: reject: RCPT from .*: 552 5.2.2 <bob@example.test>: Recipient address rejected: Quota exceeded")
        self.assertEqual(self.refusal(mail, 2000), "")
        self.assertTrue(self.refusal(mail, 9000, "single").startswith("552 5.2.2"), "an alias of one user")
        self.assertEqual(self.refusal(mail, 9000, "list"), "", "an alias of several: the delivery tells")
        # Room again: at once.
        imap = self.imap(mail)
        imap.select()
        imap.store("1", "+FLAGS", "\\Deleted")
        imap.expunge()
        self.assertEqual(self.refusal(mail, 9000), "")
        # Who forwards his mail is not asked.
        mail.run("postern", "user", "quota", "bob", "*:bytes=10")
        wait(lambda: self.refusal(mail, 9000).startswith("552 5.2.2"), "the new rule", mail.log)  # local keeps rules for a moment
        (mail.prefix / "home/bob/.forward").write_text("else@client.test\n")
        self.assertEqual(self.refusal(mail, 9000), "")

    def test_rcpt_may_say_later(self):
        mail = self.serve(mailbox_quota_at_recipient="yes", mailbox_quota_full_action="defer")
        mail.add_user("bob")
        self.assertEqual(self.refusal(mail, 30000),
                         "452 4.2.2 <bob@example.test>: Recipient address rejected: Quota exceeded (mailbox is full)")
        self.assertEqual(self.refusal(mail, 3000), "")

    def test_or_waits(self):
        mail = self.serve(mailbox_quota_full_action="defer")
        maildir = mail.add_user("bob")
        self.send(mail, 15000)
        self.assertIn("dsn=4.2.2, status=deferred", self.send(mail, 9000))
        imap = self.imap(mail)
        imap.select()
        imap.store("1", "+FLAGS", "\\Deleted")
        imap.expunge()
        mail.run("postqueue", "-f")
        wait(lambda: len(mail.messages(maildir)) == 1, "the mail that waited", mail.log)

    def test_a_users_own_rule_and_what_imap_says(self):
        mail = self.serve()
        mail.add_user("bob")
        mail.add_user("eve")
        self.assertEqual(mail.run("postern", "user", "quota", "bob").stdout,
                         "*:storage=20k:messages=10 (mailbox_quota_rule)\n")
        mail.run("postern", "user", "quota", "bob", "*:messages=2")
        mail.run("postern", "user", "quota", "eve", "*:ignore")
        imap = self.imap(mail)
        self.assertIn(b"QUOTA=RES-MESSAGE", imap.capability()[1][0])
        self.assertEqual(imap.getquotaroot("INBOX"), ("OK", [[b'INBOX ""'], [b'"" (MESSAGE 0 2)']]))
        for _ in range(2):
            self.assertIn("status=sent", self.send(mail, 40000))
        self.assertIn("status=bounced (Quota exceeded (too many messages", self.send(mail, 10))
        self.assertEqual(imap.getquota('""'), ("OK", [b'"" (MESSAGE 2 2)']))
        kind, text = imap.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
        self.assertEqual((kind, text), ("NO", [b"[OVERQUOTA] Quota exceeded"]))
        eve = self.imap(mail, "eve")
        self.assertEqual(eve.getquotaroot("INBOX"), ("OK", [[b"INBOX"], [None]]))
        for _ in range(3):
            self.assertIn("status=sent", self.send(mail, 40000, "eve"))

    def test_another_program_that_removes_mail_makes_room(self):
        mail = self.serve()
        maildir = mail.add_user("bob")
        self.send(mail, 15000)
        for path in mail.messages(maildir):
            path.unlink()
        self.assertIn("status=sent", self.send(mail, 9000), "the folders are counted before mail is refused")


if __name__ == "__main__":
    unittest.main()
