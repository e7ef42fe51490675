"""Lookup tables at work: aliases, virtual domains, transports, access, restrictions, postmap."""

import os
import re
import smtplib
import unittest

from instance import Instance

MESSAGE = "From: ann@client.test\r\nTo: you\r\nSubject: hello\r\n\r\ntext\r\n"


def send(mail, *recipients, sender="ann@client.test", service="smtp"):
    """Sends one message and returns its queue id."""
    with smtplib.SMTP(*mail.address(service)) as smtp:
        smtp.ehlo()
        smtp.mail(sender)
        for recipient in recipients:
            code, text = smtp.rcpt(recipient)
            assert code == 250, text
        code, text = smtp.data(MESSAGE)
        assert code == 250, text
        return re.search(rb"queued as (\w+)", text).group(1).decode()


def rcpt(mail, recipient, sender="ann@client.test", helo="client.test", service="smtp"):
    """The reply to one RCPT, as text."""
    with smtplib.SMTP(*mail.address(service)) as smtp:
        smtp.ehlo(helo)
        smtp.mail(sender)
        code, text = smtp.rcpt(recipient)
        return f"{code} {text.decode()}"


class Aliases(unittest.TestCase):
    def test_aliases_made_by_postalias(self):
        with Instance() as mail:
            aliases = mail.etc / "aliases"
            aliases.write_text("postmaster: root\nroot: bob\nteam: bob, carl\nbob-copy: \\bob\n"
                               "list: :include:" + str(mail.etc / "members") + "\nowner-list: carl\n"
                               "cmd: \"|/bin/false\"\nloop: loop@example.test, bob\n")
            (mail.etc / "members").write_text("# all\nbob\ncarl@example.test\n")
            mail.run("postalias", f"hash:{aliases}")
            mail.run("postconf", "-e", f"alias_maps = hash:{aliases}", f"alias_database = hash:{aliases}")
            mail.run("postern", "reload")
            bob, carl = mail.add_user("bob"), mail.add_user("carl")

            send(mail, "Postmaster@example.test")
            (first,) = mail.wait_messages(bob, 1)
            self.assertIn("X-Original-To: Postmaster@example.test\nDelivered-To: Postmaster@example.test\n", first.read_text())
            mail.wait_log(r"to=<bob@example.test>, orig_to=<Postmaster@example.test>, relay=local, .*status=sent \(delivered to maildir\)")

            qid = send(mail, "team@example.test")
            new = mail.wait_log(rf"{qid}: to=<team@example.test>, relay=local, .*status=sent \(forwarded as (\w+)\)").group(1)
            mail.wait_log(rf"{new}: to=<carl@example.test>, orig_to=<team@example.test>, relay=local")
            mail.wait_messages(bob, 2)
            (copy,) = mail.wait_messages(carl, 1)
            self.assertIn("\nDelivered-To: team@example.test\n", copy.read_text())

            send(mail, "list@example.test", sender="ann@client.test")
            mail.wait_messages(bob, 3)
            copies = [p.read_text() for p in mail.wait_messages(carl, 2)]
            self.assertTrue(any(c.startswith("Return-Path: <owner-list@example.test>\n") for c in copies), copies)

            send(mail, "bob-copy@example.test")
            mail.wait_messages(bob, 4)

            # Its own name means its own mailbox, which it has not.
            qid = send(mail, "loop@example.test")
            mail.wait_messages(bob, 5)
            mail.wait_log(rf"{qid}: to=<loop@example.test>, relay=local, .*status=bounced \(unknown user: \"loop\"\)")

            qid = send(mail, "cmd@example.test")
            mail.wait_log(rf"{qid}: to=<cmd@example.test>, .*dsn=5.3.0, status=bounced \(Command died with status 1: \"/bin/false\"\)")

    def test_a_missing_table_defers_and_a_new_one_is_seen(self):
        with Instance(params={"alias_maps": "hash:$config_directory/aliases", "alias_database": "$alias_maps",
                              "local_recipient_maps": ""}) as mail:
            bob = mail.add_user("bob")
            qid = send(mail, "bob@example.test")
            mail.wait_log(rf"{qid}: to=<bob@example.test>, .*status=deferred \(alias database unavailable\)")
            (mail.etc / "aliases").write_text("x: bob\n")
            mail.run("newaliases")
            mail.wait_messages(bob, 1)


class Virtual(unittest.TestCase):
    def test_virtual_aliases_and_mailboxes(self):
        with Instance() as mail:
            uid, gid = mail.identity or (os.getuid(), os.getgid())
            base = mail.prefix / "vmail"
            base.mkdir()
            os.chown(base, uid, gid)
            maps = mail.etc / "vmaps"
            maps.write_text("v1@vm.test vm.test/v1/\nv2@vm.test vm.test/v2/\n")
            mail.run("postmap", f"btree:{maps}")
            mail.run("postconf", "-e", "virtual_mailbox_domains = vm.test", f"virtual_mailbox_base = {base}",
                     f"virtual_mailbox_maps = btree:{maps}", f"virtual_uid_maps = static:{uid}",
                     f"virtual_gid_maps = static:{gid}", "virtual_minimum_uid = 1", "virtual_alias_domains = va.test",
                     "virtual_alias_maps = inline:{ {info@va.test = v1@vm.test, bob} {all@vm.test = v1@vm.test v2@vm.test} }")
            mail.run("postern", "reload")
            bob = mail.add_user("bob")
            self.assertEqual(rcpt(mail, "no@vm.test"), "550 5.1.1 <no@vm.test>: Recipient address rejected: "
                                                       "User unknown in virtual mailbox table")
            self.assertEqual(rcpt(mail, "no@va.test"), "550 5.1.1 <no@va.test>: Recipient address rejected: "
                                                       "User unknown in virtual alias table")
            qid = send(mail, "v2@vm.test")
            (message,) = mail.wait_messages(base / "vm.test/v2", 1)
            self.assertTrue(message.read_text().startswith(
                "Return-Path: <ann@client.test>\nX-Original-To: v2@vm.test\nDelivered-To: v2@vm.test\n"))
            mail.wait_log(rf"postfix/virtual\[\d+\]: {qid}: to=<v2@vm.test>, relay=virtual, .*status=sent \(delivered to maildir\)")
            send(mail, "info@va.test")
            mail.wait_messages(base / "vm.test/v1", 1)
            (copy,) = mail.wait_messages(bob, 1)
            self.assertIn("X-Original-To: info@va.test\nDelivered-To: bob@example.test\n", copy.read_text())


