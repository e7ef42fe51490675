"""header_checks, body_checks, copies, content filters and soft_bounce, through a whole instance."""

import contextlib
import email
import email.policy
import pathlib
import re
import smtplib
import tempfile
import unittest

from instance import Instance
from t_30_relay import Sink, relay_to

HEADER_CHECKS = r"""
/^Subject: forbidden/    REJECT We do not want that
/^Subject: (.*)old/      REPLACE Subject: $1new
/^X-Secret:/             IGNORE
/^Subject: aside/        HOLD look
/^Subject: gone/         DISCARD
/^Subject: elsewhere/    REDIRECT carl@example.test
/^Content-Disposition:.*\.exe/ REJECT no programs
"""


def send(mail, subject, body="hi\r\n", service="smtp", recipient="bob@example.test", more=""):
    with smtplib.SMTP(*mail.address(service)) as smtp:
        smtp.sendmail("ann@client.test", [recipient], f"From: ann@client.test\r\nSubject: {subject}\r\n{more}\r\n{body}")


class Content(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mail = mail = Instance(params={
            "header_checks": "regexp:$config_directory/header_checks", "body_checks": "regexp:$config_directory/body_checks",
            "sender_bcc_maps": "inline:{ann@client.test=copy@example.test}"})
        (mail.etc / "header_checks").write_text(HEADER_CHECKS)
        (mail.etc / "body_checks").write_text("/evil words/ REJECT\n/one/ WARN seen\n")
        mail.start()
        cls.bob, cls.carl, cls.copy = (mail.add_user(name) for name in ("bob", "carl", "copy"))

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None)

    def refused(self, *words, **more):
        with self.assertRaises(smtplib.SMTPDataError) as refusal:
            send(self.mail, *words, **more)
        return refusal.exception

    def test_refusals(self):
        refusal = self.refused("forbidden fruit")
        self.assertEqual((refusal.smtp_code, refusal.smtp_error), (550, b"5.7.1 We do not want that"))
        self.mail.wait_log(r"cleanup\[\d+\]: \w+: reject: header Subject: forbidden fruit from localhost\[127.0.0.1\]; "
                           r"from=<ann@client.test> to=<bob@example.test> proto=ESMTP helo=<\S+>: We do not want that")
        self.assertIn(b"5.7.1 message content rejected", self.refused("x", "some evil words\r\n").smtp_error)
        part = "--b\r\nContent-Disposition: attachment;\r\n filename=x.exe\r\n\r\nMZ\r\n--b--\r\n"
        self.assertIn(b"no programs", self.refused("x", part, more="Content-Type: multipart/mixed; boundary=b\r\n").smtp_error)

    def test_edits_copies_and_what_is_not_delivered(self):
        mail = self.mail
        before = {m: len(mail.messages(m)) for m in (self.bob, self.carl, self.copy)}
        send(mail, "gone")
        send(mail, "elsewhere")
        mail.wait_messages(self.carl, before[self.carl] + 1)
        send(mail, "very old", more="X-Secret: 1\r\n", body="one\r\n")
        text = mail.wait_messages(self.bob, before[self.bob] + 1)[-1].read_text()
        self.assertIn("Subject: very new\n", text)
        self.assertNotIn("X-Secret", text)
        mail.wait_messages(self.copy, before[self.copy] + 2)  # of "elsewhere" and of this one
        mail.wait_log(r"\w+: warning: body one from localhost\[127.0.0.1\]; .*: seen")
        mail.wait_log(r"\w+: discard: header Subject: gone from localhost")
        send(mail, "aside")
        mail.wait_log(r"\w+: hold: header Subject: aside from localhost\[127.0.0.1\]; .*: look")

    def test_a_changed_table_is_seen(self):
        (self.mail.etc / "header_checks").write_text(HEADER_CHECKS + "/^Subject: later/ REJECT\n")
        self.refused("later")


class Outgoing(unittest.TestCase):
    def test_the_world_outside_sees_other_addresses_and_less(self):
        mail = Instance(params={"smtp_generic_maps": "hash:$config_directory/generic",
                                "smtp_header_checks": "regexp:$config_directory/outgoing"})
        self.addCleanup(mail.__exit__, None)
        (mail.etc / "generic").write_text("ann@inside.test ann@world.example\n@inside.test info@world.example\n")
        mail.run("postmap", f"hash:{mail.etc}/generic")
        (mail.etc / "outgoing").write_text("/^X-Internal:/ IGNORE\n/^Subject: (.*)/ WARN seen\n/^X-Bad/ REJECT\n")
        with tempfile.TemporaryDirectory() as folder, Sink(pathlib.Path(folder)) as sink:
            relay_to(mail, sink.hop)
            mail.start()
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.sendmail("ann@inside.test", ["bob@far.test"],
                              "From: Ann <ann@inside.test>\r\nCc: cy@inside.test\r\nX-Internal: 1\r\nX-Bad: 1\r\n"
                              "Subject: out\r\n\r\n.hi\r\n")
            mail.wait_log(r"to=<bob@far.test>, .*status=sent")
            text = sink.messages()[0].read_text()
        self.assertIn("<ann@world.example>", text.split("\nFrom:")[0])  # the envelope, as the sink notes it
        self.assertIn("From: Ann <ann@world.example>", text)
        self.assertIn("Cc: info@world.example", text)
        self.assertNotIn("X-Internal", text)
        self.assertIn("X-Bad: 1", text)
        mail.wait_log(r"smtp\[\d+\]: \w+: warning: header Subject: out: seen")
        mail.wait_log(r"warning: unsupported command: REJECT in smtp_header_checks map")


