"""Limits for each user and address over all processes, LOGIN-DELAY, postern who and postern kick, with the real
clients of Python's library and curl."""

import base64
import imaplib
import json
import os
import poplib
import resource
import smtplib
import subprocess
import time
import unittest

from instance import Instance, wait
from t_42_imap_sessions import Client
from t_44_imap_hibernate import Idler, wait_asleep

NOBODY_IS_EXCEPTED = {"login_client_event_limit_exceptions": ""}


def make_certificate(mail):
    key, both = mail.etc / "key.pem", mail.etc / "both.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
                    "-keyout", key, "-out", key.with_suffix(".crt")], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + key.with_suffix(".crt").read_bytes())
    if mail.identity:
        os.chown(both, *mail.identity)
    mail.run("postconf", "-e", f"smtpd_tls_cert_file = {both}")


def close(client):
    """Perhaps once more."""
    try:
        client.shutdown()
    except OSError:
        pass


class Case(unittest.TestCase):
    def serve(self, services=("imap", "pop3"), tls=False, users=("bob",), **params):
        mail = Instance(params, services=services)
        if tls:
            make_certificate(mail)
        mail.start()
        self.addCleanup(mail.__exit__, None)
        for user in users:
            mail.add_user(user)
        return mail

    def imap(self, mail, user="bob", login=True):
        client = imaplib.IMAP4(*mail.address("imap"))
        self.addCleanup(close, client)
        if login:
            client.login(user, "secret")
        return client

    def pop3(self, mail, user=None):
        client = poplib.POP3(*mail.address("pop3"))
        self.addCleanup(client.close)
        if user:
            client.user(user)
            client.pass_("secret")
        return client

    def who(self, mail, *words):
        out = mail.run("postern", "who", "-j", *words, check=False).stdout
        return [json.loads(line) for line in out.splitlines()]


class Limits(Case):
    def test_sessions_of_a_user_over_processes(self):
        # Each login process serves one client, so that these are as many processes.
        mail = self.serve(**NOBODY_IS_EXCEPTED, login_client_limit="1", login_user_connection_count_limit="3",
                          users=("bob", "eve"))
        clients = [self.imap(mail) for _ in range(3)]
        with self.assertRaisesRegex(imaplib.IMAP4.error, r"\[LIMIT\] Maximum number of connections from user and "
                                    r"address exceeded \(login_user_connection_count_limit = 3\)"):
            self.imap(mail)
        mail.wait_log(r"login refused: Maximum number of connections .*login_user_connection_count_limit = 3\): "
                      r"user=<bob>, method=LOGIN, rip=127.0.0.1")
        self.imap(mail, "eve")
        self.pop3(mail, "bob")  # another protocol
        clients.pop().logout()
        wait(lambda: len(self.who(mail, "bob", "-p", "imap")) == 2, "the end of a session", mail.log)
        self.imap(mail)
        # curl, too, is told.
        url = "imap://%s:%d/INBOX" % mail.address("imap")
        told = subprocess.run(["curl", "-sv", "-u", "bob:secret", url], capture_output=True, text=True, timeout=30)
        self.assertIn("[LIMIT]", told.stderr)

    def test_pop3_says_in_use(self):
        mail = self.serve(**NOBODY_IS_EXCEPTED, login_user_connection_count_limit="1")
        first = self.pop3(mail, "bob")
        second = self.pop3(mail)
        second.user("bob")
        with self.assertRaisesRegex(poplib.error_proto, r"-ERR \[IN-USE\] Maximum number of connections"):
            second.pass_("secret")
        first.quit()
        wait(lambda: not self.who(mail, "bob"), "the end of the first", mail.log)
        second.user("bob")
        second.pass_("secret")

    def test_connections_of_a_client(self):
        mail = self.serve(**NOBODY_IS_EXCEPTED, login_client_limit="1", login_client_pending_limit="2",
                          anvil_status_update_time="1s")
        waiting = [self.imap(mail, login=False) for _ in range(2)]
        with self.assertRaisesRegex(imaplib.IMAP4.error, r"\[LIMIT\] Too many connections from your address"):
            self.imap(mail, login=False)
        mail.wait_log(r"refused: 3 connections without a login from 127.0.0.1, login_client_pending_limit = 2")
        waiting[0].login("bob", "secret")
        wait(lambda: len(self.who(mail)) == 2, "the end of the one that was refused", mail.log)
        self.imap(mail, login=False)
        mail.wait_log(r"anvil\[\d+\]: statistics: max connection count 3 for \(127.0.0.3:0:127.0.0.1\) at ")

    def test_excepted_clients(self):
        mail = self.serve(login_client_event_limit_exceptions="192.0.2.1, hash:/nonsense, 127.0.0.0/8",
                          login_client_pending_limit="1", login_user_connection_count_limit="1")
        for _ in range(3):
            self.imap(mail)
        mail.wait_log(r"warning: login_client_event_limit_exceptions: .hash:/nonsense. is no address and no network")

    def test_login_delay(self):
        mail = self.serve(**NOBODY_IS_EXCEPTED, pop3_login_delay="1h", login_client_limit="1", users=("bob", "eve"))
        pop = self.pop3(mail)
        self.assertEqual(pop.capa()["LOGIN-DELAY"], ["3600"])
        pop.user("bob")
        pop.pass_("secret")
        self.assertEqual(pop.capa()["LOGIN-DELAY"], ["3600"])
        pop.quit()
        for user, again in ("bob", True), ("eve", False):
            pop = self.pop3(mail)
            pop.user(user)
            if not again:
                pop.pass_("secret")
                continue
            with self.assertRaisesRegex(poplib.error_proto, r"-ERR \[LOGIN-DELAY\] .*\(pop3_login_delay\)"):
                pop.pass_("secret")


