"""Address verification: probes that deliver nothing, the cache, what clients hear, sendmail -bv."""

import os
import smtplib
import unittest

from instance import Instance, wait
from t_30_relay import Sink
from t_57_dsn import Report

POLLING = {"address_verify_poll_delay": "1s", "address_verify_poll_count": "10"}


def rcpt(mail, recipient, sender="s@client.test"):
    with smtplib.SMTP(*mail.address("smtp")) as smtp:
        smtp.ehlo("client.test")
        smtp.mail(sender)
        code, text = smtp.rcpt(recipient)
        return f"{code} {text.decode()}"


class Verify(unittest.TestCase):
    def instance(self, **params):
        mail = Instance({"smtp_fallback_relay": "", **POLLING, **params})
        self.addCleanup(mail.__exit__, None)
        return mail

    def test_recipients_at_another_host(self):
        mail = self.instance(smtpd_recipient_restrictions="reject_unverified_recipient", unverified_recipient_reject_code="550",
                             address_verify_transport_maps="inline:{good.test=smtp:[127.0.0.1]:$good_port, bad.test=smtp:[127.0.0.1]:$bad_port,"
                                                           " down.test=smtp:[127.0.0.1]:1}",
                             transport_maps="inline:{{bad.test=error:not by this one}}")
        folder = mail.prefix / "sink"
        folder.mkdir()
        with Sink(folder) as good, Sink(folder, "-r", "RCPT") as bad:
            with open(mail.etc / "main.cf", "a") as file:
                file.write(f"good_port = {good.port}\nbad_port = {bad.port}\n")
            mail.start()
            self.assertEqual(rcpt(mail, "a@good.test")[:4], "250 ")
            mail.wait_log(r"smtp\[\d+\]: [^ ]+: to=<a@good.test>, relay=127.0.0.1.*status=deliverable \(250 2.1.5 ")
            answer = rcpt(mail, "b@bad.test")
            self.assertRegex(answer, r"^550 5\.1\.1 <b@bad.test>: Recipient address rejected: undeliverable address: host 127.0.0.1"
                                     r".* said: 5\d\d .*in reply to RCPT TO command")
            self.assertRegex(rcpt(mail, "c@down.test"), r"^450 4\.1\.1 <c@down.test>: Recipient address rejected: unverified address: "
                                                        r"connect to 127.0.0.1\[127.0.0.1\]:1: Connection refused")
            mail.wait_empty_queue()
            self.assertEqual(good.messages(), [], "a probe ends before DATA")
            cache = mail.run("postmap", "-s", f"btree:{mail.prefix}/data/verify_cache").stdout
            probes = mail.log().count("from=<double-bounce@")
            self.assertEqual(rcpt(mail, "A@good.test")[:4], "250 ")
            self.assertEqual(rcpt(mail, "b@bad.test")[:4], "550 ")
            self.assertEqual(mail.log().count("from=<double-bounce@"), probes, "answered from the cache")
            self.assertRegex(cache, r"(?m)^a@good.test\t0:0:\d+:250 2.1.5 ")
            self.assertRegex(cache, r"(?m)^b@bad.test\t2:0:\d+:host 127")
            # What was learnt outlives a restart.
            mail.run("postern", "stop")
        mail.start()
        self.assertEqual(rcpt(mail, "a@good.test")[:4], "250 ")

    def test_local_recipients_and_senders(self):
        mail = self.instance(smtpd_recipient_restrictions="reject_unverified_recipient", smtpd_reject_unlisted_recipient="no",
                             smtpd_sender_restrictions="reject_unverified_sender", unverified_sender_reject_reason="who are you?",
                             address_verify_map="")
        mail.start()
        maildir = mail.add_user("ann")
        self.assertRegex(rcpt(mail, "none@example.test", "ann@example.test"),
                         r'^450 4.1.1 <none@example.test>: .*unverified address: unknown user: "none"')
        self.assertEqual(rcpt(mail, "ann@example.test", "ann@example.test")[:4], "250 ")
        mail.wait_log(r"to=<ann@example.test>, relay=(local|virtual), .*status=deliverable \(delivers to maildir\)")
        self.assertRegex(rcpt(mail, "ann@example.test", "none@example.test"),
                         "^450 4.1.7 <none@example.test>: Sender address rejected: unverified address: who are you\\?")
        self.assertEqual(rcpt(mail, "ann@example.test", "")[:4], "250 ")
        mail.wait_empty_queue()
        self.assertEqual(mail.messages(maildir), [], "nothing was delivered")

    def test_without_an_answer(self):
        mail = self.instance(smtpd_recipient_restrictions="reject_unverified_recipient", address_verify_poll_count="1",
                             transport_maps="inline:{ {slow.test = retry:4.3.0 wait} }")
        mail.start()
        self.assertRegex(rcpt(mail, "a@slow.test"), "^450 4.1.1 .*Address verification in progress")
        wait(lambda: "unverified address: wait" in rcpt(mail, "a@slow.test"), "the answer", mail.log)
        mail.wait_empty_queue()

    def test_sendmail_bv(self):
        mail = self.instance()
        mail.start()
        ann = mail.add_user("ann")
        bob = mail.add_user("bob")
        done = mail.run("sendmail", "-bv", "-f", "ann@example.test", "bob@example.test", "none@example.test")
        self.assertEqual(done.stdout, "Mail Delivery Status Report will be mailed to <ann@example.test>.\n")
        (path,) = mail.wait_messages(ann, 1)
        report = Report(path)
        self.assertEqual(report.subject, "Mail Delivery Status Report")
        self.assertEqual(report.actions(), {"bob@example.test": "deliverable", "none@example.test": "undeliverable"})
        self.assertEqual(report.recipients["none@example.test"]["Status"], "5.1.1")
        mail.wait_empty_queue()
        self.assertEqual(mail.messages(bob), [])
        refused = mail.run("sendmail", "-bv", "-t", input="To: x\n\n", check=False)
        self.assertEqual(refused.returncode, 64)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_with_accounts_of_their_own(self):
        with Instance({"smtpd_recipient_restrictions": "reject_unverified_recipient", "smtpd_reject_unlisted_recipient": "no",
                       "notify_classes": "protocol", "error_notice_recipient": "ann@example.test", "smtp_fallback_relay": "",
                       "transport_maps": "inline:{far.test=smtp:[127.0.0.1]:$sink_port}", "sink_port": "1", **POLLING},
                      real_uids=True) as mail:
            ann = mail.add_user("ann")
            self.assertEqual(rcpt(mail, "ann@example.test")[:4], "250 ")
            self.assertRegex(rcpt(mail, "none@example.test"), "^450 4.1.1 .*unknown user")
            folder = mail.prefix / "sink"
            folder.mkdir()
            with Sink(folder, "-r", "RCPT") as sink:
                with open(mail.etc / "main.cf", "a") as file:
                    file.write(f"sink_port = {sink.port}\n")
                mail.run("postern", "reload")
                mail.wait_log("reload -- version")  # what is asked before is remembered
                wait(lambda: "said: 500" in rcpt(mail, "b@far.test"), "the answer", mail.log)
                mail.wait_messages(ann, 1)  # smtp may tell of a session, and nothing else


if __name__ == "__main__":
    unittest.main()
