"""doc/imap-extensions.md has all that CAPABILITY announces, and nothing else; the files that it names are there."""

import imaplib
import pathlib
import re
import unittest

from instance import Instance

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "doc/imap-extensions.md").read_text().split("## Before the login")
SWITCHED_ON = {"message_size_limit": "1000000", "imap_message_limit": "1000", "imap_save_limit": "1000"}


def rows(text):
    return [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| `")]


def documented(text):
    """Names of the first column; those with an argument up to the "="."""
    names = re.findall("`([^`]+)`", " ".join(row[0] for row in rows(text)))
    return {re.sub("=(n|name)$", "=", name) for name in names}


def announced(capabilities):
    open_ended = ("APPENDLIMIT=", "MESSAGELIMIT=", "SAVELIMIT=", "AUTH=")
    return {next((name for name in open_ended if word.startswith(name)), word) for word in capabilities.split()}


class Page(unittest.TestCase):
    def test_has_what_a_server_says(self):
        with Instance(SWITCHED_ON, services=("imap",)) as mail:
            mail.add_user("bob")
            imap = imaplib.IMAP4(*mail.address("imap"))
            before = announced(imap.capability()[1][0].decode())
            imap.login("bob", "secret")
            after = announced(imap.capability()[1][0].decode())
            imap.logout()
        self.assertEqual(after, documented(PAGE[0]))
        self.assertLessEqual(before, documented(PAGE[1]))
        # what this instance has no use for
        self.assertLessEqual(documented(PAGE[1]) - before, {"STARTTLS", "LOGINDISABLED", "AUTH="})

    def test_names_files_that_are_there(self):
        for row in rows(PAGE[0]) + rows(PAGE[1]):
            for name in re.findall("`([^`]+)`", row[2] + row[3]):
                self.assertTrue((ROOT / name).exists() or (ROOT / "imapd" / name).exists(), name)


if __name__ == "__main__":
    unittest.main()
