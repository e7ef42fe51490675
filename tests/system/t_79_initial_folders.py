"""Folders as a user first meets them. mailbox_initial_folders: made and subscribed at the first login, with the uses that clients
learn from their names; what their user deletes stays away. mailbox_prefix and mailbox_separator: their names as another server had them."""

import imaplib
import unittest

from instance import Instance


class InitialFolders(unittest.TestCase):
    def serve(self, value, **parameters):
        mail = Instance({"mailbox_initial_folders": value, **parameters}, services=("imap", "pop3"))
        mail.start()
        self.addCleanup(mail.__exit__, None)
        return mail

    def imap(self, mail, user):
        imap = imaplib.IMAP4(*mail.address("imap"))
        self.addCleanup(imap.shutdown)
        imap.login(user, "secret")
        return imap

    def test_are_made_once(self):
        mail = self.serve("Drafts, Sent, Junk, Trash, My_Notes, Entw\u00fcrfe")
        maildir = mail.add_user("bob")
        imap = self.imap(mail, "bob")
        names = b"\n".join(imap.list()[1])
        for line in (b'(\\HasNoChildren \\Drafts) "." Drafts', b'(\\HasNoChildren \\Sent) "." Sent', b'(\\HasNoChildren \\Junk) "." Junk',
                     b'(\\HasNoChildren \\Trash) "." Trash', b'(\\HasNoChildren) "." "My Notes"', b'(\\HasNoChildren) "." Entw&APw-rfe'):
            self.assertIn(line, names)
        self.assertEqual(len(imap.lsub()[1]), 6)
        self.assertEqual(imap.append("Sent", None, None, b"Subject: x\r\n\r\nx\r\n")[0], "OK")
        self.assertEqual(imap.delete("Junk")[0], "OK")
        self.assertEqual(imap.unsubscribe("Junk")[0], "OK")
        again = self.imap(mail, "bob")
        self.assertNotIn(b"Junk", b"\n".join(again.list()[1]))
        self.assertEqual(len(again.lsub()[1]), 5)
        self.assertTrue((maildir / "postern.initial-folders").exists())
        # Another user has his own; a folder that was there before stays what it was.
        other = mail.add_user("eve")
        self.assertTrue((self.imap(mail, "eve").list()[1]))
        self.assertTrue((other / ".Junk/cur").is_dir())

    def test_names_that_cannot_be_are_told(self):
        mail = self.serve("Good, a..b, x/y")
        mail.add_user("bob")
        imap = self.imap(mail, "bob")
        self.assertEqual(imap.select()[0], "OK")
        self.assertIn(b'(\\HasNoChildren) "." Good', imap.list()[1])
        mail.wait_log("warning: .*mailbox_initial_folders: ")

    def test_names_as_another_server_had_them(self):
        mail = self.serve("Sent, Archive/2026", mailbox_separator="/", mailbox_prefix="INBOX/")
        maildir = mail.add_user("bob")
        imap = self.imap(mail, "bob")
        self.assertEqual(imap.namespace()[1], [b'(("INBOX/" "/")) NIL NIL'])
        self.assertEqual(imap.list()[1], [b'(\\HasChildren) "/" INBOX', b'(\\Noselect \\HasChildren \\Archive) "/" INBOX/Archive',
                                          b'(\\HasNoChildren) "/" INBOX/Archive/2026', b'(\\HasNoChildren \\Sent) "/" INBOX/Sent'])
        self.assertTrue((maildir / ".Archive.2026/cur").is_dir())
        self.assertEqual(imap.append("INBOX/Archive/2026", None, None, b"Subject: x\r\n\r\nx\r\n")[0], "OK")
        self.assertEqual(imap.select("INBOX/Archive/2026")[1], [b"1"])
        answer, words = imap.create("Elsewhere")
        self.assertEqual((answer, words), ("NO", [b'[CANNOT] Invalid mailbox name; your own begin with "INBOX/"']))

    def test_a_prefix_that_cannot_be(self):
        mail = self.serve("Sent", mailbox_prefix="IN%BOX")
        mail.add_user("bob")
        with self.assertRaises((imaplib.IMAP4.error, OSError)):
            self.imap(mail, "bob")
        mail.wait_log("fatal: .*mailbox_prefix: \"IN%BOX\" can begin no names")


if __name__ == "__main__":
    unittest.main()
