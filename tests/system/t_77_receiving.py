"""What clients and users may ask of the receiving side: VERP, a load balancer in front, Received: without the client, and
what postscreen says and understands."""

import contextlib
import pathlib
import re
import smtplib
import tempfile
import unittest

from instance import Instance
from smtp_talk import Talk
from t_30_relay import Sink, relay_to

POSTSCREEN = """\
127.0.0.1:0 inet n - n - 1 postscreen
smtpd     pass - - n - - smtpd
"""


class Verp(unittest.TestCase):
    def envelopes(self, mail):
        """What postcat shows of all queue files."""
        return [mail.run("postcat", "-e", path).stdout for path in sorted((mail.queue / "hold").iterdir())]

    def test_who_may_ask_for_it(self):
        params = {"smtpd_authorized_verp_clients": "127.0.0.1", "smtpd_sender_restrictions": "check_sender_access static:HOLD",
                  "header_checks": "static:HOLD"}
        with Instance(params=params, services=("smtp",)) as mail:
            mail.add_user("u")
            with Talk(mail.address("smtp")) as talk:
                talk.read()
                self.assertIn("\n250-XVERP\n", talk.say("EHLO c.test"))
                self.assertEqual(talk.say("MAIL FROM:<> XVERP"), "503 5.5.4 Error: XVERP requires non-null sender")
                self.assertEqual(talk.say("MAIL FROM:<a@c.test> XVERP=ab"), "501 5.5.4 Error: XVERP needs two characters from -=+")
                self.assertEqual(talk.say("MAIL FROM:<a@c.test> XVERP=-="), "250 2.1.0 Ok")
                talk.say("RCPT TO:<u@example.test>")
                talk.say("DATA")
                self.assertIn("queued", talk.say("Subject: x\r\n\r\nx\r\n."))
            mail.wait_log(r"HOLD action")
            for arguments, delimiters in ((["-XV"], "+="), (["-XV=+"], "=+")):
                mail.run("sendmail", *arguments, "-f", "list@example.test", "u@example.test", input="Subject: y\n\nx\n")
            from instance import wait
            wait(lambda: len(list((mail.queue / "hold").iterdir())) == 3, "three held messages", mail.log)
            shown = "".join(self.envelopes(mail))
            for delimiters in ("-=", "+=", "=+"):
                self.assertRegex(shown, rf"verp_delimiters[=:] ?{re.escape(delimiters)}\n")
            bad = mail.run("sendmail", "-XVab", "u@example.test", input="x\n", check=False)
            self.assertEqual(bad.returncode, 64)
            self.assertIn("-XV requires two characters from -=+", bad.stderr)


    def test_bounces_come_back_to_the_expanded_address(self):
        params = {"smtpd_authorized_verp_clients": "127.0.0.1", "recipient_delimiter": "+", "mynetworks": "127.0.0.0/8"}
        with tempfile.TemporaryDirectory() as folder, Sink(pathlib.Path(folder), "-r", "rcpt") as sink, \
                contextlib.ExitStack() as ending:
            mail = Instance(params=params, services=("smtp",))
            ending.callback(mail.__exit__, None)
            relay_to(mail, sink.hop)
            mail.start()
            maildir = mail.add_user("list")
            mail.run("sendmail", "-XV", "-f", "list@example.test", "bob@far.test", "cy@far.test", input="Subject: y\n\nx\n")
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.sendmail("list@example.test", ["dan@far.test"], "Subject: z\r\n\r\nx\r\n", mail_options=["XVERP=-="])
            bounces = [path.read_text() for path in mail.wait_messages(maildir, 2)]
            for who in ("bob", "cy"):
                (bounce,) = [text for text in bounces if f"To: list+{who}=far.test@example.test\n" in text]
                self.assertIn(f"Final-Recipient: rfc822; {who}@far.test\n", bounce)
                self.assertEqual(len(re.findall("^Final-Recipient:", bounce, re.M)), 1, "one notice for each recipient")
            # With other delimiters than recipient_delimiter it is somebody else's address.
            mail.wait_log(r"from=<list@example\.test>")
            mail.wait_log(r"to=<list-dan=far\.test@example\.test>, .*status=bounced")


