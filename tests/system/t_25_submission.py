"""The way into the queue: local submission, crashes of cleanup and pickup, batches, the queue commands."""

import os
import re
import shutil
import signal
import smtplib
import threading
import unittest

from instance import Instance, wait

# Nobody listens there: what is sent to FAR stays in the queue.
HELD = {"relayhost": "[127.0.0.1]:1", "minimal_backoff_time": "1000s", "maximal_backoff_time": "1000s"}
FAR = "far@elsewhere.test"


def body(n, size=200):
    return f"From: ann@client.test\r\nTo: bob@example.test\r\nSubject: {n}\r\nMessage-Id: <{n}@client.test>\r\n\r\n" + "x" * size + "\r\n"


class LocalSubmission(unittest.TestCase):
    def test_sendmail_works_while_the_system_is_down(self):
        mail = Instance()
        try:
            mail.start()
            maildir = mail.add_user("bob")
            mail.stop()
            mail.run("sendmail", "-t", "-F", "Ann Other", "-f", "ann",
                     input="To: bob\nBcc: bob@mail.example.test\nSubject: down\n\n.hidden dot\n.\nnot this\n")
            (dropped,) = (mail.queue / "maildrop").iterdir()
            listing = mail.run("mailq").stdout
            self.assertIn(dropped.name, listing)
            self.assertRegex(listing, r" ann\n +bob\n +bob@mail\.example\.test\n")
            self.assertIn("in 1 Request.", listing)
            mail.start()
            first, second = mail.wait_messages(maildir, 2)
            text = first.read_text()
            self.assertRegex(text, r"(?m)^Received: by mail.example.test \(Postern, from userid \d+\)\n\tid \w+; ")
            self.assertIn("\nTo: bob@example.test\n", text)
            self.assertIn("\nFrom: Ann Other <ann@example.test>\n", text)
            self.assertRegex(text, r"\nMessage-Id: <\d{14}\.\w+@mail\.example\.test>\n")
            self.assertNotIn("Bcc:", text)
            self.assertTrue(text.endswith("\n\n.hidden dot\n"), text)
            mail.wait_log(r"postfix/pickup\[\d+\]: \w+: uid=\d+ from=<ann>")
            mail.wait_empty_queue()
            self.assertEqual(list((mail.queue / "maildrop").iterdir()), [])
        finally:
            mail.stop()

    def test_smtp_on_standard_input(self):
        with Instance() as mail:
            maildir = mail.add_user("bob")
            swaks = mail.run(shutil.which("swaks"), "--pipe", "sendmail -bs", "--from", "ann@example.test", "--to",
                             "bob@example.test", "--header", "Subject: piped")
            self.assertIn("250 2.0.0 Ok: queued as maildrop", swaks.stdout)
            (path,) = mail.wait_messages(maildir, 1)
            self.assertIn("\nSubject: piped\n", path.read_text())
            self.assertIn("Return-Path: <ann@example.test>\n", path.read_text())
            # As a person would type it.
            typed = mail.run("sendmail", "-bs", input="HELO me\nMAIL FROM:<>\nRCPT TO:<bob>\nDATA\nhello\n.\nQUIT\n")
            self.assertIn("221 2.0.0 Bye", typed.stdout)
            mail.wait_messages(maildir, 2)

    def test_exit_codes(self):
        with Instance(params={"message_size_limit": "2000"}) as mail:
            self.assertEqual(mail.run("sendmail", check=False, input="x\n").returncode, 64)
            self.assertEqual(mail.run("sendmail", "-z", check=False, input="x\n").returncode, 75)
            self.assertEqual(mail.run("sendmail", "-t", check=False, input="Subject: x\n\n").returncode, 64)
            big = mail.run("sendmail", "bob@example.test", check=False, input="x" * 3000 + "\n")
            self.assertEqual(big.returncode, 65)
            self.assertIn("message file too big", big.stderr)
            self.assertEqual(list((mail.queue / "maildrop").iterdir()), [])

    def test_a_message_that_was_refused_comes_back(self):
        with Instance(params={"hopcount_limit": "3"}) as mail:
            maildir = mail.add_user("bob")
            mail.run("sendmail", "-f", "bob@example.test", "far@elsewhere.test",
                     input="Received: a\n" * 5 + "Subject: loop\n\nx\n")
            (path,) = mail.wait_messages(maildir, 1)
            text = path.read_text()
            self.assertIn("too many hops", text)
            self.assertIn("Subject: loop", text)
            mail.wait_empty_queue()


