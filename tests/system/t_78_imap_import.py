"""postern mailbox import --imap: from the real Dovecot behind TLS, and from bad servers. Dovecot's imap speaks for the
account; a small server before it does TLS and the password, as Dovecot's login would."""

import base64
import contextlib
import imaplib
import os
import re
import select
import socket
import ssl
import subprocess
import threading
import unittest

from instance import Instance
from t_15_submission_tls import make_certificate
from t_46_mailbox_moves import DOVECOT_IMAP, Dovecot, append, rows

PASSWORD = 'p"w\u00e9 d'


class Server(threading.Thread):
    """One IMAP server: `behind` gets the connection after the login."""

    def __init__(self, certificate, behind, implicit=True, offers_tls=True):
        super().__init__(daemon=True)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificate)
        self.behind, self.implicit, self.offers_tls = behind, implicit, offers_tls
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.logins = []
        self.start()

    def close(self):
        self.listener.close()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with contextlib.ExitStack() as self.open, contextlib.suppress(OSError, ssl.SSLError, ValueError):
                client.settimeout(30)
                self.serve(self.open.enter_context(client))

    def secure(self, client):
        return self.open.enter_context(self.context.wrap_socket(client, server_side=True))

    def serve(self, client):
        secured = self.implicit
        if secured:
            client = self.secure(client)
        lines = self.open.enter_context(client.makefile("rb"))
        client.sendall(b"* OK ready\r\n")
        while True:
            tag, _, command = lines.readline().decode().strip().partition(" ")
            if not tag:
                return
            if command == "CAPABILITY":
                more = "AUTH=PLAIN" if secured or not self.offers_tls else "STARTTLS LOGINDISABLED"
                client.sendall(f"* CAPABILITY IMAP4rev1 NAMESPACE {more}\r\n{tag} OK done\r\n".encode())
            elif command == "STARTTLS":
                client.sendall(f"{tag} OK go\r\n".encode())
                client = self.secure(client)
                lines, secured = self.open.enter_context(client.makefile("rb")), True
            elif command == "AUTHENTICATE PLAIN":
                client.sendall(b"+ \r\n")
                self.logins.append(base64.b64decode(lines.readline()).decode().split("\0")[1:])
                if self.logins[-1] != ["somebody", PASSWORD]:
                    client.sendall(f"{tag} NO [AUTHENTICATIONFAILED] wrong\r\n".encode())
                    continue
                client.sendall(f"{tag} OK in\r\n".encode())
                return self.behind(client, lines)
            else:
                client.sendall(f"{tag} BAD what?\r\n".encode())


def dovecot_behind(dovecot):
    def serve(client, _):
        user = {"user": dovecot.owner, "group": dovecot.owner, "extra_groups": ()} if os.geteuid() == 0 else {}
        with subprocess.Popen([DOVECOT_IMAP, "-c", dovecot.config], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/",
                              env={"USER": "somebody", "HOME": str(dovecot.maildir.parent)}, **user) as imap:
            imap.stdout.readline()  # PREAUTH
            # In one thread: two must not read and write one TLS connection at a time.
            while ready := select.select([client, imap.stdout], [], [], 30)[0]:
                if imap.stdout in ready:
                    if not (data := imap.stdout.read1()):
                        return
                    client.sendall(data)
                if client in ready:
                    if not (data := client.recv(65536)):  # which takes all that a TLS record can hold
                        return imap.stdin.close()
                    imap.stdin.write(data)
                    imap.stdin.flush()
    return serve


def script_behind(answers):
    """Says these to commands in turn; {tag} is the command's."""
    def serve(client, lines):
        for answer in answers:
            tag = lines.readline().split(b" ")[0]
            client.sendall(answer.replace(b"{tag}", tag))
    return serve


