"""What no good client sends, and what no good host has: the right NO or BAD, bounded memory, nothing lost."""

import os
import pathlib
import socket
import subprocess
import threading
import unittest

import instance
from instance import SANITIZED, Instance, wait

SMALL = b"From: Ann <ann@client.test>\r\nSubject: one\r\n\r\nline\r\n"
MOST_MEMORY = (256 if SANITIZED else 64) * 1024  # kB of a session
MANY_FILES = 1_000_000 if "POSTERN_CUTS" in os.environ else 20_000  # ./check --long


class Imap:
    """A session as bytes: what is sent is what the test says."""

    def __init__(self, mail, user="bob", log_in=True):
        self.socket = socket.create_connection(mail.address("imap"), timeout=30)
        self.lines = self.socket.makefile("rb")
        self.lines.readline()
        self.answer = self(b"LOGIN " + user.encode() + b" secret") if log_in else b""

    def __call__(self, command):
        """The tagged answer; all lines are in `said`."""
        self.socket.sendall(b"t " + command + b"\r\n")
        return self.rest(b"t ")

    def rest(self, start=b"no such line"):
        self.said = []
        while line := self.lines.readline():
            self.said.append(line)
            if line.startswith(start):
                break
        return self.said[-1] if self.said else b""

    def append(self, text, mailbox=b"INBOX"):
        return self(b"APPEND " + mailbox + b" {%d+}\r\n" % len(text) + text)

    def close(self):
        self.lines.close()
        self.socket.close()


def session_memory(mail):
    """The most that the one session's process has had, in kB."""
    (pid,) = mail.sessions("imapd")
    (line,) = [line for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])


class Serving(unittest.TestCase):
    def serve(self, params=None, **more):
        mail = Instance(params, services=("imap", "smtp"), **more)
        mail.start()
        self.addCleanup(mail.__exit__, None)
        self.maildir = mail.add_user("bob")
        return mail

    def imap(self, mail, **more):
        imap = Imap(mail, **more)
        self.addCleanup(imap.close)
        return imap


class BadInput(Serving):
    def test_too_much(self):
        mail = self.serve()
        for command, answer in (
                (b"APPEND INBOX {4294967296}", b"t NO [TOOBIG]"),
                (b"APPEND INBOX {99999999999999999999}", b"t BAD "),
                (b"SELECT {4294967296}", b"t BAD "),
                (b"SEARCH " + b"(" * 1000, b"t BAD "), (b"FETCH 1 " + b"(" * 1000, b"t BAD "),
                (b"LIST " + b"(" * 1000, b"t BAD "), (b"NOTIFY SET " + b"(" * 1000, b"t BAD "),
                (b"SEARCH " + b"NOT " * 1000 + b"SEEN", b"t BAD "),
                (b"SEARCH " + b"SEEN " * 200_000, b"t BAD "), (b"SEARCH SUBJECT {1000000}", b"t BAD "),
                (b"FETCH " + b"1," * 5000 + b"1 UID", b"t "),
                (b"SEARCH SUBJECT \"a\0b\"", b"t BAD "), (b"\0\0", b"t BAD "), (b"SELECT {3+}\r\na\0b", b"t BAD ")):
            with self.subTest(command[:30]):
                imap = self.imap(mail)
                imap(b"SELECT INBOX")
                self.assertTrue(imap(command).startswith(answer), imap.said)
                self.assertTrue(imap(b"NOOP").startswith(b"t OK"), "the session goes on")
                self.assertLess(session_memory(mail), MOST_MEMORY)
                imap(b"LOGOUT")
                wait(lambda: not mail.sessions("imapd"), "the end of the session", mail.log)

    def test_a_literal_that_comes_unasked_is_not_read_for_ever(self):
        mail = self.serve()
        for command in (b"APPEND INBOX {4294967296+}\r\nxxxx", b"SELECT {4294967296+}\r\nxxxx"):
            imap = self.imap(mail)
            imap.socket.sendall(b"t " + command)
            imap.rest()  # to the end of the connection
            self.assertRegex(b"".join(imap.said), rb"^t (NO \[TOOBIG\]|BAD )[^\n]*\n\* BYE ")

    def test_names(self):
        mail = self.serve()
        imap = self.imap(mail)
        for name in (b"../x", b"..", b"a/../../b", b"/etc/passwd", b"a..b", b".x", b"&", b"&AOQ", b"&2AA-", b"a&AGE-b",
                     b"x" * 300, b"\xff\xfe", b""):
            for command in (b"CREATE", b"SELECT", b"RENAME INBOX", b"SUBSCRIBE"):
                if command != b"SUBSCRIBE" or b"/" in name:
                    self.assertRegex(imap(command + b' "' + name + b'"'), rb"^t (NO|BAD) ", (command, name))
        imap(b"LOGOUT")
        self.assertEqual([p.name for p in self.maildir.parent.iterdir()], ["Maildir"], "nothing beside it")

    def test_messages(self):
        mail = self.serve()
        imap = self.imap(mail)
        imap(b"SELECT INBOX")
        nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(1000))
        wide = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000 + b"--b--\r\n"
        fields = b"".join(b"X-%d: y\r\n" % i for i in range(200_000)) + b"\r\nbody\r\n"
        for n, text in enumerate((nested, wide, fields), 1):
            self.assertRegex(imap.append(text), rb"^t OK ")
            self.assertRegex(imap(b"FETCH %d (ENVELOPE BODYSTRUCTURE RFC822.SIZE)" % n), rb"^t OK ")
            self.assertIn(b"RFC822.SIZE %d" % len(text), b"".join(imap.said))
        self.assertRegex(imap(b"FETCH 1 BODY.PEEK[" + b".".join([b"1"] * 999) + b"]"), rb"^t (OK|BAD) ")
        self.assertRegex(imap(b"SEARCH BODY nowhere"), rb"^t OK ")
        self.assertLess(session_memory(mail), MOST_MEMORY)