class QueueFiles(unittest.TestCase):
    def send_many(self, mail, sessions, messages, size=200, to="bob@example.test"):
        """Each session sends its messages; returns the ids that were answered with 250."""
        accepted, lock = [], threading.Lock()

        def one(session):
            try:
                with smtplib.SMTP(*mail.address("smtp"), timeout=30) as smtp:
                    for m in range(messages):
                        name = f"s{session}m{m}"
                        smtp.sendmail("ann@client.test", [to], body(name, size))
                        with lock:
                            accepted.append(name)
            except (OSError, smtplib.SMTPException):
                pass  # the crash that the test makes

        threads = [threading.Thread(target=one, args=(n,)) for n in range(sessions)]
        for t in threads:
            t.start()
        return accepted, threads

    def subjects(self, mail, maildir):
        return sorted(re.search(r"(?m)^Subject: (.*)$", p.read_text()).group(1) for p in mail.messages(maildir))

    def test_acknowledged_mail_survives_the_death_of_cleanup_and_qmgr(self):
        with Instance() as mail:
            maildir = mail.add_user("bob")
            accepted, threads = self.send_many(mail, 10, 30)
            for service in ("cleanup", "qmgr", "cleanup", "pickup"):
                done = len(accepted)
                wait(lambda: len(accepted) >= done + 15 or not any(t.is_alive() for t in threads), "some mail", mail.log)
                for pid in mail.pids(service):
                    os.kill(pid, signal.SIGKILL)
            for t in threads:
                t.join()
            self.assertGreater(len(accepted), 0)  # how many got through before their sessions broke is chance
            wait(lambda: set(accepted) <= set(self.subjects(mail, maildir)), "all acknowledged mail", mail.log)
            mail.wait_empty_queue()
            got = self.subjects(mail, maildir)
            # A message whose answer was lost with cleanup may be there too, but only once; qmgr's marks of
            # the last moment may be lost, which repeats a delivery under the same name in the Maildir.
            self.assertEqual(len(got), len(set(got)), mail.log())

    def test_many_sessions_share_queue_files(self):
        with Instance(params=HELD) as mail:
            accepted, threads = self.send_many(mail, 20, 10, to=FAR)
            for t in threads:
                t.join()
            self.assertEqual(len(accepted), 200)
            wait(lambda: len(mail.queue_ids()) == 200, "200 queued messages", mail.log)

    def test_large_message(self):
        with Instance() as mail:
            maildir = mail.add_user("bob")
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                text = body("large") + "0123456789abcdef\r\n" * 300_000
                smtp.sendmail("ann@client.test", ["bob@example.test"], text)
            (path,) = mail.wait_messages(maildir, 1)
            self.assertEqual(path.read_bytes().count(b"0123456789abcdef\n"), 300_000)
            mail.wait_empty_queue()
            self.assertEqual(list((mail.queue / "incoming").iterdir()), [])

    def test_postcat_shows_what_is_queued(self):
        with Instance(params=HELD) as mail:
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.sendmail("ann@client.test", [FAR], body("seen"))
            wait(lambda: mail.queue_ids(), "a queued message", mail.log)
            (queue_id,) = mail.queue_ids()
            shown = mail.run("postcat", "-q", queue_id).stdout
            self.assertRegex(shown, rf"^\*\*\* ENVELOPE RECORDS \w+/.*{queue_id} \*\*\*\nmessage_size: +\d+ ")
            self.assertIn("\nsender: ann@client.test\n", shown)
            self.assertIn("\nrecipient: far@elsewhere.test\n", shown)
            self.assertIn("\nSubject: seen\n", shown)
            self.assertNotIn("Subject", mail.run("postcat", "-bq", queue_id).stdout)
            missing = mail.run("postcat", "-q", "ZZZZZZZZ", check=False)
            self.assertEqual((missing.returncode, missing.stderr),
                             (1, "postcat: fatal: open queue file ZZZZZZZZ: No such file or directory\n"))


if __name__ == "__main__":
    unittest.main()
