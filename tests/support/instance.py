"""A whole Postern in a temporary folder, for tests: own configuration, queue, users and ports.

As an ordinary user everything runs as that user. As root it runs as "nobody", unless real_uids is
set: then master stays root and each daemon changes to its own user. Nothing waits by the clock:
wait_* look for the event until a deadline."""

import contextlib
import ctypes
import inspect
import os
import pathlib
import pwd
import re
import shutil
import socket
import signal
import subprocess
import tempfile
import time
import unittest

socket.setdefaulttimeout(30)  # nothing waits for ever for an answer

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("POSTERN_BUILD", SOURCE / "build")).resolve()
MASTER = BUILD / "master/master"
SANITIZED = MASTER.exists() and b"__asan_init" in MASTER.read_bytes()  # slower, and with more memory
FIRST_USER = 20000  # uids of mail users, where daemons have their own
DEADLINE = float(os.environ.get("POSTERN_TEST_DEADLINE", "60"))
KEPT_LOGS = os.environ.get("POSTERN_LOGS")  # where logs are left for run, which shows those of tests that failed

# Where the build leaves each program that master starts, by its installed name.
DAEMONS = {
    "master": "master/master", "smtpd": "smtpd/smtpd", "policy": "policy/policy", "peername": "peername/peername", "postscreen": "postscreen/postscreen", "anvil": "limits/anvil", "pickup": "pickup/pickup",
    "cleanup": "cleanup/cleanup", "qmgr": "qmgr/qmgr", "showq": "qmgr/showq", "bounce": "bounce/bounce",
    "error": "bounce/error", "discard": "bounce/discard", "trivial-rewrite": "route/trivial-rewrite", "local": "local/local",
    "virtual": "local/local", "pipe": "pipe/pipe", "smtp": "forwarder/smtp", "lmtp": "forwarder/smtp", "auth": "auth/auth", "introspect": "introspect/introspect", "verify": "verify/verify",
    "login": "login/login", "imapd": "imapd/imapd", "pop3d": "pop3d/pop3d",
}

# One loopback address per listening service, so that each can have port 0 and still a name of its own.
LISTENERS = {
    "smtp": ("127.0.0.1:0", "smtpd", ""),
    "submission": ("127.0.0.2:0", "smtpd", "-o smtpd_tls_security_level=may -o smtpd_sasl_auth_enable=yes"
                   " -o smtpd_relay_restrictions=permit_sasl_authenticated,reject"
                   " -o syslog_name=postfix/submission"),
    "smtps": ("127.0.0.7:0", "smtpd", "-o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes"
              " -o smtpd_relay_restrictions=permit_sasl_authenticated,reject"),
    "imap": ("127.0.0.3:0", "login", "-o login_protocol=imap"),
    "imaps": ("127.0.0.4:0", "login", "-o login_protocol=imap -o login_tls_wrappermode=yes"),
    "pop3": ("127.0.0.5:0", "login", "-o login_protocol=pop3"),
    "pop3s": ("127.0.0.6:0", "login", "-o login_protocol=pop3 -o login_tls_wrappermode=yes"),
}

MASTER_CF = """\
pickup    unix  n - n 60  1 pickup
cleanup   unix  n - n -   1 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n -   - trivial-rewrite
policy    unix  - - n -   - policy
bounce    unix  - - n -   - bounce
showq     unix  n - n -   - showq
error     unix  - - n -   - error
retry     unix  - - n -   - error
discard   unix  - - n -   - discard
local     unix  - n n -   1 local
virtual   unix  - n n -   1 virtual
smtp      unix  - - n -   - smtp
relay     unix  - - n -   - smtp
lmtp      unix  - - n -   - lmtp
postern-auth unix  - - n -   1 auth
postern-introspect unix - - n - 20 introspect
imapd     unix  - n n -   1 imapd
pop3d     unix  - n n -   1 pop3d
"""


