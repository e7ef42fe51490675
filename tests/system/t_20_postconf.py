"""postconf: formats, edits, and defaults that are Postfix's except where the documentation says so."""

import html.parser
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("POSTERN_BUILD", SOURCE / "build")).resolve()
REFERENCE = pathlib.Path(os.environ.get("POSTERN_REFERENCE", SOURCE.parent / "shared" / "reference")) / "postfix" / "postconf-d.txt"

# These tell about the host, the process or the way of starting.
HOST = {"config_directory", "myhostname", "mydomain", "mynetworks", "process_id", "process_name", "sample_directory", "meta_directory"}


class Postconf(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="postern-test-")
        self.addCleanup(folder.cleanup)
        self.etc = pathlib.Path(folder.name)
        for name in ("main.cf", "master.cf"):
            (self.etc / name).write_text((SOURCE / "conf" / name).read_text())

    def run_postconf(self, *words):
        return subprocess.run([BUILD / "commands" / "postconf", "-c", self.etc, *words], text=True, capture_output=True, timeout=30)

    def test_defaults_are_postfix_ones(self):
        if not REFERENCE.exists():
            self.skipTest(f"{REFERENCE} is not there (POSTERN_REFERENCE names its folder)")
        table = (SOURCE / "doc" / "postfix-differences.md").read_text()
        told = {name for line in re.findall(r"^\| (`[^|]*`) \|", table, re.M) for name in re.findall(r"`(\w+)`", line)}
        # Postfix makes names for the transports that master.cf has.
        stock = (REFERENCE.parent / "postconf-M.txt").read_text()
        (self.etc / "master.cf").write_text(stock)
        theirs = dict(line.split(" =", 1) for line in REFERENCE.read_text().splitlines())
        ours = dict(line.split(" =", 1) for line in self.run_postconf("-d").stdout.splitlines())
        self.assertEqual(set(theirs) - set(ours), set(), "Postfix's parameters that have no row")
        different = {name for name, value in ours.items() if name in theirs and theirs[name] != value}
        self.assertEqual(different - told - HOST, set())
        self.assertEqual(told - different, set(), "documented as different, but the same")

    def test_html_page_is_whole(self):
        page = subprocess.run([BUILD / "commands/postconf", "--html-manual"], text=True, capture_output=True, check=True).stdout
        open_tags, ids, links = [], set(), set()

        class Reader(html.parser.HTMLParser):
            def handle_starttag(self, tag, attributes):
                attributes = dict(attributes)
                ids.add(attributes.get("id"))
                links.add(attributes.get("href", "#index")[1:])
                if tag != "meta":
                    open_tags.append(tag)

            def handle_endtag(_, tag):
                self.assertEqual(open_tags.pop(), tag)

        Reader().feed(page)
        self.assertEqual(open_tags, [])
        self.assertEqual(links - ids, set())
        self.assertIn("smtpd_client_restrictions", ids)

    def test_unknown_parameter(self):
        result = self.run_postconf("nosuchparam")
        self.assertEqual((result.returncode, result.stdout, result.stderr),
                         (0, "", "postconf: warning: nosuchparam: unknown parameter\n"))

    def test_stock_files_are_right(self):
        result = self.run_postconf("-n")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("home_mailbox = Maildir/\n", result.stdout)
        listing = self.run_postconf("-M").stdout
        self.assertIn("pickup     unix  n       -       n       60      1       pickup\n", listing)
        self.assertEqual(self.run_postconf("-P", "relay/unix/syslog_name").stdout, "relay/unix/syslog_name = postfix/$service_name\n")

    def test_edit_keeps_the_layout(self):
        before = (self.etc / "main.cf").read_text()
        self.assertEqual(self.run_postconf("-e", "home_mailbox = mail/", "relayhost=[x]:26").returncode, 0)
        after = (self.etc / "main.cf").read_text()
        self.assertEqual(after, before.replace("home_mailbox = Maildir/", "home_mailbox = mail/") + "relayhost = [x]:26\n")
        self.assertEqual(self.run_postconf("-h", "relayhost").stdout, "[x]:26\n")
        self.run_postconf("-X", "relayhost")
        self.assertEqual((self.etc / "main.cf").read_text(), before.replace("home_mailbox = Maildir/", "home_mailbox = mail/"))
        self.run_postconf("-F", "-e", "smtp/inet/chroot=y")
        self.assertEqual(self.run_postconf("-F", "smtp/inet/chroot").stdout, "smtp/inet/chroot = y\n")

    def test_errors_tell_the_place(self):
        (self.etc / "main.cf").write_text("relayhost = a\nnonsense\n")
        result = self.run_postconf("relayhost")
        self.assertEqual(result.returncode, 1)
        self.assertIn("main.cf, line 2: missing '=' after parameter name", result.stderr)


if __name__ == "__main__":
    unittest.main()
