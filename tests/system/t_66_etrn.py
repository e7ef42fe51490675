"""ETRN (RFC 1985) and postqueue -s: sites that ask for their mail."""

import re
import smtplib
import unittest

from instance import Instance, wait

TRANSPORTS = "inline:{ {served.test = retry:4.3.0 come later} {.served.test = retry:4.3.0 come later} {other.test = retry:4.3.0 come later} }"


class Etrn(unittest.TestCase):
    def instance(self, **params):
        return Instance({"transport_maps": TRANSPORTS, "minimal_backoff_time": "1000s", "maximal_backoff_time": "1000s",
                         "queue_run_delay": "1000s", "fast_flush_domains": "served.test, refused.test", **params})

    def defer(self, mail, *recipients):
        mail.run("sendmail", "-f", "ann@example.test", *recipients, input="Subject: x\n\ntext\n")
        for recipient in recipients:
            wait(lambda r=recipient: self.tries(mail, r) == 1, f"{recipient} deferred", mail.log)

    def tries(self, mail, recipient):
        return len(re.findall(rf"to=<{re.escape(recipient)}>.*status=deferred", mail.log()))

    def test_a_site_asks_for_its_mail(self):
        with self.instance() as mail:
            self.defer(mail, "a@served.test", "b@served.test")
            self.defer(mail, "c@served.test", "d@other.test")
            self.defer(mail, "e@other.test")
            self.defer(mail, "f@sub.served.test")
            wait(lambda: len(mail.queue_ids()) == 4 and '"active"' not in mail.run("postqueue", "-j").stdout, "4 at rest", mail.log)
            self.assertEqual(sorted(p.name for p in (mail.queue / "flush").iterdir()), ["served.test", "sub.served.test"])
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.ehlo()
                self.assertIn("etrn", smtp.esmtp_features)
                self.assertEqual(smtp.docmd("ETRN", "SERVED.test"), (250, b"Queuing started"))
            mail.wait_log(r"qmgr\[\d+\]: flush of SERVED.test: 2 messages")
            for recipient in ("a@served.test", "b@served.test", "c@served.test"):
                wait(lambda r=recipient: self.tries(mail, r) == 2, f"another attempt for {recipient}", mail.log)
            self.assertEqual([self.tries(mail, r) for r in ("e@other.test", "f@sub.served.test")], [1, 1])
            # They wait again, and are there for the next who asks.
            wait(lambda: '"active"' not in mail.run("postqueue", "-j").stdout, "all at rest", mail.log)
            mail.run("postqueue", "-s", "served.test")
            wait(lambda: self.tries(mail, "c@served.test") == 3, "a third attempt", mail.log)
            mail.run("postqueue", "-s", "sub.served.test")
            wait(lambda: self.tries(mail, "f@sub.served.test") == 2, "a parent covers it", mail.log)

    def test_what_was_noted_outlives_a_restart(self):
        with self.instance() as mail:
            self.defer(mail, "a@served.test")
            wait(lambda: '"deferred"' in mail.run("postqueue", "-j").stdout, "it at rest", mail.log)
            mail.run("postern", "stop")
            mail.run("postern", "start")
            mail.run("postqueue", "-s", "served.test")
            wait(lambda: self.tries(mail, "a@served.test") == 2, "another attempt", mail.log)

    def test_refresh(self):
        with self.instance(fast_flush_refresh_time="1s", queue_run_delay="1s") as mail:
            self.defer(mail, "a@served.test")
            wait(lambda: self.tries(mail, "a@served.test") >= 2, "an attempt that nobody asked for", mail.log)

    def test_replies_are_postfixs(self):
        restrictions = "check_etrn_access inline:{ {refused.test = REJECT} {sub.refused.test = REJECT go away} }, permit_mynetworks, reject"
        with self.instance(smtpd_etrn_restrictions=restrictions) as mail:
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                self.assertEqual(smtp.docmd("ETRN", "served.test"), (250, b"Queuing started"))
                smtp.ehlo("x")
                for words, code, text in (
                        ("", 500, "Syntax: ETRN domain"), ("a b", 500, "Syntax: ETRN domain"),
                        ("@served.test", 250, "Queuing started"), ("#served.test", 250, "Queuing started"),
                        ("other.test", 459, "<other.test>: service unavailable"),
                        ("refused.test", 554, "5.7.1 <refused.test>: Etrn command rejected: Access denied"),
                        ("sub.refused.test", 554, "5.7.1 <sub.refused.test>: Etrn command rejected: go away"),
                        ("[192.0.2.1]", 459, "<[192.0.2.1]>: service unavailable"),
                        ("192.0.2.1", 501, "Error: invalid parameter syntax"), ("a..b", 501, "Error: invalid parameter syntax"),
                        ("../../etc", 501, "Error: invalid parameter syntax"), ("x" * 300, 501, "Error: invalid parameter syntax")):
                    self.assertEqual(smtp.docmd("ETRN", words), (code, text.encode()), words)
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.ehlo()
                smtp.mail("a@client.test")
                self.assertEqual(smtp.docmd("ETRN", "served.test"), (503, b"Error: MAIL transaction in progress"))
            mail.wait_log(r"warning: reject: ETRN other.test\.\.\. from localhost\[127.0.0.1\]")
            mail.wait_log(r"NOQUEUE: reject: ETRN from localhost\[127.0.0.1\]: 554 5.7.1 <refused.test>: Etrn command rejected: "
                          r"Access denied; proto=ESMTP helo=<x>")
            mail.wait_log(r"disconnect from localhost\[127.0.0.1\] ehlo=1 etrn=3/\d+")

    def test_restrictions_of_clients_apply(self):
        with self.instance(smtpd_client_restrictions="check_client_access inline:{ {127.0.0.1 = REJECT not you} }") as mail:
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.ehlo()
                code, text = smtp.docmd("ETRN", "served.test")
                self.assertEqual((code, text), (554, b"5.7.1 <localhost[127.0.0.1]>: Client host rejected: not you"))

    def test_postqueue_refuses(self):
        with self.instance() as mail:
            for site, text in (("other.test", 'Flush service is not configured for destination "other.test"'),
                               ("x/y", 'Cannot flush mail queue - invalid destination: "x/y"'),
                               (".served.test", 'Cannot flush mail queue - invalid destination: ".served.test"'),
                               ("", 'Cannot flush mail queue - invalid destination: ""')):
                result = mail.run("postqueue", "-s", site, check=False)
                self.assertEqual((result.returncode, result.stderr), (69, f"postqueue: fatal: {text}\n"))
            result = mail.run("postqueue", "-i", "!", check=False)
            self.assertEqual((result.returncode, result.stderr), (69, 'postqueue: fatal: Cannot flush queue ID - invalid name: "!"\n'))

    def test_tables_that_cannot_tell(self):
        with self.instance(fast_flush_domains="hash:/nonexistent/table") as mail:
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                self.assertEqual(smtp.docmd("ETRN", "served.test"), (458, b"Unable to queue messages"))
            self.assertEqual(mail.run("postqueue", "-s", "served.test", check=False).returncode, 69)


if __name__ == "__main__":
    unittest.main()
