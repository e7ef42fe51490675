"""What a sender wants to hear (RFC 3461, RFC 3464): every NOTIFY with every RET, ENVID and ORCPT, to a mailbox, to
nobody, to hosts that know DSN and that do not, to a host that is down; aliases; sendmail; texts of one's own.
Reports are read with Python's email package."""

import collections
import email
import email.policy
import itertools
import smtplib
import unittest

from instance import Instance, wait
from t_30_relay import Sink

WORDS = ("SUCCESS", "FAILURE", "DELAY")
NOTIFY = [None, "NEVER"] + [",".join(c) for n in (1, 2, 3) for c in itertools.combinations(WORDS, n)]
KINDS = {"Undelivered Mail Returned to Sender": "failure", "Successful Mail Delivery Report": "success",
         "Delayed Mail (still being retried)": "delay", "Mail Delivery Status Report": "verify"}
LONG_LINE = "the text\r\n"


class Report:
    """A notification, taken apart."""

    def __init__(self, path):
        self.mail = mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        self.type = mail.get_content_type(), mail.get_param("report-type")
        self.subject = mail["Subject"]
        self.kind = KINDS.get(self.subject)
        self.text, status, self.returned = mail.get_payload()
        blocks = status.get_payload()
        self.message = blocks[0]
        self.recipients = {block["Final-Recipient"].split(";")[1].strip(): block for block in blocks[1:]}
        self.whole = self.returned.get_content_type() == "message/rfc822"
        inner = self.returned.get_payload()
        self.original = inner[0] if self.whole else email.message_from_string(self.returned.get_content())

    def actions(self):
        return {address: block["Action"] for address, block in self.recipients.items()}


def reports_in(mail, maildir):
    return [Report(path) for path in mail.messages(maildir)]


def submit(mail, sender, recipients, subject, mail_options="", body=LONG_LINE):
    """recipients: (address, options)"""
    with smtplib.SMTP(*mail.address("smtp")) as smtp:
        smtp.ehlo("client.test")
        for command in [f"MAIL FROM:<{sender}>{mail_options}", *(f"RCPT TO:<{a}>{o}" for a, o in recipients)]:
            code, text = smtp.docmd(command)
            if code != 250:
                raise AssertionError(f"{command}: {code} {text}")
        code, text = smtp.data(f"From: {sender}\r\nSubject: {subject}\r\n\r\n{body}")
        assert code == 250, text