class Guessing(Case):
    def test_answers_are_held_back_across_connections_and_protocols(self):
        mail = self.serve(services=("imap", "pop3", "submission"), tls=True, users=("bob", "eve"),
                          auth_failure_exceptions="", auth_failure_delay="0", auth_failure_delay_limit="1s")
        imap = self.imap(mail, login=False)
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            imap.login("bob", "wrong")
        pop = self.pop3(mail)
        pop.user("bob")
        with self.assertRaisesRegex(poplib.error_proto, r"-ERR \[AUTH\]"):
            pop.pass_("wrong")
        with smtplib.SMTP(*mail.address("submission")) as smtp:
            smtp.ehlo()
            self.assertEqual(smtp.docmd("AUTH PLAIN " + base64.b64encode(b"\0bob\0wrong").decode())[0], 535)
        self.assertNotIn("held back", mail.log())
        begin = time.monotonic()
        self.imap(mail)  # the right one: it does not answer sooner
        self.assertGreaterEqual(time.monotonic() - begin, 1)
        mail.wait_log(r"user=<bob>, client=\[127.0.0.1\]: answer is held back for 1000 ms after failures")
        self.imap(mail)
        self.assertEqual(mail.log().count("held back"), 1)


class Who(Case):
    def test_lists_all_kinds_of_sessions(self):
        mail = self.serve(services=("imap", "pop3", "submission"), tls=True, users=("bob", "eve"),
                          imap_hibernate_timeout="1s")
        idler = Idler(mail, user="eve", tls=True)
        self.addCleanup(idler.close)
        idler.idle()
        waiting = self.imap(mail, login=False)
        bob = self.imap(mail)
        pop = self.pop3(mail, "bob")
        smtp = smtplib.SMTP(*mail.address("submission"))
        self.addCleanup(smtp.close)
        smtp.login("bob", "secret")
        wait(lambda: [s for s in self.who(mail, "eve") if s["state"] == "idle"], "a session that hibernates", mail.log)
        wait(lambda: len(self.who(mail)) == 5, "five sessions", mail.log)
        found = {(s["user"], s["protocol"], s["state"], s["tls"]): s for s in self.who(mail)}
        self.assertEqual(set(found), {("eve", "imap", "idle", True), (None, "imap", "login", False),
                                      ("bob", "imap", "active", False), ("bob", "pop3", "active", False),
                                      ("bob", "smtp", "active", False)})
        session = found["bob", "imap", "active", False]
        self.assertEqual(session["address"], "127.0.0.1")
        self.assertEqual(session["port"], bob.sock.getsockname()[1])
        with open(f"/proc/{session['pid']}/comm") as file:
            self.assertEqual(file.read(), "imapd\n")
        self.assertEqual(len(self.who(mail, "-p", "pop3")), 1)
        self.assertEqual(len(self.who(mail, "-a", "127.0.0.0/8", "bob")), 3)
        self.assertEqual(self.who(mail, "-s", session["session"]), [session])
        lines = mail.run("postern", "who", "eve").stdout.splitlines()
        self.assertRegex(lines[0], r"^USER +PROTO ADDRESS PORT +TLS +SINCE +STATE +PID SESSION$")
        self.assertRegex(lines[1], r"^eve +imap  127\.0\.0\.1 \d+ +TLS +20\S+ \S+ idle +- \S{12}$")
        # A new anvil is told of all that go on, and sessions that began before are counted by it.
        before = mail.pids("anvil")
        mail.run("postern", "reload")
        wait(lambda: not set(before) & set(mail.pids("anvil")), "the end of the old anvil", mail.log)
        wait(lambda: len(self.who(mail)) == 5, "five sessions again", mail.log)
        close(waiting)
        wait(lambda: len(self.who(mail)) == 4, "one less", mail.log)

    def test_bad_input(self):
        mail = self.serve()
        for words, expected in ((["who", "ghost"], "no session of ghost"), (["kick", "ghost"], "no session of ghost"),
                                (["kick"], "whose sessions?"), (["who", "-a", "nowhere"], "no address and no network"),
                                (["kick", "-p", "nntp"], "no protocol"), (["who", "-x"], "unknown option: -x")):
            answer = mail.run("postern", *words, check=False)
            self.assertEqual((answer.returncode, answer.stdout), (1, ""), words)
            self.assertIn(expected, answer.stderr)
        self.assertEqual(mail.run("postern", "who").stdout, "")
        mail.stop()
        answer = mail.run("postern", "who", check=False)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("the Postern mail system is not running", answer.stderr)


