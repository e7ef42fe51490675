"""master under bad conditions: daemons that fail, hang or run out, ports that are taken, reloads under load."""

import contextlib
import os
import re
import resource
import select
import signal
import smtplib
import socket
import threading
import time
import unittest

from instance import DEADLINE, Instance, is_process, private_mounts, wait

# A daemon that speaks master's protocol (lib/ipc/messages/control.h) and does as its second line says.
STUB = """#!/usr/bin/env python3
BEHAVIOUR = {behaviour!r}
NOTES = {notes!r}
import os, signal, socket, struct, sys
generation, slot = (int(word) for word in os.environ["POSTERN_CHILD"].split()[:2])
def attribute(name, value):
    return bytes([len(name)]) + name.encode() + b"n" + struct.pack("<Q", value)
control = socket.socket(fileno=3)
control.setblocking(True)
status = b"Pi" + struct.pack("<BHIBB", 1, 2, 0, 0, 0) + attribute("event", 0) + attribute("generation", generation)
def note(text):
    fd = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(fd, text.encode() + b"\\n")
    os.close(fd)
note("started")
if BEHAVIOUR == "fails when ready":
    control.send(status)
    sys.exit(1)
if BEHAVIOUR == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
control.send(status)
while True:
    order = control.recv(65536)
    if not order:
        sys.exit(0)
    what = ("wakeup", "drain", "stop")[order[-8]]
    note(what)
    if BEHAVIOUR != "stubborn" and what != "wakeup":
        sys.exit(0)
"""


def put_stub(mail, program, behaviour):
    """Has a stub run instead of a program; returns a function that reads what it has noted."""
    path, notes = mail.prefix / "libexec" / program, mail.prefix / "data" / (program + ".notes")
    path.unlink(missing_ok=True)
    path.write_text(STUB.format(behaviour=behaviour, notes=str(notes)))
    path.chmod(0o755)
    return lambda: notes.read_text().split() if notes.exists() else []


def put_back(mail, program):
    path = mail.prefix / "libexec" / program
    path.unlink()
    path.symlink_to(mail.prefix / "libexec" / (program + ".real"))


def keep_real(mail, program):
    path = mail.prefix / "libexec" / program
    path.rename(path.with_name(program + ".real"))


def reload(mail):
    before = mail.log().count("reload -- version")
    mail.run("postern", "reload")
    wait(lambda: mail.log().count("reload -- version") > before, "the reload", mail.log)


def put_stub_for_pickup(mail, behaviour="obedient"):
    """Once the real one runs: the process that master has forked for it may still be on its way to the program."""
    def runs():
        pids = mail.pids("pickup")
        return pids and all(is_process(pid, "pickup") for pid in pids)
    wait(runs, "pickup", mail.log)
    keep_real(mail, "pickup")
    return put_stub(mail, "pickup", behaviour)


def put_stub_for_qmgr(mail, behaviour):
    """And kills qmgr, once it works: what ends before has started badly, and is throttled."""
    mail.run("postqueue", "-f")  # which qmgr answers
    keep_real(mail, "qmgr")
    notes = put_stub(mail, "qmgr", behaviour)
    for pid in mail.pids("qmgr"):
        os.kill(pid, signal.SIGKILL)
    return notes