class EveryOption(unittest.TestCase):
    def test_every_combination(self):
        mail = Instance(params={
            "smtpd_reject_unlisted_recipient": "no", "delay_warning_time": "1s", "smtp_fallback_relay": "",
            "transport_maps": "inline:{plain.test=smtp:[127.0.0.1]:$plain_port, knows.test=smtp:[127.0.0.1]:$knows_port,"
                              " down.test=smtp:[127.0.0.1]:1}"})
        self.addCleanup(mail.__exit__, None)
        folders = [mail.prefix / name for name in ("plain", "knows")]
        for folder in folders:
            folder.mkdir()
        with Sink(folders[0], "-N") as plain, Sink(folders[1]) as knows:
            with open(mail.etc / "main.cf", "a") as file:
                file.write(f"plain_port = {plain.port}\nknows_port = {knows.port}\n")
            mail.start()
            ann = mail.add_user("ann")
            mail.add_user("bob")
            cases = list(itertools.product(NOTIFY, (None, "FULL", "HDRS"), (False, True), (False, True)))
            expected = collections.Counter()
            for number, (notify, ret, envid, orcpt) in enumerate(cases):
                options = (f" NOTIFY={notify}" if notify else "") + (f" ORCPT=rfc822;o+2B{number}@x.test" if orcpt else "")
                submit(mail, "ann@example.test",
                       [(name, options) for name in
                        ("bob@example.test", "noone@example.test", "a@plain.test", "a@knows.test", "a@down.test")],
                       f"case {number}", (f" RET={ret}" if ret else "") + (f" ENVID=id+2B{number}" if envid else ""))
                words = (notify or "FAILURE,DELAY").split(",")
                expected.update((number, w.lower()) for w in words if w != "NEVER")
            wait(lambda: len(mail.messages(ann)) >= expected.total(), f"{expected.total()} reports", mail.log, 60)
            wait(lambda: len(knows.messages()) >= len(cases) and len(plain.messages()) >= len(cases), "the sinks", mail.log)
            found = {}
            for report in reports_in(mail, ann):
                number = int(report.original["Subject"].split()[1])
                self.assertNotIn((number, report.kind), found, "twice")
                found[number, report.kind] = report
            self.assertEqual(set(found), set(expected))
            for (number, kind), report in found.items():
                with self.subTest(case=cases[number], kind=kind):
                    self.check(report, kind, number, *cases[number])
            self.check_sinks(cases, plain, knows)
            mail.run("postsuper", "-d", "ALL")

    def check(self, report, kind, number, notify, ret, envid, orcpt):
        self.assertEqual(report.type, ("multipart/report", "delivery-status"))
        self.assertEqual(report.mail["Auto-Submitted"], "auto-replied")
        self.assertEqual(report.actions(), {
            "failure": {"noone@example.test": "failed"},
            "success": {"bob@example.test": "delivered", "a@plain.test": "relayed"},
            "delay": {"a@down.test": "delayed"}}[kind])
        self.assertEqual(report.message["Original-Envelope-Id"], f"id+{number}" if envid else None)
        self.assertEqual(report.message["Reporting-MTA"], "dns; mail.example.test")
        self.assertIsNotNone(report.message["Arrival-Date"])
        for block in report.recipients.values():
            self.assertEqual(block["Original-Recipient"], f"rfc822;o+{number}@x.test" if orcpt else None)
            self.assertEqual(block["Status"][0], {"failure": "5", "success": "2", "delay": "4"}[kind])
            self.assertEqual(block["Will-Retry-Until"] is not None, kind == "delay")
        self.assertEqual(report.whole, kind == "failure" and ret != "HDRS")
        if report.whole:
            self.assertEqual(report.original.get_content(), LONG_LINE.replace("\r", ""))

    def check_sinks(self, cases, plain, knows):
        for path in plain.messages():
            text = path.read_text()
            self.assertRegex(text, r"(?m)^X-Mail-Args: FROM:<ann@example.test>( SIZE=\d+)?$")
            self.assertIn("X-Rcpt-Args: TO:<a@plain.test>\n", text)
        seen = set()
        for path in knows.messages():
            text = path.read_text()
            number = int(text.split("Subject: case ")[1].split()[0])
            seen.add(number)
            notify, ret, envid, orcpt = cases[number]
            options = (f" RET={ret}" if ret else "") + (f" ENVID=id+2B{number}" if envid else "")
            self.assertRegex(text, rf"(?m)^X-Mail-Args: FROM:<ann@example.test>( SIZE=\d+)?{options.replace('+', '.')}$")
            address = f"o+2B{number}@x.test" if orcpt else "a@knows.test"
            self.assertIn(f"X-Rcpt-Args: TO:<a@knows.test>{f' NOTIFY={notify}' if notify else ''} ORCPT=rfc822;{address}\n", text)
        self.assertEqual(len(seen), len(cases))


