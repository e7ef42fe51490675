"""Tools that read Postfix's log read ours: pflogsumm and fail2ban's own postfix filter, from Debian's packages."""

import os
import re
import smtplib
import subprocess
import unittest

from debian import unpack
from instance import Instance


class LogTools(unittest.TestCase):
    def story(self, mail):
        """Mail received, delivered, refused; a password that is wrong."""
        mail.add_user("bob")
        mail.add_user("carl")
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.sendmail("ann@client.test", ["bob@example.test", "carl@example.test"], "Subject: 1\r\n\r\ntext\r\n")
            smtp.sendmail("ann@client.test", ["bob@example.test"], "Subject: 2\r\n\r\ntext\r\n")
            smtp.mail("ann@client.test")
            self.assertEqual(smtp.rcpt("nobody@example.test")[0], 550)
            self.assertEqual(smtp.rcpt("x@elsewhere.test")[0], 554)
        with smtplib.SMTP(*mail.address("submission")) as smtp:
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                smtp.login("bob", "wrong")
        mail.wait_empty_queue()
        for _ in range(2):
            mail.wait_log(r"qmgr\[\d+\]: \w+: removed")
        mail.wait_log(r"disconnect from .* auth=0/")
        return mail.log()

    def instance(self):
        return Instance({"smtpd_relay_restrictions": "permit_sasl_authenticated, reject_unauth_destination",
                         "smtpd_tls_auth_only": "no"}, services=("smtp", "submission"))

    def test_pflogsumm(self):
        root = unpack("pflogsumm")
        if subprocess.run(["perl", "-MDate::Calc", "-e1"], capture_output=True).returncode != 0:
            self.skipTest("perl has no Date::Calc (package libdate-calc-perl)")
        with self.instance() as mail:
            log = self.story(mail)
            result = subprocess.run(["perl", root / "usr/sbin/pflogsumm", "--no_no_msg_size"], input=log, text=True,
                                    capture_output=True, timeout=60)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            totals = {name: int(number) for number, name in re.findall(r"^\s+(\d+)\s+(received|delivered|forwarded|deferred|bounced|"
                                                                       r"rejected|senders|recipients)\b", result.stdout, re.M)}
            self.assertEqual(totals, {"received": 2, "delivered": 3, "forwarded": 0, "deferred": 0, "bounced": 0, "rejected": 2,
                                      "senders": 1, "recipients": 2}, result.stdout)
            self.assertRegex(result.stdout, r"Recipient address rejected: User unknown in local recipient table")
            self.assertRegex(result.stdout, r"Relay access denied")

    def test_fail2ban(self):
        root = unpack("fail2ban")
        with self.instance() as mail:
            log = mail.prefix / "copy"
            log.write_text(self.story(mail))
            def hits(mode):
                environment = {**os.environ, "PYTHONPATH": str(root / "usr/lib/python3/dist-packages")}
                result = subprocess.run(["python3", root / "usr/bin/fail2ban-regex", log,
                                         f"{root}/etc/fail2ban/filter.d/postfix.conf[mode={mode}]"], env=environment, text=True,
                                        capture_output=True, timeout=60)
                self.assertEqual(result.returncode, 0, result.stderr)
                return int(re.search(r"(\d+) matched", result.stdout).group(1))
            self.assertEqual(hits("normal"), 2)  # both refusals
            self.assertEqual(hits("auth"), 2)    # the wrong password, by PLAIN and by LOGIN
            self.assertEqual(hits("extra"), 4)
