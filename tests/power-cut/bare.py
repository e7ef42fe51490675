"""What the kernel's shutdown itself does to an fsync that meets it, without any mail server: `run --bare`.

Threads write files and fsync them; after the cut each file whose fsync had succeeded must be there. Those that had
succeeded before the cut began always are. Of those that succeed while it goes on some are not: the shutdown is not
atomic. With a real loss of power there is nobody left to hear of them, so a certificate counts them apart."""

import itertools
import os
import threading
import time

from disk import FLUSH, HARD, Disk

TEXT = b"x" * 3000
ENOUGH = 100  # fsyncs before the cut


def round_on(disk, number, threads=8):
    """Returns (time, path) of each fsync that succeeded, and when the cut began."""
    done, enough = [], threading.Event()

    def work(thread):
        for count in itertools.count():
            path = disk.mount_point / f"{number}-{thread}-{count}"
            try:
                with open(path, "xb", buffering=0) as file:
                    file.write(TEXT)
                    os.fsync(file.fileno())
            except OSError:  # the disk is gone
                enough.set()
                return
            done.append((time.time(), path))
            if len(done) >= ENOUGH:
                enough.set()

    workers = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(threads)]
    for worker in workers:
        worker.start()
    if not enough.wait(60):
        raise OSError(f"{len(done)} fsyncs in a minute")
    began = disk.cut(HARD if number % 3 else FLUSH)
    for worker in workers:
        worker.join(60)
        if worker.is_alive():
            raise OSError("a write neither succeeds nor fails after the cut")
    return done, began


def measure(kind, folder, rounds, say):
    disk = Disk(kind, folder)
    counts = {"before": [0, 0], "meanwhile": [0, 0]}
    try:
        disk.mount()
        for number in range(rounds):
            done, began = round_on(disk, number)
            disk.recover()
            for when, path in done:
                entry = counts["before" if when < began else "meanwhile"]
                entry[0] += 1
                entry[1] += not (path.exists() and path.read_bytes() == TEXT)
            for path in disk.mount_point.glob("*-*-*"):
                path.unlink()
    finally:
        disk.remove()
    before, meanwhile = counts["before"], counts["meanwhile"]
    say(f"{kind}, bare: {before[0]} fsyncs before the cut, {before[1]} lost; {meanwhile[0]} that succeeded while it went on, "
        f"{meanwhile[1]} lost")
    return before[1]
