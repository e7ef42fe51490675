"""Line ends that are none, and characters that must not be there, from real connections to the mailbox."""

import unittest

from instance import Instance
from smtp_talk import Talk


class Sender(Talk):
    def __init__(self, mail, service="smtp"):
        super().__init__(mail.address(service))
        self.read()

    def message(self, data, end="\r\n"):
        """The reply to the text of a message to u."""
        for line in ("HELO c.test", "MAIL FROM:<a@c.test>", "RCPT TO:<u@example.test>", "DATA"):
            reply = self.say((line + end).encode())
        assert reply.startswith("354"), reply
        return self.say(data)


class LineEnds(unittest.TestCase):
    def test_normalize(self):
        with Instance(params={"smtpd_forbid_bare_newline": "note", "smtpd_forbid_bare_newline_exclusions": ""}) as mail:
            maildir = mail.add_user("u")
            # As the real Postfix 3.7.11 stores them.
            cases = [(b"a\nb\r\n.\r\n", b"a\nb\n"), (b"a\n.\nb\r\n.\r\n", b"a\nb\n"), (b"a\n.\r\nb\r\n.\r\n", b"a\nb\n"),
                     (b"a\r\n.\nb\r\n.\r\n", b"a\nb\n"), (b"a\rb\r\n.\r\n", b"a b\n"),
                     (b"a\r\r\n.\r\r\nb\r\n.\r\n", b"a \n \nb\n"), (b"a\r\n.\r\r\nb\r\n.\r\n", b"a\n \nb\n")]
            for number, (sent, stored) in enumerate(cases, 1):
                talk = Sender(mail)
                self.assertIn("250 2.0.0 Ok: queued", talk.message(b"Subject: x\r\n\r\n" + sent))
                self.assertIn("221", talk.say(b"QUIT\r\n"))
                talk.close()
                messages = mail.wait_messages(maildir, number)
                self.assertIn(stored, [m.read_bytes().partition(b"\n\n")[2] for m in messages], sent)
            mail.wait_log(r"disconnect from .* commands=5 notes=bare_lf")

    def test_reject(self):
        with Instance(params={"smtpd_forbid_bare_newline": "reject", "smtpd_forbid_bare_newline_exclusions": "192.0.2.1",
                              "smtpd_forbid_bare_newline_reject_code": "554"}) as mail:
            mail.add_user("u")
            talk = Sender(mail)
            self.assertEqual(talk.message(b"Subject: x\r\n\r\na\n.\nb\r\n.\r\n"),
                             "554 5.5.2 mail.example.test Error: bare <LF> received")
            self.assertIn("250", talk.say(b"NOOP\r\n"))
            self.assertIn("554 5.5.2", talk.say(b"NOOP\n"))
            self.assertEqual(talk.read(), "")
            talk.close()
            mail.wait_log(r"reject: END-OF-MESSAGE from .*bare <LF> received; from=<a@c.test>")

    def test_a_device_without_cr(self):
        # By way of policy: the list has a name.
        with Instance(params={"smtpd_forbid_bare_newline": "reject",
                              "smtpd_forbid_bare_newline_exclusions": "printer.test, $mynetworks"}) as mail:
            maildir = mail.add_user("u")
            talk = Sender(mail)
            self.assertIn("250 2.0.0 Ok", talk.message(b"Subject: x\n\nscan\n.\n", end="\n"))
            self.assertIn("221", talk.say(b"QUIT\n"))
            talk.close()
            self.assertTrue(mail.wait_messages(maildir, 1)[0].read_bytes().endswith(b"\n\nscan\n"))
            # Somebody else's message, sent on by a server that is in the list, smuggles nothing.
            talk = Sender(mail)
            self.assertIn("250 2.0.0 Ok", talk.message(b"Subject: x\r\n\r\nx\n.\nMAIL FROM:<e@c.test>\n.\r\nDATA\n\r\n.\r\n"))
            talk.close()
            texts = [m.read_bytes() for m in mail.wait_messages(maildir, 2)]
            self.assertTrue(any(b"x\nMAIL FROM:<e@c.test>\nDATA\n" in text for text in texts), texts)


class Characters(unittest.TestCase):
    def test_they_go_or_refuse(self):
        params = {"message_strip_characters": r"\0", "message_reject_characters": r"\1", "strict_7bit_headers": "yes",
                  "strict_mime_encoding_domain": "yes"}
        with Instance(params=params) as mail:
            maildir = mail.add_user("u")
            talk = Sender(mail)
            self.assertIn("250 2.0.0 Ok", talk.message(b"Sub\0ject: x\r\n\r\nbo\0dy\r\n.\r\n"))
            text = mail.wait_messages(maildir, 1)[0].read_bytes()
            self.assertIn(b"\nSubject: x\n", text)
            self.assertTrue(text.endswith(b"\n\nbody\n"), text)
            self.assertEqual(talk.message(b"Subject: x\r\n\r\nbo\1dy\r\n.\r\n"), "550 5.7.1 disallowed character")
            mail.wait_log(r"reject: content bo\? from .*; from=<a@c.test> to=<u@example.test> proto=SMTP helo=<c.test>: "
                          r"5.7.1 disallowed character")
            self.assertEqual(talk.message(b"Subject: \xfc\r\n\r\nbody\r\n.\r\n"),
                             "550 5.6.0 improper use of 8-bit data in message header")
            mail.wait_log(r"reject: mime-error improper use of 8-bit data in message header: Subject: \? from ")
            self.assertEqual(talk.message(b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                                          b"--b--\r\n.\r\n"),
                             "550 5.6.0 invalid message/* or multipart/* encoding domain")
            talk.close()

    def test_a_bad_list_is_told(self):
        with Instance(params={"message_strip_characters": r"\q"}) as mail:
            talk = Sender(mail)
            for line in (b"HELO c\r\n", b"MAIL FROM:<a@c.test>\r\n", b"RCPT TO:<postmaster@example.test>\r\n"):
                talk.say(line)
            talk.socket.sendall(b"DATA\r\n")
            mail.wait_log(r"message_strip_characters: \"\\q\" is no character")
            talk.close()


if __name__ == "__main__":
    unittest.main()
