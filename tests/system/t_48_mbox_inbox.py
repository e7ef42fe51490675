"""INBOX as an mbox file: deliveries, IMAP, POP3, mutt and the real Dovecot on one file."""

import contextlib
import fcntl
import imaplib
import mailbox
import os
import pathlib
import poplib
import re
import shutil
import smtplib
import subprocess
import tempfile
import time
import unittest

from instance import Instance, wait

DOVECOT_IMAP = pathlib.Path("/usr/lib/dovecot/imap")
FROM = "From ann@client.test Wed Jul 17 02:23:25 1996\n"


def part(subject, fields=""):
    return f"{FROM}Subject: {subject}\n{fields}\nbody of {subject}\n\n"


class MboxInbox(unittest.TestCase):
    def setUp(self):
        self.mail = Instance(services=("smtp", "imap", "pop3"))
        self.spool = self.mail.prefix / "spool"
        with open(self.mail.etc / "main.cf", "a") as main:
            main.write(f"mailbox_inbox_file = {self.spool}/$user\n")
        self.mail.start()
        self.addCleanup(self.mail.__exit__, None)
        self.owner = self.mail.add_user("bob").parent.stat().st_uid
        self.spool.mkdir()
        os.chmod(self.spool, 0o1777)
        self.file = self.spool / "bob"

    def put(self, text):
        self.file.write_text(text)
        os.chown(self.file, self.owner, -1)

    def imap(self):
        imap = imaplib.IMAP4(*self.mail.address("imap"))
        self.addCleanup(imap.sock.close)
        imap.login("bob", "secret")
        return imap

    def send(self, subject):
        with smtplib.SMTP(*self.mail.address("smtp")) as smtp:
            smtp.sendmail("ann@client.test", ["bob@example.test"], f"Subject: {subject}\n\nFrom here\n\nFrom there\n")

    def contents(self):
        # The file is changed in place: whoever reads it without the lock may see half of a change.
        with open(self.file, "rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH)
            return file.read()

    def subjects(self):
        return re.findall(r"(?m)^Subject: (.*)$", self.contents().decode())

    def as_owner(self, *command, **kwargs):
        user = {"user": self.owner, "group": self.owner, "extra_groups": ()} if os.geteuid() == 0 else {}
        return subprocess.run(command, capture_output=True, timeout=60, cwd="/", **user, **kwargs)

    def test_a_delivery_is_seen_by_imap_and_pop3_and_stays_in_the_file(self):
        self.send("one")
        wait(lambda: self.file.exists() and self.subjects() == ["one"], "the delivery", self.mail.log)
        imap = self.imap()
        self.assertEqual(imap.select()[1], [b"1"])
        text = imap.fetch("1", "BODY.PEEK[TEXT]")[1][0][1]
        self.assertEqual(text.replace(b"\r\n", b"\n"), b"From here\n\nFrom there\n")
        self.assertIn(b">From there", self.file.read_bytes())
        # IDLE hears of the next one.
        imap.send(b"x IDLE\r\n")
        self.assertTrue(imap.readline().startswith(b"+"))
        self.send("two")
        self.assertEqual(imap.readline(), b"* 2 EXISTS\r\n")
        imap.send(b"DONE\r\n")
        while not imap.readline().startswith(b"x OK"):
            pass
        imap.store("1", "+FLAGS", "(\\Flagged Work)")
        imap.store("2", "+FLAGS", "\\Deleted")
        imap.expunge()
        imap.logout()
        wait(lambda: self.subjects() == ["one"], "the expunge in the file", lambda: self.file.read_text())
        self.assertRegex(self.file.read_text(), r"\nX-IMAPbase: \d{10} \d{10} Work\nX-UID: 1\nStatus: O\nX-Status: F\nX-Keywords: Work")
        pop = poplib.POP3(*self.mail.address("pop3"))
        pop.user("bob")
        pop.pass_("secret")
        self.assertEqual(pop.stat()[0], 1)
        pop.dele(1)
        pop.quit()
        wait(lambda: self.subjects() == [], "the deletion in the file", lambda: self.file.read_text())

    def test_uids_of_another_server(self):
        self.put(part("one", "X-IMAPbase: 0846543200 0000000020 Work\nX-UID: 5\nStatus: RO\n") +
                 part("two", "X-UID: 17\nX-Keywords: Work\n") + part("three"))
        imap = self.imap()
        imap.select()
        self.assertEqual(imap.response("UIDVALIDITY")[1], [b"846543200"])
        self.assertEqual(imap.uid("SEARCH", "ALL")[1], [b"5 17 21"])
        self.assertEqual(imap.uid("SEARCH", "KEYWORD Work")[1], [b"17"])
        self.assertEqual(imap.uid("SEARCH", "SEEN")[1], [b"5"])
        kind, data = imap.append("INBOX", "\\Seen", None, b"Subject: four\r\n\r\nbody\r\n")
        self.assertEqual(kind, "OK")
        self.assertEqual(self.subjects()[-1], "four")

    @unittest.skipUnless(DOVECOT_IMAP.exists(), "Dovecot's imap is not installed")
    def test_dovecot_has_the_same_uids_before_and_after(self):
        self.put(part("one") + part("two") + part("three"))
        home = self.mail.prefix / "dovecot"
        home.mkdir()
        os.chown(home, self.owner, -1)
        config = home / "dovecot.conf"
        config.write_text(f"mail_location = mbox:{home}/mail:INBOX={self.file}\nbase_dir = {home}\nlog_path = /dev/stderr\n"
                          "first_valid_uid = 1\nssl = no\nstats_writer_socket_path =\nmbox_write_locks = fcntl\n"
                          "namespace inbox {\n  inbox = yes\n}\n")

        def dovecot(*commands):
            text = "".join(f"a{i} {c}\r\n" for i, c in enumerate((*commands, "LOGOUT")))
            done = self.as_owner(str(DOVECOT_IMAP), "-c", str(config), input=text.encode(), env={"USER": "bob", "HOME": str(home)})
            answer = done.stdout.decode()
            self.assertIn(f"a{len(commands)} OK", answer, done.stderr)
            return answer

        theirs = dovecot("SELECT INBOX", "STORE 2 +FLAGS (\\Flagged Work)", "STORE 1 +FLAGS \\Deleted",
                         "UID FETCH 1:* FLAGS")
        validity = re.search(r"UIDVALIDITY (\d+)", theirs).group(1)
        self.assertIn("X-IMAPbase", self.file.read_text())
        imap = self.imap()
        imap.select()
        self.assertEqual(imap.response("UIDVALIDITY")[1], [validity.encode()])
        self.assertEqual(imap.uid("SEARCH", "ALL")[1], [b"1 2 3"])
        self.assertEqual(imap.uid("SEARCH", "DELETED")[1], [b"1"])
        imap.expunge()
        self.assertEqual(imap.uid("SEARCH", "FLAGGED KEYWORD Work")[1], [b"2"])
        imap.store("2", "+FLAGS", "\\Answered")
        imap.append("INBOX", "\\Seen", None, b"Subject: four\r\n\r\nbody\r\n")
        imap.logout()
        wait(lambda: "X-Status: A" in self.file.read_text(), "the flag in the file")
        for path in (home / "mail").rglob("*"):
            if path.is_file():
                path.unlink()  # Dovecot's own index: the file alone tells
        back = dovecot("SELECT INBOX", "UID FETCH 1:* FLAGS")
        self.assertIn(f"UIDVALIDITY {validity}", back)
        rows = {int(uid): set(flags.split()) - {"\\Recent"} for uid, flags in re.findall(r"UID (\d+) FLAGS \(([^)]*)\)", back)}
        self.assertEqual(rows, {2: {"\\Flagged", "Work"}, 3: {"\\Answered"}, 4: {"\\Seen"}})

    @unittest.skipUnless(shutil.which("mutt"), "mutt is not installed")
    def test_mutt_and_a_session_and_deliveries(self):
        self.put("".join(part(str(i)) for i in range(10)))
        imap = self.imap()
        imap.select()
        imap.store("3", "+FLAGS", "\\Flagged")
        # mutt deletes two, and reads one, while the session is there and mail comes in.
        home = self.mail.prefix / "mutt"
        home.mkdir()
        os.chown(home, self.owner, -1)
        rc = home / "muttrc"
        rc.write_text(f"set folder={home}\nset mbox_type=mbox\nset move=no\nset delete=yes\nset confirmappend=no\nset quit=yes\nset read_inc=0\n"
                      "push '<first-entry><delete-pattern>~s [45]<enter><tag-pattern>~s 7<enter><tag-prefix><set-flag>r<sync-mailbox><quit>'\n")
        self.send("new")
        env = {"HOME": str(home), "TERM": "vt100", "USER": "bob", "PATH": "/usr/bin:/bin", "LINES": "24", "COLUMNS": "80"}
        done = self.as_owner("script", "-qec", f"mutt -F {rc} -n -f {self.file}", "/dev/null", env=env, stdin=subprocess.DEVNULL)
        wait(lambda: "4" not in self.subjects() and "5" not in self.subjects(), "mutt's deletions",
             lambda: (done, self.subjects()))
        wait(lambda: imap.noop() and imap.select()[1] == [b"9"], "the session sees all of it", lambda: (imap.select(), self.subjects()))
        self.assertEqual(imap.uid("SEARCH", "FLAGGED")[1], [b"3"])
        self.assertEqual(imap.uid("SEARCH", "UID 5,6")[1], [b""])
        self.assertEqual(imap.uid("SEARCH", "ANSWERED")[1], [b"8"])
        imap.logout()
        wait(lambda: "X-Status: F" in self.file.read_text(), "the session's flag in the file")
        self.assertEqual(sorted(self.subjects()), ["0", "1", "2", "3", "6", "7", "8", "9", "new"])

    def test_deliveries_and_two_clients_at_once(self):
        self.put("")
        clients = [self.imap(), self.imap()]
        for client in clients:
            client.select()
        removed = 0
        for i in range(20):
            self.send(str(i))
            clients[i % 2].noop()
            if i % 5 == 4:
                wait(lambda: clients[0].noop() and clients[0].search(None, "ALL")[1] != [b""], "a message", self.mail.log)
                clients[0].store("1", "+FLAGS", "\\Deleted")
                clients[0].expunge()
                removed += 1

        def count(client):
            client.noop()
            return len(client.search(None, "ALL")[1][0].split())

        wait(lambda: count(clients[0]) == 20 - removed == count(clients[1]), "all of them", self.mail.log)
        for client in clients:
            client.logout()
        wait(lambda: len(self.subjects()) == 16, "the same in the file", lambda: self.subjects())
        with tempfile.NamedTemporaryFile() as copy:
            copy.write(self.contents())
            copy.flush()
            with contextlib.closing(mailbox.mbox(copy.name)) as box:
                self.assertEqual(len(list(box)), 16)

    def test_a_file_that_another_program_holds(self):
        self.put(part("one"))
        imap = self.imap()
        imap.select()
        imap.noop()
        with open(self.file, "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            began = time.monotonic()
            imap.store("1", "+FLAGS", "\\Seen")
            imap.noop()
            self.assertLess(time.monotonic() - began, 5)
            self.assertNotIn("Status: RO", self.file.read_text())
        wait(lambda: imap.noop() and "Status: RO" in self.file.read_text(), "the flag, later", lambda: self.file.read_text())

    def test_no_mbox_and_no_rights(self):
        self.put("this is no mbox\n")
        imap = self.imap()
        self.assertEqual(imap.select()[1], [b"0"])
        self.mail.wait_log(r"warning: mailbox .*/spool/bob: not an mbox")
        self.assertEqual(self.file.read_text(), "this is no mbox\n")
        imap.logout()
        if os.geteuid() == 0:
            os.chown(self.file, 0, 0)
            os.chmod(self.file, 0o600)
            imap = self.imap()
            self.assertEqual(imap.select()[0], "OK")
            self.mail.wait_log(r"warning: mailbox .*/spool/bob: .*[Pp]ermission denied")


if __name__ == "__main__":
    unittest.main()