class Aliases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mail = mail = Instance(params={
            "virtual_alias_maps": "inline:{{both@example.test=bob@example.test, carl@example.test}, one@example.test=bob@example.test}",
            "alias_maps": "inline:{{team=bob, carl}, {list=bob, carl}, owner-list=ann}"})
        mail.start()
        cls.ann, cls.bob, cls.carl = (mail.add_user(name) for name in ("ann", "bob", "carl"))

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None)

    def report_of(self, address, options, count=1):
        before = set(self.mail.messages(self.ann))
        submit(self.mail, "ann@example.test", [(address, options)], "x", " ENVID=list+2B1")
        self.mail.wait_messages(self.ann, len(before) + count)
        self.mail.wait_empty_queue()
        return [Report(path) for path in self.mail.messages(self.ann) if path not in before]

    def test_of_several_the_sender_hears_once(self):
        for address in ("both@example.test", "team@example.test"):
            with self.subTest(address=address):
                bob, carl = (len(self.mail.messages(m)) for m in (self.bob, self.carl))
                (report,) = self.report_of(address, f" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;{address}")
                self.assertEqual(report.kind, "success")
                self.assertEqual(report.actions(), {address: "expanded"})
                self.assertEqual(report.recipients[address]["Original-Recipient"], f"rfc822;{address}")
                self.assertEqual(report.message["Original-Envelope-Id"], "list+1")
                self.assertEqual([len(self.mail.messages(m)) for m in (self.bob, self.carl)], [bob + 1, carl + 1])

    def test_one_other_address_takes_over(self):
        (report,) = self.report_of("one@example.test", " NOTIFY=SUCCESS")
        self.assertEqual(report.actions(), {"bob@example.test": "delivered"})
        self.assertEqual(report.recipients["bob@example.test"]["Original-Recipient"], "rfc822;one@example.test")

    def test_a_list_keeps_it_to_itself(self):
        (report,) = self.report_of("list@example.test", " NOTIFY=SUCCESS")
        self.assertEqual(set(report.actions()), {"list@example.test"})

    def test_who_wants_nothing_hears_nothing(self):
        for address in ("both@example.test", "team@example.test", "one@example.test"):
            self.assertEqual(self.report_of(address, " NOTIFY=NEVER", 0), [])
            self.assertEqual(self.report_of(address, "", 0), [])


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mail = mail = Instance(params={"transport_maps": "inline:{down.test=smtp:[127.0.0.1]:1}"})
        mail.start()
        cls.ann, cls.bob = (mail.add_user(name) for name in ("ann", "bob"))

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None)

    def sendmail(self, *words):
        self.mail.run("sendmail", "-f", "ann@example.test", *words, input="Subject: x\n\ntext\n")

    def test_sendmail_and_postcat(self):
        before = set(self.mail.messages(self.ann))
        self.sendmail("-N", "success,failure", "-R", "hdrs", "-V", "my id+1", "bob@example.test")
        self.mail.wait_messages(self.ann, len(before) + 1)
        (report,) = map(Report, set(self.mail.messages(self.ann)) - before)
        self.assertEqual((report.kind, report.actions()), ("success", {"bob@example.test": "delivered"}))
        self.assertEqual(report.message["Original-Envelope-Id"], "my id+1")
        self.sendmail("-N", "delay", "-R", "full", "-V", "waits", "a@down.test")
        wait(lambda: self.mail.queue_ids(), "a deferred message", self.mail.log)
        (queue_id,) = self.mail.queue_ids()
        lines = self.mail.run("postcat", "-qe", queue_id).stdout.splitlines()
        for line in ("named_attribute: envelope_id=waits", "named_attribute: ret_flags=1", "named_attribute: notify_flags=8"):
            self.assertIn(line, lines)
        self.mail.run("postsuper", "-d", queue_id)
        self.mail.wait_empty_queue()

    def test_verbose_sendmail_reports_the_first_attempt(self):
        before = set(self.mail.messages(self.ann))  # names of one second do not sort by time
        self.sendmail("-v", "bob@example.test", "noone@example.test", "a@down.test")
        self.mail.wait_messages(self.ann, len(before) + 2)
        reports = {report.kind: report for report in map(Report, set(self.mail.messages(self.ann)) - before)}
        self.assertEqual(reports["failure"].actions(), {"noone@example.test": "failed"})
        self.assertEqual(reports["verify"].actions(), {"bob@example.test": "delivered", "noone@example.test": "failed",
                                                       "a@down.test": "delayed"})
        self.mail.wait_log(r"bounce\[\d+\]: \w+: sender delivery status notification: \w+")
        self.mail.run("postsuper", "-d", "ALL")
        self.mail.wait_empty_queue()

    def test_bad_options(self):
        for option in (("-N", "never,delay"), ("-N", "x"), ("-R", "some"), ("-V", ""), ("-V", "x" * 101), ("-V", "a\nb")):
            result = self.mail.run("sendmail", *option, "bob@example.test", input="x\n", check=False)
            self.assertEqual(result.returncode, 64, option)


