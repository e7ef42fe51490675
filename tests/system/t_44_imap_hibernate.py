"""IMAP sessions that give their process up in IDLE: the client does not notice, deliveries reach it at once, and what
it costs is memory in login only."""

import os
import ssl
import subprocess
import time
import unittest

from instance import Instance, wait
from t_42_imap_sessions import TEXT, Client

PARAMS = {"imap_hibernate_timeout": "1s"}


class Idler(Client):
    def __init__(self, mail, user="bob", tls=False):
        super().__init__(mail.address("imap"))
        if tls:
            self.say(b"s STARTTLS")
            self.until(b"s ")
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
            self.lines = self.socket.makefile("rb")
        self.say(b"a LOGIN %s secret" % user.encode(), b"b SELECT INBOX")
        lines = self.until(b"b ")
        if not lines[-1].startswith(b"b OK"):
            raise AssertionError(lines)

    def idle(self):
        self.say(b"i IDLE")
        self.until(b"+ ")


def offers_starttls(mail):
    client = Client(mail.address("imap"))
    client.say(b"c CAPABILITY")
    return b"STARTTLS" in b"".join(client.until(b"c "))


def wait_asleep(mail):
    wait(lambda: not mail.sessions("imapd"), "all sessions hibernate", mail.log)


def deliver(mail, user="bob"):
    """A delivery by somebody else into the Maildir."""
    maildir = mail.prefix / "home" / user / "Maildir"
    deliver.count += 1
    name = f"{int(time.time())}.M{deliver.count}.foreign"
    path = maildir / "tmp" / name
    path.write_bytes(TEXT)
    if mail.identity:
        os.chown(path, *mail.identity)
    path.rename(maildir / "new" / name)


deliver.count = 0


class Hibernation(unittest.TestCase):
    def serve(self, **more):
        mail = Instance({**PARAMS, **more.pop("params", {})}, services=("imap",))
        mail.start()
        self.addCleanup(mail.__exit__, None)
        mail.add_user("bob")
        return mail

    def idler(self, mail, **more):
        client = Idler(mail, **more)
        self.addCleanup(client.close)
        return client

    def test_sleeps_wakes_and_sleeps_again(self):
        mail = self.serve()
        client = self.idler(mail)
        client.idle()
        wait_asleep(mail)
        deliver(mail)
        self.assertEqual(client.until(b"* 1 EXISTS")[-1], b"* 1 EXISTS\r\n")
        wait_asleep(mail)
        client.say(b"DONE", b"c FETCH 1 (UID)", b"d LOGOUT")
        lines = client.until(b"d OK")
        self.assertIn(b"i OK Idle completed.\r\n", lines)
        self.assertIn(b"* 1 FETCH (UID 1)\r\n", lines)
        mail.wait_log(r"disconnect: user=<bob>, Logged out, in=\d\d+, out=\d{3,}")

    def test_a_delivery_arrives_within_50_ms(self):
        mail = self.serve()
        client = self.idler(mail)
        times = []
        client.idle()
        for count in range(1, 6):
            wait_asleep(mail)
            start = time.monotonic()
            deliver(mail)
            client.until(b"* %d EXISTS" % count)
            times.append(time.monotonic() - start)
        self.assertLess(sorted(times)[len(times) // 2], 0.05, times)

    def test_with_tls_and_across_a_reload(self):
        mail = self.serve()
        key = mail.etc / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
                        "-keyout", key, "-out", key.with_suffix(".crt")], check=True, capture_output=True)
        (mail.etc / "both.pem").write_bytes(key.read_bytes() + key.with_suffix(".crt").read_bytes())
        if mail.identity:
            os.chown(mail.etc / "both.pem", *mail.identity)
        mail.run("postconf", "-e", f"smtpd_tls_cert_file = {mail.etc / 'both.pem'}")
        mail.run("postern", "reload")
        wait(lambda: offers_starttls(mail), "the new login", mail.log)
        clients = [self.idler(mail, tls=True), self.idler(mail)]
        for client in clients:
            client.idle()
        wait_asleep(mail)
        before = mail.pids("postern-auth")
        mail.run("postern", "reload")
        wait(lambda: not set(before) & set(mail.pids("postern-auth")), "the end of the old auth", mail.log)
        deliver(mail)
        for client in clients:
            self.assertEqual(client.until(b"* 1 EXISTS")[-1], b"* 1 EXISTS\r\n")
        wait_asleep(mail)
        for client in clients:
            client.say(b"DONE")
            self.assertEqual(client.until(b"i ")[-1], b"i OK Idle completed.\r\n")

    def test_a_stop_says_bye_and_a_lost_log_does(self):
        mail = self.serve()
        mail.add_user("eve")
        client, other = self.idler(mail), self.idler(mail, user="eve")
        other.say(b"x APPEND INBOX {%d+}" % len(TEXT), TEXT)
        other.until(b"x OK")
        for one in (client, other):
            one.idle()
        files = [mail.prefix / "home" / "eve" / "Maildir" / name for name in ("postern.log", "postern.index", "postern.uids")]

        def lose():
            """They stay away only while nobody is awake: a late notice of the APPEND may wake the session once more."""
            if mail.sessions("imapd"):
                return False
            for file in files:
                file.unlink(missing_ok=True)
            return not mail.sessions("imapd") and not any(file.exists() for file in files)

        wait(lose, "files lost while the sessions hibernate", mail.log)
        other.say(b"DONE")
        rest = other.until(b"no such line")
        # Of a session that was woken as the files went, its own process says so.
        self.assertRegex(rest[-1], rb"^\* BYE (\[UNAVAILABLE\]|The selected mailbox is not available any more)")
        mail.stop()
        rest = client.until(b"no such line")
        self.assertEqual(rest[-1], b"* BYE [UNAVAILABLE] Server shutting down.\r\n")

    def test_zero_is_never(self):
        mail = self.serve(params={"imap_hibernate_timeout": "0"})
        client = self.idler(mail)
        client.idle()
        (worker,) = mail.sessions("imapd")
        for count in (1, 2):
            deliver(mail)
            client.until(b"* %d EXISTS" % count)
        self.assertEqual(mail.sessions("imapd"), [worker])


if __name__ == "__main__":
    unittest.main()
