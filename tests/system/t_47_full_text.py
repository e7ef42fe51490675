"""The full-text index: made in the background by a process of the user's, asked by the next SEARCH, and no process of
its own to those who look at the system."""

import imaplib
import os
import pathlib
import re
import signal
import stat
import threading
import unittest

from instance import Instance, wait

PARAMS = {"mailbox_full_text_index": "yes"}
MANY_WORDS = " ".join(f"word{n}" for n in range(300))


def fill(maildir, count, body):
    for n in range(count):
        (maildir / "cur" / f"{1780000000 + n}.{n}.host:2,").write_text(f"From: a@one.test\nSubject: letter {n}\n\n{body} {n}\n")


class FullText(unittest.TestCase):
    def serve(self, **params):
        mail = Instance({**PARAMS, **params}, services=("smtp", "imap"))
        mail.start()
        self.addCleanup(mail.__exit__, None)
        return mail

    def imap(self, mail, *messages):
        """A session that has the INBOX selected, with these messages in it (see fill)."""
        imap = imaplib.IMAP4(*mail.address("imap"))
        imap.login("bob", "secret")  # which makes the Maildir
        if messages:
            fill(*messages)
        imap.select()
        return imap

    def find(self, imap, text):
        return [int(n) for n in imap.search(None, "TEXT", f'"{text}"')[1][0].split()]

    def test_a_search_has_it_made(self):
        mail = self.serve()
        maildir = mail.add_user("bob")
        imap = self.imap(mail, maildir, 200, "green words")
        self.assertEqual(len(self.find(imap, "reen")), 200)
        mail.wait_log(r"indexed: folder=.*/Maildir, messages=200, ms=\d+")
        index = maildir / "postern.fts"
        self.assertEqual(stat.S_IMODE(index.stat().st_mode), 0o700)
        self.assertEqual(len(self.find(imap, "reen")), 200)
        self.assertEqual(self.find(imap, "letter 17"), [18] + list(range(171, 181)))
        mail.run("sendmail", "bob", input="Subject: late\n\npurple\n")
        wait(lambda: imap.noop() and self.find(imap, "urpl") == [201], "the new message", mail.log)
        imap.logout()
        # Without it everything is found as well.
        for path in index.iterdir():
            path.unlink()
        index.rmdir()
        again = self.imap(mail)
        self.assertEqual(self.find(again, "letter 17"), [18] + list(range(171, 181)))
        again.logout()

    def test_a_session_that_ends_lets_it_finish(self):
        mail = self.serve()
        imap = self.imap(mail, mail.add_user("bob"), 3000, MANY_WORDS)
        self.assertEqual(self.find(imap, "absent"), [])
        indexer = self.pause_indexer(mail)
        imap.logout()
        mail.wait_log("Logged out")
        self.assertTrue(mail.sessions("imapd"), "the session's process waits")
        os.kill(indexer, signal.SIGCONT)
        mail.wait_log(r"indexed: folder=.*, messages=\d+")
        wait(lambda: not mail.sessions("imapd"), "the processes to end", mail.log)
        wait(lambda: not pathlib.Path(f"/proc/{indexer}").exists(), "the indexer to end", mail.log)
        # On a slow machine it had time for a part; others go on from there.
        while (done := self.indexed(mail)) < 3000:
            imap = self.imap(mail)
            self.find(imap, "absent")
            imap.logout()
            wait(lambda: self.indexed(mail) > done, "more to be indexed", mail.log)

    def test_a_stop_ends_it(self):
        # Where it was through before it could be held, there was nothing to end; it may have kept a part.
        self.assertTrue(any(self.is_ended_by_a_stop(count) for count in (3000, 12000, 48000)))

    def is_ended_by_a_stop(self, count):
        mail = self.serve()
        imap = self.imap(mail, mail.add_user("bob"), count, MANY_WORDS)
        self.find(imap, "absent")
        self.addCleanup(imap.shutdown)
        if not any(self.children(session) for session in mail.sessions("imapd")):
            return False
        indexer = self.pause_indexer(mail)
        stop = threading.Thread(target=mail.stop)
        stop.start()
        mail.wait_log("Server shutting down")  # the session, which waits for the indexer now
        os.kill(indexer, signal.SIGCONT)
        stop.join()
        self.assertNotIn("does not end, killed", mail.log())
        wait(lambda: not pathlib.Path(f"/proc/{indexer}").exists(), "the indexer to end", mail.log)
        return f"messages={count}" not in mail.log()

    def test_off_it_makes_none(self):
        mail = self.serve(mailbox_full_text_index="no")
        maildir = mail.add_user("bob")
        imap = self.imap(mail, maildir, 100, "green words")
        self.assertEqual(len(self.find(imap, "green")), 100)
        imap.logout()
        wait(lambda: not mail.sessions("imapd"), "the session to end", mail.log)
        self.assertFalse((maildir / "postern.fts").exists())

    def indexed(self, mail):
        return sum(map(int, re.findall(r"indexed: folder=.*, messages=(\d+)", mail.log())))

    def pause_indexer(self, mail):
        """However quick it is, what comes next finds it at work."""
        (indexer,) = [child for session in mail.sessions("imapd") for child in self.children(session)]
        os.kill(indexer, signal.SIGSTOP)
        return indexer

    def children(self, pid):
        try:
            return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except FileNotFoundError:
            return []


if __name__ == "__main__":
    unittest.main()
