"""As root, in a network of its own: names of clients from a name server that this test plays."""

import ctypes
import os
import re
import smtplib
import socket
import struct
import subprocess
import threading
import time
import unittest

from instance import Instance

NEW_NETWORK = 0x40000000
GOOD, LIAR, NOBODY, SLOW = "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14"
RECORDS = {("11.2.0.192.in-addr.arpa", 12): "mx.client.test", ("mx.client.test", 1): GOOD,
           ("12.2.0.192.in-addr.arpa", 12): "mx.client.test"}


def name_at(packet, at):
    labels = []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += packet[at] + 1
    return ".".join(labels).lower(), at + 1


def wire(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def answer_to(packet):
    name, end = name_at(packet, 12)
    kind = struct.unpack(">H", packet[end:end + 2])[0]
    if name.startswith("14."):
        return None  # the slow one
    data = RECORDS.get((name, kind))
    known = data or any(n == name or n.endswith("." + name) for n, _ in RECORDS)
    head = packet[:2] + struct.pack(">HHHHH", 0x8580 | (0 if known else 3), 1, 1 if data else 0, 0, 0)
    body = packet[12:end + 4]
    if data:
        rdata = socket.inet_aton(data) if kind == 1 else wire(data)
        body += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(rdata)) + rdata
    return head + body


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class ClientNames(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if ctypes.CDLL(None).unshare(NEW_NETWORK) != 0:
            raise unittest.SkipTest("no network namespace")
        for words in (["link", "set", "lo", "up"], *(["address", "add", f"{a}/32", "dev", "lo"] for a in (GOOD, LIAR, NOBODY, SLOW))):
            subprocess.run(["ip", *words], check=True)
        cls.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        cls.server.bind(("127.0.0.1", 0))
        cls.server.settimeout(None)
        threading.Thread(target=cls.serve, daemon=True).start()
        cls.mail = Instance(params={"dns_forwarders": f"127.0.0.1@{cls.server.getsockname()[1]}", "mynetworks": "192.0.2.0/24"})
        cls.mail.start()
        cls.bob = cls.mail.add_user("bob")

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None)

    @classmethod
    def serve(cls):
        while True:
            packet, peer = cls.server.recvfrom(4096)
            reply = answer_to(packet)
            if reply:
                cls.server.sendto(reply, peer)

    def send(self, source):
        host, port = self.mail.address("smtp")
        with smtplib.SMTP(host, port, source_address=(source, 0), timeout=60) as smtp:
            smtp.ehlo("helo.test")
            smtp.mail("ann@client.test")
            smtp.rcpt("bob@example.test")
            _, text = smtp.data("Subject: x\r\n\r\nhi\r\n")
            return re.search(rb"queued as (\w+)", text).group(1).decode()

    def received(self, qid):
        self.mail.wait_log(rf"{qid}: removed")
        (text,) = [t for t in (p.read_text() for p in self.mail.messages(self.bob)) if f"id {qid}" in t]
        return text

    def test_name_that_leads_back(self):
        qid = self.send(GOOD)
        self.mail.wait_log(rf"connect from mx.client.test\[{GOOD}\]")
        self.mail.wait_log(rf"{qid}: client=mx.client.test\[{GOOD}\]")
        self.assertIn(f"Received: from helo.test (mx.client.test [{GOOD}])", self.received(qid))

    def test_name_that_does_not(self):
        qid = self.send(LIAR)
        self.mail.wait_log(rf"warning: hostname mx.client.test does not resolve to address {LIAR}")
        self.mail.wait_log(rf"{qid}: client=unknown\[{LIAR}\]")
        self.assertIn(f"Received: from helo.test (unknown [{LIAR}])", self.received(qid))

    def test_no_name(self):
        qid = self.send(NOBODY)
        self.mail.wait_log(rf"{qid}: client=unknown\[{NOBODY}\]")

    def test_a_slow_name_server_delays_nobody_else(self):
        slow = threading.Thread(target=self.send, args=(SLOW,))
        slow.start()
        began = time.monotonic()
        self.send(GOOD)
        self.assertLess(time.monotonic() - began, 5)
        self.assertNotIn(f"[{SLOW}]", self.mail.log())
        slow.join()
        self.mail.wait_log(rf"connect from unknown\[{SLOW}\]")


if __name__ == "__main__":
    unittest.main()
