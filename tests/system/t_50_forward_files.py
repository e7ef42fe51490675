"""local: .forward files, commands and files in aliases, as an ordinary user's instance has them."""

import os
import pathlib
import re
import smtplib
import unittest

from instance import Instance, wait


def send(mail, recipient, sender="ann@client.test", text="Subject: x\r\n\r\nhi\r\n"):
    with smtplib.SMTP(*mail.address("smtp")) as smtp:
        smtp.ehlo()
        smtp.mail(sender)
        code, answer = smtp.rcpt(recipient)
        assert code == 250, answer
        _, answer = smtp.data(text)
        return re.search(rb"queued as (\w+)", answer).group(1).decode()


class ForwardFiles(unittest.TestCase):
    def setUp(self):
        self.mail = mail = Instance(params={"recipient_delimiter": "+", "command_time_limit": "2s"})
        self.aliases = mail.prefix / "alias-out"
        (mail.etc / "aliases").write_text(
            f'cmd: "|cat >{mail.prefix}/data/alias-cmd"\n'
            f"file: {mail.prefix}/data/alias-file\n"
            f'both: bob, "|cat >{mail.prefix}/data/alias-both", null\nnull: /dev/null\n'
            'later: "|echo not now; exit 75"\nnever: "|echo go away; exit 77"\nslow: "|sleep 60"\n'
            f"incl: :include:{mail.etc}/members\nlist: dan\nowner-list: bob\n")
        (mail.etc / "members").write_text("bob,\n# nobody else\ndan\n")
        mail.run("postalias", f"hash:{mail.etc}/aliases")
        mail.run("postconf", "-e", f"alias_maps = hash:{mail.etc}/aliases")
        mail.start()
        self.addCleanup(lambda: mail.__exit__(None))
        self.bob, self.dan = mail.add_user("bob"), mail.add_user("dan")

    def forward(self, text, name=".forward"):
        path = self.bob.parent / name
        path.write_text(text)
        if self.mail.identity:
            os.chown(path, *self.mail.identity)
        return path

    def test_forwards_and_keeps_a_copy(self):
        mail = self.mail
        self.forward("\\bob, dan\n")
        qid = send(mail, "bob@example.test")
        mail.wait_log(rf"local\[\d+\]: {qid}: to=<bob@example.test>, relay=local, .*status=sent \(delivered to maildir\)")
        found = mail.wait_log(rf"{qid}: to=<bob@example.test>, relay=local, .*dsn=2.0.0, status=sent \(forwarded as (\w+)\)")
        mail.wait_log(rf"{found.group(1)}: to=<dan@example.test>, .*status=sent")
        (copy,) = mail.wait_messages(self.dan, 1)
        self.assertIn("Delivered-To: bob@example.test", copy.read_text())
        self.assertEqual(len(mail.wait_messages(self.bob, 1)), 1)
        mail.wait_empty_queue()

    def test_extension_file_comes_first(self):
        mail = self.mail
        self.forward("dan\n", ".forward+list")
        send(mail, "bob+list@example.test")
        (copy,) = mail.wait_messages(self.dan, 1)
        self.assertIn("Delivered-To: bob+list@example.test", copy.read_text())
        send(mail, "bob+other@example.test")
        mail.wait_messages(self.bob, 1)

    def test_loops_end(self):
        mail = self.mail
        self.forward("dan\n")
        path = self.dan.parent / ".forward"
        path.write_text("bob\n")
        if mail.identity:
            os.chown(path, *mail.identity)
        send(mail, "bob@example.test")
        mail.wait_log(r"to=<bob@example.test>, .*dsn=5.4.6, status=bounced \(mail forwarding loop for bob@example.test\)")

    def test_commands_and_files_of_users(self):
        mail = self.mail
        out = self.bob.parent
        self.forward(f'"|cat >{out}/got; id -u >{out}/who; echo $RECIPIENT $EXTENSION $SENDER >>{out}/who"\n{out}/box\n')
        qid = send(mail, "bob+x@example.test")
        mail.wait_log(rf"{qid}: to=<bob\+x@example.test>, .*status=sent \(delivered to command: cat >")
        mail.wait_log(rf"{qid}: to=<bob\+x@example.test>, .*status=sent \(delivered to file: {out}/box\)")
        got = (out / "got").read_text()
        self.assertRegex(got, r"\AFrom ann@client.test  \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\nReturn-Path: <ann@client.test>\n"
                              r"X-Original-To: bob\+x@example.test\nDelivered-To: bob\+x@example.test\nReceived: ")
        self.assertTrue(got.endswith("\n\nhi\n"))
        self.assertEqual((out / "who").read_text(), f"{out.stat().st_uid}\nbob+x@example.test x ann@client.test\n")
        self.assertTrue((out / "box").read_text().endswith("\n\nhi\n\n"))
        self.assertEqual(mail.messages(self.bob), [])

    def test_untrusted_and_empty_files_mean_the_mailbox(self):
        mail = self.mail
        self.forward("dan\n").chmod(0o666)
        send(mail, "bob@example.test")
        mail.wait_messages(self.bob, 1)
        mail.wait_log(r"warning: file .*/\.forward is world writable: ignored")
        self.forward("# nobody\n").chmod(0o644)
        send(mail, "bob@example.test")
        mail.wait_messages(self.bob, 2)
        self.forward(":include:/nonexistent/list\n")
        qid = send(mail, "bob@example.test")
        mail.wait_log(rf"{qid}: to=<bob@example.test>, .*status=deferred \(cannot read forwarding file")
        self.forward("\\bob\n")
        mail.run("postqueue", "-f")
        mail.wait_messages(self.bob, 3)

    def test_aliases(self):
        mail, data = self.mail, self.mail.prefix / "data"
        send(mail, "cmd@example.test")
        send(mail, "file@example.test")
        send(mail, "both@example.test")
        mail.wait_log(r"to=<cmd@example.test>, relay=local, .*status=sent \(delivered to command: cat >")
        mail.wait_log(r"to=<file@example.test>, .*status=sent \(delivered to file: ")
        mail.wait_log(r"to=<both@example.test>, .*status=sent \(forwarded as \w+\)")
        mail.wait_messages(self.bob, 1)
        mail.wait_log(r"status=sent \(delivered to file: /dev/null\)")
        self.assertIn("Delivered-To: cmd@example.test", (data / "alias-cmd").read_text())
        self.assertTrue((data / "alias-file").read_text().startswith("From ann@client.test  "))
        self.assertIn("Delivered-To: both@example.test", (data / "alias-both").read_text())

    def test_exit_statuses(self):
        mail = self.mail
        later = send(mail, "later@example.test", sender="bob@example.test")
        mail.wait_log(rf"{later}: to=<later@example.test>, relay=local, .*dsn=4.3.0, status=deferred"
                      r" \(temporary failure. Command output: not now\)")
        never = send(mail, "never@example.test", sender="bob@example.test")
        mail.wait_log(rf"{never}: to=<never@example.test>, .*dsn=5.7.0, status=bounced"
                      r" \(permission denied. Command output: go away\)")
        (bounce,) = mail.wait_messages(self.bob, 1)
        self.assertIn("permission denied. Command output: go away", bounce.read_text())
        self.assertIn("Status: 5.7.0", bounce.read_text())
        slow = send(mail, "slow@example.test", sender="bob@example.test")
        mail.wait_log(rf'{slow}: to=<slow@example.test>, .*dsn=5.3.0, status=bounced'
                      r' \(Command time limit exceeded: "sleep 60"\)')

    def test_include_and_owner(self):
        mail = self.mail
        send(mail, "incl@example.test")
        mail.wait_messages(self.bob, 1)
        mail.wait_messages(self.dan, 1)
        send(mail, "list@example.test")
        text = mail.wait_messages(self.dan, 2)
        self.assertTrue(any("Return-Path: <owner-list@example.test>" in m.read_text() for m in text))

    def test_many_at_once(self):
        """A slow command of one user holds up neither his other mail nor that of others."""
        mail = self.mail
        self.forward('"|sleep 1; cat >/dev/null"\n')
        for _ in range(5):
            send(mail, "bob@example.test")
        send(mail, "dan@example.test")
        mail.wait_messages(self.dan, 1)
        wait(lambda: len(re.findall(r"status=sent \(delivered to command: sleep 1", mail.log())) == 5, "five commands", mail.log)
        mail.wait_empty_queue()


