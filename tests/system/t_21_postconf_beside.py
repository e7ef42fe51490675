"""postconf beside Debian's own: the same files, the same words, the same output."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

from debian import Postfix
from instance import BUILD

MAIN = """\
# A main.cf as people write them.
myhostname = mail.example.test
mydomain = example.test
smtpd_recipient_restrictions = permit_mynetworks,
    # a comment between
    permit_sasl_authenticated,
    reject_unauth_destination, check_policy_service unix:private/policy, reject_rbl_client zen.example.org,
    reject_rhsbl_sender   dbl.example.org
my_own = $mydomain
mydestination = $my_own, localhost
relay_domains =
smtpd_restriction_classes = strict, lax
strict = reject_unknown_sender_domain,
  reject
lax=permit
nobody_uses_this = 1
mynetworks = 127.0.0.0/8 [::1]/128
virtual_alias_maps = inline:{ { a@b = c d }, x=y }
smtpd_banner = ${myhostname}${my_own?{ ESMTP $my_own}:{}} $$
slow_destination_concurrency_limit = 3
relayhost = [a.example.test]:587
relayhost = [b.example.test]
# the end
"""

MASTER = """\
# service type
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o { smtpd_recipient_restrictions = permit_sasl_authenticated, reject }
#smtps     inet  n       -       y       -       -       smtpd
  -o smtpd_client_restrictions=$strict
