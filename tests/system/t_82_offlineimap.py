"""offlineimap3 keeps a Maildir and an account alike, in both directions; Debian's package, unpacked."""

import imaplib
import os
import subprocess
import unittest

import debian
from instance import Instance

CONFIG = """\
[general]
accounts = test
metadata = {work}/metadata
ui = quiet
[Account test]
localrepository = local
remoterepository = remote
[Repository local]
type = Maildir
localfolders = {work}/mail
[Repository remote]
type = IMAP
remotehost = {host}
remoteport = {port}
ssl = no
starttls = no
remoteuser = bob
remotepass = secret
auth_mechanisms = PLAIN, LOGIN
"""


def text(subject):
    return f"From: Ann <ann@client.test>\r\nSubject: {subject}\r\n\r\nbody of {subject}\r\n".encode()


class Offlineimap(unittest.TestCase):
    def synchronize(self):
        environment = {**os.environ, "HOME": str(self.work), "PYTHONPATH":
                       f"{self.root}/usr/lib/python3/dist-packages:{self.root}/usr/share/offlineimap3"}
        done = subprocess.run(["/usr/bin/python3", self.root / "usr/share/offlineimap3/run", "-o", "-c", self.work / "rc"],
                              env=environment, text=True, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def files(self, folder):
        return sorted((path for part in ("cur", "new") for path in (self.work / "mail" / folder / part).iterdir()),
                      key=lambda path: path.read_text())

    def subjects(self, folder):
        return [path.read_text().split("Subject: ")[1].split("\n")[0] for path in self.files(folder)]

    def flags(self, imap):
        imap.select("INBOX")
        return sorted(line.decode().split(" ", 1)[1] for line in imap.fetch("1:*", "(UID FLAGS)")[1])

    def test_both_ways(self):
        self.root = debian.unpack("offlineimap3", "python3-imaplib2", "python3-distro")
        mail = Instance(services=("imap",))
        mail.start()
        self.addCleanup(mail.__exit__, None)
        mail.add_user("bob")
        self.work = mail.prefix / "work"
        self.work.mkdir()
        host, port = mail.address("imap")
        (self.work / "rc").write_text(CONFIG.format(work=self.work, host=host, port=port))
        with imaplib.IMAP4(host, port) as imap:
            imap.login("bob", "secret")
            for n in range(4):
                imap.append("INBOX", r"(\Flagged)" if n == 3 else None, None, text(f"m{n}"))
            imap.create("Work")
            imap.append("Work", None, None, text("w"))
            self.synchronize()
            self.assertEqual(self.subjects("INBOX"), ["m0", "m1", "m2", "m3"])
            self.assertEqual(self.subjects("Work"), ["w"])
            # Each side changes something else.
            first, second, third, _ = self.files("INBOX")
            first.rename(str(first).replace("/new/", "/cur/") + "S")
            second.unlink()
            (self.work / "mail/INBOX/cur/1.local.host:2,F").write_text("From: a@client.test\nSubject: local\n\nx\n")
            imap.select("INBOX")
            imap.uid("STORE", "3", "+FLAGS", r"(\Answered)")
            imap.append("INBOX", None, None, text("m4"))
            self.synchronize()
            self.assertEqual(self.flags(imap), [r"(UID 1 FLAGS (\Seen))", r"(UID 3 FLAGS (\Answered))", r"(UID 4 FLAGS (\Flagged))",
                                                "(UID 5 FLAGS ())", r"(UID 6 FLAGS (\Flagged))"])
            self.assertEqual(sorted(self.subjects("INBOX")), ["local", "m0", "m2", "m3", "m4"])
            self.assertTrue(any(path.name.endswith(":2,R") for path in self.files("INBOX")))
            # Nothing is left to do.
            before = self.flags(imap)
            self.synchronize()
            self.assertEqual(self.flags(imap), before)


if __name__ == "__main__":
    unittest.main()