class BadHost(Serving):
    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system")
    def test_a_full_disk(self):
        instance.private_mounts()
        mail = self.serve()
        imap = self.imap(mail)
        imap(b"CREATE other")
        self.assertRegex(imap.append(SMALL), rb"^t OK ")
        imap(b"LOGOUT")
        held = subprocess.run(["tar", "c", "Maildir"], cwd=self.maildir.parent, check=True, capture_output=True).stdout
        uid, gid = mail.identity
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=1m,uid={uid},gid={gid}", "none", self.maildir.parent], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.maildir.parent])
        subprocess.run(["tar", "xp"], cwd=self.maildir.parent, input=held, check=True)
        imap = self.imap(mail)
        imap(b"SELECT INBOX")
        there = 1
        while imap.append(SMALL * 500).startswith(b"t OK"):
            there += 1
        self.assertIn(b"NO [OVERQUOTA] Not enough disk space", imap.said[-1])
        # Changes are refused or made; mail can be read.
        for keyword in range(40):
            answer = imap(b"STORE 1:* +FLAGS (k%d)" % keyword)
            self.assertRegex(answer, rb"^t (OK|NO \[OVERQUOTA\])")
        self.assertRegex(imap(b"SEARCH SUBJECT one"), rb"^t OK ")
        self.assertEqual(len(imap.said[0].split()), 2 + there)
        self.assertRegex(imap(b"FETCH 1 BODY.PEEK[]"), rb"^t OK ")
        second = self.imap(mail)
        self.assertRegex(second(b"SELECT INBOX"), rb"^t OK ")
        self.assertIn(b"* %d EXISTS\r\n" % there, second.said)
        subprocess.run(["mount", "-o", "remount,size=8m", self.maildir.parent], check=True)
        self.assertRegex(imap.append(SMALL), rb"^t OK ")
        self.assertRegex(imap(b"STORE 1 +FLAGS (\\Seen)"), rb"^t OK ")
        self.assertRegex(second(b"FETCH 1 FLAGS"), rb"^t OK ")
        self.assertIn(b"\\Seen", b"".join(second.said))

    def test_a_maildir_of_very_many_files(self):
        """Another program's, with names that tell nothing: read once, and a session's memory is some bytes for each."""
        mail = self.serve()
        self.imap(mail)(b"LOGOUT")
        owner = self.maildir.stat()
        for number in range(MANY_FILES):
            with open(self.maildir / "cur" / f"1700000000.M{number:07}P1.foreign:2,{'S' * (number % 2)}", "wb") as file:
                file.write(SMALL.replace(b"\r\n", b"\n"))
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        imap = self.imap(mail)
        imap.socket.settimeout(300)
        self.assertRegex(imap(b"SELECT INBOX"), rb"^t OK ")
        self.assertIn(b"* %d EXISTS\r\n" % MANY_FILES, imap.said)
        self.assertRegex(imap(b"UID FETCH %d (UID RFC822.SIZE)" % MANY_FILES), rb"^t OK ")
        self.assertEqual(imap.said[0], b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (MANY_FILES, MANY_FILES, len(SMALL)))
        self.assertRegex(imap(b"SEARCH RETURN (COUNT) UNSEEN"), rb"^t OK ")
        self.assertRegex(imap.said[0], rb" COUNT %d\r\n$" % (MANY_FILES // 2))
        self.assertLess(session_memory(mail), MOST_MEMORY + MANY_FILES // 2)
        second = self.imap(mail)
        self.assertRegex(second(b"STATUS INBOX (MESSAGES UNSEEN)"), rb"^t OK ")
        self.assertIn(b"* STATUS INBOX (MESSAGES %d UNSEEN %d)\r\n" % (MANY_FILES, MANY_FILES // 2), second.said)

    def test_without_rights(self):
        mail = self.serve()
        imap = self.imap(mail)
        imap(b"CREATE secret")
        imap.append(SMALL)
        for path, expected in ((self.maildir / ".secret", b"secret"), (self.maildir / "cur", b"INBOX")):
            path.chmod(0)
            # Not "does not exist": a client might delete its copy.
            for command in (b"SELECT " + expected, b"STATUS " + expected + b" (MESSAGES)"):
                self.assertRegex(imap(command), rb"^t NO \[NOPERM\]", path)
            path.chmod(0o700)
            self.assertRegex(imap(b"SELECT " + expected), rb"^t OK ")
        self.maildir.chmod(0)
        refused = self.imap(mail)
        self.assertRegex(refused.answer, rb"^t NO \[UNAVAILABLE\] ")
        self.assertRegex(refused.rest(), rb"^\* BYE ")
        mail.wait_log(r"imapd\[\d+\]: warning: user=<bob>: .*Permission denied")
        self.maildir.chmod(0o700)
        self.assertRegex(self.imap(mail).answer, rb"^t OK ")

    def test_many_who_fill_a_quota_at_once(self):
        mail = self.serve({"mailbox_quota_rule": "*:messages=20"})
        sessions = [self.imap(mail) for _ in range(8)]
        answers = []

        def fill(imap):
            for _ in range(10):
                answers.append(imap.append(SMALL))

        threads = [threading.Thread(target=fill, args=(imap,)) for imap in sessions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = [a for a in answers if a.startswith(b"t OK")]
        self.assertEqual(len(answers), 80)
        self.assertTrue(all(a.startswith(b"t NO [OVERQUOTA]") for a in answers if a not in taken), answers)
        self.assertEqual(len(taken), 20)
        self.assertEqual(len(mail.messages(self.maildir)), 20)


class Limits(Serving):
    def test_messages_of_one_command(self):
        mail = self.serve({"imap_message_limit": "3", "imap_save_limit": "2"})
        imap = self.imap(mail)
        self.assertIn(b" MESSAGELIMIT=3 SAVELIMIT=2", imap.said[-1])
        for _ in range(5):
            imap.append(SMALL)
        imap(b"SELECT INBOX")
        self.assertRegex(imap(b"UID FETCH 1:* FLAGS"), rb"^t OK \[MESSAGELIMIT 3 3\] ")
        self.assertEqual(sum(b" FETCH (" in line for line in imap.said), 3)
        self.assertRegex(imap(b"UID COPY 1:3 INBOX"), rb"^t NO \[MESSAGELIMIT 2 2\] ")


if __name__ == "__main__":
    unittest.main()
