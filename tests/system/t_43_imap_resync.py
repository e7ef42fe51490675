"""A client that keeps a copy of a mailbox and comes back now and then (QRESYNC, RFC 7162) has the same as one
that looks at everything, whatever others did meanwhile: clients, deliveries, programs that work on the files.
Two clients that change one mailbox at once see the same in the end."""

import os
import pathlib
import random
import re
import threading
import unittest

from instance import Instance
from t_42_imap_sessions import TEXT, Client

ROUNDS = 6


class Session(Client):
    """One command after the other."""

    def __init__(self, address):
        super().__init__(address)
        self.count = 0
        self.do("LOGIN bob secret")

    def do(self, command):
        self.count += 1
        tag = b"x%d" % self.count
        self.say(tag + b" " + command.encode())
        lines = self.until(tag + b" ")
        # What another client has expunged is not copied (RFC 5530), and that is no failure.
        if not lines or not lines[-1].startswith((tag + b" OK", tag + b" NO [EXPUNGEISSUED]")):
            raise AssertionError((command, lines[-3:]))
        return lines

    def append(self, text=TEXT):
        self.do("APPEND INBOX {%d+}\r\n%s" % (len(text), text.decode()))


def uids_of(text):
    out = set()
    for part in text.split(","):
        first, _, last = part.partition(":")
        out.update(range(int(first), int(last or first) + 1))
    return out


def flags_of(text):
    return frozenset(f for f in text.split() if f.lower() != "\\recent")


class Copy:
    """What a client has on its disk."""

    def __init__(self):
        self.messages = {}  # uid: flags
        self.modseq = self.validity = None

    def learn(self, lines):
        for line in lines:
            line = line.decode()
            if vanished := re.match(r"\* VANISHED (?:\(EARLIER\) )?([\d:,]+)", line):
                for uid in uids_of(vanished.group(1)):
                    self.messages.pop(uid, None)
            if fetched := re.match(r"\* \d+ FETCH \(UID (\d+) FLAGS \((.*?)\)", line):
                self.messages[int(fetched.group(1))] = flags_of(fetched.group(2))
            for name, pattern in (("modseq", r"\[HIGHESTMODSEQ (\d+)\]"), ("validity", r"\[UIDVALIDITY (\d+)\]")):
                if said := re.search(pattern, line):
                    setattr(self, name, int(said.group(1)))

    def come_back(self, address):
        session = Session(address)
        session.do("ENABLE QRESYNC")
        known = f" (QRESYNC ({self.validity} {self.modseq}))" if self.modseq else ""
        self.learn(session.do("SELECT INBOX" + known))
        if not known:
            self.learn(session.do("UID FETCH 1:* (FLAGS)"))
        session.close()


def everything(address):
    session = Session(address)
    session.do("EXAMINE INBOX")
    found = {}
    for line in session.do("UID FETCH 1:* (FLAGS)"):
        if fetched := re.match(r"\* \d+ FETCH \(UID (\d+) FLAGS \((.*?)\)", line.decode()):
            found[int(fetched.group(1))] = flags_of(fetched.group(2))
    session.close()
    return found