pickup    unix  n       -       y       60      1       pickup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       y       1000?   1       tlsmgr
slow      unix  -       -       y       -       2       smtp -o smtp_helo_timeout=5
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}
"""



class Beside(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="postern-test-")
        self.addCleanup(folder.cleanup)
        self.etc = pathlib.Path(folder.name) / "etc"
        self.postfix = Postfix(self.etc)
        with open(self.etc / "main.cf", "a") as file:
            file.write(MAIN)
        (self.etc / "master.cf").write_text(MASTER)

    def theirs(self, *words):
        result = self.postfix.run("postconf", "-c", self.etc, *words)
        # It warns anew each time that it reads the file, and finds the second entry "overridden" by the first.
        warnings = dict.fromkeys(result.stderr.replace(f"{self.postfix.root}/usr/sbin/", "").splitlines(True))
        return result.returncode, result.stdout, "".join(w for w in warnings if "relayhost=[b." not in w)

    def ours(self, *words):
        result = subprocess.run([BUILD / "commands/postconf", "-c", self.etc, *words], text=True, capture_output=True, timeout=60)
        return result.returncode, result.stdout, result.stderr

    def same(self, *words):
        theirs, ours = self.theirs(*words), self.ours(*words)
        with self.subTest(words=words):
            self.assertEqual(ours, theirs)

    def test_main_listings(self):
        self.same("-n")
        self.same("-nf")
        self.same("-nx")
        self.same("-nh")
        self.same("-nH")
        self.same("-n", "-C", "user")
        self.same("-n", "-C", "service")
        self.same("-n", "-C", "builtin")
        self.same("smtpd_recipient_restrictions", "mydestination")
        self.same("-x", "smtpd_banner", "mydestination")
        self.same("-h", "relayhost", "my_own", "strict")
        self.same("-d", "smtpd_timeout", "default_transport", "nosuchparam")
        self.same("nosuchparam", "myorigin")
        self.same("-o", "mydomain=else.where", "-x", "mydestination")
        self.same("-f", "smtpd_recipient_restrictions")

    def test_master_listings(self):
        self.same("-M")
        self.same("-Mf")
        self.same("-M", "smtp")
        self.same("-M", "*/inet")
        self.same("-Mf", "submission/inet")
        self.same("-F")
        self.same("-F", "*/*/chroot")
        self.same("-Fh", "smtp/inet/command")
        self.same("-P")
        self.same("-Pf")
        self.same("-Ph", "*/*/syslog_name")
        self.same("-Px")
        self.same("-M", "nosuch/unix")
        self.same("-Mx")
        self.same("-P", "pickup")

    def test_what_nobody_reads_and_nobody_defines(self):
        with open(self.etc / "main.cf", "a") as file:
            file.write("alias_maps = $nosuch_maps, ${other:hash:/etc/aliases}\nown = ${nosuch_too}\nmyorigin = $mua\n")
        with open(self.etc / "master.cf", "a") as file:
            file.write("587 inet n - y - - smtpd -o nosuch_param=1 -o mua=x -o own_opts=$strict$nosuch_here\n")
        for words in (("-n",), ("-M", "587"), ("-F", "587"), ("-P", "587"), ("mydestination",)):
            theirs, ours = self.theirs(*words), self.ours(*words)
            with self.subTest(words=words):
                self.assertEqual(ours[:2], theirs[:2])
                self.assertEqual(sorted(ours[2].splitlines()), sorted(theirs[2].splitlines()))  # theirs come in any order

    def test_bad_requests(self):
        for words in (("-n", "-d"), ("-P", "-#", "submission/inet/syslog_name")):
            self.same(*words)

    def test_folded_lines(self):
        """Lines that end at the margin, and one column before and behind it."""
        for length in range(36, 44):
            argument = "x" * length
            with open(self.etc / "master.cf", "a") as file:
                file.write(f"m{length} unix - n n - - pipe flags=FR user=list argv=/usr/lib/some/where {argument} ${{user}}\n")
            with open(self.etc / "main.cf", "a") as file:
                file.write(f"m{length}_destination_recipient_limit = 1\nrelay_domains = a.example.test, {argument} b.c d.e f.g h.i\n")
            for words in (("-Mf", f"m{length}"), ("-f", "relay_domains")):
                self.assertEqual(self.ours(*words)[1], self.theirs(*words)[1])

    def edited(self, *words):
        """Both edit a copy of the files; what they leave behind must be the same. Comments within and behind a changed
        entry stay where they are in ours; Postfix's moves them in front of it."""
        results = []
        copy = self.etc.parent / "copy"
        shutil.copytree(self.etc, copy)
        for run in (self.theirs, self.ours):
            shutil.rmtree(self.etc)
            shutil.copytree(copy, self.etc)
            said = run(*words)
            results.append((said[0], *(sorted((self.etc / name).read_text().splitlines()) for name in ("main.cf", "master.cf"))))
        shutil.rmtree(self.etc)
        shutil.move(copy, self.etc)
        with self.subTest(words=words):
            self.assertEqual(results[1], results[0])

    def test_an_edited_name_is_left_once(self):
        # Postfix's would write both entries anew.
        self.assertEqual(self.ours("-e", "relayhost = [c.example.test]")[0], 0)
        self.assertEqual((self.etc / "main.cf").read_text().count("relayhost = [c.example.test]\n"), 1)
        self.assertNotIn("[b.example.test]", (self.etc / "main.cf").read_text())

    def test_edits(self):
        self.edited("-e", "myhostname = other.example.test")
        self.edited("-e", "new_name = a b", "myorigin=$mydomain")
        self.edited("mydomain=short.form")
        self.edited("-#", "mydomain")
        self.edited("-X", "smtpd_recipient_restrictions")
        self.edited("-e", "smtpd_recipient_restrictions = reject")
        self.edited("-F", "-e", "smtp/inet/chroot=n")
        self.edited("-F", "-e", "*/unix/chroot=n")
        self.edited("-P", "-e", "submission/inet/smtpd_tls_security_level=may")
        self.edited("-P", "-e", "smtp/inet/smtpd_milters=inet:localhost:8891")
        self.edited("-P", "-X", "submission/inet/syslog_name")
        self.edited("-M", "-e", "new/unix=new unix - - n - 7 smtp -o a=b")
        self.edited("-M", "-#", "slow/unix")
        self.edited("-M", "-X", "relay/unix")
