"""The messages of four third-party collections as IMAP shows them: BODYSTRUCTURE, ENVELOPE, BODY[n] and
BINARY[n] of each agree with the tree that the collection gives for it, or with that of another parser.
The collections are not part of the project: POSTERN_SUITES or ../shared/suites."""

import email
import itertools
import json
import os
import pathlib
import re
import unittest
import xml.etree.ElementTree

from imap_script import Connection, parse
from instance import Instance

SUITES = pathlib.Path(os.environ.get("POSTERN_SUITES",
                                     pathlib.Path(__file__).resolve().parents[3] / "shared" / "suites"))


def wire(data):
    """With CRLF line ends."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Part:
    """A node of a MIME tree; `raw` is the body of a leaf as it stands in the message, or None: not compared."""

    def __init__(self, kind, children=(), raw=None):
        self.kind, self.children, self.raw = kind.lower(), list(children), raw
        if self.kind.startswith("multipart/") and not self.children:
            self.children = [Part("text/plain")]  # IMAP has no multipart without a part (RFC 9051 9: 1*body)

    def shape(self):
        return (self.kind, [child.shape() for child in self.children])

    def leaves(self, section=""):
        """(section, part) as IMAP numbers them (RFC 9051 6.4.5.1)."""
        if not self.children:
            yield section or "1", self
        elif self.kind == "message/rfc822":
            child = self.children[0]
            deeper = child.kind.startswith("multipart/") and child.children
            number = section or "1"
            yield from child.leaves(number if deeper else number + ".1")
        else:
            for i, child in enumerate(self.children, 1):
                yield from child.leaves(f"{section}.{i}" if section else str(i))


# What is left out, and why.
ENCODED_MESSAGE = "message/rfc822 in base64, against RFC 2046 5.2.1: for IMAP, whose clients could not read it, octets"
TOLERANT_HEADER = "the same message as its namesake without StartsBody, with the other answer that there may be"
LEFT_OUT = {
    "msg_37": "boundaries next to each other: one for Python, empty parts here and for mime4j",
    "008": ENCODED_MESSAGE,
    "049": "CR CR LF before a boundary: part of the line end for mail-parser",
    "bad-newlines-multiple-parts-base64": ENCODED_MESSAGE,
    "base64encoded-rfc822message": ENCODED_MESSAGE,
    "base64encoded-rfc822message-nested": ENCODED_MESSAGE,
    "malformedHeaderStartsBody-nocrlfcrlf": TOLERANT_HEADER,
    "malformedHeaderStartsBody-noheader": TOLERANT_HEADER,
}


# --- What IMAP says

def of_structure(items):
    """A BODYSTRUCTURE; leaves have their size for `raw`."""
    children = list(itertools.takewhile(lambda item: isinstance(item, list), items))
    if children:
        return Part("multipart/" + items[len(children)].decode(), map(of_structure, children))
    kind = f"{items[0].decode()}/{items[1].decode()}".lower()
    if kind == "message/rfc822":
        return Part(kind, [of_structure(items[8])])
    return Part(kind, raw=int(items[6]))


# --- What the collections say

def content_type(header, default):
    return email.message_from_string(header).get_content_type() if "content-type" in header.lower() else default


def of_python(message):
    """By Python's email package, which looks into message/delivery-status and the like."""
    kind = message.get_content_type()
    if message.is_multipart() and kind.startswith("message/") and kind != "message/rfc822":
        return Part(kind)
    if message.is_multipart():
        return Part(kind, [of_python(child) for child in message.get_payload()])
    # get_payload() would apply the charset.
    return Part(kind, raw=wire(message._payload.encode("ascii", "surrogateescape")))


def of_mime4j(node, default="text/plain"):
    """By an event tree of mime4j."""
    header = "".join(field.text.lstrip("\n") + "\n" for field in node.find("header"))
    kind = content_type(header, default)
    inner = node.find("multipart")
    if inner is not None:
        below = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        return Part(kind, [of_mime4j(child, below) for child in inner.findall("body-part")])
    if node.find("message") is not None:
        return Part(kind, [of_mime4j(node.find("message"))])
    return Part(kind, raw=wire(node.find("body").text.removeprefix("\n").encode("latin-1", "replace")))