class OtherAgents(unittest.TestCase):
    """mailbox_transport, fallback_transport and luser_relay."""

    def setUp(self):
        self.mail = mail = Instance(params={"mailbox_transport": "box:", "local_recipient_maps": "", "luser_relay": "bob+$local@example.test",
                                            "recipient_delimiter": "+"})
        with open(mail.etc / "master.cf", "a") as file:
            for name in ("box", "old"):
                file.write(f"{name} unix - n n - 4 pipe flags=DR user=games directory={mail.prefix}/data"
                           f" argv=/bin/sh -c {{cat >>{name}-$$0}} ${{mailbox}}\n")
        mail.start()
        self.addCleanup(lambda: mail.__exit__(None))
        self.bob = mail.add_user("bob")

    def test_users_mail_goes_to_the_agent(self):
        mail, data = self.mail, self.mail.prefix / "data"
        qid = send(mail, "bob@example.test")
        mail.wait_log(rf"pipe\[\d+\]: {qid}: to=<bob@example.test>, relay=box, .*status=sent \(delivered via box service\)")
        self.assertIn("Delivered-To: bob@example.test", (data / "box-bob").read_text())
        # A .forward file comes first, and may name the own mailbox.
        path = self.bob.parent / ".forward"
        path.write_text(f"\\bob, {self.bob.parent}/copy\n")
        if mail.identity:
            os.chown(path, *mail.identity)
        qid = send(mail, "bob@example.test")
        mail.wait_log(rf"{qid}: to=<bob@example.test>, relay=local, .*status=sent \(delivered to file: ")
        mail.wait_log(rf"{qid}: to=<bob@example.test>, relay=box, .*status=sent")
        path.write_text(f"{self.bob.parent}/copy\n")
        qid = send(mail, "bob@example.test")
        mail.wait_log(rf"{qid}: removed")
        self.assertEqual((data / "box-bob").read_text().count("Delivered-To: bob@example.test"), 2)
        self.assertEqual((self.bob.parent / "copy").read_text().count("From ann@client.test  "), 2)
        self.assertFalse(self.bob.exists())

    def test_unknown_users(self):
        mail, data = self.mail, self.mail.prefix / "data"
        qid = send(mail, "nosuch@example.test")
        mail.wait_log(rf"{qid}: to=<nosuch@example.test>, relay=local, .*status=sent \(forwarded as")
        mail.wait_log(r"to=<bob\+nosuch@example.test>, .*relay=box, .*status=sent")
        mail.run("postconf", "-e", "fallback_transport = old:")
        mail.run("postern", "reload")
        mail.wait_log("reload -- version")
        qid = send(mail, "nosuch@example.test")
        mail.wait_log(rf"{qid}: to=<nosuch@example.test>, relay=old, .*status=sent")
        self.assertIn("Delivered-To: nosuch@example.test", (data / "old-nosuch").read_text())


if __name__ == "__main__":
    unittest.main()