class Transcripts(unittest.TestCase):
    def test_the_postmaster_gets_the_session(self):
        with Instance(params={"notify_classes": "protocol", "error_notice_recipient": "chief@example.test"}) as mail:
            chief = mail.add_user("chief")
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.ehlo("client.test")
                smtp.docmd("NONSENSE")
            (path,) = mail.wait_messages(chief, 1)
            letter = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            self.assertRegex(letter["Subject"], r"^Postern SMTP server: errors from localhost\[127.0.0.1\]$")
            self.assertEqual(letter["Return-Path"], "<double-bounce@example.test>")
            self.assertIn(" In:  NONSENSE\n Out: 500 5.5.2 Error: command not recognized\n", letter.get_content())
            self.assertIsNotNone(letter["Date"])

    def test_the_clients_session(self):
        mail = Instance(params={"notify_classes": "protocol", "error_notice_recipient": "chief@example.test", "smtp_fallback_relay": ""})
        self.addCleanup(mail.__exit__, None)
        folder = mail.prefix / "sink"
        folder.mkdir()
        with Sink(folder, "-r", "RCPT") as sink:
            with open(mail.etc / "main.cf", "a") as file:
                file.write(f"relayhost = {sink.hop}\n")
            mail.start()
            chief = mail.add_user("chief")
            mail.run("sendmail", "-f", "", "a@far.test", input="Subject: x\n\nthe text\n")
            (path,) = mail.wait_messages(chief, 1)
            letter = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            self.assertRegex(letter["Subject"], r"^Postern SMTP client: errors from 127.0.0.1\[127.0.0.1\]:\d+$")
            self.assertEqual(letter["Return-Path"], "<double-bounce@example.test>")
            self.assertRegex(letter.get_content(), r" Out: RCPT TO:<a@far.test>.*\n(.*\n)* In:  500 ")
            self.assertNotIn("the text", letter.get_content())


class Server(unittest.TestCase):
    def test_what_it_refuses(self):
        with Instance() as mail, smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.ehlo()
            self.assertTrue(smtp.has_extn("dsn"))
            for command, answer in [
                    ("MAIL FROM:<a@b.test> RET=SOME", b"5.5.4 Bad RET parameter syntax"),
                    ("MAIL FROM:<a@b.test> ENVID=a=b", b"5.5.4 Bad ENVID parameter syntax"),
                    ("MAIL FROM:<a@b.test> ENVID=" + "x" * 101, b"5.5.4 Bad ENVID parameter syntax"),
                    ("MAIL FROM:<a@b.test> ENVID=a ENVID=b", b"5.5.4 Bad ENVID parameter syntax")]:
                self.assertEqual(smtp.docmd(command), (501, answer))
            smtp.mail("a@b.test")
            for options, answer in [
                    ("NOTIFY=NEVER,SUCCESS", b"5.5.4 Error: Bad NOTIFY parameter syntax"),
                    ("NOTIFY=SUCCESS NOTIFY=DELAY", b"5.5.4 Error: Bad NOTIFY parameter syntax"),
                    ("ORCPT=a@b.test", b"5.5.4 Error: Bad ORCPT parameter syntax"),
                    ("ORCPT=rfc822;a+0Db@c.test", b"5.5.4 Error: Bad ORCPT parameter syntax")]:
                self.assertEqual(smtp.docmd(f"RCPT TO:<a@example.test> {options}"), (501, answer))

    def test_not_where_it_is_hidden(self):
        with Instance(params={"smtpd_discard_ehlo_keywords": "silent-discard, dsn"}) as mail:
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.ehlo()
                self.assertFalse(smtp.has_extn("dsn"))
                self.assertEqual(smtp.docmd("MAIL FROM:<a@b.test> RET=HDRS"), (501, b"5.7.1 DSN support is disabled"))


