"""A filter before the queue (smtpd_proxy_filter) that puts mail back, refuses it, or is not there."""

import smtplib
import socketserver
import threading
import unittest

from instance import Instance


class Handler(socketserver.StreamRequestHandler):
    """Speaks SMTP; what it accepts goes to the instance's submission service, with a field of its own."""

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 filter ESMTP")
        envelope = []
        while line := self.rfile.readline().decode().strip():
            self.server.lines.append(line)
            word = line.split()[0].upper()
            if word == "EHLO":
                self.say("250-filter\r\n250-XFORWARD NAME ADDR PROTO HELO SOURCE PORT\r\n250 8BITMIME")
            elif word == "DATA":
                self.say("354 go")
                text = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    text += part[1:] if part.startswith(b".") else part
                self.say(self.deliver(envelope, text))
                envelope = []
            elif word == "QUIT":
                return self.say("221 bye")
            else:
                if word in ("MAIL", "RCPT"):
                    envelope.append(line[line.index("<") + 1:line.index(">")])
                self.say("250 2.0.0 ok")

    def deliver(self, envelope, text):
        if b"spam" in text:
            return "550 5.7.1 id=7 - SPAM"
        with smtplib.SMTP(*self.server.back) as smtp:
            smtp.sendmail(envelope[0], envelope[1:], b"X-Filtered: yes\r\n" + text)
        return "250 2.0.0 Ok: id=7, from MTA: queued"


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class ProxyFilter(unittest.TestCase):
    def setUp(self):
        self.filter = Server(("127.0.0.1", 0), Handler)
        self.filter.lines = []
        threading.Thread(target=self.filter.serve_forever, daemon=True).start()
        self.addCleanup(self.filter.server_close)
        self.addCleanup(self.filter.shutdown)
        self.mail = Instance(services=("smtp", "submission"), listener_options={
            "smtp": f"-o smtpd_proxy_filter=127.0.0.1:{self.filter.server_address[1]}",
            "submission": "-o smtpd_tls_security_level=none -o smtpd_relay_restrictions=permit_mynetworks,reject "
                          "-o smtpd_recipient_restrictions=permit_mynetworks,reject -o smtpd_tls_auth_only=no"})
        self.addCleanup(self.mail.__exit__, None)
        self.mail.start()
        self.filter.back = self.mail.address("submission")
        self.bob = self.mail.add_user("bob")

    def send(self, text):
        with smtplib.SMTP(*self.mail.address("smtp")) as smtp:
            smtp.ehlo("client.test")
            smtp.mail("ann@client.test")
            smtp.rcpt("bob@example.test")
            return smtp.data(f"From: ann@client.test\r\n\r\n{text}\r\n.dot\r\n")

    def test_through_the_filter(self):
        code, words = self.send("hello")
        self.assertEqual((code, words), (250, b"2.0.0 Ok: id=7, from MTA: queued"))
        text = self.mail.wait_messages(self.bob, 1)[0].read_text()
        self.assertIn("X-Filtered: yes\n", text)
        self.assertTrue(text.endswith("\nhello\n.dot\n"), text)
        self.assertRegex(text, r"Received: from client.test \(localhost \[127.0.0.1\]\)\n\tby mail.example.test \(Postern\) with ESMTP\n")
        self.assertTrue(any(line.startswith("XFORWARD NAME=localhost ADDR=127.0.0.1") for line in self.filter.lines))
        self.mail.wait_log(r"smtpd\[\d+\]: NOQUEUE: proxy-accept: END-OF-MESSAGE from localhost\[127.0.0.1\]: 250 2.0.0 Ok: id=7, from MTA: "
                           r"queued; from=<ann@client.test> to=<bob@example.test> proto=ESMTP helo=<client.test>")
        self.assertEqual(self.send("spam"), (550, b"5.7.1 id=7 - SPAM"))
        self.mail.wait_log(r"NOQUEUE: proxy-reject: END-OF-MESSAGE from localhost\[127.0.0.1\]: 550 5.7.1 id=7 - SPAM; from=")

    def test_without_it(self):
        self.filter.shutdown()
        self.filter.server_close()
        with self.assertRaises(smtplib.SMTPDataError) as refusal:
            with smtplib.SMTP(*self.mail.address("smtp")) as smtp:
                smtp.sendmail("ann@client.test", ["bob@example.test"], "x\r\n")
        self.assertEqual((refusal.exception.smtp_code, refusal.exception.smtp_error), (451, b"4.3.0 Error: queue file write error"))
        self.mail.wait_log(r"warning: proxy 127.0.0.1:\d+: .*Connection refused")


if __name__ == "__main__":
    unittest.main()