class Instance:
    def __init__(self, params=None, services=("smtp",), master_cf="", real_uids=False, listener_options=None):
        self.real_uids = real_uids
        self.prefix = pathlib.Path(tempfile.mkdtemp(prefix="postern-test-"))
        self.identity = self._identity()
        self.etc, self.queue = self.prefix / "etc", self.prefix / "queue"
        self.config = self.etc  # where our commands are told to look
        self.log_path = self.prefix / "maillog"
        self._ports = {}
        self._test = calling_test()
        for folder in ("etc", "queue", "data", "home", "libexec", "bin"):
            (self.prefix / folder).mkdir()
        self.prefix.chmod(0o755)
        self._install_programs()
        self._write_config(params or {}, services, master_cf, listener_options or {})
        if self.identity:
            for path in [self.prefix, *self.prefix.rglob("*")]:
                if not path.is_symlink():
                    os.chown(path, *self.identity)

    def _identity(self):
        """The uid and gid to run as, or None for our own."""
        if os.geteuid() != 0 or self.real_uids:
            return None
        entry = pwd.getpwnam("nobody")
        return entry.pw_uid, entry.pw_gid

    def _install_programs(self):
        copy = self.identity is not None and not self._reachable(BUILD)
        wanted = [(self.prefix / "libexec" / name, BUILD / path) for name, path in DAEMONS.items()]
        wanted += [(self.prefix / "bin" / p.name, p) for p in (BUILD / "commands").iterdir()
                   if os.access(p, os.X_OK) and p.is_file() and "." not in p.name]
        for link, target in wanted:
            if not target.exists():
                continue
            if copy or self.real_uids:
                shutil.copy(target, link)
            else:
                link.symlink_to(target)
        for name in ("mailq", "newaliases"):
            source = self.prefix / "bin" / "sendmail"
            if source.exists() and not (self.prefix / "bin" / name).exists():
                (self.prefix / "bin" / name).symlink_to(source.name)

    def _reachable(self, path):
        """Whether somebody who is not root gets there."""
        return all(p.stat().st_mode & 0o001 for p in [path, *path.parents])

    def _write_config(self, params, services, master_cf, listener_options):
        values = {
            "compatibility_level": "3.6",
            "queue_directory": self.queue, "data_directory": self.prefix / "data",
            "daemon_directory": self.prefix / "libexec", "command_directory": self.prefix / "bin",
            "maillog_file": self.log_path, "maillog_file_prefixes": self.prefix,
            "myhostname": "mail.example.test", "mydomain": "example.test", "myorigin": "example.test",
            "mydestination": "example.test, mail.example.test, localhost",
            "mynetworks": "127.0.0.0/8", "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
            "home_mailbox": "Maildir/", "alias_maps": "", "alias_database": "",
            "auth_passwd_file": self.etc / "users", "local_recipient_maps": "$alias_maps passwdfile:" + str(self.etc / "users"),
            "minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s",
            "smtp_connect_timeout": "5s",
        }
        values.update(params)
        text = "".join(f"{name} = {value}\n" for name, value in values.items())
        (self.etc / "main.cf").write_text(text)
        (self.etc / "users").touch()
        lines = [MASTER_CF]
        self.listeners = {name: LISTENERS[name] for name in services}
        for name, (address, program, options) in self.listeners.items():
            lines.append(f"{address} inet n - n - - {program} {options} {listener_options.get(name, '')}\n")
        (self.etc / "master.cf").write_text("".join(lines) + master_cf)

    # --- Life ---

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if KEPT_LOGS:
            (pathlib.Path(KEPT_LOGS) / f"{self._test}-{self.prefix.name[-8:]}.log").write_text(self.log())
        crashes = re.findall(r".*(?:killed by signal (?:4|6|7|8|11)\b|Sanitizer|runtime error:).*", self.log())
        if kind is None:
            shutil.rmtree(self.prefix, ignore_errors=True)
            if crashes:  # which nobody may have noticed: master starts another
                raise AssertionError("\n".join(crashes))
        else:
            if not KEPT_LOGS:
                print(f"--- end of the log of {self.prefix} ---\n{self.log()[-20000:]}")
            if not os.environ.get("POSTERN_KEEP"):
                shutil.rmtree(self.prefix, ignore_errors=True)

    def run(self, *words, input=None, check=True, user=None, **more):
        """Runs one of our commands with this instance's configuration; text in, text out."""
        who = user or self.identity
        extra = {"user": who[0], "group": who[1], "extra_groups": []} if who else {}
        result = subprocess.run([str(self.prefix / "bin" / words[0]), *map(str, words[1:])], input=input, text=True,
                                capture_output=True, timeout=120, cwd="/", env=self.environment(), **extra, **more)
        if check and result.returncode != 0:
            raise AssertionError(f"{words}: exit {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def take_standard_place(self):
        """Mounts our configuration where set-gid programs look for it, which take no other from their
        caller. In a mount namespace of the caller's own: private_mounts()."""
        without = {k: v for k, v in os.environ.items() if k != "MAIL_CONFIG"}
        place = pathlib.Path(subprocess.run([self.prefix / "bin/postconf", "-d", "-h", "config_directory"], env=without,
                                            text=True, capture_output=True, check=True).stdout.strip())
        if not place.parent.exists():
            raise AssertionError(f"{place.parent} does not exist")
        subprocess.run(["mount", "-t", "tmpfs", "none", place.parent], check=True)
        place.mkdir()
        subprocess.run(["mount", "--bind", self.etc, place], check=True)
        self.config = place

    def environment(self):
        return {**os.environ, "MAIL_CONFIG": str(self.config), "PATH": f"{self.prefix}/bin:{os.environ['PATH']}"}

    def start(self):
        if self.real_uids:
            self.run("postern", "set-permissions")
        self.run("postern", "start")
        self._read_ports()

    def _read_ports(self):
        address = None
        for line in self.run("postern", "status").stdout.splitlines():
            if not line.startswith(" "):
                words = line.split()
                if words[1] == "inet":
                    self._ports[words[0]] = int(words[3].rsplit(":", 1)[1])

    def stop(self):
        if self.running():
            self.run("postern", "stop", check=False)
        # What a test has broken (its configuration, say) must not keep master alive.
        pid_file = self.queue / "pid/master.pid"
        text = pid_file.read_text().strip() if pid_file.exists() else ""
        if text and is_process(int(text), "master"):
            os.kill(int(text), signal.SIGQUIT)
            wait(lambda: not is_process(int(text), "master"), "master's end")

    def running(self):
        return self.run("postern", "status", check=False).returncode == 0

    def pids(self, service):
        """Process ids of a master.cf service, as postern status lists them."""
        found, pids = False, []
        for line in self.run("postern", "status").stdout.splitlines():
            if line.startswith(" ") and found:
                pids.append(int(line.split()[1]))
            elif not line.startswith(" "):
                found = line.split()[0] == service
        return pids

    def sessions(self, service):
        """Process ids of imapd's or pop3d's sessions: not of those that wait for one (lib/service/spare.h)."""
        found = []
        for parent in self.pids(service):
            for pid in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
                try:
                    name = pathlib.Path(f"/proc/{pid}/comm").read_text()
                except (FileNotFoundError, ProcessLookupError):  # it ended, before or after the file was opened
                    continue
                if not name.endswith(" waiting\n"):
                    found.append(int(pid))
        return found

    # --- Where to reach it ---

    def host(self, service):
        return self.listeners[service][0].rsplit(":", 1)[0]

    def port(self, service):
        return self._ports[self.listeners[service][0]]

    def address(self, service):
        return self.host(service), self.port(service)

    # --- Users and mailboxes ---

    def add_user(self, name, password="secret"):
        home = self.prefix / "home" / name
        home.mkdir(exist_ok=True)
        uid, gid = self.identity or ((FIRST_USER + len(list(home.parent.iterdir())),) * 2 if self.real_uids
                                     else (os.geteuid(), os.getegid()))
        os.chown(home, uid, gid)
        self.run("postern", "user", "add", name, "--uid", uid, "--gid", gid, "--home", home, "--password-stdin",
                 input=password + "\n")
        return home / "Maildir"

    def messages(self, maildir):
        return sorted(p for sub in ("new", "cur") for p in (maildir / sub).glob("*")) if maildir.exists() else []

    def wait_messages(self, maildir, count):
        wait(lambda: len(self.messages(maildir)) >= count, f"{count} messages in {maildir}", self.log)
        return self.messages(maildir)

    # --- Log and queue ---

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, pattern):
        found = []
        def look():
            found[:] = [re.search(pattern, self.log())]
            return found[0]
        wait(look, f"log line /{pattern}/", self.log)
        return found[0]

    def queue_ids(self):
        import json
        out = self.run("postqueue", "-j").stdout
        return [json.loads(line)["queue_id"] for line in out.splitlines()]

    def wait_empty_queue(self):
        wait(lambda: not self.queue_ids(), "an empty queue", self.log)


