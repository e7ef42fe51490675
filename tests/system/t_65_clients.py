"""What depends on who the client is: limits that anvil counts for, XCLIENT, XFORWARD through a content filter,
actions of access tables, filters of commands and footers of refusals."""

import re
import smtplib
import socketserver
import threading
import unittest

from instance import Instance

MESSAGE = "From: ann@client.test\r\nSubject: {}\r\n\r\nhi\r\n"


def send(mail, subject, to="bob@example.test", service="smtp"):
    with smtplib.SMTP(*mail.address(service)) as smtp:
        smtp.sendmail("ann@client.test", [to], MESSAGE.format(subject))


class Limits(unittest.TestCase):
    def test_connections_messages_and_recipients(self):
        with Instance({"smtpd_client_event_limit_exceptions": "10.0.0.0/8", "smtpd_client_connection_count_limit": "2",
                       "smtpd_client_message_rate_limit": "2", "smtpd_client_recipient_rate_limit": "3",
                       "anvil_status_update_time": "1s", "anvil_rate_time_unit": "1h"}) as mail:
            mail.add_user("bob")
            where = mail.address("smtp")
            with smtplib.SMTP(*where) as first, smtplib.SMTP(*where):
                with self.assertRaises(smtplib.SMTPConnectError) as refusal:
                    smtplib.SMTP(*where)
                self.assertEqual(refusal.exception.smtp_code, 421)
                self.assertEqual(refusal.exception.smtp_error,
                                 b"4.7.0 mail.example.test Error: too many connections from 127.0.0.1")
                mail.wait_log(r"postfix/smtpd\[\d+\]: warning: Connection concurrency limit exceeded: 3 from "
                              r"localhost\[127.0.0.1\] for service 127.0.0.1:0")
                first.ehlo()
                self.assertEqual(first.mail("a@client.test")[0], 250)
                for _ in range(3):
                    self.assertEqual(first.rcpt("bob@example.test")[0], 250)
                self.assertEqual(first.rcpt("bob@example.test"),
                                 (450, b"4.7.1 Error: too many recipients from 127.0.0.1"))
                first.rset()
                self.assertEqual(first.mail("a@client.test")[0], 250)
                first.rset()
                self.assertEqual(first.mail("a@client.test"), (450, b"4.7.1 Error: too much mail from 127.0.0.1"))
            mail.wait_log(r"warning: Message delivery request rate limit exceeded: 3 from localhost")
            mail.wait_log(r"postfix/anvil\[\d+\]: statistics: max connection count 3 for \(127.0.0.1:0:127.0.0.1\) at ")
            mail.wait_log(r"postfix/anvil\[\d+\]: statistics: max message rate 3/3600s for ")
            # Sessions that are over count no more.
            with smtplib.SMTP(*where), smtplib.SMTP(*where):
                pass


class Proxies(unittest.TestCase):
    def test_xclient(self):
        with Instance({"smtpd_authorized_xclient_hosts": "127.0.0.1",
                       "smtpd_client_restrictions": "check_client_access inline:{{192.0.2.66=REJECT not you}}"}) as mail:
            bob = mail.add_user("bob")
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.ehlo("proxy.test")
                self.assertIn("xclient", smtp.esmtp_features)
                self.assertEqual(smtp.docmd("XCLIENT", "NAME=bad.test ADDR=192.0.2.66")[0], 220)
                smtp.ehlo("bad.test")
                smtp.mail("a@client.test")
                self.assertEqual(smtp.rcpt("bob@example.test"),
                                 (554, b"5.7.1 <bad.test[192.0.2.66]>: Client host rejected: not you"))
                smtp.rset()
                self.assertEqual(smtp.docmd("XCLIENT", "NAME=good.test ADDR=IPv6:2001:db8::1 HELO=good.test")[0], 220)
                smtp.ehlo("good.test")
                smtp.sendmail("a@client.test", ["bob@example.test"], MESSAGE.format("as another"))
            mail.wait_messages(bob, 1)
            text = mail.messages(bob)[0].read_text()
            self.assertRegex(text, r"Received: from good.test \(good.test \[IPv6:2001:db8::1\]\)")
            mail.wait_log(r": client=good.test\[2001:db8::1\]")

    def test_xforward_through_a_filter(self):
        seen = []

        class Filter(socketserver.StreamRequestHandler):
            def handle(self):
                say = lambda text: self.wfile.write(text.encode() + b"\r\n")
                say("220 filter")
                for line in self.rfile:
                    line = line.decode().strip()
                    seen.append(line)
                    if line.startswith("EHLO"):
                        say("250-filter\r\n250 XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT")
                    elif line == "DATA":
                        say("354 go")
                        while self.rfile.readline() != b".\r\n":
                            pass
                        say("250 ok")
                    else:
                        say("250 ok")

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Filter) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            with Instance({"content_filter": "scan:[127.0.0.1]:%d" % server.server_address[1],
                           "smtpd_authorized_xforward_hosts": "127.0.0.1"},
                          master_cf="scan unix - - n - - smtp -o smtp_send_xforward_command=yes\n") as mail:
                mail.add_user("bob")
                send(mail, "one")
                mail.wait_empty_queue()
                commands = [line for line in seen if line.startswith("XFORWARD")]
                self.assertRegex(commands[0], r"^XFORWARD NAME=localhost ADDR=127.0.0.1 PORT=\d+$")
                self.assertRegex(commands[1], r"^XFORWARD PROTO=ESMTP HELO=\S+ IDENT=\w+ SOURCE=(LOCAL|REMOTE)$")
                # And back from the filter: the log names both.
                with smtplib.SMTP(*mail.address("smtp")) as smtp:
                    smtp.ehlo()
                    for command in commands:
                        self.assertEqual(smtp.docmd(command), (250, b"2.0.0 Ok"))
                    smtp.sendmail("ann@client.test", ["bob@example.test"], MESSAGE.format("back"))
                ident = re.search(r"IDENT=(\w+)", commands[1])[1]
                mail.wait_log(rf": client=localhost\[127.0.0.1\], orig_queue_id={ident}, orig_client=localhost\[127.0.0.1\]")


