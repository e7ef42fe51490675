"""Mailboxes move between servers: a Maildir of the real Dovecot is adopted with UIDs, flags, keywords and
subscriptions, and Dovecot takes ours over; postern mailbox."""

import imaplib
import os
import pathlib
import poplib
import re
import subprocess
import unittest

from instance import Instance

DOVECOT_IMAP = pathlib.Path("/usr/lib/dovecot/imap")


class Dovecot:
    """Dovecot's imap for one Maildir, speaking on standard input and output as the Maildir's owner."""

    def __init__(self, maildir, more="", separator=".", prefix=""):
        self.maildir = pathlib.Path(maildir)
        self.owner = self.maildir.parent.stat().st_uid
        self.config = self.maildir.parent / "dovecot.conf"
        run = self.maildir.parent / "dovecot-run"
        run.mkdir(exist_ok=True)
        os.chown(run, self.owner, -1)
        self.config.write_text(f"mail_location = maildir:{self.maildir}\nbase_dir = {run}\nlog_path = /dev/stderr\n"
                               "first_valid_uid = 1\nssl = no\nstats_writer_socket_path =\n"
                               f"namespace inbox {{\n  inbox = yes\n  separator = {separator}\n  prefix = {prefix}\n}}\n" + more)

    def say(self, *commands):
        text = "".join(f"a{i} {command}\r\n" for i, command in enumerate((*commands, "LOGOUT")))
        user = {"user": self.owner, "group": self.owner, "extra_groups": ()} if os.geteuid() == 0 else {}
        done = subprocess.run([DOVECOT_IMAP, "-c", self.config], input=text.encode(), capture_output=True, timeout=60,
                              cwd="/", env={"USER": "somebody", "HOME": str(self.maildir.parent)}, **user)
        answer = done.stdout.decode()
        if f"a{len(commands)} OK" not in answer:
            raise AssertionError(f"{answer}\n{done.stderr.decode()}")
        return answer


def append(folder, flags, subject):
    text = f"Subject: {subject}\r\n\r\nbody\r\n"
    return f"APPEND {folder} ({flags}) {{{len(text)}+}}\r\n{text}"


def rows(answer):
    """{uid: flags} of FETCH responses."""
    lines = answer if isinstance(answer, str) else b"\n".join(x if isinstance(x, bytes) else x[0] for x in answer).decode()
    out = {}
    for uid, flags in re.findall(r"\(UID (\d+) FLAGS \(([^)]*)\)", lines):
        out[int(uid)] = {f for f in flags.split() if f != "\\Recent"}
    return out


