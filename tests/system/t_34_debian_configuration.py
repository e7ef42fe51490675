"""What Debian's postfix package installs as main.cf and master.cf starts unchanged, and does the same."""

import json
import os
import smtplib
import socket
import subprocess
import unittest

from debian import unpack
from instance import Instance, wait

# What the package's installation asks and adds to main.cf for an "Internet site".
ANSWERS = """
# TLS parameters
smtpd_tls_cert_file={etc}/snakeoil.pem
smtpd_tls_key_file={etc}/snakeoil.key
smtpd_tls_security_level=may

smtp_tls_CApath=/etc/ssl/certs
smtp_tls_security_level=may
smtp_tls_session_cache_database = btree:${{data_directory}}/smtp_scache


smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = mail.example.test
alias_maps = hash:{etc}/aliases
alias_database = hash:{etc}/aliases
mydestination = $myhostname, example.test, localhost.example.test, , localhost
relayhost = 
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = all
"""


class Debian(unittest.TestCase):
    def test_stock_files(self):
        stock = unpack("postfix") / "usr/share/postfix"
        mail = Instance()
        own = [line for line in (mail.etc / "main.cf").read_text().splitlines()
               if line.split(" ")[0] in ("queue_directory", "data_directory", "daemon_directory", "command_directory",
                                         "maillog_file", "maillog_file_prefixes", "auth_passwd_file")]
        (mail.etc / "main.cf").write_text((stock / "main.cf.debian").read_text() + ANSWERS.format(etc=mail.etc)
                                          + "# Where this test keeps its files:\n" + "\n".join(own)
                                          + f"\nlocal_recipient_maps = $alias_maps passwdfile:{mail.etc}/users\nhome_mailbox = Maildir/\n")
        master = (stock / "master.cf.dist").read_text()
        self.assertIn("\nsmtp      inet  n       -       y       -       -       smtpd\n", master)
        # The only change: a free port in place of 25.
        (mail.etc / "master.cf").write_text(master.replace("\nsmtp      inet", "\n127.0.0.1:0 inet"))
        (mail.etc / "aliases").write_text("postmaster: root\nroot: bob\n")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=mail.example.test", "-keyout", mail.etc / "snakeoil.key", "-out", mail.etc / "snakeoil.pem"],
                       check=True, capture_output=True)
        for path in mail.etc.iterdir():
            if mail.identity:
                os.chown(path, *mail.identity)
        mail.run("newaliases")

        report = json.loads(mail.run("postern", "check", "-j", check=False).stdout)
        self.assertEqual([p for p in report["problems"]], [])
        standing = {p["name"]: p["standing"] for p in report["parameters"]}
        self.assertEqual(set(standing.values()) - {"honoured", "no effect"}, set(), standing)

        with mail:
            bob = mail.add_user("bob")
            self.assertNotIn("not honoured yet", mail.log())
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                code, _ = smtp.ehlo("client.test")
                self.assertTrue(smtp.has_extn("starttls"))
                smtp.sendmail("ann@client.test", ["Postmaster@example.test", "bob+lists@example.test"],
                              "Subject: stock\r\n\r\ntext\r\n")
                smtp.mail("ann@client.test")
                code, text = smtp.rcpt("nobody@example.test")
                self.assertEqual((code, text), (550, b"5.1.1 <nobody@example.test>: Recipient address rejected: "
                                                     b"User unknown in local recipient table"))
            mail.wait_messages(bob, 2)
            # Services that are folded into others are told of, once, and stop nothing.
            for name in ("tlsmgr", "proxymap", "scache"):
                mail.wait_log(rf"service {name}/unix: ")


