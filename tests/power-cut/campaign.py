"""Cut, look, cut again; and after some cuts the account: what was promised, and what is there."""

import collections
import os
import pathlib
import random
import re
import shutil
import threading
import time

from disk import FLUSH, HARD
from load import Load
from messages import MARK, has_new_id, is_whole, name_in

SETTLE_SECONDS = 240
SHOWN = 5  # complaints that are printed for each account
OLDEST_COPY = 35  # seconds: what the kernel keeps in memory at most before it writes, and a little
QUEUE_FOLDERS = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt", "bounce", "defer", "trace")


class Totals(collections.Counter):
    def line(self):
        return ", ".join(f"{value} {name}" for name, value in self.items())


class Campaign:
    """Cuts of one server on one disk. `totals` counts, `complaints` are what must not be."""

    def __init__(self, server, disk, ledger, sink, seed=0, longest=2.0, say=print, clients=(5, 2, True), patience=30.0):
        self.server, self.disk, self.ledger, self.sink, self.say = server, disk, ledger, sink, say
        self.dice = random.Random(seed)
        self.longest, self.clients = longest, clients
        self.patience = patience  # how long nothing may change before the queue is taken for stuck
        self.shown = 0
        self.began = {}  # when each cut did
        self.totals, self.complaints, self.cut_times = Totals(), [], []
        self.oldest_copy = 0.0  # seconds between a first copy and the cut after which it came again

    # --- Cuts

    def cut(self):
        """The system runs, is under load, and loses its power."""
        number = self.totals["cuts"]
        how = self.dice.choice((HARD, HARD, FLUSH))
        after = self.dice.uniform(0.02, 8.0) if self.dice.random() < 0.04 else self.dice.uniform(0.02, self.longest)
        early = self.dice.random() < 0.1  # while it starts
        load = Load(self.server, self.ledger, number, *self.clients, seed=number)
        killed = threading.Event()

        def power():
            self.began[number] = self.disk.cut(how)
            self.server.kill()
            self.cut_times.append(self.began[number])
            killed.set()

        if early:
            timer = threading.Timer(self.dice.uniform(0.0, 0.5), power)
            timer.start()
        load_started = False
        try:
            self.server.start()
            load_started = not killed.is_set()
        except Exception as error:
            if not early:
                raise
            self.totals["starts that a cut ended"] += 1
        if load_started:
            load.start()
        if early:
            timer.join()
        else:
            time.sleep(after)
            power()
        killed.wait(60)
        self.server.kill()  # what was just being started
        if load_started:
            load.stop()
            self.server.kill()
        self.totals["cuts"] += 1
        self.totals[f"{how} cuts"] += 1
        if complaint := self.disk.recover():
            self.complain(f"fsck after cut {number}: {complaint.strip()[-300:]}")

    def complain(self, text):
        self.complaints.append(text)
        if self.shown < SHOWN:
            self.say(f"  !! {text}")
        self.shown += 1

    # --- The account

    def settle(self):
        """The system runs in peace until nothing waits; then promised and delivered are compared."""
        self.shown = 0
        self.server.start()
        now = time.monotonic()
        end, release_at, changed, before = now + SETTLE_SECONDS, 0.0, now, []
        while waiting := self.waiting():
            now = time.monotonic()
            if now > release_at:
                self.server.meddle("-H")
                release_at = now + 3
            if waiting != before:
                before, changed = waiting, now
            if now > end or now > changed + self.patience:
                self.complain(f"{len(waiting)} files not understood, or not delivered: {waiting[:10]}")
                break
            time.sleep(0.1)
        self.server.stop()
        self.compare()
        self.clear()

    def waiting(self):
        """Files of the queue that still mean mail: all but those which are explained (see explained())."""
        left = []
        for folder in QUEUE_FOLDERS:
            for where, _, files in os.walk(self.server.queue / folder):
                left += [f"{where}/{name}" for name in files if not self.explained(folder, pathlib.Path(where) / name)]
        return left

    def explained(self, folder, path):
        """Leftovers of a cut that are no mail: a file that was never committed, so nobody was told anything about it."""
        try:
            return is_leftover(self.server.name, folder, path)
        except OSError:
            return True  # gone meanwhile

    def delivered(self):
        """(name, recipient) -> how many times, in the mailboxes; complains of what is not whole."""
        found = collections.Counter()
        for recipient, maildir in self.server.mailboxes().items():
            for sub in ("new", "cur"):
                for path in sorted((maildir / sub).glob("*")) if maildir.exists() else ():
                    text = path.read_text()
                    if recipient == "sender":
                        for name in re.findall(rf"^{MARK}: (\S+)", text, re.M):
                            found[(name, "never")] += 1
                        continue
                    name = name_in(text)
                    if name is None or not is_whole(text, name):
                        self.complain(f"not whole: {path} ({len(text)} bytes)")
                    else:
                        found[(name, recipient)] += 1
                        if has_new_id(text):
                            self.requeued.add(name)
        return found

    def compare(self):
        self.requeued = set()
        found = self.delivered()
        relayed = {key: list(times) for key, times in self.sink.delivered.items()}
        for key, times in relayed.items():
            found[key] = len(times)
        self.complaints += self.sink.broken
        lost = []
        for name, (recipients, _, when) in self.ledger.promised.items():
            missing = [(name, recipient) for recipient in recipients if not found[(name, recipient)]]
            if when >= self.began[int(name.split(".")[0])]:
                # With the power went the machine: nobody could have heard this. It is counted all the same. (The
                # kernel's shutdown is not atomic: an fsync that meets it may say that all is well.)
                self.totals["acknowledged in the moment of the cut"] += 1
                self.totals["of these lost"] += bool(missing)
                continue
            self.totals["promises"] += len(recipients)
            self.totals["lost"] += len(missing)
            lost += missing
        if lost:
            self.complain(f"LOST: {len(lost)}: {lost[:10]}")
        self.totals["messages acknowledged"] += len(self.ledger.promised)
        self.totals["delivered, their client without an answer"] += len(
            {name for name, _ in found if name not in self.ledger.promised})
        self.copies(found, relayed)
        self.leftovers()
        self.totals["refused"], self.totals["unanswered"] = self.ledger.refused, self.ledger.unanswered

    def copies(self, found, relayed):
        """Twice is allowed where a delivery was just done when the power failed: with a cut in between, and only if the
        first copy was then no older than what a disk may keep in memory. A message of sendmail's may also have become
        two: cleanup had it, and the disk did not know yet that its maildrop file was gone; so may one that "postsuper -r"
        put there."""
        for key, count in found.items():
            if count < 2:
                continue
            kind = "relayed twice" if key in relayed else "notified twice" if key[1] == "never" else "twice in a mailbox"
            self.totals[kind] += count - 1
            submitted_twice = self.ledger.promised.get(key[0], ((), "exit", 0))[1] == "exit"
            # The same delivery has the same file name: only a message that pickup submitted twice can be there twice, or
            # one that "postsuper -r" made another one of before the disk knew of its delivery.
            again = submitted_twice or key[0] in self.requeued
            if kind == "twice in a mailbox" and self.server.name == "Postern" and not again:
                self.complain(f"{key} twice in a mailbox")
            if key in relayed and not submitted_twice:
                times = sorted(relayed[key])
                for first, again in zip(times, times[1:]):
                    between = [t for t in self.cut_times if first - 1 <= t <= again]
                    if not between and key[0] in self.sink.requeued and self.cut_times:
                        self.totals["requeued twice"] += 1
                    elif not between:
                        self.complain(f"{key} relayed twice without a cut in between: {times}")
                    else:
                        self.oldest_copy = max(self.oldest_copy, between[-1] - first)
                        if between[-1] - first > OLDEST_COPY:
                            self.complain(f"{key} relayed again {between[-1] - first:.0f} s after it had been delivered")

    def leftovers(self):
        for folder in QUEUE_FOLDERS:
            for where, _, files in os.walk(self.server.queue / folder):
                for name in files:
                    path = pathlib.Path(where) / name
                    if folder == "corrupt":
                        self.totals["put aside as corrupt"] += 1
                    elif self.explained(folder, path):
                        self.totals[f"no mail, left in {folder}"] += 1

    def clear(self):
        """A new beginning: mailboxes and leftovers go, the system stays."""
        for maildir in self.server.mailboxes().values():
            for sub in ("new", "cur", "tmp"):
                for path in (maildir / sub).glob("*"):
                    path.unlink()
        for folder in QUEUE_FOLDERS:
            for where, _, files in os.walk(self.server.queue / folder):
                for name in files:
                    (pathlib.Path(where) / name).unlink()
        os.sync()  # the next cut shall not bring back what we removed
        self.ledger.forget()
        with self.sink.lock:
            self.sink.delivered.clear()
            self.sink.tries.clear()
            self.sink.broken.clear()
        self.cut_times.clear()


def is_leftover(server, folder, path):
    if folder == "corrupt":
        return True  # counted, and its reason is in the log
    if server == "Postfix":
        return not path.stat().st_mode & 0o100  # complete files are executable
    if folder in ("incoming", "deferred", "hold"):
        with open(path, "rb") as file:
            data = file.read()
        if path.name.endswith(".done"):  # finished: the message of that name is what is in it
            return path.name.removesuffix(".done").encode() in data
        return not data.endswith(b"PosternE")
    if folder == "maildrop":
        data = path.read_bytes()
        return data[-15:-12] != b"E\x0c\x00"
    return False
