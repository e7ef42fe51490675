"""Makes races come: while a block runs, processes of the tests' instances are held up (SIGSTOP) for a few
milliseconds each, several at a time, as a loaded or small machine does it, at moments that nobody foresaw.
Only processes that work in one folder are touched: that of this run's temporary files."""

import contextlib
import os
import pathlib
import random
import signal
import threading
import time

SHORTEST, LONGEST = 0.001, 0.08  # seconds that a process stands still
VICTIMS = 4  # stand still at a time, at most
PAUSE = 0.005  # between two decisions, on average


def link_of(pid, name):
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/{name}")
    return ""


def is_stopped(pid):
    with contextlib.suppress(OSError):
        return "State:\tT" in pathlib.Path(f"/proc/{pid}/status").read_text()
    return False


class Disturber:
    def __init__(self, folder, build):
        self.folder, self.build, self.held = f"{folder}/", f"{build}/", {}
        self.enough = threading.Event()

    def run(self):
        while not self.enough.wait(random.expovariate(1 / PAUSE)):
            self.release(time.monotonic())
            if len(self.held) < VICTIMS:
                self.hold_one()
        self.release(float("inf"))

    def hold_one(self):
        pids = [int(p) for p in os.listdir("/proc") if p.isdigit() and self.is_ours(p) and not is_stopped(p)]
        if not pids:
            return
        with contextlib.suppress(OSError):
            process = os.pidfd_open(random.choice(pids))  # an id may be somebody else's soon
            self.held[process] = time.monotonic() + random.uniform(SHORTEST, LONGEST)
            signal.pidfd_send_signal(process, signal.SIGSTOP)

    def is_ours(self, pid):
        """Whether it is a program of the build, or an instance's copy of one, that works in the folder."""
        program = link_of(pid, "exe")
        return link_of(pid, "cwd").startswith(self.folder) and (program.startswith(self.build) or "/libexec/" in program)

    def release(self, now):
        for process in [p for p, end in self.held.items() if end <= now]:
            del self.held[process]
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(process, signal.SIGCONT)
            os.close(process)


@contextlib.contextmanager
def disturbing(folder, build):
    disturber = Disturber(pathlib.Path(folder).resolve(), build)
    thread = threading.Thread(target=disturber.run)
    thread.start()
    try:
        yield
    finally:
        disturber.enough.set()
        thread.join()
