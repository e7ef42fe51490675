"""Tables beside Debian's own Postfix: files that its postmap builds are read as they are, and ours by it;
and the text types answer every question as its do."""

import pathlib
import subprocess
import tempfile
import unittest

from debian import Postfix
from instance import BUILD

KEYS = ["alice", "bob@example.test", "ALICE", "Bob@Example.Test", "nobody", "@example.test", "two words", "ümlaut",
        "10.1.2.3", "10.9.9.9", "192.0.2.77", "2001:db8::7", "::1", "mail.example.test", "aab", "x" * 300, "$1", "a/b",
        "ÜMLAUT", "Straße@Example.Test", "STRASSE@example.test", "σίγμας", "ΣΊΓΜΑΣ"]

SOURCE = """\
# A table with what tables have.
alice       one
bob@example.test
    two three
  # a comment between
    four
@example.test everybody
"two words" quoted
ümlaut      ünicode
STRASSE@example.test folded
Σίγμας      greek
alice       again
nothing
"""


class Beside(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="postern-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.postfix = Postfix(self.folder / "theirs")
        (self.folder / "ours").mkdir()
        for name in ("main.cf", "master.cf"):
            (self.folder / "ours" / name).write_text("")

    def ours(self, *words, input=None):
        return subprocess.run([BUILD / "commands/postmap", "-c", self.folder / "ours", *map(str, words)], text=True, input=input,
                              capture_output=True, timeout=60)

    def theirs(self, *words, input=None):
        return self.postfix.run("postmap", *words, input=input)

    def answers(self, run, table):
        result = run("-q", "-", table, input="".join(key + "\n" for key in KEYS))
        return sorted(result.stdout.splitlines()), result.returncode


class BuiltTables(Beside):
    def both_ways(self, kind):
        table = self.folder / "map"
        table.write_text(SOURCE)
        listings = []
        for builder in (self.theirs, self.ours):
            built = builder(f"{kind}:{table}")
            self.assertEqual(built.returncode, 0, built.stderr)
            self.assertIn("duplicate entry", built.stderr)
            found = self.answers(self.theirs, f"{kind}:{table}")
            self.assertEqual(len(found[0]), 11, found)
            self.assertEqual(self.answers(self.ours, f"{kind}:{table}"), found)
            for reader in (self.theirs, self.ours):
                if (reader, kind) != (self.theirs, "cdb"):  # Postfix cannot list it
                    listings.append(sorted(reader("-s", f"{kind}:{table}").stdout.splitlines()))
        # Whoever built it and whoever reads it: the same entries.
        self.assertEqual(len(listings[0]), 7)
        self.assertEqual(listings, [listings[0]] * len(listings))

    def changes(self, kind):
        """What one has built, the other adds to and removes from."""
        table = self.folder / "map"
        table.write_text("alice one\nbob@example.test two\n")
        for first, second in ((self.theirs, self.ours), (self.ours, self.theirs)):
            self.assertEqual(first(f"{kind}:{table}").returncode, 0)
            self.assertEqual(second("-i", f"{kind}:{table}", input="carl three\n").returncode, 0)
            self.assertEqual(second("-d", "alice", f"{kind}:{table}").returncode, 0)
            self.assertEqual(second("-d", "alice", f"{kind}:{table}").returncode, 1)
            for reader in (first, second):
                listed = sorted(reader("-s", f"{kind}:{table}").stdout.splitlines())
                self.assertEqual(listed, ["bob@example.test\ttwo", "carl\tthree"])

    def test_not_utf8(self):
        """Lines that are not UTF-8 are left out; without smtputf8_enable they stay, and only A to Z are folded."""
        table = self.folder / "map"
        table.write_bytes("É@Example.test one\nstraße two\n".encode() + b"l\xfc three\nfour l\xfc\n")
        for switch in ((), ("-u",)):
            listings = []
            for builder in (self.theirs, self.ours):
                built = builder(*switch, f"hash:{table}")
                self.assertEqual(built.returncode, 0, built.stderr)
                self.assertEqual(built.stderr.count("non-UTF-8 input"), 0 if switch else 2, built.stderr)
                listings.append(self.bytes_of(table))
            self.assertEqual(listings[0], listings[1], switch)
            self.assertEqual(len(listings[0]), 4 if switch else 2)

    def bytes_of(self, table):
        """Its entries as our postmap lists them, in bytes."""
        listed = subprocess.run([BUILD / "commands/postmap", "-c", self.folder / "ours", "-s", f"hash:{table}"],
                                capture_output=True, timeout=60)
        return sorted(listed.stdout.splitlines())

    def test_hash(self):
        self.both_ways("hash")
        self.changes("hash")

    def test_btree(self):
        self.both_ways("btree")
        self.changes("btree")

    def test_lmdb(self):
        self.both_ways("lmdb")
        self.changes("lmdb")

    def test_cdb(self):
        self.both_ways("cdb")


class TextTables(Beside):
    def same(self, spec):
        theirs, ours = self.answers(self.theirs, spec), self.answers(self.ours, spec)
        self.assertEqual(ours, theirs, spec)
        return theirs[0]

    def file(self, name, text):
        (self.folder / name).write_text(text)
        return self.folder / name

    def test_patterns(self):
        rules = self.file("rules", r"""
            # Leading white space of the first line is not nice, but allowed.
if /example/
/^(.*)@(.*)\.test$/    $1 at ${2} or $(1), $$5
!/mail/                not-mail
endif
/^(a+)b$/i             as-$1
|^a/b$|                slashes
/^ALICE$/i             exactly
/ümlaut/               u
/^192\.0\.2\.(\d+|[0-9]+)$/ host-$1
if !/^1/
/^\$1$/                dollar
endif
/x{200}/               many
""".replace("            # Leading", "# Leading"))
        self.assertGreater(len(self.same(f"regexp:{rules}")), 5)
        self.assertGreater(len(self.same(f"pcre:{rules}")), 5)

    def test_pcre_of_its_own(self):
        rules = self.file("rules", "/^(?<name>ali)ce(?=$)/ $1-$name\n/B@/ B\n/^b o\\.?b # comment/x x\n/^nobody$/U U\n")
        self.assertGreater(len(self.same(f"pcre:{rules}")), 1)

    def test_bad_rules_are_left_out(self):
        rules = self.file("rules", "/(/ bad\nnonsense\n/alice/\n/bob/ yes\nendif\n/nobody/q flag\n/aab/ last\n")
        for kind in ("regexp", "pcre"):
            self.assertEqual(len(self.same(f"{kind}:{rules}")), 5)

    def test_cidr(self):
        rules = self.file("rules", "10.1.0.0/16 ten-one\n!10.0.0.0/8 not-ten\nif 10.0.0.0/8\n10.9.9.9 nine\nendif\n"
                                   "2001:db8::/32 six\n[::1] loop\n::1/128 loop2\nnonsense x\n10.1.2.3/8 host-bits\n")
        self.assertGreater(len(self.same(f"cidr:{rules}")), 3)

    def test_texthash_inline_and_combinations(self):
        text = self.file("text", SOURCE)
        for spec in (f"texthash:{text}", "inline:{ alice=one, { nobody = some body } }", "static:always", "static:{ two words }",
                     "unionmap:{inline:{alice=1}, inline:{alice=2, aab=3}}",
                     "pipemap:{inline:{alice=aab}, inline:{aab=end}}", "environ:", "randmap:{one}", "randmap:{ {a b} }"):
            self.same(spec)

    def test_unknown_types(self):
        theirs, ours = self.theirs("-q", "x", "nosuch:x"), self.ours("-q", "x", "nosuch:x")
        self.assertEqual(ours.returncode, theirs.returncode)
        self.assertEqual(ours.stderr, theirs.stderr)

    def test_sqlite(self):
        import sqlite3
        database = sqlite3.connect(self.folder / "db")
        with database:
            database.execute("CREATE TABLE t (k TEXT, v TEXT)")
            database.executemany("INSERT INTO t VALUES (?, ?)", [("alice", "one"), ("alice", "two"), ("bob@example.test", "b"),
                                                                 ("aab", None), ("it's", "quote")])
        database.close()
        table = self.folder / "t.cf"
        for query, more in (("SELECT v FROM t WHERE k='%s'", ""), ("SELECT v FROM t WHERE k='%u@%d'", ""),
                            ("SELECT k, v FROM t WHERE k LIKE '%u%%'", "result_format = <%s>\n"),
                            ("SELECT v FROM t WHERE k='%s'", "domain = example.test\n")):
            table.write_text(f"dbpath = {self.folder}/db\nquery = {query}\n{more}")
            self.assertGreaterEqual(len(self.same(f"sqlite:{table}")), 1)
        table.write_text(f"dbpath = {self.folder}/db\nquery = SELECT v FROM t WHERE k='%s'\n")
        # What ends a quote elsewhere is only a key here.
        self.assertEqual(self.ours("-q", "it's", f"sqlite:{table}").stdout, "quote\n")
        self.assertEqual(self.ours("-q", "x' OR '1'='1", f"sqlite:{table}").returncode, 1)