class Told(unittest.TestCase):
    def test_what_restrictions_permit_and_warn_of(self):
        params = {"smtpd_log_access_permit_actions": "static:all", "mynetworks": "127.0.0.0/8",
                  "smtpd_client_restrictions": "warn_if_reject reject", "smtpd_data_restrictions": "permit",
                  "smtpd_helo_restrictions": "check_helo_access static:OK",
                  "smtpd_sender_restrictions": "check_sender_access inline:{{ann@c.test=WARN some words}}"}
        with Instance(params=params) as mail:
            mail.add_user("u")
            with smtplib.SMTP(*mail.address("smtp"), local_hostname="c.test") as smtp:
                smtp.sendmail("ann@c.test", ["u@example.test"], "Subject: x\r\n\r\nx\r\n")
            rcpt, end = r"RCPT from localhost\[127\.0\.0\.1\]: ", r"; from=<ann@c\.test> to=<u@example\.test> proto=ESMTP helo=<c\.test>\n"
            client = r"localhost\[127\.0\.0\.1\]"
            mail.wait_log("NOQUEUE: reject_warning: " + rcpt + f"554 5.7.1 <{client}>: Client host rejected: Access denied" + end)
            mail.wait_log("NOQUEUE: permit: " + rcpt + "action=OK for Helo command=c.test from static:OK" + end)
            mail.wait_log("NOQUEUE: warn: " + rcpt + "some words" + end)
            mail.wait_log("NOQUEUE: permit: " + rcpt + f"action=permit_mynetworks for Client host={client} " + end)
            mail.wait_log(r"\w+: permit: DATA from localhost\[127\.0\.0\.1\]: action=permit for Data command=DATA " + end)


class Behind(unittest.TestCase):
    def test_a_load_balancer(self):
        options = "-o smtpd_upstream_proxy_protocol=haproxy -o smtpd_upstream_proxy_timeout=1s"
        with Instance(listener_options={"smtp": options}) as mail:
            with Talk(mail.address("smtp"), b"PROXY TCP4 192.0.2.7 198.51.100.2 4711 25\r\n") as talk:
                talk.read()
                talk.say("HELO c.test")
                talk.say("MAIL FROM:<a@c.test>")
                self.assertIn("Relay access denied", talk.say("RCPT TO:<b@far.test>"))  # no neighbour of ours
                talk.say("QUIT")
            mail.wait_log(r"connect from \S*\[192\.0\.2\.7\]")
            with Talk(mail.address("smtp"), b"EHLO c.test\r\n") as talk:
                try:
                    self.assertEqual(talk.read(), "")
                except ConnectionResetError:
                    pass  # its words were not read
            mail.wait_log("haproxy: no PROXY header")
            with Talk(mail.address("smtp")) as talk:
                self.assertEqual(talk.read(), "")
            mail.wait_log("no PROXY header within smtpd_upstream_proxy_timeout")

    def test_received_without_the_client(self):
        with Instance(listener_options={"smtp": "-o smtpd_hide_client_session=yes"}) as mail:
            maildir = mail.add_user("u")
            with Talk(mail.address("smtp")) as talk:
                talk.read()
                for line in ("EHLO secret.test", "MAIL FROM:<a@c.test>", "RCPT TO:<u@example.test>", "DATA"):
                    talk.say(line)
                talk.say("Subject: x\r\n\r\nx\r\n.")
            text = mail.wait_messages(maildir, 1)[0].read_text()
            self.assertRegex(text, r"\nReceived: by mail\.example\.test \(Postern\) id \w+\n\tfor <u@example\.test>; ")
            self.assertNotIn("secret.test", text)
            self.assertNotIn("127.0.0.1", text)


class Postscreen(unittest.TestCase):
    def test_footers_and_replaced_commands(self):
        params = {"postscreen_pipelining_enable": "yes", "postscreen_greet_wait": "0", "mynetworks": "192.0.2.0/24",
                  "postscreen_reject_footer": "\\c. Call $client_address, $helo_name",
                  "postscreen_reject_footer_maps": "inline:{{503 5.5.1 Error: need MAIL command=see the manual}}",
                  "postscreen_command_filter": "inline:{{HALLO c=EHLO c}}",
                  "postscreen_expansion_filter": "0123456789.abc"}
        with Instance(params=params, services=(), master_cf=POSTSCREEN) as mail:
            with Talk(("127.0.0.1", mail._ports["127.0.0.1:0"])) as talk:
                talk.read()
                self.assertIn("8BITMIME", talk.say("HALLO c"))
                self.assertEqual(talk.say("RCPT TO:<u@example.test>"), "503-5.5.1 Error: need MAIL command\n503 5.5.1 see the manual")
                talk.say("HELO a{b}c")
                talk.say("MAIL FROM:<a@c.test>")
                self.assertEqual(talk.say("RCPT TO:<u@example.test>"),
                                 "450 4.3.2 Service currently unavailable. Call 127.0.0.1, a_b_c")
            mail.wait_log(r'replacing client command "HALLO c" with "EHLO c"')


if __name__ == "__main__":
    unittest.main()