class Policy(unittest.TestCase):
    def test_restrictions(self):
        with Instance(params={
                "smtpd_helo_restrictions": "reject_invalid_helo_hostname",
                "smtpd_sender_restrictions": "check_sender_access inline:{{bad.test=REJECT no thanks} {<>=OK}}",
                "smtpd_recipient_restrictions": "reject_non_fqdn_recipient, check_client_access cidr:$config_directory/clients",
                "mynetworks": "192.0.2.0/24"}) as mail:
            mail.add_user("bob")
            (mail.etc / "clients").write_text("127.0.0.0/30 OK\n127.0.0.0/8 450 4.7.0 not you\n")
            mail.run("postern", "reload")
            self.assertEqual(rcpt(mail, "bob@example.test")[:3], "250")
            self.assertEqual(rcpt(mail, "bob@example.test", sender="x@sub.bad.test"),
                             "554 5.7.1 <x@sub.bad.test>: Sender address rejected: no thanks")
            self.assertEqual(rcpt(mail, "bob@example.test", helo="a..b"),
                             "501 5.5.2 <a..b>: Helo command rejected: Invalid name")
            self.assertEqual(rcpt(mail, "bob@localhost"),
                             "504 5.5.2 <bob@localhost>: Recipient address rejected: need fully-qualified address")
            self.assertEqual(rcpt(mail, "x@far.test"), "454 4.7.1 <x@far.test>: Relay access denied")
            mail.wait_log(r"NOQUEUE: reject: RCPT from \S+\[127.0.0.1\]: 554 5.7.1 <x@sub.bad.test>: Sender address "
                          r"rejected: no thanks; from=<x@sub.bad.test> to=<bob@example.test> proto=ESMTP helo=<client.test>")

    def test_mistakes_are_loud(self):
        with Instance(params={"smtpd_recipient_restrictions": "reject_nonsense"}) as mail:
            mail.add_user("bob")
            self.assertEqual(rcpt(mail, "bob@example.test"), "451 4.3.5 Server configuration error")
            mail.wait_log(r'postfix/policy\[\d+\]: .*warning: unknown smtpd restriction: "reject_nonsense"')
            found = mail.run("postern", "check", check=False)
            self.assertEqual(found.returncode, 1)
            self.assertRegex(found.stdout, r"error: \S+/main.cf, line \d+: smtpd_recipient_restrictions: unknown smtpd restriction: "
                                           r'"reject_nonsense"\n')
        with Instance(params={"smtpd_relay_restrictions": "permit_mynetworks"}) as mail:
            mail.add_user("bob")
            self.assertEqual(rcpt(mail, "bob@example.test"), "451 4.3.5 Server configuration error")
            mail.wait_log(r"postfix/policy\[\d+\]: .*warning: in parameter smtpd_relay_restrictions or ")

    def test_a_reload_with_a_mistake_changes_nothing(self):
        with Instance() as mail:
            mail.add_user("bob")
            main = mail.etc / "main.cf"
            good = main.read_text()
            for line, words in (("smtpd_client_restrictions = permit_mynetwork", r"\(did you mean permit_mynetworks\?\)"),
                                ("smtpd_sender_restrictions = check_sender_access", "type:table must follow"),
                                ("smtpd_helo_restrictions = own\nsmtpd_restriction_classes = own", "needs a definition"),
                                ("smtpd_relay_restrictions = permit_mynetworks", "stops relaying for strangers")):
                main.write_text(good + line + "\n")
                reload = mail.run("postern", "reload", check=False)
                self.assertEqual(reload.returncode, 1, line)
                self.assertRegex(reload.stderr, words)
                self.assertIn("the old one stays in force", reload.stderr)
                self.assertEqual(rcpt(mail, "bob@example.test")[:3], "250")
            main.write_text(good + "smtpd_client_restrictions = check_client_access hsh:/nosuch\n")
            found = mail.run("postern", "check", check=False)
            self.assertIn("smtpd_client_restrictions: hsh:/nosuch: unsupported dictionary type: hsh (did you mean hash?)",
                          found.stdout)

    def test_overrides_of_one_service(self):
        with Instance(services=("smtp", "submission"),
                      listener_options={"submission": "-o smtpd_client_restrictions=reject"}) as mail:
            mail.add_user("bob")
            self.assertEqual(rcpt(mail, "bob@example.test")[:3], "250")
            self.assertRegex(rcpt(mail, "bob@example.test", service="submission"),
                             r"^554 5.7.1 <\S+\[127.0.0.1\]>: Client host rejected: Access denied$")


if __name__ == "__main__":
    unittest.main()
