"""What happens to IMAP and POP3 sessions when the system stops or reloads, when a folder is renamed under
them, and when two POP3 clients want one maildrop."""

import contextlib
import imaplib
import poplib
import smtplib
import socket
import threading
import unittest

from instance import Instance, wait

TEXT = b"From: Ann <ann@client.test>\r\nSubject: one\r\n\r\nline\r\n"


class Client:
    """Bytes and lines, so that the test sees what no library shows."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=30)
        self.lines = self.socket.makefile("rb")
        self.greeting = self.lines.readline()

    def say(self, *lines):
        self.socket.sendall(b"".join(line + b"\r\n" for line in lines))

    def until(self, *starts):
        """The lines up to one that begins with one of these, or to the end of the connection."""
        seen = []
        while line := self.lines.readline():
            seen.append(line)
            if line.startswith(starts):
                break
        return seen

    def close(self):
        self.lines.close()
        self.socket.close()


class Stop(unittest.TestCase):
    def test_everybody_hears_bye(self):
        with Instance(services=("imap", "pop3")) as mail:
            mail.add_user("bob")
            clients = {name: Client(mail.address("imap")) for name in ("waiting", "selected", "idle")}
            clients["pop3"] = Client(mail.address("pop3"))
            for client in clients.values():
                self.addCleanup(client.close)
            for name in ("selected", "idle"):
                clients[name].say(b"a LOGIN bob secret", b"b SELECT INBOX")
                clients[name].until(b"b OK")
            clients["idle"].say(b"c IDLE")
            clients["idle"].until(b"+ ")
            clients["pop3"].say(b"USER bob", b"PASS secret", b"STAT")
            clients["pop3"].until(b"+OK 0 0")
            mail.stop()
            for name in ("waiting", "selected", "idle"):
                rest = clients[name].until(b"no such line")
                self.assertTrue(rest and rest[-1].startswith(b"* BYE"), (name, rest))
            rest = clients["pop3"].until(b"no such line")
            self.assertTrue(rest and rest[-1].startswith(b"-ERR [SYS/TEMP]"), rest)


class Reload(unittest.TestCase):
    def test_who_has_not_logged_in_yet_can(self):
        with Instance(services=("imap", "pop3")) as mail:
            mail.add_user("bob")
            early = [Client(mail.address("imap")), Client(mail.address("pop3"))]
            for client in early:
                self.addCleanup(client.close)
            for _ in range(2):
                mail.run("postern", "reload")
            early[0].say(b"a LOGIN bob secret", b"b LOGOUT")
            self.assertTrue(any(line.startswith(b"a OK") for line in early[0].until(b"b ")))
            early[1].say(b"USER bob", b"PASS secret", b"QUIT")
            self.assertTrue(early[1].until(b"+OK Logging out")[-1].startswith(b"+OK Logging out"))

    def test_sessions_that_go_on_keep_nobody_out(self):
        with Instance(services=("imap", "pop3")) as mail:
            mail.add_user("bob")
            mail.add_user("eve")  # bob's maildrop is taken
            imap, pop3 = Client(mail.address("imap")), Client(mail.address("pop3"))
            for client in (imap, pop3):
                self.addCleanup(client.close)
            imap.say(b"a LOGIN bob secret", b"b SELECT INBOX")
            imap.until(b"b OK")
            pop3.say(b"USER bob", b"PASS secret", b"STAT")
            pop3.until(b"+OK 0 0")
            exchange = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # with auth, as of one who is slow to answer
            self.addCleanup(exchange.close)
            exchange.connect(str(mail.queue / "private/postern-auth"))
            for _ in range(2):
                mail.run("postern", "reload")
                with contextlib.closing(Client(mail.address("imap"))) as again:
                    again.say(b"a LOGIN bob secret", b"b LOGOUT")
                    self.assertTrue(any(line.startswith(b"a OK") for line in again.until(b"b ")))
                with contextlib.closing(Client(mail.address("pop3"))) as again:
                    again.say(b"USER eve", b"PASS secret", b"QUIT")
                    self.assertTrue(again.until(b"+OK Logging out")[-1].startswith(b"+OK Logging out"))
            imap.say(b"c NOOP")
            self.assertTrue(imap.until(b"c OK")[-1].startswith(b"c OK"))
            pop3.say(b"STAT")
            self.assertTrue(pop3.until(b"+OK 0 0")[-1].startswith(b"+OK 0 0"))

    def test_no_login_under_way_is_refused(self):
        with Instance(services=("imap",)) as mail:
            mail.add_user("bob")
            refused, served, stop = [], [], threading.Event()

            def log_in():
                while not stop.is_set() and not refused:
                    try:
                        client = Client(mail.address("imap"))
                        client.say(b"a LOGIN bob secret", b"b LOGOUT")
                        seen = client.until(b"b OK")
                        client.close()
                    except OSError as error:
                        seen = [repr(error).encode()]
                    (served if any(s.startswith(b"a OK") for s in seen) else refused).append(seen)

            threads = [threading.Thread(target=log_in) for _ in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(8):
                mail.run("postern", "reload")
                before = len(served)
                while len(served) < before + 20 and not refused:
                    stop.wait(0.01)
            stop.set()
            for thread in threads:
                thread.join()
            self.assertEqual(refused, [], mail.log()[-3000:])
            self.assertGreater(len(served), 100)


class Rename(unittest.TestCase):
    def test_the_selected_folder_goes_on_under_its_new_name(self):
        with Instance(services=("imap",)) as mail:
            mail.add_user("bob")
            with imaplib.IMAP4(*mail.address("imap")) as imap:
                def ok(answer):
                    self.assertEqual(answer[0], "OK", answer)
                    return answer[1]

                ok(imap.login("bob", "secret"))
                ok(imap.create("Work.2026"))
                ok(imap.append("Work.2026", None, None, TEXT))
                ok(imap.select("Work.2026"))
                ok(imap.rename("Work", "Done"))
                ok(imap.store("1", "+FLAGS", r"(\Answered $Label)"))
                ok(imap.append("Done.2026", None, None, TEXT))
                self.assertEqual(ok(imap.noop()), [b"NOOP completed."])
                self.assertEqual(ok(imap.search(None, "ALL")), [b"1 2"])
                ok(imap.copy("1", "Done.2026"))
                ok(imap.select("Done.2026"))
                self.assertIn(b"$Label", ok(imap.fetch("3", "(FLAGS)"))[0])
                self.assertEqual(imap.select("Work.2026")[0], "NO")


class OneAtATime(unittest.TestCase):
    def test_a_second_pop3_session_is_told_to_come_later(self):
        with Instance(services=("imap", "pop3")) as mail:
            mail.add_user("bob")
            with imaplib.IMAP4(*mail.address("imap")) as imap:
                imap.login("bob", "secret")
                imap.append("INBOX", None, None, TEXT)
                imap.select()
                first = poplib.POP3(*mail.address("pop3"))
                first.user("bob")
                first.pass_("secret")
                second = poplib.POP3(*mail.address("pop3"))
                second.user("bob")
                with self.assertRaises(poplib.error_proto) as refused:
                    second.pass_("secret")
                self.assertIn(b"-ERR [IN-USE]", refused.exception.args[0])
                second.close()
                self.assertEqual(imap.append("INBOX", None, None, TEXT)[0], "OK")  # is not disturbed
                self.assertEqual(imap.store("1", "+FLAGS", r"\Seen")[0], "OK")
                first.quit()
                third = poplib.POP3(*mail.address("pop3"))
                before = third.capa()
                third.user("bob")
                third.pass_("secret")
                self.assertEqual(third.capa(), before, "RFC 5034 4")
                self.assertEqual(third.stat()[0], 2)
                third.quit()


class Prepared(unittest.TestCase):
    def test_deliveries_fill_the_cache_when_nothing_else_is_to_do(self):
        with Instance(services=("smtp", "imap")) as mail:
            maildir = mail.add_user("bob")

            def deliver(subject):
                with smtplib.SMTP(*mail.address("smtp")) as smtp:
                    smtp.sendmail("ann@client.test", ["bob@example.test"], f"Subject: {subject}\n\nbody\n")

            deliver("before")
            mail.wait_messages(maildir, 1)
            imap = imaplib.IMAP4(*mail.address("imap"))
            imap.login("bob", "secret")
            imap.select(readonly=True)
            imap.logout()
            deliver("after one")
            deliver("after two")
            cache = maildir / "postern.cache"
            wait(lambda: cache.exists() and b"after two" in cache.read_bytes(), "the cache", mail.log)
            self.assertIn(b"before", cache.read_bytes())
            imap = imaplib.IMAP4(*mail.address("imap"))
            self.addCleanup(imap.sock.close)
            imap.login("bob", "secret")
            self.assertEqual(imap.select()[1], [b"3"])
            self.assertEqual(imap.response("RECENT")[1], [b"3"], "nobody has seen them")
            self.assertIn(b"after one", imap.fetch("2", "ENVELOPE")[1][0])


if __name__ == "__main__":
    unittest.main()
