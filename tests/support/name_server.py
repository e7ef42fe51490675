"""A name server that a test plays: records from a dictionary, on a loopback port."""

import socket
import socketserver
import struct
import threading

A, CNAME, MX, TXT, SRV = 1, 5, 15, 16, 33


def wire(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


def rdata(kind, value):
    if kind == A:
        return socket.inet_aton(value)
    if kind == TXT:
        return bytes([len(value)]) + value.encode()
    if kind == MX:
        return struct.pack(">H", value[0]) + wire(value[1])
    if kind == SRV:
        return struct.pack(">HHH", *value[:3]) + wire(value[3])
    return wire(value)


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        packet, sock = self.request
        at, labels = 12, []
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
            at += packet[at] + 1
        name, kind = ".".join(labels).lower(), struct.unpack(">H", packet[at + 1:at + 3])[0]
        records = self.server.records
        self.server.asked.append((name, kind))
        found = [rdata(kind, value) for value in records.get((name, kind), [])]
        known = name == "" or any(n == name or n.endswith("." + name) for n, _ in records)
        reply = packet[:2] + struct.pack(">HHHHH", 0x8580 | (0 if known else 3), 1, len(found), 0, 0) + packet[12:at + 5]
        for data in found:
            reply += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
        sock.sendto(reply, self.client_address)


class NameServer:
    """records: {("far.test", MX): [(10, "mx.far.test")], ("mx.far.test", A): ["127.0.0.1"]}"""

    def __init__(self, records):
        self.server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler)
        self.server.records, self.server.asked = records, []
        self.address = f"127.0.0.1@{self.server.server_address[1]}"
        self.asked = self.server.asked

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
