"""Mail for elsewhere: relayed to a sink, refused, deferred, retried, by SMTP and LMTP."""

import os
import re
import signal
import smtplib
import subprocess
import unittest

from instance import BUILD, Instance, process, wait

MESSAGE = "From: ann@client.test\r\nSubject: hello\r\n\r\n.dot\r\nlast\r\n"


class Sink:
    """smtp-sink on a port of its own, which keeps what it gets."""

    def __init__(self, folder, *options, address="127.0.0.1:0"):
        self.folder = folder
        self.port = int(address.rsplit(":", 1)[1])
        self.context = process(BUILD / "commands/smtp-sink", "-d", folder / "message.", *options, address,
                               stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        self.child = self.context.__enter__()
        if self.port == 0:  # it tells which one it got
            self.port = int(self.child.stdout.readline().strip().rsplit(":", 1)[1])
        self.hop = f"[127.0.0.1]:{self.port}"
        return self

    def __exit__(self, *what):
        self.child.stdout.close()
        return self.context.__exit__(*what)

    def messages(self):
        return sorted(self.folder.glob("message.*"))


def send(mail, *recipients, text=MESSAGE):
    with smtplib.SMTP(*mail.address("smtp")) as smtp:
        smtp.sendmail("ann@client.test", recipients, text)


def relay_to(mail, hop):
    """Sets relayhost before the start."""
    with open(mail.etc / "main.cf", "a") as file:
        file.write(f"relayhost = {hop}\n")


class Relay(unittest.TestCase):
    def start(self, mail, hop):
        relay_to(mail, hop)
        mail.start()

    def instance(self):
        mail = Instance()
        self.addCleanup(mail.__exit__, None)
        return mail

    def test_an_agent_between_two_requests(self):
        """qmgr keeps its connection to an agent; one that is gone by the next request costs no message a delay."""
        mail = self.instance()
        folder = mail.prefix / "sink"
        folder.mkdir()
        with Sink(folder) as sink:
            self.start(mail, sink.hop)

            def deliver():
                send(mail, "a@far.test")
                mail.wait_empty_queue()
                return re.findall(r"smtp\[(\d+)\]: \S+ to=<a@far\.test>.* status=sent", mail.log())[-1]

            agent = deliver()
            self.assertEqual(deliver(), agent)
            mail.run("postern", "reload")
            second = deliver()
            os.kill(int(second), signal.SIGKILL)
            third = deliver()
            self.assertNotEqual(third, second)
            self.assertEqual(len(sink.messages()), 4)
            self.assertNotIn("status=deferred", mail.log())

    def test_delivered(self):
        mail = self.instance()
        folder = mail.prefix / "sink"
        folder.mkdir()
        with Sink(folder) as sink:
            self.start(mail, sink.hop)
            send(mail, "a@far.test", "b@far.test")
            mail.wait_empty_queue()
            (path,) = sink.messages()
            text = path.read_text()
            self.assertIn("X-Rcpt-Args: TO:<a@far.test>", text)
            self.assertIn("X-Rcpt-Args: TO:<b@far.test>", text)
            self.assertIn("X-Mail-Args: FROM:<ann@client.test>", text)
            self.assertTrue(text.endswith("\n\n.dot\nlast\n"), text)
            self.assertIn("by mail.example.test (", text)
            mail.wait_log(r"postfix/smtp\[\d+\]: \w+: to=<a@far.test>, relay=127.0.0.1\[127.0.0.1\]:\d+, delay=[\d.]+, "
                          r"delays=[\d./]+, dsn=2.0.0, status=sent \(250 2.0.0 Ok\)")

    def test_connection_is_used_again(self):
        mail = self.instance()
        folder = mail.prefix / "sink"
        folder.mkdir()
        with Sink(folder, "-n", "1") as sink:  # one session and no more
            self.start(mail, sink.hop)
            for _ in range(5):
                send(mail, "a@far.test")
            wait(lambda: len(sink.messages()) == 5, "five messages", mail.log)

    def test_refused_for_good_is_returned(self):
        mail = self.instance()
        maildir = mail.add_user("bob")
        with Sink(mail.prefix, "-r", "RCPT") as sink:
            self.start(mail, sink.hop)
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.sendmail("bob@example.test", ["x@far.test"], MESSAGE)
            mail.wait_log(r"to=<x@far.test>, relay=127.0.0.1\[127.0.0.1\]:\d+, .*dsn=5.3.0, status=bounced \(host "
                          r"127.0.0.1\[127.0.0.1\] said: 500 5.3.0 Error: command failed \(in reply to RCPT TO command\)\)")
            (path,) = mail.wait_messages(maildir, 1)
            text = path.read_text()
            self.assertIn("Undelivered Mail Returned to Sender", text)
            self.assertIn("Final-Recipient: rfc822; x@far.test", text)
            self.assertIn("Remote-MTA: dns; 127.0.0.1", text)
            self.assertIn("Diagnostic-Code: smtp; 500 5.3.0 Error: command failed", text)

    def test_refused_for_now_waits(self):
        mail = self.instance()
        with Sink(mail.prefix, "-f", "RCPT") as sink:
            self.start(mail, sink.hop)
            send(mail, "x@far.test")
            mail.wait_log(r"to=<x@far.test>, relay=127.0.0.1\[127.0.0.1\]:\d+, .*dsn=4.3.0, status=deferred \(host "
                          r"127.0.0.1\[127.0.0.1\] said: 450 4.3.0 Error: command failed \(in reply to RCPT TO command\)\)")
            self.assertEqual(len(mail.queue_ids()), 1)
            self.assertIn("x@far.test", mail.run("mailq").stdout)

    def test_down_and_up_again(self):
        mail = self.instance()
        with Sink(mail.prefix) as sink:
            port = sink.port  # of nobody from now on
        self.start(mail, f"[127.0.0.1]:{port}")
        send(mail, "x@far.test")
        mail.wait_log(rf"relay=none, .*dsn=4.4.1, status=deferred \(connect to 127.0.0.1\[127.0.0.1\]:{port}: "
                      r"Connection refused\)")
        folder = mail.prefix / "sink"
        folder.mkdir()
        with Sink(folder, address=f"127.0.0.1:{port}") as sink:
            mail.run("postqueue", "-f")
            mail.wait_empty_queue()
            self.assertEqual(len(sink.messages()), 1)

    def test_recipients_apart(self):
        mail = self.instance()
        folder = mail.prefix / "sink"
        folder.mkdir()
        with Sink(folder, "-W", "RCPT:0", "-f", "") as sink:
            self.start(mail, sink.hop)
            send(mail, *[f"r{i}@far.test" for i in range(120)])
            mail.wait_empty_queue()
            taken = "".join(path.read_text() for path in sink.messages())
            for i in range(120):
                self.assertEqual(taken.count(f"X-Rcpt-Args: TO:<r{i}@far.test>"), 1)

    def test_lmtp(self):
        mail = self.instance()
        folder = mail.prefix / "sink"
        folder.mkdir()
        with Sink(folder, "-L") as sink:
            with open(mail.etc / "main.cf", "a") as file:
                file.write(f"default_transport = lmtp:inet:127.0.0.1:{sink.port}\n")
            mail.start()
            send(mail, "a@far.test", "b@far.test")
            mail.wait_log(r"postfix/lmtp\[\d+\]: \w+: to=<b@far.test>, relay=127.0.0.1\[127.0.0.1\]:\d+, .*status=sent")
            mail.wait_empty_queue()
            (path,) = sink.messages()
            self.assertIn("X-Client-Proto: LMTP", path.read_text())


if __name__ == "__main__":
    unittest.main()