def of_mail_parser(parts, data, index=0, default="text/plain"):
    """By a tree of mail-parser: bodies are offsets into the message."""
    part = parts[index]
    kind = default
    for field in part["headers"]:
        if field["name"] == "content_type" and "ContentType" in field["value"]:
            value = field["value"]["ContentType"]
            kind = f"{value['c_type']}/{value['c_subtype'] or 'plain'}".lower()
    body = part["body"]
    if "Multipart" in body:
        below = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        return Part(kind, [of_mail_parser(parts, data, child, below) for child in body["Multipart"]])
    if "Message" in body:
        return Part(kind, [of_mail_parser(body["Message"]["parts"], data)])
    return Part(kind, raw=wire(data[part["offset_body"]:part["offset_end"]]))


class Trees(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.mail = Instance(services=("imap",))
        cls.mail.__enter__()
        cls.mail.add_user("bob")
        cls.imap = Connection(cls.mail.address("imap"), "bob", "secret")
        cls.imap.log_in()
        cls.imap.must("SELECT INBOX")
        cls.count = 0

    @classmethod
    def tearDownClass(cls):
        cls.imap.close()
        cls.mail.__exit__(None, None, None)

    def files(self, pattern):
        """The messages of a collection, but for those that are left out."""
        files = sorted(SUITES.glob(pattern))
        if not files:
            self.skipTest(f"no messages at {SUITES / pattern}")
        return [path for path in files if path.stem not in LEFT_OUT]

    def fetch(self, items):
        """Of the last message: {item: value}."""
        for line in self.imap.must(f"FETCH {self.count} ({items})"):
            words, _ = parse(line)
            if words[1:3] == [str(self.count).encode(), b"FETCH"]:
                return dict(zip(words[3][::2], words[3][1::2]))
        self.fail(f"no FETCH of {items}")

    def compare(self, path, expected):
        data = wire(path.read_bytes())
        self.imap.must(b"APPEND INBOX ", data, b"")
        type(self).count += 1
        with self.subTest(path.name):
            got = of_structure(self.fetch("BODYSTRUCTURE")[b"BODYSTRUCTURE"])
            self.assertEqual(got.shape(), expected.shape())
            for (section, sized), (_, part) in zip(got.leaves(), expected.leaves()):
                raw = self.fetch(f"BODY.PEEK[{section}]")[f"BODY[{section}]".encode()]
                self.assertEqual(sized.raw, len(raw), section)
                if part.raw is not None:
                    self.assertEqual(raw, part.raw, section)
            self.compare_envelope(data)

    def compare_envelope(self, data):
        """Unstructured fields as Python finds them, where it finds one; whole and header in their places."""
        message = email.message_from_bytes(data)
        fetched = self.fetch("ENVELOPE RFC822.SIZE BODY.PEEK[] BODY.PEEK[HEADER]")
        self.assertEqual(fetched[b"BODY[]"], data)
        self.assertEqual(int(fetched[b"RFC822.SIZE"]), len(data))
        self.assertTrue(data.startswith(fetched[b"BODY[HEADER]"]))
        envelope = fetched[b"ENVELOPE"]
        for at, name in ((0, "Date"), (1, "Subject"), (8, "In-Reply-To"), (9, "Message-Id")):
            value = message.get(name)
            if isinstance(value, str) and value.isascii() and len(message.get_all(name)) == 1:
                plain = re.sub(r"[\r\n]+", "", value).strip()
                self.assertEqual(re.sub(rb"\s+", b" ", envelope[at].strip()), re.sub(r"\s+", " ", plain).encode(), name)

    def test_mimekit(self):
        self.with_python("mime-mimekit/messages/*")

    def test_cpython(self):
        self.with_python("mime-cpython/msg_*.txt")

    def with_python(self, pattern):
        """What Python finds defects in, it reads in ways of its own: those are sane trees, no more (mime_test.cc)."""
        for path in self.files(pattern):
            message = email.message_from_bytes(wire(path.read_bytes()))
            if not any(part.defects for part in message.walk()):
                self.compare(path, of_python(message))

    def test_mime4j(self):
        for path in self.files("mime-mime4j/testmsgs/*.msg"):
            self.compare(path, of_mime4j(xml.etree.ElementTree.parse(path.with_suffix(".xml")).getroot()))

    def test_mail_parser(self):
        for folder in ("rfc", "legacy"):
            for path in self.files(f"mime-mail-parser/{folder}/*.eml"):
                self.compare(path, of_mail_parser(json.loads(path.with_suffix(".json").read_text())["parts"], path.read_bytes().replace(b"\r\n", b"\n")))


if __name__ == "__main__":
    unittest.main()
