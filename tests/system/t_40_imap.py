"""IMAP as real clients use it: Python's imaplib, curl, mbsync; IDLE sees a delivery; a session that is
killed costs nobody else's."""

import imaplib
import os
import pathlib
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from instance import Instance

TEXT = ("From: Ann <ann@client.test>\r\nTo: bob@example.test\r\nSubject: {subject}\r\n"
        "Date: Wed, 17 Jul 1996 02:23:25 -0700\r\n\r\nline one\r\nline two\r\n")


def text(subject):
    return TEXT.format(subject=subject).encode()


def deliver(mail, subject, to="bob@example.test"):
    with smtplib.SMTP(*mail.address("smtp")) as smtp:
        smtp.sendmail("ann@client.test", [to], text(subject))


class Commands(unittest.TestCase):
    def ok(self, answer):
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    def test_imaplib(self):
        with Instance(services=("imap",)) as mail:
            mail.add_user("bob")
            with imaplib.IMAP4(*mail.address("imap")) as imap:
                self.ok(imap.login("bob", "secret"))
                self.ok(imap.create("Work"))
                self.ok(imap.create("Work.2026"))
                for n in range(5):
                    self.ok(imap.append("INBOX", r"(\Seen)" if n == 0 else None, None, text(f"number {n}")))
                self.assertEqual(self.ok(imap.select()), [b"5"])
                self.assertEqual(self.ok(imap.search(None, "UNSEEN")), [b"2 3 4 5"])
                self.assertEqual(self.ok(imap.uid("search", "SUBJECT", '"number 3"')), [b"4"])
                fetched = self.ok(imap.fetch("2", "(BODY.PEEK[] RFC822.SIZE ENVELOPE)"))
                self.assertEqual(fetched[0][1], text("number 1"))
                self.assertIn(b'("Ann" NIL "ann" "client.test")', fetched[1] + fetched[0][0])
                self.ok(imap.store("1:2", "+FLAGS", r"(\Deleted $Label)"))
                self.ok(imap.copy("3:4", "Work"))
                self.assertEqual(self.ok(imap.expunge()), [b"1", b"1"])
                self.assertEqual(self.ok(imap.status("Work", "(MESSAGES UIDNEXT)")), [b"Work (MESSAGES 2 UIDNEXT 3)"])
                self.ok(imap.rename("Work", "Done"))
                names = [line.split()[-1] for line in self.ok(imap.list())]
                self.assertEqual(names, [b"INBOX", b"Done", b"Done.2026"])
                self.ok(imap.subscribe("Done"))
                self.assertEqual(len(self.ok(imap.lsub())), 1)
                self.ok(imap.select("Done", readonly=True))
                self.assertEqual(imap.store("1", "+FLAGS", r"(\Seen)")[0], "NO")
                self.ok(imap.close())
                self.ok(imap.delete("Done"))

    def test_tls_both_ways(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        key, certificate = folder.name + "/key.pem", folder.name + "/cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=mail.example.test", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        os.chmod(key, 0o644)  # the instance may run as somebody else
        with Instance(services=("imap", "imaps"),
                      params={"login_tls_cert_file": certificate, "login_tls_key_file": key}) as mail:
            mail.add_user("bob")
            trusting = ssl.create_default_context()
            trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
            big = text("big") + b"x" * 70 * 1000 + b"\r\n" * 50000
            with imaplib.IMAP4(*mail.address("imap")) as imap:
                imap.starttls(trusting)
                self.ok(imap.login("bob", "secret"))
                self.ok(imap.append("INBOX", None, None, big))
            with imaplib.IMAP4_SSL(*mail.address("imaps"), ssl_context=trusting) as imap:
                self.ok(imap.login("bob", "secret"))
                self.ok(imap.select())
                self.assertEqual(self.ok(imap.fetch("1", "(BODY[])"))[0][1], big)
        pair = folder.name + "/pair.pem"
        pathlib.Path(pair).write_text(pathlib.Path(key).read_text() + pathlib.Path(certificate).read_text())
        os.chmod(pair, 0o644)
        with Instance(services=("imaps",), params={"login_tls_chain_files": pair, "login_tls_protocols": ">=TLSv1.3"}) as mail:
            with imaplib.IMAP4_SSL(*mail.address("imaps"), ssl_context=trusting) as imap:
                self.assertEqual(imap.sock.version(), "TLSv1.3")
            trusting.maximum_version = ssl.TLSVersion.TLSv1_2
            with self.assertRaises(OSError):
                imaplib.IMAP4_SSL(*mail.address("imaps"), ssl_context=trusting)
        with Instance(services=("imaps",), params={"login_tls_chain_files": pair, "login_tls_exclude_ciphers": "AESGCM"}) as mail:
            with imaplib.IMAP4_SSL(*mail.address("imaps"), ssl_context=trusting) as imap:
                self.assertNotIn("GCM", imap.sock.cipher()[0])

    def test_curl(self):
        with Instance(services=("imap",)) as mail:
            maildir = mail.add_user("bob")
            url = "imap://%s:%d/INBOX" % mail.address("imap")
            curl = ["curl", "-sS", "--max-time", "30", "-u", "bob:secret"]
            letter = mail.prefix / "letter"
            letter.write_bytes(text("by curl"))
            subprocess.run([*curl, "-T", letter, url], check=True)
            self.assertEqual(len(mail.messages(maildir)), 1)
            got = subprocess.run([*curl, url + ";UID=1"], check=True, stdout=subprocess.PIPE).stdout
            self.assertEqual(got, text("by curl"))


class Idle(unittest.TestCase):
    def test_a_delivery_is_told_at_once(self):
        with Instance(services=("smtp", "imap")) as mail:
            mail.add_user("bob")
            with socket.create_connection(mail.address("imap")) as client:
                lines = client.makefile("rb")

                def until(start):
                    while not (line := lines.readline()).startswith(start):
                        self.assertTrue(line, "the connection ended")
                    return line

                client.sendall(b"a LOGIN bob secret\r\n")
                self.assertTrue(until(b"a ").startswith(b"a OK"))
                client.sendall(b"b SELECT INBOX\r\n")
                until(b"b OK")
                client.sendall(b"c IDLE\r\n")
                until(b"+ ")
                deliver(mail, "wake up")
                self.assertEqual(until(b"* 1"), b"* 1 EXISTS\r\n")
                client.sendall(b"DONE\r\nd LOGOUT\r\n")
                until(b"c OK")
                until(b"d OK")

    def test_a_killed_session_costs_only_itself(self):
        with Instance(services=("imap",)) as mail:
            maildir = mail.add_user("bob")
            first, second = imaplib.IMAP4(*mail.address("imap")), imaplib.IMAP4(*mail.address("imap"))
            workers = []
            for imap in (first, second):
                imap.login("bob", "secret")
                imap.select()
                workers.append(set(mail.sessions("imapd")))
            (worker,) = workers[0]
            self.assertEqual(len(workers[1]), 2)
            os.kill(worker, signal.SIGKILL)
            with self.assertRaises((imaplib.IMAP4.abort, OSError)):
                first.noop()
            self.assertEqual(second.append("INBOX", None, None, text("still here"))[0], "OK")
            self.assertEqual(len(mail.messages(maildir)), 1)
            second.logout()
            first.shutdown()


class Mbsync(unittest.TestCase):
    def test_two_way_sync(self):
        with Instance(services=("smtp", "imap")) as mail:
            maildir = mail.add_user("bob")
            for n in range(3):
                deliver(mail, f"remote {n}")
            mail.wait_messages(maildir, 3)
            local = mail.prefix / "local"
            local.mkdir()
            config = mail.prefix / "mbsyncrc"
            host, port = mail.address("imap")
            config.write_text(f"IMAPAccount a\nHost {host}\nPort {port}\nUser bob\nPass secret\nSSLType None\n"
                              f"AuthMechs LOGIN\n\nIMAPStore far\nAccount a\n\nMaildirStore near\n"
                              f"Inbox {local}/INBOX\nSubFolders Maildir++\n\nChannel c\nFar :far:\nNear :near:\n"
                              "Patterns *\nCreate Both\nExpunge Both\nSyncState *\n")

            def sync():
                done = subprocess.run(["mbsync", "-c", config, "-a"], text=True, capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

            sync()
            near = [p for sub in ("new", "cur") for p in (local / "INBOX" / sub).iterdir()]
            self.assertEqual(len(near), 3)
            near[0].unlink()
            (local / "INBOX" / "new" / f"{int(time.time())}.M1.me").write_bytes(text("local one").replace(b"\r", b""))
            sync()
            with imaplib.IMAP4(host, port) as imap:
                imap.login("bob", "secret")
                self.assertEqual(imap.select()[1], [b"3"])
                self.assertEqual(len(imap.search(None, "SUBJECT", "local")[1][0].split()), 1)


if __name__ == "__main__":
    unittest.main()