def calling_test():
    """The name of the test or class of tests that called us."""
    for frame, *_ in inspect.stack(0):
        who = frame.f_locals.get("self", frame.f_locals.get("cls"))
        if isinstance(who, unittest.TestCase):
            return who.id()
        if isinstance(who, type) and issubclass(who, unittest.TestCase):
            return who.__name__
    return "nobody"


def is_process(pid, name):
    """Whether a process with that id and name lives; one that waits to be reaped does not."""
    try:
        state = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return f"Name:\t{name}\n" in state and "State:\tZ" not in state


def private_mounts():
    """From here on this process's mounts are seen by nobody else. Needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, private_and_below = 0x20000, 0x44000
    if libc.unshare(new_namespace) != 0 or libc.mount(b"none", b"/", None, private_and_below, None) != 0:
        raise OSError(ctypes.get_errno(), "mount namespace")


def wait(condition, what, log=lambda: "", seconds=DEADLINE):
    """Looks for a condition until it holds; an AssertionError with the log when it does not in time."""
    end = time.monotonic() + seconds
    pause = 0.005
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}\n{log()[-4000:]}")
        time.sleep(pause)  # between looks, not for the event
        pause = min(pause * 1.5, 0.1)


@contextlib.contextmanager
def process(*words, **more):
    """A helper program that is ended with the block."""
    child = subprocess.Popen([str(w) for w in words], **more)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        child.wait(10)
