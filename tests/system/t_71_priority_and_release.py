"""MT-PRIORITY (RFC 6710) and FUTURERELEASE (RFC 4865): who may, what it does, where it is seen."""

import datetime
import json
import smtplib
import time
import unittest

from instance import Instance, wait

TEXT = "Subject: x\r\n\r\ntext\r\n"


def submit(mail, recipient, options):
    """The replies to MAIL and to the content."""
    with smtplib.SMTP(*mail.address("smtp")) as smtp:
        smtp.ehlo("client.test")
        code, text = smtp.docmd(f"MAIL FROM:<ann@client.test> {options}")
        first = f"{code} {text.decode()}"
        if code != 250:
            return first, ""
        smtp.rcpt(recipient)
        code, text = smtp.data(TEXT)
        return first, f"{code} {text.decode()}"


def listed(mail):
    return [json.loads(line) for line in mail.run("postqueue", "-j").stdout.splitlines()]


class PriorityAndRelease(unittest.TestCase):
    def instance(self, **params):
        mail = Instance({"smtpd_mt_priority": "yes", "smtpd_future_release_limit": "1d", "smtp_fallback_relay": "",
                         "queue_run_delay": "1000s", **params})
        self.addCleanup(mail.__exit__, None)
        return mail

    def test_who_may(self):
        mail = self.instance(smtpd_privileged_clients="192.0.2.0/24")
        mail.start()
        mail.add_user("bob")
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.ehlo("client.test")
            self.assertTrue(smtp.has_extn("mt-priority"))
            self.assertRegex(smtp.esmtp_features["futurerelease"], r"^86400 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(submit(mail, "bob@example.test", "MT-PRIORITY=4")[0], "250 2.3.6 0 is the new priority of the message")
        self.assertEqual(submit(mail, "bob@example.test", "MT-PRIORITY=-4")[0], "250 2.1.0 Ok")
        self.assertEqual(submit(mail, "bob@example.test", "HOLDFOR=60")[0], "530 5.7.0 Authentication required for future release")
        self.assertEqual(submit(mail, "bob@example.test", "MT-PRIORITY=x")[0], "501 5.5.4 Bad MT-PRIORITY parameter syntax")
        with Instance() as other, smtplib.SMTP(*other.address("smtp")) as smtp:
            smtp.ehlo("client.test")
            self.assertFalse(smtp.has_extn("mt-priority") or smtp.has_extn("futurerelease"))
            self.assertEqual(smtp.docmd("MAIL FROM:<a@b.test> MT-PRIORITY=1")[0], 555)

    def test_a_priority_goes_along(self):
        mail = self.instance()
        with Instance({"smtpd_mt_priority": "yes", "mydestination": "far.test", "defer_transports": "local"}) as other:
            with open(mail.etc / "main.cf", "a") as file:
                file.write(f"relayhost = [127.0.0.1]:{other.port('smtp')}\n")
            mail.start()
            other.add_user("bob")
            submit(mail, "bob@far.test", "MT-PRIORITY=7")
            mail.wait_empty_queue()
            (entry,) = listed(other)
            self.assertEqual(entry["priority"], 7)
            self.assertIn("mt_priority=7", other.run("postcat", "-e", "-q", entry["queue_id"]).stdout)
            self.assertIn("has priority 7", mail.run("mailtrace", "bob@far.test").stdout)

    def test_held_and_released(self):
        mail = self.instance()
        mail.start()
        ann, bob = mail.add_user("ann"), mail.add_user("bob")
        # What is done until then takes longer where this does.
        begun = time.monotonic()
        submit(mail, "ann@example.test", "SIZE=100")
        mail.wait_messages(ann, 1)
        enough = datetime.timedelta(seconds=3 + 3 * (time.monotonic() - begun))
        until = datetime.datetime.now(datetime.timezone.utc) + enough
        _, answer = submit(mail, "bob@example.test", f"HOLDUNTIL={until:%Y-%m-%dT%H:%M:%SZ}")
        ident = answer.split()[-1]
        wait(lambda: [e["queue_name"] for e in listed(mail)] == ["deferred"], "it at rest", mail.log)
        (entry,) = listed(mail)
        self.assertEqual(entry["release_time"], int(until.timestamp()))
        self.assertRegex(entry["recipients"][0]["delay_reason"], "^future release: not before 20")
        self.assertIn("(future release: not before", mail.run("mailq").stdout)
        self.assertIn("release_time=", mail.run("postcat", "-e", "-q", ident).stdout)
        mail.run("postqueue", "-f")  # not before its time, whoever asks
        self.assertEqual(mail.messages(bob), [])
        (path,) = mail.wait_messages(bob, 1)
        self.assertGreaterEqual(time.time(), int(until.timestamp()))
        mail.wait_empty_queue()
        self.assertIn("future release: held until", mail.run("mailtrace", ident).stdout)

    def test_what_is_too_far_away(self):
        mail = self.instance()
        mail.start()
        mail.add_user("bob")
        self.assertEqual(submit(mail, "bob@example.test", "HOLDFOR=86401")[0], "501 5.5.4 Future release is too far away")
        self.assertEqual(submit(mail, "bob@example.test", "HOLDFOR=1 HOLDFOR=1")[0], "501 5.5.4 Bad HOLDFOR parameter syntax")
        _, answer = submit(mail, "bob@example.test", "HOLDFOR=3600")
        ident = answer.split()[-1]
        wait(lambda: [e["queue_name"] for e in listed(mail)] == ["deferred"], "it at rest", mail.log)
        # The system starts anew, and it is requeued: it stays held.
        mail.stop()
        mail.start()
        mail.run("postsuper", "-r", ident)
        wait(lambda: [(e["queue_name"], e["queue_id"] != ident) for e in listed(mail)] == [("deferred", True)], "it again", mail.log)
        mail.run("postsuper", "-d", "ALL")
        mail.wait_empty_queue()


if __name__ == "__main__":
    unittest.main()