class EightBit(unittest.TestCase):
    """Parts of a message that a server without 8BITMIME, or a site that forces it, gets as quoted-printable."""

    def message(self):
        text = email.message.EmailMessage()
        text["From"], text["To"], text["Subject"] = "ann@client.test", "bob@far.test", "bits"
        text["Message-Id"], text["Date"] = "<1@client.test>", "Sun, 22 Nov 2026 12:00:00 +0000"
        text.set_content("Gr\xfc\xdfe = \n.dot\n" + "\xe9" * 100 + " \n", cte="8bit")
        text.add_attachment("plain =\n")
        inner = email.message.EmailMessage()
        inner["Subject"] = "inner"
        inner.set_content("\u20ac\n", cte="8bit")
        text.add_attachment(inner)
        return text

    def leaves(self, raw):
        parsed = email.message_from_bytes(raw, policy=email.policy.default)
        return [(part.get_content_type(), part.get_content()) for part in parsed.walk()
                if not part.is_multipart()], [str(part["Content-Transfer-Encoding"]) for part in parsed.walk()]

    def send(self, mail, raw):
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.sendmail("ann@client.test", ["bob@far.test"], raw, mail_options=["BODY=8BITMIME"])
        mail.wait_log(r"to=<bob@far.test>, .*status=sent")

    def test_converted_on_the_way_out_or_on_the_way_in(self):
        raw = self.message().as_bytes(policy=email.policy.SMTP)
        self.assertFalse(raw.isascii())
        for sink_options, params, converted in (
                (("-8",), {}, True), ((), {}, False), (("-8",), {"disable_mime_output_conversion": "yes"}, False),
                ((), {"force_mime_input_conversion": "yes", "body_checks": "regexp:$config_directory/seen"}, True)):
            with self.subTest(options=sink_options, params=params), tempfile.TemporaryDirectory() as folder, \
                    Sink(pathlib.Path(folder), *sink_options) as sink, contextlib.ExitStack() as ending:
                mail = Instance(params=params)
                ending.callback(mail.__exit__, None)
                (mail.etc / "seen").write_text("/^=E2=82=AC/ WARN seen\n")
                relay_to(mail, sink.hop)
                mail.start()
                self.send(mail, raw)
                got = sink.messages()[0].read_bytes().replace(b"\r\n", b"\n")
                text = got[got.index(b"\nFrom: ann@client.test\n") + 1:].replace(b"\n", b"\r\n")
                self.assertEqual(text.isascii(), converted)
                self.assertEqual(self.leaves(text)[0], self.leaves(raw)[0])
                if converted:
                    self.assertNotIn("8bit", self.leaves(text)[1])
                    self.assertEqual(max(len(line) for line in text.split(b"\r\n") if line.endswith(b"=")), 76)
                else:
                    self.assertEqual(text.strip(), raw.strip())
                if "body_checks" in params:
                    mail.wait_log(r"warning: body =E2=82=AC from localhost\[127.0.0.1\]; .*: seen")


class Filter(unittest.TestCase):
    def test_content_filter_takes_everything(self):
        with Instance(listener_options={"submission": "-o content_filter= -o smtpd_tls_security_level=none "
                                                      "-o smtpd_relay_restrictions=permit_mynetworks,reject"},
                      services=("smtp", "submission")) as mail:
            maildir = mail.add_user("bob")
            folder = mail.prefix / "sink"
            folder.mkdir()
            with Sink(folder) as sink:
                mail.run("postconf", "-e", f"content_filter = smtp:{sink.hop}", "mynetworks = 127.0.0.0/8")
                mail.stop()
                mail.start()
                send(mail, "to the filter")
                mail.wait_log(r"to=<bob@example.test>, relay=127.0.0.1\[127.0.0.1\]:\d+, .*status=sent")
                self.assertIn("Subject: to the filter", sink.messages()[0].read_text())
                self.assertEqual(mail.messages(maildir), [])
                send(mail, "back again", service="submission")  # the port that takes it back has no filter
                mail.wait_messages(maildir, 1)

    def test_soft_bounce_returns_nothing(self):
        with Instance(params={"soft_bounce": "yes", "smtpd_reject_unlisted_recipient": "no"}) as mail:
            mail.add_user("bob")
            send(mail, "x", recipient="noone-here@example.test")
            mail.wait_log(r"soft_bounce: to=<noone-here@example.test> stays in the queue")
            self.assertEqual(len(mail.queue_ids()), 1)
            self.assertIsNone(re.search(r"sender non-delivery notification", mail.log()))


if __name__ == "__main__":
    unittest.main()
