"""The servers that are put on the disk: Postern, and Postfix as Debian packages it (unpacked as bench/ does, nothing is
installed). Everything of theirs but programs and log is on the image."""

import importlib.machinery
import importlib.util
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import instance  # noqa: E402
from messages import FAR, USERS  # noqa: E402

SET_CHILD_SUBREAPER = 36
COMMANDS = ("sendmail", "postdrop", "postsuper", "postern", "python3", "mount", "umount", "e2fsck", "xfs_repair")
EATMYDATA = ("/usr/lib/x86_64-linux-gnu/libeatmydata.so", "/usr/lib/aarch64-linux-gnu/libeatmydata.so",
             "/usr/lib/libeatmydata/libeatmydata.so", "/usr/lib/libeatmydata.so")


def adopt_orphans():
    """Daemons leave the process that started them: they shall become our children, so that they can be found."""
    import ctypes
    if ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("prctl")


def eatmydata():
    return next((path for path in EATMYDATA if os.path.exists(path)), None)


def children():
    """Our descendants: pid -> name; those that are dead already are left out."""
    parents, names = {}, {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = open(f"/proc/{pid}/stat").read()
        except OSError:
            continue
        rest = stat[stat.rindex(")") + 2:].split()
        if rest[0] != "Z":
            parents[int(pid)], names[int(pid)] = int(rest[1]), stat[stat.index("(") + 1:stat.rindex(")")]
    def ours(pid):
        while pid in parents:
            pid = parents[pid]
            if pid == os.getpid():
                return True
        return False
    return {pid: name for pid, name in names.items() if ours(pid)}


def reap():
    """Buries dead daemons. Not commands: whoever started one awaits it, and would take a missing child for a success."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = open(f"/proc/{pid}/stat").read()
            name, rest = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2:].split()
            if rest[0] == "Z" and int(rest[1]) == os.getpid() and name not in COMMANDS:
                os.waitpid(int(pid), os.WNOHANG)
        except (OSError, ChildProcessError):
            continue


class Server:
    """What both have in common."""

    def __init__(self):
        self.new_commands = True

    def command(self, words, input=None, **more):
        """A command that a power cut may end; its exit status, None when it could not be run."""
        if not self.new_commands:
            return None
        try:
            child = subprocess.Popen([str(w) for w in words], stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **more)
        except OSError:
            return None  # it is on the disk that is gone
        try:
            child.communicate(None if input is None else input.encode(), timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        return child.returncode

    def kill(self):
        """What the end of the power does to processes."""
        self.new_commands = False
        end = time.monotonic() + 30
        while left := children():
            for pid, name in left.items():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if time.monotonic() > end:
                raise AssertionError(f"cannot kill {left}")
            time.sleep(0.005)
        reap()

    def mailboxes(self):
        return {f"user:{n}": self.maildir(n) for n in range(USERS)} | {"sender": self.maildir(USERS)}


class Postern(Server):
    name = "Postern"

    def __init__(self, folder, outside, sink_port, forget_syncs=False, parameters=()):
        super().__init__()
        params = {"relayhost": f"[127.0.0.1]:{sink_port}", "maillog_file": outside / "maillog",
                  "maillog_file_prefixes": outside, "smtpd_error_sleep_time": "0", "service_throttle_time": "1s",
                  "minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s"}
        if forget_syncs:
            params["import_environment"] = f"LD_PRELOAD={eatmydata()}"
        self.forget_syncs = forget_syncs
        params.update(parameters)
        tempfile.tempdir = str(folder)
        try:
            self.mail = instance.Instance(params=params)
        finally:
            tempfile.tempdir = None
        self.mail.log_path = outside / "maillog"
        if self.mail.identity:
            os.chown(outside, *self.mail.identity)
        self.queue = self.mail.queue
        self.maildirs = [self.mail.add_user(f"u{n}") for n in range(USERS)] + [self.mail.add_user("ann")]
        self.sender = "ann@example.test"

    def start(self):
        self.new_commands = True
        self.mail.start()

    def stop(self):
        self.mail.stop()
        reap()

    def port(self):
        return self.mail.port("smtp")

    def address(self, recipient, name):
        kind, _, user = recipient.partition(":")
        return f"u{user}@example.test" if kind == "user" else f"{kind}-{name}@{FAR}"

    def maildir(self, user):
        return self.maildirs[user]

    def environment(self):
        extra = {"LD_PRELOAD": eatmydata()} if self.forget_syncs else {}
        return {**self.mail.environment(), **extra}

    def as_user(self):
        return {"user": self.mail.identity[0], "group": self.mail.identity[1], "extra_groups": []} if self.mail.identity else {}

    def sendmail(self, recipients, text):
        return self.command([self.mail.prefix / "bin/sendmail", "-i", "-f", self.sender, *recipients], text,
                            env=self.environment(), **self.as_user())

    def meddle(self, option):
        self.command([self.mail.prefix / "bin/postsuper", option, "ALL"], env=self.environment(), **self.as_user())


def load_bench():
    loader = importlib.machinery.SourceFileLoader("bench_run", str(HERE.parents[1] / "bench/run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class Postfix(Server):
    name = "Postfix"

    def __init__(self, folder, outside, sink_port, forget_syncs=False, parameters=()):
        super().__init__()
        bench = load_bench()
        scratch = pathlib.Path(tempfile.gettempdir()) / "postern-bench"
        bench.Postfix.unpack(type("Options", (), {"scratch": scratch}))
        params = {"relayhost": f"[127.0.0.1]:{sink_port}", "smtpd_error_sleep_time": "0", "minimal_backoff_time": "1s",
                  "maximal_backoff_time": "2s", "queue_run_delay": "1s", "smtpd_client_connection_rate_limit": "0",
                  "maillog_file": outside / "maillog", "maillog_file_prefixes": outside, **dict(parameters)}
        tempfile.tempdir = str(folder)
        try:
            self.mail = bench.Postfix(type("Options", (), {"scratch": scratch}), params)
        finally:
            tempfile.tempdir = None
        text = (self.mail.etc / "main.cf").read_text()
        kept = [line for line in text.splitlines(True) if not line.startswith("maillog_file")]
        kept += [f"maillog_file = {outside}/maillog\n", f"maillog_file_prefixes = {outside}\n"]
        if forget_syncs:
            kept = [line.rstrip("\n") + f" LD_PRELOAD={eatmydata()}\n" if line.startswith("import_environment") else line for line in kept]
        (self.mail.etc / "main.cf").write_text("".join(kept))
        self.forget_syncs = forget_syncs
        self.queue = self.mail.queue
        self.sender = f"u{USERS}@users.bench.test"

    def start(self):
        self.new_commands = True
        (self.queue / "pid/master.pid").unlink(missing_ok=True)
        self.mail.child = subprocess.Popen([str(self.mail.unpacked / "usr/lib/postfix/sbin/master"), "-c", str(self.mail.etc), "-d"],
                                           env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not self.listens():
            if self.mail.child.poll() is not None or time.monotonic() > end:
                raise OSError("Postfix does not start")
            time.sleep(0.05)
        self.mail.root = self.mail.child.pid

    def listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port())) == 0

    def stop(self):
        os.kill(self.mail.root, signal.SIGTERM)
        self.mail.child.wait(30)
        reap()

    def port(self):
        return self.mail.port

    def address(self, recipient, name):
        kind, _, user = recipient.partition(":")
        return f"u{user}@users.bench.test" if kind == "user" else f"{kind}-{name}@{FAR}"

    def maildir(self, user):
        return self.mail.home / f"u{user}" / "Maildir"

    def environment(self):
        extra = {"LD_PRELOAD": eatmydata()} if self.forget_syncs else {}
        return {**self.mail.__class__.environment(), "MAIL_CONFIG": str(self.mail.etc), **extra}

    def sendmail(self, recipients, text):
        return self.command([self.mail.unpacked / "usr/sbin/sendmail", "-C", self.mail.etc, "-i", "-f", self.sender, *recipients],
                            text, env=self.environment())

    def meddle(self, option):
        self.command([self.mail.unpacked / "usr/sbin/postsuper", "-c", self.mail.etc, option, "ALL"], env=self.environment())


SERVERS = {"postern": Postern, "postfix": Postfix}