class Moves(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mail = Instance(services=("imap", "pop3"))
        cls.mail.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None, None, None)

    def imap(self, user):
        imap = imaplib.IMAP4(*self.mail.address("imap"))
        self.addCleanup(imap.sock.close)
        imap.login(user, "secret")
        return imap

    def postern(self, *words, **more):
        return self.mail.run("postern", "mailbox", *map(str, words), **more).stdout

    @unittest.skipUnless(DOVECOT_IMAP.exists() and os.geteuid() == 0, "needs root and Debian's dovecot-imapd")
    def test_there_and_back(self):
        maildir = self.mail.add_user("mover")
        owner = pathlib.Path(maildir).parent.stat().st_uid
        if owner == 0:
            self.skipTest("Dovecot serves no mailbox of root's")
        dovecot = Dovecot(maildir)
        told = dovecot.say("CREATE Work.a", "SUBSCRIBE Work.a", append("INBOX", "\\Seen Job $Junk", "one"),
                           append("INBOX", "", "two"), append("INBOX", "\\Flagged", "three"),
                           append("Work.a", "\\Answered", "four"), "SELECT INBOX", "STORE 2 +FLAGS (\\Deleted)", "EXPUNGE",
                           append("INBOX", "Other", "five"))
        validity = re.search(r"UIDVALIDITY (\d+)", told).group(1)
        before = rows(dovecot.say("SELECT INBOX", "UID FETCH 1:* (UID FLAGS)"))
        self.assertEqual(set(before), {1, 3, 4})

        imap = self.imap("mover")
        imap.select("INBOX")
        self.assertEqual(imap.response("UIDVALIDITY")[1], [validity.encode()])
        self.assertEqual(rows(imap.uid("FETCH", "1:*", "(UID FLAGS)")[1]), before)
        self.assertIn(b'() "." Work.a', imap.lsub()[1])
        # Dovecot's pop3_uidl_format as it is shipped, %08Xu%08Xv: mail left on the server is not fetched again.
        pop3 = poplib.POP3(*self.mail.address("pop3"))
        self.addCleanup(pop3.close)
        pop3.user("mover")
        pop3.pass_("secret")
        self.assertEqual([line.split()[1].decode() for line in pop3.uidl()[1]],
                         [f"{uid:08X}{int(validity):08X}" for uid in sorted(before)])
        pop3.quit()
        imap.uid("STORE", "4", "+FLAGS", "(\\Seen New)")
        imap.append("INBOX", "(Job)", None, b"Subject: six\r\n\r\nbody\r\n")
        imap.subscribe("Work")
        after = rows(imap.uid("FETCH", "1:*", "(UID FLAGS)")[1])
        self.assertEqual(after[4], {"\\Seen", "Other", "New"})
        self.assertEqual(after[5], {"Job"})
        imap.logout()

        self.assertEqual(self.postern("export", "mover", "--dovecot"), "5 messages are ready for Dovecot\n")
        told = dovecot.say("SELECT INBOX", "UID FETCH 1:* (UID FLAGS)", 'LSUB "" *', "SELECT Work.a", "UID FETCH 1:* (UID FLAGS)")
        self.assertIn(f"UIDVALIDITY {validity}", told)
        inbox, work = told.split("Work.a", 1)[0], told.rsplit("UIDNEXT", 1)[-1]
        self.assertEqual(rows(inbox), after)
        self.assertEqual(rows(work), {1: {"\\Answered"}})
        self.assertRegex(told, r'LSUB \(.*\) "\." Work\r\n')

    @unittest.skipUnless(DOVECOT_IMAP.exists() and os.geteuid() == 0, "needs root and Debian's dovecot-imapd")
    def test_there_again(self):
        """A trial, a step back, the move; and a client that adds to a folder which it has not opened."""
        maildir = self.mail.add_user("wavering")
        if pathlib.Path(maildir).parent.stat().st_uid == 0:
            self.skipTest("Dovecot serves no mailbox of root's")
        dovecot = Dovecot(maildir)
        told = dovecot.say("CREATE Sent", append("Sent", "\\Seen", "one"), append("Sent", "\\Seen", "two"), "SELECT Sent",
                           "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE")
        validity = re.search(r"UIDVALIDITY (\d+)", told).group(1)
        imap = self.imap("wavering")
        message = b"Subject: by us\r\n\r\nbody\r\n"
        self.assertEqual(imap.append("Sent", None, None, message)[1], [f"[APPENDUID {validity} 3] Append completed.".encode()])
        imap.select("Sent")
        self.assertEqual(set(rows(imap.uid("FETCH", "1:*", "(UID FLAGS)")[1])), {2, 3})
        imap.logout()
        self.postern("export", "wavering", "--dovecot")
        dovecot.say(append("Sent", "", "four"), append("Sent", "", "five"), append("Sent", "", "six"), "SELECT Sent",
                    "UID STORE 4,6 +FLAGS (\\Deleted)", "EXPUNGE")
        imap = self.imap("wavering")
        self.assertEqual(imap.append("Sent", None, None, message)[1], [f"[APPENDUID {validity} 7] Append completed.".encode()])
        imap.select("Sent")
        self.assertEqual(set(rows(imap.uid("FETCH", "1:*", "(UID FLAGS)")[1])), {2, 3, 5, 7})
        imap.logout()

    @unittest.skipUnless(DOVECOT_IMAP.exists() and os.geteuid() == 0, "needs root and Debian's dovecot-imapd")
    def test_names_as_dovecots_namespace_had_them(self):
        mail = Instance({"mailbox_separator": "/", "mailbox_prefix": "INBOX/"}, services=("imap",))
        mail.start()
        self.addCleanup(mail.__exit__, None)
        maildir = mail.add_user("mover")
        if pathlib.Path(maildir).parent.stat().st_uid == 0:
            self.skipTest("Dovecot serves no mailbox of root's")
        dovecot = Dovecot(maildir, separator="/", prefix="INBOX/")
        dovecot.say("CREATE INBOX/Work/a", "CREATE INBOX/Entw&APw-rfe", "SUBSCRIBE INBOX/Work/a", "SUBSCRIBE INBOX",
                    append("INBOX/Work/a", "\\Answered", "one"))
        listed = {"LIST", "LSUB"}
        told = {verb: sorted(re.findall(rf'{verb} \(.*\) ("/" .*)\r', dovecot.say(f'{verb} "" *'))) for verb in listed}
        self.assertEqual(told["LSUB"], ['"/" INBOX', '"/" INBOX/Work/a'])
        imap = imaplib.IMAP4(*mail.address("imap"))
        self.addCleanup(imap.sock.close)
        imap.login("mover", "secret")
        ours = {verb: sorted(line.decode().split(") ")[1] for line in answer[1])
                for verb, answer in (("LIST", imap.list('""', "*")), ("LSUB", imap.lsub('""', "*")))}
        self.assertEqual(ours, told)
        self.assertEqual(imap.select("INBOX/Work/a")[1], [b"1"])
        imap.unsubscribe("INBOX/Work/a")
        imap.subscribe("INBOX/Entw&APw-rfe")
        imap.logout()
        mail.run("postern", "mailbox", "export", "mover", "--dovecot")
        self.assertIn('LSUB () "/" INBOX/Entw&APw-rfe\r\n', dovecot.say('LSUB "" *'))

    @unittest.skipUnless(DOVECOT_IMAP.exists() and os.geteuid() == 0, "needs root and Debian's dovecot-imapd")
    def test_messages_that_dovecot_compressed(self):
        maildir = self.mail.add_user("saver")
        owner = pathlib.Path(maildir).parent.stat().st_uid
        if owner == 0:
            self.skipTest("Dovecot serves no mailbox of root's")
        text = "Subject: long\r\n\r\n" + "the same again\r\n" * 5000
        zlib = "protocol imap {\n  mail_plugins = zlib\n}\nplugin {\n  zlib_save = gz\n}\n"
        Dovecot(maildir, zlib).say(f"APPEND INBOX {{{len(text)}+}}\r\n{text}", append("INBOX", "", "short"))
        files = sorted((f.read_bytes() for part in ("new", "cur") for f in (maildir / part).iterdir()), key=len)
        self.assertTrue(all(f.startswith(b"\x1f\x8b") for f in files) and len(files[1]) < 1000, "Dovecot did not compress")
        imap = self.imap("saver")
        imap.select("INBOX")
        self.assertEqual(imap.fetch("1", "(RFC822.SIZE BODY.PEEK[HEADER] BODY.PEEK[])")[1][0][0],
                         f"1 (RFC822.SIZE {len(text)} BODY[HEADER] {{17}}".encode())
        self.assertEqual(imap.fetch("1", "(BODY.PEEK[])")[1][0][1], text.encode())
        self.assertEqual(imap.search(None, "BODY", '"same again"')[1], [b"1"])
        self.assertEqual(imap.copy("1:2", "INBOX")[0], "OK")
        self.assertEqual(imap.fetch("3", "(RFC822.SIZE)")[1], [f"3 (RFC822.SIZE {len(text)})".encode()])
        pop3 = poplib.POP3(*self.mail.address("pop3"))
        self.addCleanup(pop3.close)
        pop3.user("saver")
        pop3.pass_("secret")
        self.assertEqual(int(pop3.list(1).split()[2]), len(text))
        self.assertEqual(b"\r\n".join(pop3.retr(1)[1]) + b"\r\n", text.encode())
        pop3.quit()
        self.assertEqual(self.postern("check", "saver"), "no problems\n")
        # By a method that we do not know, or damaged: said, and nothing else suffers.
        for name, bytes_ in (("1.M1.x", b"BZh91AY&SY......"), ("2.M2.x", files[1][:100])):
            (maildir / "new" / name).write_bytes(bytes_)
            os.chown(maildir / "new" / name, owner, -1)
        imap.noop()
        answer, _ = imap.fetch("5:6", "(BODY.PEEK[])")
        self.assertEqual(answer, "NO")
        self.mail.wait_log("compressed message: bzip2 cannot be read")
        self.assertEqual(imap.fetch("2", "(BODY.PEEK[])")[0], "OK")

    def test_postern_mailbox(self):
        self.mail.add_user("keeper")
        box = self.mail.queue.parent / "old.mbox"
        box.write_text("From a@x Thu Jan  1 00:00:07 1970\nSubject: one\nStatus: RO\n\nbody\n\n"
                       "From a@x Thu Jan  1 00:00:08 1970\nSubject: two\n\nbody\n")
        box.chmod(0o644)
        box.parent.chmod(box.parent.stat().st_mode | 0o011)
        self.assertEqual(self.postern("import", "keeper", "--mbox", box, "Old"), "2 messages\n")
        imap = self.imap("keeper")
        imap.select("Old")
        self.assertEqual(imap.search(None, "UNSEEN")[1], [b"2"])
        self.assertEqual(self.postern("search", "keeper", "Old", "subject", "TWO"), "2\n")
        self.assertIn("Old messages=2 unseen=1 ", self.postern("status", "keeper"))
        self.assertEqual(self.postern("check", "keeper"), "no problems\n")
        self.assertIn("Old: 2 messages\n", self.postern("rebuild", "keeper"))
        self.assertIn("Subject: two\nStatus: O\n\nbody\n", self.postern("export", "keeper", "--mbox", "Old"))
        self.assertEqual(imap.fetch("1", "FLAGS")[1], [b"1 (FLAGS (\\Seen \\Recent))"])
        self.assertIn("no such user", self.mail.run("postern", "mailbox", "list", "nobody-here", check=False).stderr)