class Import(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mail = Instance(services=("imap",))
        cls.mail.__enter__()
        cls.certificate = make_certificate(cls.mail.prefix)

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None, None, None)

    def server(self, behind, **more):
        server = Server(self.certificate, behind, **more)
        self.addCleanup(server.close)
        return server

    def bring(self, server, user, *more, scheme="imaps", host="localhost", password=PASSWORD, check=True):
        return self.mail.run("postern", "mailbox", "import", user, "--imap", f"{scheme}://{host}:{server.port}", "somebody", *more,
                             input=password + "\n", check=check)

    @unittest.skipUnless(DOVECOT_IMAP.exists() and os.geteuid() == 0, "needs root and Debian's dovecot-imapd")
    def test_all_of_an_account_of_dovecot(self):
        source = self.mail.add_user("source")
        target = self.mail.add_user("target")
        dovecot = Dovecot(source)
        dovecot.say("CREATE Work.a", "CREATE empty", 'CREATE "B&APw-cher"', "SUBSCRIBE Work.a",
                    append("INBOX", "\\Seen Job $Junk", "one"), append("INBOX", "\\Deleted", "two"), append("INBOX", "\\Flagged", "three"),
                    append("INBOX", "", "four"), append("Work.a", "\\Answered", "five"), "SELECT INBOX", "EXPUNGE", "STORE 3 +FLAGS (\\Deleted)",
                    "EXPUNGE")
        theirs = dovecot.say("SELECT INBOX", "UID FETCH 1:* (UID FLAGS)", "UID FETCH 1:* (UID INTERNALDATE RFC822.SIZE)")
        server = self.server(dovecot_behind(dovecot))
        done = self.bring(server, "target", "--no-verify")
        self.assertIn("INBOX: 2 messages\n", done.stdout)
        self.assertIn("Work.a: 1 messages\n", done.stdout)
        self.assertTrue(done.stdout.endswith("3 messages in 4 folders\n"), done.stdout)
        self.assertEqual(server.logins, [["somebody", PASSWORD]])
        imap = imaplib.IMAP4(*self.mail.address("imap"))
        self.addCleanup(imap.shutdown)
        imap.login("target", "secret")
        imap.select()
        validity = re.search(r"UIDVALIDITY (\d+)", theirs).group(1).encode()
        self.assertEqual(imap.response("UIDVALIDITY")[1], [validity])
        self.assertEqual(imap.response("UIDNEXT")[1], [b"10005"], "some are left for what still comes there")
        self.assertEqual(rows(imap.uid("FETCH", "1:*", "(UID FLAGS)")[1]), rows(theirs))
        facts = r"\(UID (\d+) INTERNALDATE \"([^\"]*)\" RFC822.SIZE (\d+)\)"
        ours = b"".join(imap.uid("FETCH", "1:*", "(UID INTERNALDATE RFC822.SIZE)")[1]).decode()
        self.assertEqual(re.findall(facts, ours), re.findall(facts, theirs))
        self.assertEqual(imap.fetch("1", "(BODY.PEEK[])")[1][0][1], b"Subject: one\r\n\r\nbody\r\n")
        self.assertIn(b"Work.a", b"".join(imap.lsub()[1]))
        self.assertIn(b"B&APw-cher", b"".join(imap.list()[1]))
        # Once more: what is new there has other UIDs, as mail that came here could have had theirs.
        imap.append("INBOX", None, None, b"Subject: local\r\n\r\nx\r\n")
        dovecot.say(append("INBOX", "", "six"), append("Work.a", "", "seven"))
        done = self.bring(server, "target", "--no-verify")
        self.assertIn("INBOX: 1 messages, 2 were here, 1 with new UIDs\n", done.stdout)
        self.assertIn("Work.a: 1 messages, 1 were here, 1 with new UIDs\n", done.stdout)
        imap.noop()
        self.assertEqual(imap.uid("SEARCH", "ALL")[1][0].split(), [b"%d" % uid for uid in (*sorted(rows(theirs)), 10005, 10006)])
        self.assertEqual(self.mail.run("postern", "mailbox", "check", "target").stdout, "no problems\n")
        # Nothing changed there.
        self.assertEqual(rows(dovecot.say("SELECT INBOX", "UID FETCH 1:4 (UID FLAGS)")), rows(theirs))
        self.assertTrue((target / "postern.imported").read_text().startswith("postern-imported 2\n" + validity.decode() + " 5 6 somebody@localhost/INBOX"))

    def test_certificates_and_passwords(self):
        self.mail.add_user("careful")
        script = script_behind([b"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n", b'* LIST () "/" INBOX\r\n{tag} OK\r\n',
                                b"* OK [UIDVALIDITY 9]\r\n{tag} OK\r\n", b"{tag} OK\r\n", b"{tag} OK\r\n", b"{tag} OK\r\n"])
        server = self.server(script)
        done = self.bring(server, "careful", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("certificate", done.stderr)
        self.assertEqual(server.logins, [], "nobody heard the password")
        done = self.bring(server, "careful", "--no-verify", password="wrong", check=False)
        self.assertIn("login refused: wrong", done.stderr)
        self.assertIn("1 folders", self.bring(server, "careful", "--no-verify").stdout)
        upgraded = self.server(script, implicit=False)
        self.assertIn("1 folders", self.bring(upgraded, "careful", "--no-verify", scheme="imap").stdout)
        plain = self.server(script, implicit=False, offers_tls=False)
        done = self.bring(plain, "careful", scheme="imap", check=False)
        self.assertIn("has no TLS", done.stderr)
        self.assertEqual(plain.logins, [])
        self.assertIn("1 folders", self.bring(plain, "careful", "--plaintext", scheme="imap").stdout)

    def test_bad_servers(self):
        self.mail.add_user("brave")
        start = [b"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"]
        inbox = [b'* LIST () "/" INBOX\r\n{tag} OK\r\n', b"* OK [UIDVALIDITY 9]\r\n{tag} OK\r\n"]
        cases = {
            "parentheses": start + [b"* LIST " + b"(" * 5000 + b"\r\n"],
            "no IMAP": [b"what?\r\n"],
            "too large": start + inbox + [b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\n"],
            "memory": start + inbox + [b"* 1 FETCH (UID 1 BODY[] {4294967296}\r\n"],
            "closed": start,
            "BYE": start + [b"* BYE enough\r\n"],
            "nobody asked": start + [b"x9 OK\r\n"],
        }
        for name, answers in cases.items():
            with self.subTest(name):
                done = self.bring(self.server(script_behind(answers)), "brave", "--no-verify", check=False)
                self.assertEqual(done.returncode, 1, done)
                self.assertTrue(done.stderr.startswith("postern mailbox: "), done)
        # Names that climb, or cannot be had; numbers that make no sense.
        odd = start + [b'* LIST () "/" "../../etc"\r\n* LIST () "/" "a//b"\r\n* LIST () NIL "x.y"\r\n* LIST (\\Noselect) "/" z\r\n{tag} OK\r\n'] + [
            b"* OK [UIDVALIDITY 0]\r\n{tag} OK\r\n", b"* 1 FETCH (UID 0 FLAGS ())\r\n* 2 FETCH (UID 7 FLAGS (\\Seen))\r\n{tag} OK\r\n",
            b"* 2 FETCH (UID 7 BODY[] NIL)\r\n* 9 FETCH (UID 8 BODY[] {1}\r\nx)\r\n{tag} OK\r\n",
            b"* 2 FETCH (UID 7 FLAGS ())\r\n* 9 FETCH (UID 8 FLAGS ())\r\n{tag} OK\r\n"] + [b"{tag} OK\r\n"] * 4
        done = self.bring(self.server(script_behind(odd)), "brave", "--no-verify", check=False)
        self.assertIn("a//b: left out", done.stdout)
        self.assertIn("__.__.etc: 0 messages, NOT given by the server: UID 7\n", done.stdout, "levels of dots are levels of something else")
        self.assertEqual((done.returncode, done.stderr.splitlines()[-1]), (1, "postern mailbox: 1 messages were not given by the server"))
        self.assertIn("x_y: 0 messages", done.stdout)
        # Only an empty folder need not be listed.
        for exists, status in ((b"* 0 EXISTS\r\n", 0), (b"* 3 EXISTS\r\n", 1)):
            answers = start + inbox[:1] + [exists + b"* OK [UIDVALIDITY 9]\r\n{tag} OK\r\n"]
            answers += [b"{tag} NO not now\r\n"] if status else []
            done = self.bring(self.server(script_behind(answers + [b"{tag} OK\r\n"])), "brave", "--no-verify", check=False)
            self.assertEqual(done.returncode, status, done)
            self.assertEqual("not now" in done.stderr, status == 1, done)
        for wrong in (["--imap"], ["--imap", "imaps://", "x"], ["--imap", "a/b", "x"], ["--imap", "localhost", "x", "--odd"]):
            done = self.mail.run("postern", "mailbox", "import", "brave", *wrong, input="", check=False)
            self.assertEqual(done.returncode, 2, wrong)

    def test_uids_that_are_used_up(self):
        """Mail comes here while the first import is under way, and the import breaks off: no UID of the other server's is another
        message's in the end, nothing is twice, and what can keep its UID does."""
        maildir = self.mail.add_user("busy")

        def text(uid):
            return b"Subject: m%d\r\n\r\nx\r\n" % uid

        def listing(*uids):
            return b"".join(b"* %d FETCH (UID %d FLAGS (\\Seen) RFC822.SIZE %d)\r\n" % (n, uid, len(text(uid)))
                            for n, uid in enumerate(uids, 1)) + b"{tag} OK\r\n"

        def bodies(*uids):
            return b"".join(b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (uid, uid, len(text(uid)), text(uid)) for uid in uids) + b"{tag} OK\r\n"

        begin = [b"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n", b'* LIST () "/" INBOX\r\n{tag} OK\r\n']
        # 201 messages: two batches. Before the second's texts come there is local mail, with UID 201.
        first = begin + [b"* 201 EXISTS\r\n* OK [UIDVALIDITY 77]\r\n* OK [UIDNEXT 203]\r\n{tag} OK\r\n", listing(*range(1, 201), 202),
                         bodies(*range(1, 201))]

        def serve(client, lines):
            script_behind(first)(client, lines)
            lines.readline()  # for the second batch; and the connection ends

        imap = imaplib.IMAP4(*self.mail.address("imap"))
        self.addCleanup(imap.shutdown)
        imap.login("busy", "secret")
        done = self.bring(self.server(serve), "busy", "--no-verify", check=False)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("postern-imported 2\n77 200 201 somebody@localhost/INBOX\n", (maildir / "postern.imported").read_text())
        imap.append("INBOX", "Kept", None, b"Subject: local\r\n\r\nx\r\n")
        imap.append("INBOX", None, None, text(200))  # as one that the import left without its mark would be: it is not taken for one
        again = begin + [b"* 201 EXISTS\r\n* OK [UIDVALIDITY 77]\r\n* OK [UIDNEXT 203]\r\n{tag} OK\r\n", listing(*range(1, 201), 202), bodies(202),
                         b"{tag} OK\r\n"]
        done = self.bring(self.server(script_behind(again)), "busy", "--no-verify")
        self.assertIn("INBOX: 1 messages, 200 were here, 1 with new UIDs, 2 that came meanwhile have other UIDs now\n", done.stdout)
        imap.select()
        self.assertEqual(imap.response("UIDVALIDITY")[1], [b"77"])
        uids = imap.uid("SEARCH", "ALL")[1][0].split()
        self.assertEqual(uids[:200], [b"%d" % uid for uid in range(1, 201)])
        self.assertEqual(uids[200:], [b"10203", b"10204", b"10205"])
        subjects = [imap.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1].split(b"\r\n")[0] for uid in uids[200:]]
        self.assertEqual(subjects, [b"Subject: m202", b"Subject: local", b"Subject: m200"])
        self.assertIn(b"Kept", imap.uid("FETCH", "10204", "(FLAGS)")[1][0])
        self.assertEqual(self.mail.run("postern", "mailbox", "check", "busy").stdout, "no problems\n")

    def test_mail_that_comes_amid_an_import(self):
        self.mail.add_user("amid")
        imap = imaplib.IMAP4(*self.mail.address("imap"))
        self.addCleanup(imap.shutdown)
        imap.login("amid", "secret")
        listing = b"".join(b"* %d FETCH (UID %d FLAGS ())\r\n" % (uid, uid) for uid in range(1, 203)) + b"{tag} OK\r\n"

        def bodies(*uids):
            return b"".join(b"* %d FETCH (UID %d BODY[] {6}\r\na: %03d)\r\n" % (uid, uid, uid) for uid in uids) + b"{tag} OK\r\n"

        def serve(client, lines):
            script_behind([b"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n", b'* LIST () "/" INBOX\r\n{tag} OK\r\n',
                           b"* 202 EXISTS\r\n* OK [UIDVALIDITY 79]\r\n* OK [UIDNEXT 203]\r\n{tag} OK\r\n", listing, bodies(*range(1, 201))])(client, lines)
            tag = lines.readline().split(b" ")[0]
            imap.append("INBOX", None, None, b"a: own\r\n")
            client.sendall(bodies(201, 202).replace(b"{tag}", tag))
            script_behind([b"{tag} OK\r\n"])(client, lines)

        done = self.bring(self.server(serve), "amid", "--no-verify")
        self.assertIn("INBOX: 202 messages, 2 with new UIDs, 3 that came meanwhile have other UIDs now\n", done.stdout)
        imap.select()
        self.assertEqual(imap.uid("SEARCH", "ALL")[1][0].split(), [b"%d" % uid for uid in (*range(1, 201), 10203, 10204, 10205)])
        texts = [imap.uid("FETCH", str(uid), "(BODY.PEEK[])")[1][0][1].strip() for uid in (200, 10203, 10204, 10205)]
        self.assertEqual(texts, [b"a: 200", b"a: own", b"a: 201", b"a: 202"])

    def test_a_batch_without_its_mark(self):
        """As a power cut between the batch and its mark would leave it: the same messages are not fetched into it again."""
        maildir = self.mail.add_user("cut")
        begin = [b"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n", b'* LIST () "/" INBOX\r\n{tag} OK\r\n',
                 b"* 2 EXISTS\r\n* OK [UIDVALIDITY 78]\r\n* OK [UIDNEXT 9]\r\n{tag} OK\r\n"]
        texts = {5: b"Subject: a\r\n\r\n", 8: b"Subject: b\r\n\r\n"}
        answers = begin + [b"".join(b"* 1 FETCH (UID %d FLAGS ())\r\n" % uid for uid in texts) + b"{tag} OK\r\n",
                           b"".join(b"* 1 FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (uid, len(text), text) for uid, text in texts.items())
                           + b"{tag} OK\r\n", b"{tag} OK\r\n"]
        self.bring(self.server(script_behind(answers)), "cut", "--no-verify")
        (maildir / "postern.imported").write_text("postern-imported 2\n78 0 1 somebody@localhost/INBOX\n")
        done = self.bring(self.server(script_behind(answers)), "cut", "--no-verify")
        self.assertIn("INBOX: 0 messages, 2 were here\n", done.stdout)
        done = self.mail.run("postern", "mailbox", "search", "cut", "INBOX", "text", "Subject")
        self.assertEqual(done.stdout, "5\n8\n")


if __name__ == "__main__":
    unittest.main()
