"""SEARCH and SORT by i;unicode-casemap (RFC 5255, RFC 5051), in a session's sandbox, where ICU is loaded when it is needed."""

import imaplib
import unittest

from instance import Instance


def loaded(mail):
    """Which session processes of imapd have ICU."""
    found = []
    for pid in mail.sessions("imapd"):
        with open(f"/proc/{pid}/maps") as maps:
            found.append("libicuuc" in maps.read())
    return found


class Words(unittest.TestCase):
    def test_case_and_composition_do_not_matter(self):
        with Instance({}, services=("imap",)) as mail:
            mail.add_user("bob")
            imap = imaplib.IMAP4(*mail.address("imap"))
            imap.login("bob", "secret")
            self.assertIn(b"I18NLEVEL=1", imap.capability()[1][0])
            subjects = ["\u00c9t\u00e9 \u00fcber alles", "ete", "\u0416\u0443\u043a", "\u00f6l", "zoo", "Opal"]
            for subject in subjects:
                text = f"Subject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nText: {subject}\r\n"
                imap.append("INBOX", None, None, text.encode())
            imap.select()
            self.assertEqual(imap.search(None, "SUBJECT zoo"), ("OK", [b"5"]))

            def search(key, text):
                imap.literal = text.encode()
                return imap.search("UTF-8", key)[1][0]

            for text, want in (("e\u0301te\u0301", b"1"), ("\u00c9T\u00c9", b"1"), ("\u0416\u0423\u041a", b"3"), ("O\u0308L", b"4")):
                self.assertEqual(search("SUBJECT", text), want, text)
                self.assertEqual(search("BODY", text), want, text)
            self.assertEqual(loaded(mail), [True])
            self.assertEqual(imap.sort("(SUBJECT)", "UTF-8", "ALL")[1][0], b"2 1 6 4 5 3", "a letter with a mark comes behind those without")
            self.assertNotIn("ICU", mail.log())
            imap.logout()

    def test_ascii_needs_no_icu(self):
        with Instance({}, services=("imap",)) as mail:
            mail.add_user("bob")
            imap = imaplib.IMAP4(*mail.address("imap"))
            imap.login("bob", "secret")
            imap.append("INBOX", None, None, b"Subject: Hello\r\n\r\nWorld\r\n")
            imap.select()
            self.assertEqual(imap.search(None, "TEXT world"), ("OK", [b"1"]))
            self.assertEqual(loaded(mail), [False])
            imap.logout()


if __name__ == "__main__":
    unittest.main()