@contextlib.contextmanager
def waiting_at(path):
    """A client of one of our sockets that says nothing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(str(path))
        yield


def waiting_again_and_again(stack, path):
    """The same, as often as it is sent away: a service waits some seconds for what a client says. Returns a function
    that looks whether it was."""
    client = None
    def look():
        nonlocal client
        if client is None or select.select([client], [], [], 0)[0]:
            client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            client.connect(str(path))
    return look


@contextlib.contextmanager
def session(mail):
    """An SMTP session that may end before its client does."""
    smtp = smtplib.SMTP(*mail.address("smtp"), timeout=DEADLINE)
    try:
        yield smtp
    finally:
        smtp.close()


def greeting(address):
    with smtplib.SMTP(*address, timeout=DEADLINE) as smtp:
        return smtp.noop()[0]


class Failing(unittest.TestCase):
    def test_crash_at_start_is_throttled_and_tried_again(self):
        with Instance({"service_throttle_time": "1s"}) as mail:
            keep_real(mail, "smtpd")
            (mail.prefix / "libexec/smtpd").symlink_to("/bin/false")
            begin = time.monotonic()
            with socket.create_connection(mail.address("smtp")) as client:
                mail.wait_log(r"warning: process .*/smtpd pid \d+ exit status 1\n")
                mail.wait_log(r"warning: .*/smtpd: bad command startup -- throttling")
                self.assertEqual(mail.run("sendmail", "-f", "a@example.test", "b@example.test", input="x\n").returncode, 0)
                put_back(mail, "smtpd")
                client.settimeout(DEADLINE)
                self.assertRegex(client.recv(100), rb"^220 ")  # whoever waited is served
            self.assertNotRegex(mail.run("postern", "status").stdout, "throttled")
            # Once a second at most, however impatient the client is.
            self.assertLessEqual(mail.log().count("bad command startup"), 1 + time.monotonic() - begin)

    def test_crash_after_start_does_not_go_on_for_ever(self):
        with Instance({"service_throttle_time": "60s"}) as mail:
            notes = put_stub_for_qmgr(mail, "fails when ready")
            mail.wait_log(r"warning: .*/qmgr: fails soon after each start -- throttling")
            started = notes()
            self.assertRegex(mail.run("postern", "status").stdout, r"qmgr +unix .*throttled")
            self.assertEqual(greeting(mail.address("smtp")), 250)
            self.assertEqual(notes(), started)
            put_back(mail, "qmgr")
            reload(mail)  # what the administrator does who has mended it
            wait(lambda: mail.pids("qmgr"), "qmgr", mail.log)

    def test_program_that_is_gone(self):
        with Instance() as mail:
            keep_real(mail, "showq")
            with waiting_at(mail.queue / "public/showq"):
                mail.wait_log(r"showq: No such file or directory")
                mail.wait_log(r"showq: bad command startup -- throttling")
            self.assertEqual(greeting(mail.address("smtp")), 250)

    def test_stubborn_process_is_killed_at_the_end(self):
        with Instance() as mail:
            notes = put_stub_for_qmgr(mail, "stubborn")
            wait(lambda: "wakeup" in notes(), "the stub", mail.log)
            (pid,) = mail.pids("qmgr")
            os.kill(pid, signal.SIGTERM)
            self.assertTrue(os.path.exists(f"/proc/{pid}"))
            mail.run("postern", "stop")
            self.assertIn("stop", notes())
            wait(lambda: not os.path.exists(f"/proc/{pid}"), "the end of the stub", mail.log)
            mail.wait_log(r"warning: service qmgr/unix: does not end, killed")


class WakeUps(unittest.TestCase):
    def test_are_given_at_start_and_then_in_time(self):
        with Instance() as mail:
            notes = put_stub_for_pickup(mail)
            master_cf = mail.etc / "master.cf"
            master_cf.write_text(master_cf.read_text().replace("pickup    unix  n - n 60", "pickup    unix  n - n 1"))
            reload(mail)
            wait(lambda: notes().count("wakeup") >= 3, "three wake-ups", mail.log)
            self.assertEqual(notes().count("started"), 1)

    def test_if_used_waits_for_the_first_use(self):
        with Instance() as mail:
            notes = put_stub_for_pickup(mail)
            master_cf = mail.etc / "master.cf"
            master_cf.write_text(master_cf.read_text().replace("pickup    unix  n - n 60", "idle unix n - n 1? 1 pickup\npickup    unix  n - n 1"))
            reload(mail)
            wait(lambda: notes().count("wakeup") >= 2, "wake-ups of the other", mail.log)
            self.assertEqual(mail.pids("idle"), [])
            with waiting_at(mail.queue / "public/idle"):
                wait(lambda: mail.pids("idle"), "the process of the used service", mail.log)


class Sockets(unittest.TestCase):
    def port_of_ours(self):
        """One that nobody else is given: it is bound, and who listens there asks for it by its number."""
        holder = socket.socket()
        self.addCleanup(holder.close)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("", 0))
        return holder.getsockname()[1]

    def test_port_in_use_leaves_one_service_out(self):
        port = self.port_of_ours()
        with Instance() as mail, socket.create_server(("127.0.0.1", port)) as foreign:
            master_cf = mail.etc / "master.cf"
            master_cf.write_text(master_cf.read_text() + f"127.0.0.1:{port} inet n - n - - smtpd\n")
            reload(mail)
            mail.wait_log(rf"error: reload: service 127.0.0.1:{port}/inet: bind 127.0.0.1:{port}: Address already in use; "
                          "the service does not run")
            self.assertEqual(greeting(mail.address("smtp")), 250)
            self.assertNotIn(f"127.0.0.1:{port} ", mail.run("postern", "status").stdout)
            foreign.close()
            reload(mail)
            self.assertEqual(greeting(("127.0.0.1", port)), 250)

    def test_other_interfaces(self):
        port = self.port_of_ours()
        with Instance(master_cf=f"{port} inet n - n - - smtpd\n") as mail, socket.socket() as foreign:
            main_cf = mail.etc / "main.cf"
            def listen_at(interfaces):
                text = main_cf.read_text().splitlines(True)
                main_cf.write_text("".join(l for l in text if not l.startswith("inet_interfaces")) + f"inet_interfaces = {interfaces}\n")
                reload(mail)
            with smtplib.SMTP("127.0.0.1", port) as session:  # a process that holds the sockets
                session.noop()
                for interfaces in ("127.0.0.1, 127.0.0.9", "all", "127.0.0.9, 127.0.0.1"):
                    listen_at(interfaces)
                    self.assertEqual(greeting(("127.0.0.1", port)), 250)
                    self.assertEqual(greeting(("127.0.0.9", port)), 250)
                listen_at("127.0.0.1")
                with self.assertRaises(OSError):
                    socket.create_connection(("127.0.0.9", port), 1)
                foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                foreign.bind(("127.0.0.9", port))
                foreign.listen()
                listen_at("127.0.0.1, 127.0.0.9")
                mail.wait_log(rf"error: reload: service {port}/inet: bind 127.0.0.9:{port}: Address already in use; "
                              "keeping the old sockets")
                self.assertEqual(greeting(("127.0.0.1", port)), 250)
                foreign.close()
                reload(mail)
                self.assertEqual(greeting(("127.0.0.9", port)), 250)
                session.noop()

    def test_port_in_use_at_start_is_fatal_and_named(self):
        mail = Instance()
        with contextlib.ExitStack() as stack:
            stack.callback(mail.__exit__, None)
            foreign = stack.enter_context(socket.socket())
            foreign.bind(("127.0.0.1", 0))
            foreign.listen()
            port = foreign.getsockname()[1]
            with open(mail.etc / "master.cf", "a") as file:
                file.write(f"127.0.0.1:{port} inet n - n - - smtpd\n")
            result = mail.run("postern", "start", check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn(f"bind 127.0.0.1:{port}: Address already in use", result.stderr)
            self.assertFalse(mail.running())


class Limits(unittest.TestCase):
    def test_process_limit_is_told(self):
        with Instance() as mail:
            master_cf = mail.etc / "master.cf"
            master_cf.write_text(master_cf.read_text().replace("showq     unix  n - n -   -", "showq     unix  n - n -   2"))
            reload(mail)
            told = re.compile(r'warning: service "showq" \(showq\) has reached its process limit "2": '
                              r"new clients may experience noticeable delays\n.*warning: to avoid this condition, increase the "
                              r"process count in master.cf or reduce the service time per client")
            with contextlib.ExitStack() as stack:
                clients = [waiting_again_and_again(stack, mail.queue / "public/showq") for _ in range(3)]
                wait(lambda: [look() for look in clients] and told.search(mail.log()), "word of the limit", mail.log)
                self.assertEqual(len(mail.pids("showq")), 2)
            self.assertEqual(mail.run("postqueue", "-p").returncode, 0)  # and goes on when they have gone
            self.assertEqual(mail.log().count("has reached its process limit"), 1)

    def test_the_only_process_keeps_nobody_out_when_it_has_served_its_share(self):
        smtpd = "127.0.0.8:0 inet n - n - 1 smtpd -o max_use=1\n"  # a hundred connections
        with Instance(services=(), master_cf=smtpd) as mail:
            address = "127.0.0.8", mail._ports["127.0.0.8:0"]
            with contextlib.closing(smtplib.SMTP(*address)) as first:
                for _ in range(110):
                    self.assertEqual(greeting(address), 250)
                self.assertEqual(len(mail.pids("127.0.0.8:0")), 2)
                self.assertEqual(first.noop()[0], 250)
            wait(lambda: len(mail.pids("127.0.0.8:0")) == 1, "the end of the first one", mail.log)

    def test_few_descriptors(self):
        mail = Instance()
        few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600))
        with contextlib.ExitStack() as stack:
            stack.callback(mail.__exit__, None)
            maildir = mail.add_user("bob")
            mail.run("postern", "start", preexec_fn=few)
            mail._read_ports()
            held = []
            for _ in range(120):  # more than one process has descriptors for
                held.append(stack.enter_context(socket.create_connection(mail.address("smtp"), DEADLINE)))
                self.assertRegex(held[-1].recv(200), rb"^220 ")
            self.assertGreater(len(mail.pids("127.0.0.1:0")), 1)
            with smtplib.SMTP(*mail.address("smtp"), timeout=DEADLINE) as smtp:
                smtp.sendmail("a@client.test", ["bob@example.test"], "Subject: x\r\n\r\nx\r\n")
            mail.wait_messages(maildir, 1)
            self.assertNotIn("Too many open files", mail.log())


class Signals(unittest.TestCase):
    def master(self, mail):
        return int((mail.queue / "pid/master.pid").read_text())

    def test_hangup_reloads_and_terminate_stops(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Instance() as mail:
                pid = self.master(mail)
                os.kill(pid, signal.SIGHUP)
                mail.wait_log(r"reload -- version")
                daemons = mail.pids("qmgr") + mail.pids("pickup")
                os.kill(pid, number)
                wait(lambda: not is_process(pid, "master"), "master's end", mail.log)
                mail.wait_log(rf"master\[{pid}\]: terminating on signal {int(number)}\n")
                # At once, but on a machine so slow that master has lost patience and killed them.
                wait(lambda: not [p for p in daemons if os.path.exists(f"/proc/{p}")], "the daemons' end", mail.log)
                self.assertFalse(mail.running())
                mail.run("postern", "start")
                mail.run("postern", "stop")

    def test_daemons_end_with_master(self):
        with Instance() as mail:
            with session(mail) as smtp:
                smtp.noop()
                daemons = [p for name in ("qmgr", "pickup", "127.0.0.1:0") for p in mail.pids(name)]
                self.assertGreaterEqual(len(daemons), 3)
                os.kill(self.master(mail), signal.SIGKILL)
                wait(lambda: not [p for p in daemons if os.path.exists(f"/proc/{p}")], "the daemons' end", mail.log)

    def test_stop_ends_sessions_of_removed_services_too(self):
        with Instance() as mail, session(mail) as old:
            old.noop()
            (pid,) = mail.pids("127.0.0.1:0")
            master_cf = mail.etc / "master.cf"
            master_cf.write_text(master_cf.read_text().replace("127.0.0.1:0 ", "127.0.0.8:0 "))
            reload(mail)
            old.noop()
            mail.run("postern", "stop")
            wait(lambda: not os.path.exists(f"/proc/{pid}"), "the end of the session", mail.log)
            self.assertNotIn("service 127.0.0.1:0/inet: does not end, killed", mail.log())


class Reload(unittest.TestCase):
    def test_a_service_that_comes_back_waits_for_the_end_of_the_one_before(self):
        with Instance() as mail:
            notes = put_stub_for_pickup(mail, "stubborn")
            reload(mail)
            wait(lambda: "wakeup" in notes(), "the stub", mail.log)
            (pid,) = mail.pids("pickup")
            master_cf = mail.etc / "master.cf"
            with_pickup = master_cf.read_text()
            master_cf.write_text(with_pickup.replace("pickup ", "#pickup "))
            reload(mail)
            self.assertEqual(mail.pids("pickup"), [])
            wait(lambda: "drain" in notes(), "the order to drain", mail.log)
            master_cf.write_text(with_pickup)
            reload(mail)
            self.assertEqual(mail.pids("pickup"), [pid])  # which is to be the only one
            put_stub(mail, "pickup", "obedient")
            os.kill(pid, signal.SIGKILL)
            wait(lambda: notes().count("started") == 2, "its successor", mail.log)
            wait(lambda: notes().count("wakeup") >= 2, "its wake-up", mail.log)

    def test_under_load_nothing_is_lost(self):
        with Instance() as mail:
            maildir = mail.add_user("bob")
            failures, sent, enough = [], [0] * 3, threading.Event()
            def send(number):
                while not enough.is_set():
                    try:
                        with smtplib.SMTP(*mail.address("smtp"), timeout=DEADLINE) as smtp:
                            for _ in range(3):
                                smtp.sendmail("a@client.test", ["bob@example.test"], "Subject: x\r\n\r\nx\r\n")
                                sent[number] += 1
                    except smtplib.SMTPServerDisconnected as error:
                        failures.append(repr(error))
                    except (smtplib.SMTPException, OSError) as error:
                        failures.append(repr(error))
            threads = [threading.Thread(target=send, args=(n,)) for n in range(3)]
            for thread in threads:
                thread.start()
            try:
                for _ in range(5):
                    before = sum(sent)
                    reload(mail)
                    wait(lambda: sum(sent) > before + 6, "mail after the reload", mail.log)
            finally:
                enough.set()
                for thread in threads:
                    thread.join()
            self.assertEqual(failures, [])
            mail.wait_messages(maildir, sum(sent))
            self.assertEqual(len(mail.messages(maildir)), sum(sent))

    def test_a_slow_site_holds_up_nobody_elses_mail(self):
        with socket.create_server(("127.0.0.1", 0)) as slow:
            route = f"inline:{{slow.test=smtp:[127.0.0.1]:{slow.getsockname()[1]}}}"
            with Instance({"transport_maps": route, "smtp_helo_timeout": "3600s"}) as mail:
                maildir = mail.add_user("bob")
                def send(recipient):
                    with smtplib.SMTP(*mail.address("smtp"), timeout=DEADLINE) as smtp:
                        smtp.sendmail("a@client.test", [recipient], "Subject: x\r\n\r\nx\r\n")
                send("u@slow.test")
                with slow.accept()[0] as site:  # which says nothing
                    for number in range(1, 3):
                        reload(mail)
                        send("bob@example.test")
                        mail.wait_messages(maildir, number)
                    self.assertRegex(mail.run("postqueue", "-p").stdout, r"\w+\* ")  # still under way, and once:
                    site.sendall(b"220 slow.test\r\n")
                    self.assertTrue(site.makefile("rb").readline().startswith(b"EHLO "))
                    slow.settimeout(0.1)
                    with self.assertRaises(TimeoutError):
                        slow.accept()

    def test_what_the_queue_manager_before_delivers_is_left_to_it(self):
        with socket.create_server(("127.0.0.1", 0)) as slow:
            slow.settimeout(60)
            route = f"inline:{{slow.test=smtp:[127.0.0.1]:{slow.getsockname()[1]}}}"
            with Instance({"transport_maps": route, "smtp_helo_timeout": "3600s"}) as mail:
                with smtplib.SMTP(*mail.address("smtp"), timeout=DEADLINE) as smtp:
                    smtp.sendmail("a@client.test", ["u@slow.test"], "Subject: x\r\n\r\nx\r\n")
                with slow.accept()[0] as site:
                    site.sendall(b"421 later\r\n")
                    queue_id = mail.wait_log(r"(\w+): to=<u@slow.test>.*status=deferred")[1]
                with slow.accept()[0] as site:  # which says nothing at first
                    reload(mail)
                    wait(lambda: len(mail.pids("qmgr")) == 2, "the next queue manager, whom postsuper asks", mail.log)
                    done = mail.run("postsuper", "-h", queue_id, "-d", queue_id, check=False)
                    self.assertEqual((done.returncode, done.stderr.splitlines()), (1, [
                        *[f"postsuper: warning: {queue_id}: is being delivered; try again"] * 2,
                        "postsuper: Placed on hold: 0 messages", "postsuper: Deleted: 0 messages",
                        "postsuper: fatal: being delivered, not changed: 2 messages"]))
                    site.sendall(b"220 slow.test\r\n")
                    for line in site.makefile("rb"):
                        if line != b".\r\n" and line[:4] not in (b"EHLO", b"MAIL", b"RCPT", b"DATA"):
                            continue
                        site.sendall(b"354 go on\r\n" if line.startswith(b"DATA") else b"250 ok\r\n")
                        if line == b".\r\n":
                            break
                mail.wait_log(rf"{queue_id}: removed")
                self.assertEqual(mail.log().count("status=sent"), 1)
                self.assertEqual(mail.run("postqueue", "-p").stdout, "Mail queue is empty\n")

    def test_a_slow_client_keeps_nobody_elses_mail_out(self):
        with Instance() as mail:
            maildir = mail.add_user("bob")
            with contextlib.ExitStack() as stack:
                slow = []
                for size in (1_000, 1_000_000):  # in memory, and in a file of its own
                    smtp = stack.enter_context(session(mail))
                    smtp.ehlo()
                    for words in ("MAIL FROM:<a@client.test>", "RCPT TO:<bob@example.test>", "DATA"):
                        self.assertIn(smtp.docmd(words)[0], (250, 354))
                    smtp.send(b"Subject: slow\r\n\r\n" + (b"x" * 68 + b"\r\n") * (size // 70))
                    slow.append(smtp)
                wait(lambda: any((mail.queue / "incoming").iterdir()), "the file of the large one", mail.log)
                for number in range(1, 3):
                    reload(mail)
                    with smtplib.SMTP(*mail.address("smtp"), timeout=DEADLINE) as smtp:
                        smtp.sendmail("a@client.test", ["bob@example.test"], "Subject: x\r\n\r\nx\r\n")
                    mail.wait_messages(maildir, number)
                for smtp in slow:
                    smtp.send(b".\r\n")
                    self.assertEqual(smtp.getreply()[0], 250)
                mail.wait_messages(maildir, 4)
            self.assertEqual(len(mail.messages(maildir)), 4)

    def test_queue_directory_stays(self):
        with Instance() as mail:
            with open(mail.etc / "main.cf", "a") as main_cf:
                main_cf.write(f"queue_directory = {mail.prefix}/data\n")
            os.kill(int((mail.queue / "pid/master.pid").read_text()), signal.SIGHUP)
            mail.wait_log(r"error: reload: queue_directory changed from .*/queue to .*/data: stop and start the mail system "
                          r"for that; keeping the old configuration")
            self.assertEqual(greeting(mail.address("smtp")), 250)
            text = (mail.etc / "main.cf").read_text().splitlines(True)
            (mail.etc / "main.cf").write_text("".join(text[:-1]))

    def test_another_program_for_a_service(self):
        with Instance() as mail:
            master_cf = mail.etc / "master.cf"
            master_cf.write_text(master_cf.read_text().replace("local     unix  - n n -   1 local", "local     unix  - n n -   1 error"))
            reload(mail)
            self.assertRegex(mail.run("postern", "status").stdout, r"local +unix +error")


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class RealUids(unittest.TestCase):
    def test_missing_account_keeps_everything(self):
        private_mounts()
        mail = Instance(real_uids=True)
        with contextlib.ExitStack() as stack:
            stack.callback(mail.__exit__, None)
            mail.run("postern", "set-permissions")
            mail.take_standard_place()
            mail.start()
            master = int((mail.queue / "pid/master.pid").read_text())
            text = (mail.etc / "main.cf").read_text()
            (mail.etc / "main.cf").write_text(text + "mail_owner = nosuchowner\n")
            for _ in range(2):
                before = mail.log().count("keeping the old configuration")
                os.kill(master, signal.SIGHUP)
                wait(lambda: mail.log().count("keeping the old configuration") > before, "the refusal", mail.log)
            mail.wait_log(r"error: reload: user nosuchowner\S* does not exist: .*; keeping the old configuration")
            self.assertEqual(greeting(mail.address("smtp")), 250)
            (mail.etc / "main.cf").write_text(text)
            reload(mail)
            self.assertEqual(greeting(mail.address("smtp")), 250)

    def test_another_program_has_its_own_account(self):
        private_mounts()
        mail = Instance(real_uids=True)
        with contextlib.ExitStack() as stack:
            stack.callback(mail.__exit__, None)
            mail.run("postern", "set-permissions")
            mail.take_standard_place()
            mail.start()
            master_cf = mail.etc / "master.cf"
            master_cf.write_text(master_cf.read_text().replace("local     unix  - n n -   1 local", "local     unix  - n n -   1 error"))
            reload(mail)
            with waiting_at(mail.queue / "private/local"):
                wait(lambda: [p for p in mail.pids("local") if is_process(p, "error")], "the error agent", mail.log)
                (pid,) = mail.pids("local")
                self.assertNotEqual(os.stat(f"/proc/{pid}").st_uid, 0)


if __name__ == "__main__":
    unittest.main()
