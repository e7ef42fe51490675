"""A Maildir of the real Courier is adopted: UIDs, flags, keywords, subscriptions, and the unique ids of its POP3 server, while
its files stay as they are. Courier's programs come from Debian's packages, unpacked: installed, they conflict with Dovecot's."""

import imaplib
import os
import pathlib
import poplib
import re
import subprocess
import unittest

import debian
from instance import Instance
from t_46_mailbox_moves import append as append_at_once, rows

PACKAGES = ("courier-imap", "courier-pop", "courier-base", "courier-authlib", "libcourier-unicode4", "libgamin0")
PROGRAMS = {"imap": "usr/bin/imapd", "pop3": "usr/lib/courier/courier/courierpop3d"}


def append(*what):
    return append_at_once(*what).replace("+}", "}")  # it has no LITERAL+


class Courier:
    """Courier's servers for one Maildir, after their login, on standard input and output."""

    def __init__(self, maildir):
        self.root = debian.unpack(*PACKAGES)
        self.maildir = pathlib.Path(maildir)
        self.owner = self.maildir.parent.stat().st_uid
        libraries = {str(path.parent) for path in self.root.glob("usr/lib/**/lib*.so*")}
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.maildir.parent), "LD_LIBRARY_PATH": ":".join(sorted(libraries)),
                            "AUTHENTICATED": "somebody", "AUTHADDR": "somebody", "IMAP_KEYWORDS": "1", "IMAP_EMPTYTRASH": "",
                            "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE IDLE"}

    def talk(self, protocol, *commands):
        tags = protocol == "imap"
        text = "".join((f"a{i} " if tags else "") + f"{c}\r\n" for i, c in enumerate((*commands, "LOGOUT" if tags else "QUIT")))
        user = {"user": self.owner, "group": self.owner, "extra_groups": ()} if os.geteuid() == 0 else {}
        done = subprocess.run([self.root / PROGRAMS[protocol], self.maildir.name], input=text.encode(), capture_output=True, timeout=60,
                              cwd=self.maildir.parent, env=self.environment, **user)
        answer = done.stdout.decode()
        if (f"a{len(commands)} OK" if tags else "+OK Bye") not in answer:
            raise AssertionError(f"{answer}\n{done.stderr.decode()}")
        return answer


class Adoption(unittest.TestCase):
    def test_no_client_notices(self):
        with Instance({"mailbox_prefix": "INBOX."}, services=("imap", "pop3")) as mail:
            maildir = mail.add_user("mover")
            if maildir.parent.stat().st_uid == 0:
                self.skipTest("Courier serves no mailbox of root's")
            for path in (maildir, *(maildir / part for part in ("cur", "new", "tmp"))):
                path.mkdir()
                os.chown(path, maildir.parent.stat().st_uid, maildir.parent.stat().st_gid)
            courier = Courier(maildir)
            told = courier.talk("imap", "CREATE INBOX.Work.a", "SUBSCRIBE INBOX.Work.a", append("INBOX", "\\Seen Job", "one"),
                                append("INBOX", "\\Deleted", "two"), append("INBOX", "\\Flagged", "three"), append("INBOX.Work.a", "\\Answered", "four"),
                                "SELECT INBOX", "EXPUNGE")
            validity = re.search(r"UIDVALIDITY (\d+)", told).group(1)
            before = rows(courier.talk("imap", "SELECT INBOX", "UID FETCH 1:* (UID FLAGS)"))
            self.assertEqual(before, {1: {"\\Seen", "Job"}, 3: {"\\Flagged"}})
            # In Courier's order, which is that of the files' names and not always that of the UIDs.
            told = courier.talk("pop3", "UIDL", "TOP 1 0", "TOP 2 0")
            ids = dict(zip(re.findall(r"^Subject: (\w+)\r$", told, re.M), re.findall(r"^\d+ (UID\S+)\r$", told, re.M)))
            self.assertEqual(sorted(ids), ["one", "three"])

            imap = imaplib.IMAP4(*mail.address("imap"))
            self.addCleanup(lambda: imap.state == "LOGOUT" or imap.shutdown())
            imap.login("mover", "secret")
            imap.select()
            self.assertEqual(imap.response("UIDVALIDITY")[1], [validity.encode()])
            self.assertEqual(imap.response("UIDNEXT")[1], [b"4"])
            self.assertEqual(rows(imap.uid("FETCH", "1:*", "(UID FLAGS)")[1]), before)
            self.assertEqual(imap.namespace()[1], [b'(("INBOX." ".")) NIL NIL'])
            self.assertIn(b'() "." INBOX.Work.a', imap.lsub()[1])
            imap.append("INBOX", None, None, b"Subject: five\r\n\r\nbody\r\n")

            pop3 = poplib.POP3(*mail.address("pop3"))
            self.addCleanup(pop3.close)
            pop3.user("mover")
            pop3.pass_("secret")
            self.assertEqual([line.split()[1].decode() for line in pop3.uidl()[1]], [ids["one"], ids["three"], f"{4:08X}{int(validity):08X}"])
            pop3.quit()
            imap.logout()
            # It may go on with the Maildir: its own UIDs are where they were.
            after = rows(courier.talk("imap", "SELECT INBOX", "UID FETCH 1:3 (UID FLAGS)"))
            self.assertEqual({uid: flags - {"Job"} for uid, flags in after.items()}, {1: {"\\Seen"}, 3: {"\\Flagged"}})


if __name__ == "__main__":
    unittest.main()