class Mistakes(unittest.TestCase):
    def test_a_broken_reload_keeps_the_old_configuration(self):
        with Instance({"smtpd_banner": "$myhostname ESMTP first"}) as mail:
            text = (mail.etc / "main.cf").read_text()
            (mail.etc / "main.cf").write_text(text.replace("first", "second") + "smtpd_timeout = 5 apples\nsmtp_mail_timout = 3s\n"
                                              "nonsense\n")
            result = mail.run("postern", "reload", check=False)
            self.assertEqual(result.returncode, 1)
            lines = len(text.splitlines())
            for told in (rf"main.cf, line {lines + 1}: smtpd_timeout: bad value \"5 apples\": expected a whole number and a unit",
                         rf"main.cf, line {lines + 2}: smtp_mail_timout: unknown parameter \(did you mean smtp_mail_timeout\?\)",
                         rf"main.cf, line {lines + 3}: missing '=' after parameter name: \"nonsense\""):
                self.assertRegex(result.stderr, told)
            with socket.create_connection(mail.address("smtp")) as client:
                self.assertEqual(client.makefile("rb").readline(), b"220 mail.example.test ESMTP first\r\n")
            check = mail.run("postern", "check", "-j", check=False)
            self.assertEqual(check.returncode, 1)
            self.assertEqual(len([p for p in json.loads(check.stdout)["problems"] if p["severity"] == "error"]), 2)

    def test_what_is_not_honoured_yet_is_told_at_the_start_and_at_reload(self):
        with Instance({"qmqpd_error_delay": "3s"}) as mail:
            pattern = r"warning: .*main.cf, line \d+: qmqpd_error_delay: not honoured yet"
            mail.wait_log(pattern)
            mail.run("postconf", "-e", "qmqpd_timeout = 5s")
            mail.run("postern", "reload")
            mail.wait_log(r"warning: .*main.cf, line \d+: qmqpd_timeout: not honoured yet")

    def test_services_can_be_disabled(self):
        with Instance({"master_service_disable": "!imap/inet, 127.0.0.5:0/inet"}, services=("smtp", "pop3")) as mail:
            self.assertEqual(list(mail._ports), ["127.0.0.1:0"])
            mail.wait_log(r"service 127.0.0.5:0/inet: disabled by master_service_disable")


class Logs(unittest.TestCase):
    def test_json_lines(self):
        with Instance({"log_format": "json", "maillog_file_permissions": "0640"}) as mail:
            bob = mail.add_user("bob")
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.sendmail("ann@client.test", ["bob@example.test"], "Subject: 1\r\n\r\ntext\r\n")
            mail.wait_messages(bob, 1)
            mail.wait_log("removed")
            lines = [json.loads(line) for line in mail.log().splitlines()]
            self.assertEqual({"time_us", "program", "pid", "level", "text"} - set(lines[0]), set())
            (sent,) = [line for line in lines if "status=sent" in line["text"]]
            self.assertEqual((sent["program"], sent["level"]), ("postfix/local", "info"))
            self.assertEqual({line["id"] for line in lines if line["text"] == "removed"}, {sent["id"]})
            self.assertEqual(mail.log_path.stat().st_mode & 0o777, 0o640)

    def test_rotation_loses_no_line(self):
        with Instance({"maillog_file_rotate_suffix": "old"}) as mail:
            bob = mail.add_user("bob")
            for number in (1, 2):
                with smtplib.SMTP(*mail.address("smtp")) as smtp:
                    smtp.sendmail("ann@client.test", ["bob@example.test"], "Subject: 1\r\n\r\ntext\r\n")
                    if number == 1:
                        mail.run("postern", "logrotate")
                        mail.wait_log("reload")
            mail.wait_messages(bob, 2)
            mail.wait_empty_queue()
            old = mail.log_path.with_name("maillog.old")
            wait(lambda: (old.read_text() + mail.log()).count("status=sent") == 2, "both deliveries in the logs", mail.log)
            self.assertIn("connect from", mail.log())
            self.assertEqual(mail.run("postern", "logrotate", check=False).returncode, 1)  # the name is taken
            self.assertIn("status=sent", old.read_text() + mail.log())

    def test_only_below_the_prefixes(self):
        mail = Instance({"maillog_file_prefixes": "/nonexistent"})
        result = mail.run("postern", "start", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("maillog_file_prefixes", result.stderr)