class Kick(Case):
    BYE = b"* BYE Disconnected by the administrator.\r\n"

    def test_ends_sessions_in_every_state(self):
        mail = self.serve(services=("imap", "pop3", "submission"), tls=True, users=("bob", "eve"),
                          imap_hibernate_timeout="1s")
        others = self.imap(mail, "eve")
        clients = []
        for tls in (False, True):
            idler = Idler(mail, tls=tls)
            self.addCleanup(idler.close)
            idler.idle()
            clients.append(idler)
        wait_states = lambda *states: wait(lambda: sorted(s["state"] for s in self.who(mail, "bob")) == sorted(states),
                                           f"states {states}", mail.log)
        wait_states("idle", "idle")
        for tls in (False, True):
            client = Idler(mail, tls=tls)
            self.addCleanup(client.close)
            clients.append(client)
        pop = self.pop3(mail, "bob")
        smtp = smtplib.SMTP(*mail.address("submission"))
        self.addCleanup(smtp.close)
        smtp.login("bob", "secret")
        wait_states("idle", "idle", "active", "active", "active", "active")
        self.assertEqual(mail.run("postern", "kick", "bob").stdout, "6 of 6 sessions of bob ended\n")
        for client in clients:
            self.assertEqual(client.until(b"no such line")[-1], self.BYE)
        self.assertEqual(pop.file.readline(), b"-ERR [SYS/TEMP] Disconnected by the administrator.\r\n")
        self.assertEqual(pop.file.readline(), b"")
        self.assertEqual(smtp.getreply()[0], 421)
        self.assertEqual(self.who(mail, "bob"), [])
        self.assertEqual(others.noop()[0], "OK")
        mail.wait_log(r"kick: 6 sessions told to end, 6 ended")
        mail.wait_log(r"disconnect: user=<bob>, Disconnected by the administrator")

    def test_by_session_address_and_protocol(self):
        mail = self.serve()
        stranger = Client(mail.address("imap"))
        self.addCleanup(stranger.close)
        wait(lambda: self.who(mail), "the session", mail.log)
        (session,) = self.who(mail)
        mail.run("postern", "kick", "-s", session["session"])
        self.assertEqual(stranger.until(b"no such line")[-1], self.BYE)
        one, other = self.imap(mail), self.pop3(mail)
        wait(lambda: len(self.who(mail)) == 2, "two sessions", mail.log)
        self.assertEqual(mail.run("postern", "kick", "-a", "127.0.0.0/8", "-p", "pop3").stdout,
                         "1 of 1 sessions from 127.0.0.0/8 with pop3 ended\n")
        self.assertEqual(one.noop()[0], "OK")
        self.assertEqual(other.file.readline(), b"-ERR [SYS/TEMP] Disconnected by the administrator.\r\n")

    def test_what_was_acknowledged_stays(self):
        mail = self.serve()
        client = self.imap(mail)
        client.append("INBOX", None, None, b"Subject: x\r\n\r\ny\r\n")
        client.select("INBOX")
        client.store("1", "+FLAGS", r"(\Flagged)")
        mail.run("postern", "kick", "bob")
        again = self.imap(mail)
        again.select("INBOX")
        self.assertIn(rb"\Flagged", again.fetch("1", "(FLAGS)")[1][0])

    def test_a_thousand_sessions(self):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        mail = self.serve(login_client_limit="300")
        clients = [Client(mail.address("imap")) for _ in range(1000)]
        for client in clients:
            self.addCleanup(client.close)
        wait(lambda: len(self.who(mail)) == 1000, "a thousand sessions", mail.log)
        self.assertGreater(len(mail.pids(mail.listeners["imap"][0])), 3)
        answer = mail.run("postern", "kick", "-p", "imap").stdout
        self.assertEqual(answer, "1000 of 1000 sessions with imap ended\n")
        for client in clients:
            self.assertEqual(client.until(b"no such line")[-1], self.BYE)


if __name__ == "__main__":
    unittest.main()