class Actions(unittest.TestCase):
    def test_of_access_tables(self):
        table = ("{{hold@client.test=HOLD}, {gone@client.test=DISCARD}, {spf@client.test=PREPEND Received-SPF: pass},"
                 " {copy@client.test=BCC eve@example.test}, {away@client.test=REDIRECT eve@example.test}}")
        with Instance({"smtpd_sender_restrictions": f"check_sender_access inline:{table}"}) as mail:
            bob, eve = mail.add_user("bob"), mail.add_user("eve")
            for sender in ("hold", "gone", "spf", "copy", "away"):
                with smtplib.SMTP(*mail.address("smtp")) as smtp:
                    smtp.sendmail(f"{sender}@client.test", ["bob@example.test"], MESSAGE.format(sender))
            mail.wait_messages(bob, 2)
            mail.wait_messages(eve, 2)
            texts = [path.read_text() for path in mail.messages(bob)]
            self.assertEqual(sorted(re.search(r"Subject: (\w+)", text)[1] for text in texts), ["copy", "spf"])
            spf = next(text for text in texts if "Subject: spf" in text)
            self.assertLess(spf.index("Received-SPF: pass"), spf.index("Received: from"))
            self.assertEqual(len(list((mail.queue / "hold").glob("*"))), 1)
            for line in (r"NOQUEUE: hold: RCPT from localhost\[127.0.0.1\]: <hold@client.test>: Sender address triggers "
                         r"HOLD action; from=<hold@client.test> to=<bob@example.test> proto=ESMTP helo=<",
                         r"NOQUEUE: discard: RCPT from .*<gone@client.test>: Sender address triggers DISCARD action;",
                         r"NOQUEUE: redirect: RCPT from .*: Sender address triggers REDIRECT eve@example.test;"):
                mail.wait_log(line)

    def test_filtered_commands_and_footers(self):
        with Instance({"smtpd_command_filter": "inline:{{MAIL FROM=<x@client.test>=MAIL FROM:<x@client.test>}}",
                       "smtpd_reject_footer": r"\c; ask $server_name\nnot ${client_address}",
                       "smtpd_discard_ehlo_keyword_address_maps": "inline:{127.0.0.1=dsn}",
                       "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_exceptions_networks": "127.0.0.1",
                       "debug_peer_list": "127.0.0.1"}) as mail:
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.ehlo()
                self.assertNotIn("dsn", smtp.esmtp_features)
                self.assertNotIn("auth", smtp.esmtp_features)
                code, text = smtp.docmd("NONSENSE")
                self.assertEqual(text, b"5.5.2 Error: command not recognized; ask mail.example.test\n5.5.2 not 127.0.0.1")
            mail.wait_log(r"postfix/smtpd\[\d+\]: < localhost\[127.0.0.1\]: NONSENSE")
            mail.wait_log(r"postfix/smtpd\[\d+\]: > localhost\[127.0.0.1\]: 500-5.5.2 Error")


if __name__ == "__main__":
    unittest.main()