class Resync(unittest.TestCase):
    def setUp(self):
        self.mail = Instance(services=("imap",))
        self.mail.__enter__()
        self.addCleanup(self.mail.__exit__, None, None, None)
        self.maildir = pathlib.Path(self.mail.add_user("bob"))
        self.address = self.mail.address("imap")

    def fill(self, count):
        session = Session(self.address)
        for _ in range(count):
            session.append()
        session.close()

    def change_as_client(self, rng):
        session = Session(self.address)
        session.do("SELECT INBOX")
        uids = sorted(everything(self.address))
        for uid in rng.sample(uids, len(uids) // 4):
            session.do(f"UID STORE {uid} {rng.choice('+-')}FLAGS ({rng.choice(['$a', chr(92) + 'Flagged', chr(92) + 'Seen'])})")
        for uid in rng.sample(uids, len(uids) // 8):
            session.do(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        session.do("EXPUNGE")
        session.append()
        session.close()

    def change_files(self, rng):
        files = sorted((self.maildir / "cur").iterdir())
        for path in rng.sample(files, len(files) // 8):
            path.unlink()
        for path in rng.sample(sorted((self.maildir / "cur").iterdir()), 3):
            base, _, flags = path.name.partition(":2,")
            path.rename(path.with_name(base + ":2," + "".join(sorted(set(flags) ^ {"F"}))))
        fresh = self.maildir / "new" / f"1700000000.M{rng.randrange(10 ** 6)}P1.foreign"
        fresh.write_bytes(TEXT.replace(b"\r\n", b"\n"))
        owner = (self.maildir / "cur").stat()
        os.chown(fresh, owner.st_uid, owner.st_gid)

    def test_copy_stays_true(self):
        rng = random.Random(7)
        self.fill(60)
        copy = Copy()
        copy.come_back(self.address)
        self.assertEqual(copy.messages, everything(self.address))
        for number in range(ROUNDS):
            (self.change_files if number % 2 else self.change_as_client)(rng)
            copy.come_back(self.address)
            self.assertEqual(copy.messages, everything(self.address), f"round {number}")

    def test_half_of_the_mail_is_gone(self):
        self.fill(200)
        copy = Copy()
        copy.come_back(self.address)
        session = Session(self.address)
        session.do("SELECT INBOX")
        session.do("STORE %s +FLAGS.SILENT (\\Deleted)" % ",".join(map(str, range(1, 200, 2))))
        session.do("EXPUNGE")
        session.close()
        copy.come_back(self.address)
        self.assertEqual(sorted(copy.messages), list(range(2, 201, 2)))
        # The log is lost: what is missing has vanished all the same.
        before = copy.modseq
        for name in ("postern.log", "postern.index"):
            (self.maildir / name).unlink()
        session = Session(self.address)
        session.do("SELECT INBOX")
        session.do("UID STORE 2,4,6 +FLAGS.SILENT (\\Deleted)")
        session.do("EXPUNGE")
        session.close()
        copy.come_back(self.address)
        self.assertGreater(copy.modseq, before)
        self.assertEqual(copy.messages, everything(self.address))

    def test_two_clients_at_once_converge(self):
        self.fill(80)
        copies, failures = [Copy(), Copy()], []

        def work(copy, seed):
            try:
                rng = random.Random(seed)
                session = Session(self.address)
                session.do("ENABLE QRESYNC")
                copy.learn(session.do("SELECT INBOX"))
                copy.learn(session.do("UID FETCH 1:* (FLAGS)"))
                for _ in range(60):
                    uid = rng.choice(sorted(copy.messages))
                    command = rng.choice([f"UID STORE {uid} +FLAGS (\\Flagged)", f"UID STORE {uid} -FLAGS (\\Flagged)",
                                          f"UID STORE {uid} FLAGS ($x \\Seen)", f"UID STORE {uid} +FLAGS (\\Deleted)",
                                          "UID EXPUNGE 1:*", "NOOP", f"UID COPY {uid} INBOX"])
                    lines = session.do(command)
                    # Flags of a new message may be told with its arrival: what is new counts from what was known.
                    first_new = max(copy.messages) + 1
                    copy.learn(lines)
                    # While they are asked for, more may come.
                    while any(line.endswith(b" EXISTS\r\n") for line in lines):
                        lines = session.do(f"UID FETCH {first_new}:* (FLAGS)")
                        copy.learn(lines)
                session.close()
            except Exception as error:  # a thread's failure is the test's
                failures.append(error)

        threads = [threading.Thread(target=work, args=(copy, seed)) for seed, copy in enumerate(copies)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        for copy in copies:
            copy.come_back(self.address)
            self.assertEqual(copy.messages, everything(self.address))


if __name__ == "__main__":
    unittest.main()
