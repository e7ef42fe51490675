"""One message travels: in by SMTP and by sendmail, into a Maildir, out by IMAP and POP3."""

import imaplib
import poplib
import smtplib
import ssl
import unittest

from instance import Instance

MESSAGE = "From: ann@client.test\r\nTo: bob@example.test\r\nSubject: hello\r\n\r\nfirst line\r\n..dots\r\nlast\r\n"


class Delivery(unittest.TestCase):
    def test_smtp_to_maildir(self):
        with Instance() as mail:
            maildir = mail.add_user("bob")
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.sendmail("ann@client.test", ["bob@example.test"], MESSAGE)
            (path,) = mail.wait_messages(maildir, 1)
            text = path.read_text()
            self.assertTrue(text.startswith("Return-Path: <ann@client.test>\n"), text)
            self.assertIn("\nX-Original-To: bob@example.test\nDelivered-To: bob@example.test\n", text)
            self.assertTrue(text.endswith("\n\nfirst line\n..dots\nlast\n"), text)
            mail.wait_log(r"postfix/smtpd\[\d+\]: connect from \S+\[127.0.0.1\]")
            qid = mail.wait_log(r"postfix/smtpd\[\d+\]: (\w+): client=\S+\[127.0.0.1\]").group(1)
            mail.wait_log(rf"postfix/qmgr\[\d+\]: {qid}: from=<ann@client.test>, size=\d+, nrcpt=1 \(queue active\)")
            mail.wait_log(rf"postfix/local\[\d+\]: {qid}: to=<bob@example.test>, relay=local, delay=[\d.]+, "
                          r"delays=[\d./]+, dsn=2.0.0, status=sent \(delivered to maildir\)")
            mail.wait_log(rf"postfix/qmgr\[\d+\]: {qid}: removed")
            mail.wait_empty_queue()

    def test_unknown_recipient_and_relay_are_refused(self):
        with Instance(params={"mynetworks": "192.0.2.1"}) as mail:
            mail.add_user("bob")
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.ehlo()
                smtp.mail("ann@client.test")
                code, text = smtp.rcpt("nosuch@example.test")
                self.assertEqual((code, text), (550, b"5.1.1 <nosuch@example.test>: Recipient address rejected: "
                                                     b"User unknown in local recipient table"))
                code, text = smtp.rcpt("far@elsewhere.test")
                self.assertEqual((code, text), (454, b"4.7.1 <far@elsewhere.test>: Relay access denied"))
                self.assertEqual(smtp.rcpt("bob@example.test")[0], 250)
            mail.wait_log(r"NOQUEUE: reject: RCPT from \S+\[127.0.0.1\]: 550 5.1.1 <nosuch@example.test>: .*; "
                          r"from=<ann@client.test> to=<nosuch@example.test> proto=ESMTP helo=<")

    def test_sendmail_to_imap_and_pop3(self):
        with Instance(services=("smtp", "imap", "pop3")) as mail:
            maildir = mail.add_user("bob", "secret")
            mail.run("sendmail", "-f", "ann@client.test", "bob@example.test", input="Subject: by hand\n\nhi\n")
            mail.wait_messages(maildir, 1)
            with imaplib.IMAP4(*mail.address("imap")) as imap:
                imap.login("bob", "secret")
                self.assertEqual(imap.select("INBOX"), ("OK", [b"1"]))
                _, data = imap.fetch("1", "(RFC822.SIZE BODY[HEADER.FIELDS (SUBJECT)])")
                self.assertIn(b"Subject: by hand", data[0][1])
            pop = poplib.POP3(*mail.address("pop3"))
            pop.user("bob")
            pop.pass_("secret")
            self.assertEqual(pop.stat()[0], 1)
            self.assertIn(b"hi", pop.retr(1)[1])
            pop.quit()

    def test_wrong_password_is_refused(self):
        with Instance(services=("smtp", "imap", "pop3")) as mail:
            mail.add_user("bob", "secret")
            with imaplib.IMAP4(*mail.address("imap")) as imap:
                with self.assertRaises(imaplib.IMAP4.error):
                    imap.login("bob", "wrong")
            pop = poplib.POP3(*mail.address("pop3"))
            pop.user("bob")
            with self.assertRaises(poplib.error_proto):
                pop.pass_("wrong")
            pop.quit()


if __name__ == "__main__":
    unittest.main()
