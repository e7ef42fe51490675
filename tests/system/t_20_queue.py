"""The queue: deferral and retry, bounces, what mailq, postqueue and postsuper show and do."""

import json
import re
import smtplib
import unittest

from instance import Instance, wait

TRANSPORTS = "inline:{ {ok.test = discard:swallowed} {gone.test = error:5.7.1 no such site} {busy.test = retry:4.3.0 come later} }"
MESSAGE = "From: ann@client.test\r\nTo: you\r\nSubject: hello\r\n\r\ntext\r\n"


def instance(**params):
    return Instance(params={"transport_maps": TRANSPORTS, "minimal_backoff_time": "100s", **params})


def send(mail, *recipients, sender="ann@ok.test"):
    """Sends one message and returns its queue id."""
    with smtplib.SMTP(*mail.address("smtp")) as smtp:
        smtp.ehlo()
        smtp.mail(sender)
        for recipient in recipients:
            smtp.rcpt(recipient)
        code, text = smtp.data(MESSAGE)
        assert code == 250, text
        return re.search(rb"queued as (\w+)", text).group(1).decode()


class Queue(unittest.TestCase):
    def test_delivered_bounced_deferred(self):
        with instance() as mail:
            qid = send(mail, "a@ok.test", "b@gone.test", "c@busy.test")
            mail.wait_log(rf"postfix/qmgr\[\d+\]: {qid}: from=<ann@ok.test>, size=\d+, nrcpt=3 \(queue active\)")
            mail.wait_log(rf"{qid}: to=<a@ok.test>, relay=none, delay=[\d.]+, delays=[\d./]+, dsn=2.0.0, status=sent \(swallowed\)")
            mail.wait_log(rf"{qid}: to=<b@gone.test>, relay=none, .*, dsn=5.7.1, status=bounced \(no such site\)")
            mail.wait_log(rf"{qid}: to=<c@busy.test>, relay=none, .*, dsn=4.3.0, status=deferred \(come later\)")
            bounce = mail.wait_log(rf"postfix/bounce\[\d+\]: {qid}: sender non-delivery notification: (\w+)").group(1)
            mail.wait_log(rf"{bounce}: from=<>, size=\d+, nrcpt=1 \(queue active\)")
            mail.wait_log(rf"{bounce}: to=<ann@ok.test>, .*status=sent")
            mail.wait_log(rf"postfix/qmgr\[\d+\]: {bounce}: removed")
            # What is left is one recipient with its reason.
            wait(lambda: '"delay_reason"' in mail.run("postqueue", "-j").stdout, "a reason", mail.log)
            (line,) = mail.run("postqueue", "-j").stdout.splitlines()
            entry = json.loads(line)
            self.assertEqual((entry["queue_name"], entry["queue_id"], entry["sender"]), ("deferred", qid, "ann@ok.test"))
            self.assertEqual(entry["recipients"], [{"address": "c@busy.test", "delay_reason": "come later"}])
            listing = mail.run("mailq").stdout
            self.assertRegex(listing, r"^----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n")
            self.assertRegex(listing, rf"\n{qid} +\d+ \w\w\w \w\w\w [ \d]\d \d\d:\d\d:\d\d ann@ok.test\n +\(come later\)\n +c@busy.test\n")
            self.assertRegex(listing, r"\n\n-- 0 Kbytes in 1 Request.\n$")

    def test_retry_flush_and_expiry(self):
        with instance(minimal_backoff_time="1s", maximal_queue_lifetime="3s", bounce_queue_lifetime="3s") as mail:
            qid = send(mail, "c@busy.test")
            mail.wait_log(rf"(?s){qid}: to=<c@busy.test>.*status=deferred.*{qid}: to=<c@busy.test>.*status=deferred")
            mail.wait_log(rf"postfix/qmgr\[\d+\]: {qid}: from=<ann@ok.test>, status=expired, returned to sender")
            mail.wait_log(rf"{qid}: sender non-delivery notification: \w+")
            mail.wait_empty_queue()

    def test_flush(self):
        with instance(fast_flush_domains="busy.test") as mail:
            qid = send(mail, "c@busy.test")
            mail.wait_log(rf"{qid}: to=<c@busy.test>.*status=deferred")
            for command in (["-f"], ["-i", qid], ["-s", "busy.test"]):
                before = mail.log().count(f"{qid}: to=<c@busy.test>")
                wait(lambda: "deferred" in mail.run("postqueue", "-j").stdout, "a deferred message", mail.log)
                mail.run("postqueue", *command)
                wait(lambda: mail.log().count(f"{qid}: to=<c@busy.test>") > before, f"a retry after {command}", mail.log)
            result = mail.run("postqueue", "-s", "elsewhere.test", check=False)
            self.assertEqual((result.returncode, result.stderr),
                             (69, 'postqueue: fatal: Flush service is not configured for destination "elsewhere.test"\n'))

    def test_postsuper_while_running(self):
        with instance() as mail:
            qids = [send(mail, f"c{i}@busy.test") for i in range(4)]
            for qid in qids:
                mail.wait_log(rf"{qid}: to=<c\d@busy.test>.*status=deferred")
            self._postsuper(mail, qids)

    def test_postsuper_while_down(self):
        with instance() as mail:
            qids = [send(mail, f"c{i}@busy.test") for i in range(4)]
            for qid in qids:
                mail.wait_log(rf"{qid}: to=<c\d@busy.test>.*status=deferred")
            mail.run("postern", "stop")
            self._postsuper(mail, qids)
            result = mail.run("postqueue", "-p")
            self.assertIn("Mail system is down -- accessing queue directly", result.stderr)
            self.assertEqual(result.stdout, "Mail queue is empty\n")

    def _postsuper(self, mail, qids):
        wait(lambda: mail.run("postqueue", "-j").stdout.count('"deferred"') == 4, "four deferred", mail.log)
        first = qids[0]
        self.assertEqual(mail.run("postsuper", "-h", first).stderr,
                         f"postsuper: {first}: placed on hold\npostsuper: Placed on hold: 1 message\n")
        mail.wait_log(rf"postfix/postsuper\[\d+\]: {first}: placed on hold")
        self.assertIn(f"\n{first}!", mail.run("mailq").stdout)
        self.assertEqual(mail.run("postsuper", "-h", first).stderr, "postsuper: Placed on hold: 0 messages\n")
        self.assertEqual(mail.run("postsuper", "-H", first).stderr,
                         f"postsuper: {first}: released from hold\npostsuper: Released from hold: 1 message\n")
        self.assertEqual(mail.run("postsuper", "-h", "ALL").stderr, "postsuper: Placed on hold: 4 messages\n")
        self.assertEqual(mail.run("postsuper", "-H", "ALL").stderr, "postsuper: Released from hold: 4 messages\n")
        self.assertEqual(mail.run("postsuper", "-r", first).stderr,
                         f"postsuper: {first}: requeued\npostsuper: Requeued: 1 message\n")
        if mail.running():  # it comes back with another id
            mail.wait_log(rf"pickup\[\d+\]: (\w+): uid=\d+ from=<ann@ok.test> orig_id={first}\n(?s:.*)\1: to=<c0@busy.test>, .*status=deferred")
            wait(lambda: mail.run("postqueue", "-j").stdout.count('"deferred"') == 4, "four deferred", mail.log)
        self.assertEqual(mail.run("postsuper", "-d", "-", input=f"{first}\n{qids[1]}\n").stderr,
                         f"postsuper: {qids[1]}: removed\npostsuper: Deleted: 1 message\n")
        self.assertEqual(mail.run("postsuper", "-d", "ALL").stderr, f"postsuper: Deleted: {3 if mail.running() else 2} messages\n")
        if not mail.running():
            self.assertEqual(mail.run("postsuper", "-d", "ALL", "maildrop").stderr, "postsuper: Deleted: 1 message\n")
        self.assertEqual(mail.run("postsuper", "-d", first).stderr, "postsuper: Deleted: 0 messages\n")
        self.assertEqual(mail.run("postqueue", "-p").stdout, "Mail queue is empty\n")

    def test_qshape(self):
        with instance() as mail:
            for recipients in (["a@busy.test", "b@busy.test"], ["c@busy.test", "x@ok.test"]):
                qid = send(mail, *recipients)
                mail.wait_log(rf"{qid}: to=<{recipients[0]}>, .*status=deferred")
            wait(lambda: mail.run("mailq").stdout.count("!") + mail.run("mailq").stdout.count("*") == 0, "deferral", mail.log)
            shape = mail.run("qshape", "-w", "60", "-b", "3", "deferred").stdout
            self.assertRegex(shape, r"^ +T  5 10 10\+\n +TOTAL  3  3  0   0\n +busy\.test  3  3  0   0\n$")
            self.assertRegex(mail.run("qshape", "-s", "deferred").stdout, r"\n +ok\.test  2 ")
            self.assertRegex(mail.run("qshape").stdout, r"\n +TOTAL  0 ")
            why = mail.run("qshape", "--why").stdout
            self.assertRegex(why, r"(?m)^\S+: \d+ recipients?\n +\d+  backs off, (next in \d+ \w+|due now): \S+")
            for words in (["nonsense"], ["-b", "0"], ["-t", "x"], ["-Z"]):
                self.assertEqual(mail.run("qshape", *words, check=False).returncode, 64, words)

    def test_usage(self):
        with instance() as mail:
            result = mail.run("postqueue", "-x", check=False)
            self.assertEqual(result.returncode, 69)
            self.assertEqual(result.stderr.splitlines()[-1],
                             "postqueue: fatal: usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site")
            self.assertEqual(mail.run("postqueue", "-j").stdout, "")
            self.assertEqual(mail.run("mailq").stdout, "Mail queue is empty\n")


if __name__ == "__main__":
    unittest.main()
