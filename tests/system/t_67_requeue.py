"""postsuper -r: a message goes through cleanup once more, as main.cf is now. Orders for messages that others have in
hand, and for a queue manager that a reload has just taken."""

import fcntl
import re
import smtplib
import socket
import threading
import unittest

from instance import Instance, wait

MESSAGE = "From: ann@client.test\r\nSubject: again\r\nMessage-ID: <again@client.test>\r\n\r\n.dots and lines\r\n"
TRANSPORTS = "inline:{ {busy.test = retry:4.3.0 come later} }"


class Requeue(unittest.TestCase):
    def setUp(self):
        self.mail = Instance({"transport_maps": TRANSPORTS, "minimal_backoff_time": "1000s", "maximal_backoff_time": "1000s",
                              "queue_run_delay": "1000s"})
        self.mail.start()
        self.addCleanup(self.mail.__exit__, None)
        self.bob = self.mail.add_user("bob")

    def send(self, *recipients, options=()):
        with smtplib.SMTP(*self.mail.address("smtp")) as smtp:
            smtp.ehlo()
            smtp.mail("ann@client.test", ["ENVID=one"])
            for recipient in recipients:
                smtp.rcpt(recipient, options)
            code, text = smtp.data(MESSAGE)
            self.assertEqual(code, 250)
            qid = re.search(rb"queued as (\w+)", text).group(1).decode()
        self.rest(qid)
        return qid

    def rest(self, qid):
        wait(lambda: f'"deferred", "queue_id": "{qid}"' in self.mail.run("postqueue", "-j").stdout.replace('":"', '": "').replace('","', '", "'),
             f"{qid} at rest", self.mail.log)

    def reconfigure(self, **params):
        for name, value in params.items():
            self.mail.run("postconf", "-e", f"{name} = {value}")
        self.mail.run("postern", "reload")
        self.mail.wait_log("reload -- version")

    def requeue(self, *words):
        result = self.mail.run("postsuper", "-r", *words)
        self.assertNotIn("warning", result.stderr)
        return result.stderr

    def test_addresses_are_rewritten_again(self):
        qid = self.send("away@busy.test", "bob@example.test")
        self.mail.wait_messages(self.bob, 1)
        self.reconfigure(virtual_alias_maps="inline:{away@busy.test=bob@example.test}")
        self.assertEqual(self.requeue(qid), f"postsuper: {qid}: requeued\npostsuper: Requeued: 1 message\n")
        new = self.mail.wait_log(rf"pickup\[\d+\]: (\w+): uid=\d+ from=<ann@client.test> orig_id={qid}").group(1)
        self.mail.wait_log(rf"{new}: to=<bob@example.test>, orig_to=<away@busy.test>, .*status=sent")
        self.mail.wait_empty_queue()
        texts = [p.read_text() for p in self.mail.wait_messages(self.bob, 2)]
        (again,) = [t for t in texts if f"id {new}" in t]
        self.assertIn("\n\n.dots and lines\n", again)
        self.assertIn("X-Original-To: away@busy.test", again)
        self.assertEqual(len(texts), 2, "who has it gets it once")
        self.assertEqual(list((self.mail.queue / "defer").rglob(qid)), [])
        # One story.
        wait(lambda: f"requeued as {new}" in self.mail.run("mailtrace", qid).stdout, "its story", self.mail.log)
        self.assertIn(f"{new}: <bob@example.test> (for <away@busy.test>): delivered", self.mail.run("mailtrace", qid).stdout)

    def test_filters_and_checks_apply_again(self):
        qid = self.send("away@busy.test")
        checks = self.mail.etc / "checks"
        checks.write_text("/^Subject: again/ REPLACE Subject: changed\n")
        self.reconfigure(content_filter="discard:filtered", header_checks=f"regexp:{checks}")
        self.requeue(qid)
        new = self.mail.wait_log(rf"pickup\[\d+\]: (\w+): .* orig_id={qid}").group(1)
        self.mail.wait_log(rf"{new}: replace: header Subject: again")
        self.mail.wait_log(rf"{new}: to=<away@busy.test>, relay=none, .*status=sent \(filtered\)")

    def test_wishes_of_the_sender_stay(self):
        qid = self.send("away@busy.test", options=["NOTIFY=NEVER", "ORCPT=rfc822;first@client.test"])
        self.mail.run("postsuper", "-h", qid)
        self.requeue("ALL", "hold")
        new = self.mail.wait_log(rf"pickup\[\d+\]: (\w+): .* orig_id={qid}").group(1)
        self.rest(new)
        envelope = self.mail.run("postcat", "-qe", new).stdout
        for text in ("envelope_id=one", "dsn_orig_rcpt=rfc822;first@client.test", "notify_flags=1"):
            self.assertIn(text, envelope)

    def in_use(self, path, *words):
        """What postsuper says while somebody has the message's file locked."""
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            done = self.mail.run("postsuper", *words, path.name, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("is being delivered; try again"), 1, done.stderr)
        self.assertTrue(done.stderr.endswith("fatal: being delivered, not changed: 1 message\n"), done.stderr)
        self.assertTrue(path.exists())
        return done.stderr

    def test_what_others_have_in_hand_stays_as_it_is(self):
        qid = self.send("away@busy.test")
        (deferred,) = self.mail.queue.glob(f"deferred/*/{qid}")
        self.in_use(deferred, "-f")
        self.mail.run("postsuper", "-h", qid)
        held = self.mail.queue / "hold" / qid
        self.in_use(held, "-f")
        said = self.in_use(held, "-r")
        self.assertIn(f"warning: {qid}: hold/{qid}: in use by another process: tried again as it is\n", said)
        self.assertIn("Requeued: 0 messages\n", said)
        self.assertEqual(list((self.mail.queue / "maildrop").iterdir()), [])
        self.requeue(qid)
        self.mail.wait_log(rf"pickup\[\d+\]: \w+: .* orig_id={qid}")

    def hang_up_first(self):
        """The next caller of the queue manager reaches one that ends; whoever calls then reaches the real one."""
        path = self.mail.queue / "public/qmgr"
        real = path.rename(path.with_name("qmgr.real"))
        ending = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ending.bind(str(path))
        path.chmod(0o666)
        ending.listen()
        ending.settimeout(60)

        def end():
            with ending, ending.accept()[0] as caller:
                caller.recv(65536)
                real.rename(path)
        thread = threading.Thread(target=end)
        thread.start()
        return thread

    def test_a_reload_in_the_middle(self):
        qid = self.send("away@busy.test")
        for words, said in ((("postqueue", "-i", qid), ""), (("postqueue", "-f"), ""), (("postern", "flush"), ""),
                            (("postkick", "public", "qmgr", "D"), ""),
                            (("postsuper", "-h", qid), f"postsuper: {qid}: placed on hold\npostsuper: Placed on hold: 1 message\n"),
                            (("postsuper", "-d", "ALL"), "postsuper: Deleted: 1 message\n")):
            if words[1] == "-h":
                self.rest(qid)
            if words[1] == "-d":
                wait((self.mail.queue / "hold" / qid).exists, "the message on hold", self.mail.log)
            thread = self.hang_up_first()
            done = self.mail.run(*words)
            thread.join()
            self.assertEqual(done.stderr, said, words)
        self.assertEqual(self.mail.run("postqueue", "-p").stdout, "Mail queue is empty\n")

    def test_while_the_system_is_down(self):
        qid = self.send("away@busy.test")
        self.mail.run("postern", "stop")
        self.requeue(qid)
        self.assertEqual(len(list((self.mail.queue / "maildrop").iterdir())), 1)
        self.assertEqual(self.requeue(qid), "postsuper: Requeued: 0 messages\n")
        self.mail.run("postconf", "-e", "transport_maps =", "virtual_alias_maps = inline:{away@busy.test=bob@example.test}")
        self.mail.run("postern", "start")
        self.mail.wait_messages(self.bob, 1)
        self.mail.wait_empty_queue()


if __name__ == "__main__":
    unittest.main()