TEMPLATES = """\
# Texts of our own.
failure_template = <<EOF
From: Post Office (robot)
Subject: It came back
Postmaster-Subject: Copy: it came back

Host $myhostname ($mail_name) could not deliver it within $maximal_queue_lifetime_days days.
EOF
"""


class Postmaster(unittest.TestCase):
    def test_copies_and_templates(self):
        mail = Instance(params={"notify_classes": "bounce, 2bounce", "bounce_notice_recipient": "chief@example.test",
                                "2bounce_notice_recipient": "chief@example.test", "smtpd_reject_unlisted_recipient": "no",
                                "bounce_template_file": "$config_directory/bounce.cf", "bounce_size_limit": "500"})
        self.addCleanup(mail.__exit__, None)
        (mail.etc / "bounce.cf").write_text(TEMPLATES)
        mail.start()
        ann, chief = mail.add_user("ann"), mail.add_user("chief")
        submit(mail, "ann@example.test", [("noone@example.test", "")], "x")
        (path,) = mail.wait_messages(ann, 1)
        report = Report(path)
        self.assertEqual(report.subject, "It came back")
        self.assertIn("Post@example.test", report.mail["From"])
        self.assertIn("Host mail.example.test (Postern) could not deliver it within 5 days.", report.text.get_content())
        self.assertTrue(report.whole)
        (path,) = mail.wait_messages(chief, 1)
        self.assertEqual(Report(path).subject, "Copy: it came back")
        self.assertFalse(Report(path).whole)

        # Nobody to return it to: the postmaster has it whole.
        submit(mail, "", [("noone@example.test", "")], "double", " RET=FULL")
        wait(lambda: len(mail.messages(chief)) == 2, "the double bounce", mail.log)
        double = next(r for r in reports_in(mail, chief) if r.original["Subject"] == "double")
        self.assertTrue(double.whole)

        # Too large to return: as its header.
        submit(mail, "ann@example.test", [("noone@example.test", " NOTIFY=FAILURE")], "large", " RET=FULL",
               "0123456789\r\n" * 100)
        wait(lambda: len(mail.messages(ann)) == 2, "a second report", mail.log)
        self.assertFalse(next(r for r in reports_in(mail, ann) if r.original["Subject"] == "large").whole)

    def test_the_chain_ends(self):
        with Instance(params={"notify_classes": "2bounce", "2bounce_notice_recipient": "noone@example.test",
                              "smtpd_reject_unlisted_recipient": "no"}) as mail:
            submit(mail, "", [("noone@example.test", "")], "x")
            mail.wait_log("undeliverable postmaster notification discarded")
            mail.wait_empty_queue()

    def test_a_broken_template_file_stops_nobody(self):
        mail = Instance(params={"bounce_template_file": "$config_directory/bounce.cf", "smtpd_reject_unlisted_recipient": "no"})
        self.addCleanup(mail.__exit__, None)
        (mail.etc / "bounce.cf").write_text("failure_template = <<EOF\nReply-To: x\n\nx\nEOF\n")
        mail.start()
        ann = mail.add_user("ann")
        submit(mail, "ann@example.test", [("noone@example.test", "")], "x")
        (path,) = mail.wait_messages(ann, 1)
        self.assertEqual(Report(path).kind, "failure")
        mail.wait_log(r'bounce.cf: line 2: unknown template header "Reply-To"; the built-in texts are used')


if __name__ == "__main__":
    unittest.main()
