"""postscreen in front of smtpd: what Postfix's POSTSCREEN_README promises, with real sockets and a name server that
this test plays."""

import contextlib
import os
import pwd
import re
import smtplib
import socket
import socketserver
import ssl
import struct
import threading
import unittest

from instance import Instance
from t_15_submission_tls import make_certificate

MASTER = """\
127.0.0.1:0 inet n - n - 1 postscreen
smtpd     pass - - n - - smtpd
dnsblog   unix - - n - 0 dnsblog
tlsproxy  unix - - n - 0 tlsproxy
"""
LISTED = {"1.0.0.127.bad.test": "127.0.0.4", "1.0.0.127.worse.test": "127.0.0.2", "1.0.0.127.good.test": "127.0.0.9"}
MESSAGE = "From: ann@client.test\r\nSubject: x\r\n\r\nhi\r\n"


class Names(socketserver.BaseRequestHandler):
    def handle(self):
        packet, server = self.request
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
            at += packet[at] + 1
        data = LISTED.get(".".join(labels)) if packet[at + 1:at + 3] == b"\0\1" else None
        head = packet[:2] + struct.pack(">HHHHH", 0x8580 | (0 if data else 3), 1, 1 if data else 0, 0, 0)
        body = packet[12:at + 5]
        if data:
            body += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 600, 4) + socket.inet_aton(data)
        server.sendto(head + body, self.client_address)


class Client:
    def __init__(self, mail, first=b""):
        self.socket = socket.create_connection(("127.0.0.1", mail._ports["127.0.0.1:0"]))
        self.socket.sendall(first)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def reply(self):
        lines = []
        while True:
            lines.append(self.file.readline().decode().rstrip())
            if len(lines[-1]) < 4 or lines[-1][3] != "-":
                return "\n".join(lines)

    def say(self, *lines):
        self.socket.sendall("".join(line + "\r\n" for line in lines).encode())
        return [self.reply() for _ in lines]


