"""Parameters that many programs obey together: names of ports, what a table that cannot be opened does, how the log shows
addresses, where master's process id is, who may send as whom."""

import os
import smtplib
import unittest

from instance import Instance

MESSAGE = "From: a@client.test\r\nSubject: x\r\n\r\ntext\r\n"


def send(mail, recipient, sender="ann@client.test", service="smtp"):
    with smtplib.SMTP(*mail.address(service)) as smtp:
        smtp.ehlo()
        smtp.docmd(f"MAIL FROM:<{sender}>")
        code, text = smtp.docmd(f"RCPT TO:<{recipient}>")
        if code != 250:
            return f"{code} {text.decode()}"
        return smtp.data(MESSAGE)[0]


class Parameters(unittest.TestCase):
    def test_known_tcp_ports(self):
        with Instance() as receiver:
            receiver.add_user("bob")
            port = receiver.address("smtp")[1]
            with Instance(params={"known_tcp_ports": f"smtp=25, next=other={port}, broken", "mydestination": "",
                                  "relayhost": "[127.0.0.1]:other"}) as mail:
                self.assertEqual(send(mail, "bob@example.test"), 250)
                receiver.wait_log(r"local\[\d+\]: .*to=<bob@example.test>.*status=sent")
                mail.wait_log(r'warning: known_tcp_ports: "broken": expected name=port or name=name=port')
                self.assertIn('known_tcp_ports: "broken": expected', mail.run("postern", "check", check=False).stdout)

    def test_a_table_that_cannot_be_opened_is_fatal_where_that_is_wanted(self):
        params = {"virtual_alias_maps": "hash:$config_directory/nosuch"}
        with Instance(params={**params, "daemon_table_open_error_is_fatal": "yes"}) as mail:
            mail.add_user("bob")
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.ehlo()
                smtp.docmd("MAIL FROM:<a@client.test>")
                self.assertRegex(str(smtp.docmd("RCPT TO:<bob@example.test>")[0]), "4..")
            mail.wait_log(r"(policy|trivial-rewrite|route|cleanup)\[\d+\]: fatal: hash:\S+/nosuch is unavailable. open database")
            (mail.etc / "nosuch").write_text("x@y.test bob\n")
            mail.run("postmap", mail.etc / "nosuch")
            mail.run("postern", "reload")
            self.assertEqual(send(mail, "bob@example.test"), 250)

    def test_internal_addresses_in_the_log(self):
        params = {"smtpd_reject_unlisted_recipient": "no"}
        for form, shown in (("external", '"a b"@client.test'), ("internal", "a b@client.test")):
            with Instance(params={**params, "info_log_address_format": form}) as mail:
                mail.add_user("bob")
                self.assertEqual(send(mail, "bob@example.test", sender='"a b"@client.test'), 250)
                mail.wait_log(rf"qmgr\[\d+\]: \w+: from=<{shown}>, size=")

    def test_process_id_directory(self):
        with Instance(params={"process_id_directory": "run"}) as mail:
            self.assertTrue((mail.queue / "run/master.pid").exists())
            self.assertIn("is running", mail.run("postern", "status").stderr)
            self.assertEqual(mail.run("postern", "start", check=False).returncode, 1)
            self.assertNotIn("run:", mail.run("postern", "check", check=False).stderr)

    def test_local_login_sender_maps(self):
        with Instance(params={"local_login_sender_maps": "texthash:$config_directory/senders",
                              "recipient_delimiter": "+"}) as mail:
            import pwd
            me = pwd.getpwuid(mail.identity[0] if mail.identity else os.getuid()).pw_name
            mail.add_user("bob")
            (mail.etc / "senders").write_text(f"{me} {me} me@example.test @lists.test\n")
            ok = mail.run("sendmail", "-f", "me+x@example.test", "bob", input="Subject: 1\n\ntext\n")
            self.assertEqual(ok.stderr, "")
            mail.run("sendmail", "-f", "any@lists.test", "bob", input="Subject: 2\n\ntext\n")
            mail.wait_log(r"qmgr\[\d+\]: \w+: from=<me\+x@example.test>")
            mail.wait_log(r"qmgr\[\d+\]: \w+: from=<any@lists.test>")
            for sender in ("other@example.test", "<>"):
                refused = mail.run("sendmail", "-f", sender, "bob", input="Subject: 3\n\ntext\n", check=False)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn(f"not authorized to use sender='{sender.strip('<>')}'", refused.stderr)
            self.assertEqual(list((mail.queue / "maildrop").iterdir()), [])

    def test_who_may_submit_is_told_by_a_table(self):
        with Instance(params={"authorized_mailq_users": "!texthash:$config_directory/nobody, static:all",
                              "authorized_flush_users": "texthash:$config_directory/nobody"}) as mail:
            (mail.etc / "nobody").write_text("nosuchuser x\n")
            self.assertIn("Mail queue is empty", mail.run("postqueue", "-p").stdout)

    def test_null_domain(self):
        for resolves, status in (("no", r"dsn=5.1.3, status=bounced \(bad address syntax"), ("yes", "status=sent")):
            with Instance(params={"resolve_null_domain": resolves, "virtual_alias_maps": "inline:{{ list@example.test = bob@ }}"}) as mail:
                mail.add_user("bob")
                self.assertEqual(send(mail, "list@example.test"), 250)
                mail.wait_log(rf"to=<bob@[^>]*>, orig_to=<list@example.test>.*{status}")


if __name__ == "__main__":
    unittest.main()
