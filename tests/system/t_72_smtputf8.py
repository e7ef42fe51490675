"""Internationalised mail (RFC 6530 to 6533): commands with UTF-8, servers with and without SMTPUTF8 (aiosmtpd), reports,
domains by their A-labels from a name server that this test plays, mailboxes, the tools. What replies and texts must be was
taken down from Debian's Postfix 3.7."""

import email
import email.policy
import imaplib
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import unittest

from instance import SOURCE, Instance, process, wait
from name_server import MX, A, NameServer

PYTHON = "/usr/bin/python3"
HAS_SERVER = subprocess.run([PYTHON, "-c", "import aiosmtpd"], capture_output=True).returncode == 0

ASCII, HEADER, BODY = "Subject: hi\n\nbody\n", "Subject: hü\n\nbody\n", "Subject: hi\n\nbödy\n"
PART = ("Subject: part\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
        "Content-Type: text/plain; name=\"ü\"\n\nx\n--b--\n")


class Client:
    """Commands as they are, in UTF-8 or not."""

    def __init__(self, mail):
        self.socket = socket.create_connection(mail.address("smtp"))
        self.file = self.socket.makefile("rb")
        self.read()
        self.ehlo = self("EHLO client.test")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self):
        lines = []
        while True:
            lines.append(self.file.readline().decode().rstrip())
            if not lines[-1] or lines[-1][3:4] != "-":
                return "\n".join(lines)

    def __call__(self, line):
        self.socket.sendall((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        return self.read()


def submit(mail, sender, recipients, text, options=" SMTPUTF8"):
    with Client(mail) as client:
        for line in (f"MAIL FROM:<{sender}>{options}", *(f"RCPT TO:{to}" for to in recipients)):
            reply = client(line)
            if not reply.startswith("250"):
                raise AssertionError(f"{line}: {reply}")
        client("DATA")
        reply = client(text.replace("\n", "\r\n") + ".")
        if not reply.startswith("250"):
            raise AssertionError(reply)
        return reply.split()[-1]


class Dialogue(unittest.TestCase):
    """What Postfix 3.7 answers, command by command."""

    def replies(self, cases, **params):
        with Instance(params={"smtpd_hard_error_limit": "1000", "smtpd_soft_error_limit": "1000",
                              "smtpd_reject_unlisted_recipient": "no", **params}) as mail, Client(mail) as client:
            for line, wanted in cases:
                self.assertEqual(client(line), wanted, line)
                if line[:4] in ("MAIL", b"MAIL"):
                    client("RSET")
            return client.ehlo.split("\n")[1:]

    def test_enabled(self):
        bad, bad_to, malformed = ("501 5.1.7 Bad sender address syntax", "501 5.1.3 Bad recipient address syntax",
                                  "500 5.5.2 Error: bad UTF-8 syntax")
        ok = "250 2.1.0 Ok"
        offered = self.replies([
            ("MAIL FROM:<jürg@a.test>", ok), ("MAIL FROM:<jürg@a.test> SMTPUTF8", ok),
            ("MAIL FROM:<a@jürg.test>", bad), ("MAIL FROM:<a@jürg.test> SMTPUTF8", ok),
            (b"MAIL FROM:<j\xfcrg@a.test> SMTPUTF8", malformed), (b"MAIL FROM:<a@j\xfcrg.test>", malformed),
            (b"NOOP \xfc", malformed), ("MAIL FROM:<a@-ü.test> SMTPUTF8", bad), ("MAIL FROM:<a@ü..test> SMTPUTF8", bad),
            ("MAIL FROM:<a@faß.test> SMTPUTF8", ok), ("MAIL FROM:<a@" + "ü" * 60 + ".test> SMTPUTF8", bad),
            ("MAIL FROM:<ü@b.test> BODY=8BITMIME SIZE=100 smtputf8", ok),
            ("MAIL FROM:<a@b.test> SMTPUTF8=1", "555 5.5.4 Unsupported option: SMTPUTF8=1"),
            ("VRFY ü@example.test", "252 2.0.0 ü@example.test"), ("VRFY ü@münchen.test", bad_to),
            ("VRFY a@example.test FOO", bad_to), ("VRFY ü@example.test SMTPUTF8", "252 2.0.0 ü@example.test"),
            ("EHLO x", None)][:-1])
        self.assertIn(offered.index("250-SMTPUTF8") if "250-SMTPUTF8" in offered else offered.index("250 SMTPUTF8"),
                      (offered.index("250-DSN") + 1,))

    def test_recipients(self):
        with Instance(params={"smtpd_reject_unlisted_recipient": "no"}) as mail, Client(mail) as client:
            client("MAIL FROM:<a@b.test>")
            self.assertEqual(client("RCPT TO:<ü@example.test>"), "250 2.1.5 Ok")
            self.assertEqual(client("RCPT TO:<a@münchen.test>"), "501 5.1.3 Bad recipient address syntax")
            client("RSET")
            client("MAIL FROM:<a@b.test> SMTPUTF8")
            for orcpt, code in (("utf-8;\\x{FC}@c.test", "250"), ("utf-8;ü@c.test", "250"), ("utf-8;a+3Db@c.test", "250"),
                                ("rfc822;+C3+BC@c.test", "250"), ("utf-8;\\x{110000}@c.test", "501"), ("utf-8;", "501"),
                                ("utf-8;\\x{0D}\\x{0A}", "501")):
                self.assertEqual(client(f"RCPT TO:<a@münchen.test> ORCPT={orcpt}")[:3], code, orcpt)
            self.assertEqual(client("RCPT TO:<a@example.test> ORCPT=;x"), "501 5.5.4 Error: Bad ORCPT parameter syntax")

    def test_strict(self):
        must = "553 5.6.7 Must declare SMTPUTF8 to send unicode address"
        self.replies([("MAIL FROM:<jürg@a.test>", must), ("MAIL FROM:<jürg@a.test> SMTPUTF8", "250 2.1.0 Ok"),
                      ("VRFY ü@example.test", must)], strict_smtputf8="yes")

    def test_disabled(self):
        offered = self.replies([
            ("MAIL FROM:<jürg@a.test>", "250 2.1.0 Ok"), (b"MAIL FROM:<j\xfcrg@a.test>", "250 2.1.0 Ok"),
            ("MAIL FROM:<jürg@a.test> SMTPUTF8", "555 5.5.4 Unsupported option: SMTPUTF8"),
            ("MAIL FROM:<a@jürg.test>", "501 5.1.7 Bad sender address syntax")], smtputf8_enable="no")
        self.assertNotIn("SMTPUTF8", " ".join(offered))

    def test_discarded_keyword(self):
        offered = self.replies([("MAIL FROM:<a@b.test> SMTPUTF8", "555 5.5.4 Unsupported option: SMTPUTF8"),
                                (b"MAIL FROM:<j\xfcrg@a.test>", "500 5.5.2 Error: bad UTF-8 syntax")],
                               smtpd_discard_ehlo_keywords="smtputf8")
        self.assertNotIn("SMTPUTF8", " ".join(offered))


class Kept:
    """What a server took."""

    def __init__(self, log):
        self.log = log

    @property
    def mails(self):
        """[(sender, recipients, whether with SMTPUTF8, text)]"""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [tuple(json.loads(line).values()) for line in lines]


@unittest.skipUnless(HAS_SERVER, "needs Debian's python3-aiosmtpd")
class Relay(unittest.TestCase):
    def server(self, utf8):
        folder = tempfile.TemporaryDirectory(prefix="postern-test-")
        self.addCleanup(folder.cleanup)
        kept = Kept(pathlib.Path(folder.name) / "kept")
        child = self.enterContext(process(PYTHON, SOURCE / "tests/support/keeping_server.py", utf8, kept.log,
                                          stdout=subprocess.PIPE, text=True))
        self.addCleanup(child.stdout.close)
        return kept, int(child.stdout.readline())

    def setUp(self):
        self.yes, yes = self.server("yes")
        self.no, no = self.server("no")
        # münchen.test has an MX with an address, nothing else exists.
        names = self.enterContext(NameServer({("xn--mnchen-3ya.test", MX): [(10, "mx.munich.test")],
                                              ("mx.munich.test", A): ["127.0.0.1"],
                                              ("xn--mnchen-3ya.test.rhs.test", A): ["127.0.0.2"]}))
        self.asked = names.asked
        self.mail = Instance(services=("smtp", "imap"), params={
            "dns_forwarders": names.address, "smtpd_reject_unlisted_recipient": "no",
            "transport_maps": f"inline:{{yes.test=smtp:[127.0.0.1]:{yes}, no.test=smtp:[127.0.0.1]:{no},"
                              f" münchen.test=smtp:münchen.test:{yes}, down.test=smtp:[127.0.0.1]:1}}",
            "virtual_alias_domains": "va.test", "virtual_alias_maps": "inline:{ÜBER@va.test=ü@no.test, ü@va.test=ann@example.test}",
            "virtual_mailbox_domains": "boxes.test, bücher.test", "virtual_mailbox_maps": "inline:{ö@boxes.test=ö/, A@BÜCHER.test=books/}",
            "virtual_uid_maps": "static:%d" % 65534, "virtual_gid_maps": "static:%d" % 65534})
        with open(self.mail.etc / "main.cf", "a") as file:
            file.write(f"virtual_mailbox_base = {self.mail.prefix}/home\nvirtual_minimum_uid = 1\n")
        if self.mail.identity is None:
            with open(self.mail.etc / "main.cf", "a") as file:
                file.write(f"virtual_uid_maps = static:{os.geteuid()}\nvirtual_gid_maps = static:{os.getegid()}\n")
        self.addCleanup(self.mail.__exit__, None)
        self.mail.start()
        self.ann = self.mail.add_user("ann")

    def status(self, queue_id, count=1):
        """{recipient: (dsn, text)} as logged."""
        def lines():
            return [line for line in self.mail.log().splitlines() if f" {queue_id}: to=" in line]
        wait(lambda: len(lines()) >= count, f"{count} results of {queue_id}", self.mail.log)
        found = {}
        for line in lines():
            to = line.split("to=<")[1].split(">")[0]
            found[to] = (line.split("dsn=")[1].split(",")[0], line.split("status=")[1])
        return found

    REQUIRED = "bounced (SMTPUTF8 is required, but was not offered by host 127.0.0.1[127.0.0.1])"

    def test_what_needs_smtputf8(self):
        """Asked for is passed on; to a server without it goes what does not need it."""
        for sender, text, needs in (("ann@example.test", ASCII, False), ("ann@example.test", BODY, False),
                                    ("ann@example.test", HEADER, True), ("ann@example.test", PART, True),
                                    ("ä@example.test", ASCII, True)):
            with self.subTest(sender=sender, text=text):
                found = self.status(submit(self.mail, sender, ["<b@yes.test>", "<b@no.test>"], text,
                                           " SMTPUTF8 BODY=8BITMIME"), 2)
                self.assertEqual(found["b@yes.test"][0], "2.0.0")
                self.assertEqual(found["b@no.test"], ("5.6.7", self.REQUIRED) if needs else ("2.0.0", "sent (250 OK)"))
                took = self.yes.mails[-1]
                self.assertEqual(took[:3], (sender, ["b@yes.test"], True))
                self.assertIn(" with UTF8SMTP id ", took[3].replace("\r\n\t", " "))
        self.assertEqual([m[2] for m in self.no.mails], [False, False])

        # Recipients that need it do not take the others with them.
        found = self.status(submit(self.mail, "ann@example.test", ["<ü@no.test>", "<plain@no.test>", "<ü@yes.test>"], ASCII), 3)
        self.assertEqual(found["ü@no.test"], ("5.6.7", self.REQUIRED))
        self.assertEqual((found["plain@no.test"][0], found["ü@yes.test"][0]), ("2.0.0", "2.0.0"))
        self.assertEqual(self.yes.mails[-1][1], ["ü@yes.test"])

    def test_not_asked_for_is_as_ever(self):
        """A client that knows nothing of it may use 8-bit local parts and headers, and so may we."""
        found = self.status(submit(self.mail, "ä@example.test", ["<b@yes.test>"], HEADER, ""))
        self.assertEqual(found["b@yes.test"][0], "2.0.0")
        self.assertEqual(self.yes.mails[-1][2], False)
        self.assertIn(" with ESMTP id ", self.yes.mails[-1][3].replace("\r\n\t", " "))
        self.assertEqual(self.status(submit(self.mail, "ann@example.test", ["<b@no.test>"], HEADER, ""))["b@no.test"][0], "2.0.0")

    def test_sendmail_finds_out(self):
        def needed(text, *recipients, sender="ann@example.test"):
            before = len(self.yes.mails)
            self.mail.run("sendmail", "-f", sender, *recipients, input=text)
            wait(lambda: len(self.yes.mails) > before, "the message", self.mail.log)
            return self.yes.mails[-1][2]
        self.assertFalse(needed(ASCII, "b@yes.test"))
        self.assertFalse(needed(BODY, "b@yes.test"))
        self.assertTrue(needed(HEADER, "b@yes.test"))
        self.assertTrue(needed(PART, "b@yes.test"))
        self.assertTrue(needed(ASCII, "ü@yes.test"))
        self.assertTrue(needed(ASCII, "b@yes.test", sender="ä@example.test"))
        # To a server without it: back to the sender, as Postfix does it.
        self.mail.run("sendmail", "-f", "ann@example.test", "b@no.test", input=HEADER)
        report = self.reports()[-1]
        self.assertEqual(report.get_payload()[1].get_content_type(), "message/global-delivery-status")

    def reports(self, count=1):
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                for path in self.mail.wait_messages(self.ann, count)]

    def test_reports(self):
        queue_id = submit(self.mail, "ann@example.test", ["<ü@no.test> NOTIFY=FAILURE ORCPT=utf-8;\\x{FC}\\x{2B}@c.test",
                                                          "<b@no.test>"], HEADER)
        self.status(queue_id, 2)
        (report,) = self.reports()
        raw = self.mail.messages(self.ann)[0].read_text()
        self.assertEqual((report.get_content_type(), report.get_param("report-type")),
                         ("multipart/report", "global-delivery-status"))
        text, status, returned = report.get_payload()
        self.assertEqual((text.get_content_charset(), text["Content-Transfer-Encoding"]), ("utf-8", "8bit"))
        self.assertEqual((status.get_content_type(), status["Content-Transfer-Encoding"]),
                         ("message/global-delivery-status", "8bit"))
        self.assertEqual(returned.get_content_type(), "message/global")
        self.assertIn("<ü@no.test>: SMTPUTF8 is required, but was not offered by host", raw)
        for line in ("Final-Recipient: utf-8; ü@no.test", "Original-Recipient: utf-8;ü+@c.test",
                     "Final-Recipient: rfc822; b@no.test", "Status: 5.6.7", "Subject: hü"):
            self.assertIn("\n" + line + "\n", raw)

    def test_reports_of_mail_without_smtputf8(self):
        """RFC 6533 3: such a report's machine-readable part stays ASCII."""
        self.status(submit(self.mail, "ann@example.test", ["<no-ü@yes.test>"], ASCII, ""))
        (report,) = self.reports()
        raw = self.mail.messages(self.ann)[0].read_bytes()
        text, status, _ = report.get_payload()
        self.assertEqual((report.get_param("report-type"), status.get_content_type()),
                         ("delivery-status", "message/delivery-status"))
        self.assertEqual(text.get_content_charset(), "utf-8")
        self.assertIn("<no-ü@yes.test>: host 127.0.0.1[127.0.0.1] said: 550 5.1.1 nö user", raw.decode())
        part = raw[raw.index(b"message/delivery-status"):raw.index(b"Content-Description: Undelivered")]
        self.assertIn(b"Final-Recipient: utf-8; no-\\x{FC}@yes.test\n", part)
        self.assertTrue(part.isascii(), part)

    def test_domains(self):
        found = self.status(submit(self.mail, "ann@example.test", ["<x@münchen.test>", "<y@MÜNCHEN.test>"], ASCII), 2)
        self.assertEqual({value[0] for value in found.values()}, {"2.0.0"}, found)
        self.assertEqual(sorted(to for mail in self.yes.mails for to in mail[1]), ["x@münchen.test", "y@MÜNCHEN.test"])
        self.assertIn(("xn--mnchen-3ya.test", MX), self.asked)
        # One that does not exist is asked for, and named, by its A-label.
        found = self.status(submit(self.mail, "ann@example.test", ["<x@zürich.test>"], ASCII))
        self.assertEqual(found["x@zürich.test"][0], "5.4.4")
        self.assertIn("Name service error for name=xn--zrich-kva.test type=MX: Host not found", found["x@zürich.test"][1])
        self.assertIn(("xn--zrich-kva.test", MX), self.asked)

    def test_lists_and_restrictions(self):
        with open(self.mail.etc / "main.cf", "a") as file:
            file.write("smtpd_recipient_restrictions = check_recipient_access inline:{ÜBEL@example.test=REJECT},"
                       " reject_rhsbl_sender rhs.test, reject_unknown_sender_domain, permit\n"
                       "smtpd_relay_restrictions = permit_mynetworks, reject\n")
        self.mail.run("postern", "reload")
        with Client(self.mail) as client:
            def answer(sender, to="<b@yes.test>"):
                client(f"MAIL FROM:<{sender}> SMTPUTF8")
                reply = client(f"RCPT TO:{to}")
                client("RSET")
                return reply
            wait(lambda: "rhs.test" in answer("a@münchen.test"), "the new configuration", self.mail.log)
            # smtpd_expansion_filter lets only ASCII into what rbl_reply_maps and default_rbl_reply make.
            self.assertEqual(answer("a@münchen.test"), "554 5.7.1 Service unavailable; Sender address [a@m__nchen.test] blocked "
                             "using rhs.test")
            self.assertEqual(answer("a@zürich.test"), "450 4.1.8 <a@zürich.test>: Sender address rejected: Domain not found")
            self.assertEqual(answer("", "<übel@example.test>"), "554 5.7.1 <übel@example.test>: Recipient address rejected: "
                             "Access denied")

    def test_mailboxes_and_aliases(self):
        recipients = ["<Ö@boxes.test>", "<a@bücher.test>", "<Ü@va.test>"]
        self.status(submit(self.mail, "ä@yes.test", recipients, HEADER), 3)
        home = self.mail.prefix / "home"
        for folder, address in (("ö", "Ö@boxes.test"), ("books", "a@bücher.test")):
            (path,) = self.mail.wait_messages(home / folder, 1)
            text = path.read_text()
            self.assertTrue(text.startswith("Return-Path: <ä@yes.test>\n"), text)
            self.assertIn(f"\nDelivered-To: {address}\n", text)
        (path,) = self.mail.wait_messages(self.ann, 1)
        self.assertIn("\nX-Original-To: Ü@va.test\n", path.read_text())
        # The alias has UTF-8, and the message came with SMTPUTF8: the server must have it, too.
        found = self.status(submit(self.mail, "ann@example.test", ["<über@va.test>"], ASCII))
        self.assertEqual(found["ü@no.test"], ("5.6.7", self.REQUIRED))

        with imaplib.IMAP4(*self.mail.address("imap")) as imap:
            imap.login("ann", "secret")
            imap.enable("UTF8=ACCEPT")
            imap.select()
            self.assertIn("hü".encode(), imap.fetch("1", "(ENVELOPE)")[1][0])

    def test_tools(self):
        queue_id = submit(self.mail, "ä@example.test", ["<ü@down.test>"], HEADER)
        self.status(queue_id)
        self.assertRegex(self.mail.log(), rf"qmgr\[\d+\]: {queue_id}: from=<ä@example.test>, size=")
        listed = self.mail.run("mailq").stdout
        self.assertIn("ä@example.test", listed)
        self.assertIn("ü@down.test", listed)
        (entry,) = [json.loads(line) for line in self.mail.run("postqueue", "-j").stdout.splitlines()]
        self.assertEqual((entry["sender"], entry["recipients"][0]["address"]), ("ä@example.test", "ü@down.test"))
        shown = self.mail.run("postcat", "-q", queue_id).stdout
        for line in ("sender: ä@example.test", "recipient: ü@down.test", "Subject: hü"):
            self.assertIn(line, shown)
        self.assertRegex(shown, r"message_size: .* 7\n")
        self.assertIn("<ü@down.test>", self.mail.run("mailtrace", queue_id).stdout)


if __name__ == "__main__":
    unittest.main()