class Postscreen(unittest.TestCase):
    def instance(self, **params):
        mail = Instance(services=(), master_cf=MASTER, params={
            "mynetworks": "10.0.0.0/8", "postscreen_greet_wait": "1s", "postscreen_greet_action": "enforce", **params})
        self.assertTrue(mail)
        return mail

    def port(self, mail):
        return mail._ports["127.0.0.1:0"]

    def send(self, mail):
        with smtplib.SMTP("127.0.0.1", self.port(mail)) as smtp:
            smtp.sendmail("ann@client.test", ["bob@example.test"], MESSAGE)

    def test_a_good_client_passes_and_is_known_then(self):
        with self.instance() as mail:
            maildir = mail.add_user("bob")
            self.send(mail)
            mail.wait_messages(maildir, 1)
            mail.wait_log(r"postscreen\[\d+\]: CONNECT from \[127\.0\.0\.1\]:\d+ to \[127\.0\.0\.1\]:\d+\n")
            mail.wait_log(r"postscreen\[\d+\]: PASS NEW \[127\.0\.0\.1\]:\d+\n")
            mail.wait_log(r"smtpd\[\d+\]: connect from ")
            self.assertNotIn("DISCONNECT", mail.log())
            self.send(mail)
            mail.wait_log(r"postscreen\[\d+\]: PASS OLD \[127\.0\.0\.1\]:\d+\n")
            mail.wait_messages(maildir, 2)
            # What was learnt outlives the process.
            mail.run("postern", "stop")
            mail.start()
            self.send(mail)
            mail.wait_messages(maildir, 3)
            self.assertEqual(len(re.findall("PASS OLD", mail.log())), 2)
            dump = mail.run("postmap", "-s", f"btree:{mail.prefix}/data/postscreen_cache").stdout
            self.assertRegex(dump, r"^127\.0\.0\.1\s+\d{10,};0;0;0;0$")
            mail.wait_log("dnsblog")

    def test_who_talks_first(self):
        with self.instance() as mail:
            with Client(mail, b"EHLO spam\r\n") as client:
                greeting = client.reply()
                self.assertTrue(greeting.startswith("220-mail.example.test ESMTP"), greeting)
                self.assertTrue(client.reply().startswith("250-"))
                replies = client.say("MAIL FROM:<s@spam.test>", "RCPT TO:<bob@example.test>", "QUIT")
                self.assertEqual(replies, ["250 2.1.0 Ok", "550 5.5.1 Protocol error", "221 2.0.0 Bye"])
            mail.wait_log(r"PREGREET 11 after 0(\.\d+)? from \[127\.0\.0\.1\]:\d+: EHLO spam\\r\\n\n")
            mail.wait_log(r"NOQUEUE: reject: RCPT from \[127\.0\.0\.1\]:\d+: 550 5\.5\.1 Protocol error; "
                          r"from=<s@spam\.test>, to=<bob@example\.test>, proto=ESMTP, helo=<spam>\n")
            mail.wait_log(r"DISCONNECT \[127\.0\.0\.1\]:\d+\n")
            with Client(mail):
                pass
            mail.wait_log(r"HANGUP after 0(\.\d+)? from \[127\.0\.0\.1\]:\d+ in tests before SMTP handshake\n")
            self.assertNotIn("PASS", mail.log())
        with self.instance(postscreen_greet_action="drop", postscreen_greet_banner="") as mail:
            with Client(mail, b"EHLO spam\r\n") as client:
                self.assertEqual(client.reply(), "521 5.5.1 Protocol error")
                self.assertEqual(client.reply(), "")

    def test_dns_lists(self):
        with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Names) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            lists = {"dns_forwarders": "127.0.0.1@%d" % server.server_address[1], "postscreen_dnsbl_action": "enforce",
                     "postscreen_dnsbl_threshold": "3"}
            with self.instance(postscreen_dnsbl_sites="bad.test=127.0.0.[2..9]*2, worse.test*3 none.test*9 good.test=127.0.0.1*-8",
                               postscreen_dnsbl_reply_map="inline:{worse.test=our.list}", **lists) as mail:
                with Client(mail) as client:
                    self.assertTrue(client.reply().startswith("220-"))
                    replies = client.say("HELO c", "MAIL FROM:<s@spam.test>", "RCPT TO:<bob@example.test>")
                    self.assertEqual(replies[2], "550 5.7.1 Service unavailable; client [127.0.0.1] blocked using our.list")
                mail.wait_log(r"DNSBL rank 5 for \[127\.0\.0\.1\]:\d+\n")
                mail.wait_log(r"HANGUP after \S+ from \[127\.0\.0\.1\]:\d+ in tests after SMTP handshake\n")
                self.assertNotIn("PASS", mail.log())
            with self.instance(postscreen_dnsbl_sites="bad.test*2 good.test*-5", postscreen_dnsbl_allowlist_threshold="-1",
                               postscreen_pipelining_enable="yes", **lists) as mail:
                maildir = mail.add_user("bob")
                self.send(mail)  # trusted: no deep tests
                mail.wait_messages(maildir, 1)
                mail.wait_log(r"DNSBL rank -3 for ")
                mail.wait_log(r"PASS NEW ")
            server.shutdown()

    def test_what_only_a_session_shows(self):
        with self.instance(postscreen_pipelining_enable="yes", postscreen_non_smtp_command_enable="yes",
                           postscreen_bare_newline_enable="yes") as mail:
            maildir = mail.add_user("bob")
            with Client(mail) as client:
                client.reply()
                client.say("EHLO c")
                client.socket.sendall(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\n")
                self.assertEqual([client.reply(), client.reply()], ["250 2.1.0 Ok", "550 5.5.1 Protocol error"])
            mail.wait_log(r"COMMAND PIPELINING from \[127\.0\.0\.1\]:\d+ after MAIL: RCPT TO:")
            with Client(mail) as client:
                client.reply()
                self.assertTrue(client.say("GET / HTTP/1.1")[0].startswith("521 5.7.0"))
            mail.wait_log(r"NON-SMTP COMMAND from \[127\.0\.0\.1\]:\d+ after CONNECT: GET / HTTP/1\.1\n")
            self.assertNotIn("PASS", mail.log())
            with self.assertRaises(smtplib.SMTPRecipientsRefused) as refusal:
                self.send(mail)
            self.assertEqual(refusal.exception.recipients["bob@example.test"], (450, b"4.3.2 Service currently unavailable"))
            mail.wait_log(r"PASS NEW \[127\.0\.0\.1\]:\d+\n")
            self.send(mail)
            mail.wait_messages(maildir, 1)
            mail.wait_log("PASS OLD")

    def secured(self, client):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.file.close()
        client.socket = context.wrap_socket(client.socket)
        client.file = client.socket.makefile("rb")

    def with_certificate(self, **params):
        mail = self.instance(postscreen_pipelining_enable="yes", tlsproxy_tls_loglevel="1", **params)
        with open(mail.etc / "main.cf", "a") as main_cf:
            main_cf.write(f"smtpd_tls_cert_file = {make_certificate(mail.etc, mail.identity)}\n")
        return mail

    def test_starttls(self):
        with self.with_certificate(postscreen_tls_security_level="encrypt") as mail:
            with Client(mail) as client:
                client.reply()
                self.assertIn("250-STARTTLS\n", client.say("EHLO c")[0])
                self.assertEqual(client.say("MAIL FROM:<a@b.test>")[0], "530 5.7.0 Must issue a STARTTLS command first")
                self.assertEqual(client.say("STARTTLS")[0], "220 2.0.0 Ready to start TLS")
                self.secured(client)
                self.assertNotIn("STARTTLS", client.say("EHLO c")[0])
                self.assertEqual(client.say("MAIL FROM:<a@b.test>")[0], "250 2.1.0 Ok")
                self.assertEqual(client.say("RCPT TO:<bob@example.test>")[0], "450 4.3.2 Service currently unavailable")
                client.say("QUIT")
            mail.wait_log(r"Anonymous TLS connection established from \[127\.0\.0\.1\]:\d+: TLSv1\.3 with cipher ")
            mail.wait_log(r"PASS NEW \[127\.0\.0\.1\]:\d+\n")

    def test_what_comes_before_the_handshake_is_dropped(self):
        with self.with_certificate(smtpd_tls_security_level="may") as mail:
            with Client(mail) as client:
                client.reply()
                client.say("EHLO c")
                # What comes in plaintext behind STARTTLS is nobody's command (CVE-2011-0411).
                client.socket.sendall(b"STARTTLS\r\nMAIL FROM:<injected@b.test>\r\nRCPT TO:<bob@example.test>\r\n")
                self.assertEqual(client.reply(), "220 2.0.0 Ready to start TLS")
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(client.reply(), "")
            mail.wait_log(r"COMMAND PIPELINING from \S+ after STARTTLS: MAIL FROM:<injected@b.test>")
            mail.wait_log(r"warning: STARTTLS from \[127\.0\.0\.1\]:\d+: ")
            with Client(mail) as client:
                client.reply()
                client.say("EHLO c")
                client.say("STARTTLS")
                client.socket.sendall(b"this is no TLS record\r\n")
                with contextlib.suppress(ConnectionResetError):
                    client.socket.recv(1000)
            mail.wait_log(r"SSL_accept error from \[127\.0\.0\.1\]:\d+: ")
            self.assertNotIn("injected@b.test>, to", mail.log())
            self.assertNotIn("PASS NEW", mail.log())

    def test_lists_of_addresses(self):
        with self.instance(postscreen_access_list="permit_mynetworks, inline:{127.0.0.1=reject}",
                           postscreen_blacklist_action="drop") as mail:
            with Client(mail) as client:
                self.assertEqual(client.reply(),
                                 "521 5.3.2 Service unavailable; client [127.0.0.1] blocked using local blocklist")
            mail.wait_log(r"DENYLISTED \[127\.0\.0\.1\]:\d+\n")
        with self.instance(postscreen_access_list="permit_mynetworks", mynetworks="127.0.0.0/8",
                           postscreen_greet_wait="1h") as mail:
            maildir = mail.add_user("bob")
            self.send(mail)
            mail.wait_messages(maildir, 1)
            mail.wait_log(r"ALLOWLISTED \[127\.0\.0\.1\]:\d+\n")

    def test_whom_a_proxy_speaks_for(self):
        with self.instance(postscreen_upstream_proxy_protocol="haproxy") as mail:
            with Client(mail, b"PROXY TCP4 192.0.2.7 198.51.100.1 4321 25\r\n") as client:
                client.reply()
                self.assertIn("250 ", client.say("HELO c")[0])
            mail.wait_log(r"CONNECT from \[192\.0\.2\.7\]:4321 to \[198\.51\.100\.1\]:25\n")
            mail.wait_log(r"PASS NEW \[192\.0\.2\.7\]:4321\n")
            mail.wait_log(r"smtpd\[\d+\]: connect from unknown\[192\.0\.2\.7\]")
            with Client(mail, b"EHLO x\r\n") as client:
                with contextlib.suppress(ConnectionResetError):  # its word was not read
                    self.assertEqual(client.reply(), "")
            mail.wait_log("haproxy: no PROXY header")

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_as_users_of_their_own(self):
        mail = Instance(services=(), master_cf=MASTER, real_uids=True, params={
            "mynetworks": "10.0.0.0/8", "postscreen_greet_wait": "1s", "postscreen_greet_action": "enforce"})
        with mail:
            maildir = mail.add_user("bob")
            self.send(mail)
            mail.wait_messages(maildir, 1)
            mail.wait_log("PASS NEW")
            (pid,) = mail.pids("127.0.0.1:0")
            self.assertEqual(pwd.getpwuid(os.stat(f"/proc/{pid}").st_uid).pw_name, "postern")
            self.send(mail)
            mail.wait_log("PASS OLD")
            mail.run("postern", "reload")  # its results are for the next process
            self.send(mail)
            mail.wait_messages(maildir, 3)
            self.assertEqual(mail.log().count("PASS NEW"), 1)
            self.assertNotIn("warning", mail.log())

    def test_too_many_at_once(self):
        with self.instance(postscreen_client_connection_count_limit="1", postscreen_greet_wait="1h") as mail:
            with Client(mail) as first, Client(mail) as second:
                self.assertTrue(first.file.readline().startswith(b"220-"))
                self.assertEqual(second.reply(), "421 4.7.0 mail.example.test Error: too many connections")
            mail.wait_log(r"NOQUEUE: reject: CONNECT from \[127\.0\.0\.1\]:\d+: too many connections\n")
            mail.wait_log(r"HANGUP after ")  # the first one does not count any more
            with Client(mail) as client:  # stopped while it waits
                client.file.readline()
                mail.run("postern", "stop")
                self.assertIn("421 4.3.2", client.reply())


if __name__ == "__main__":
    unittest.main()
