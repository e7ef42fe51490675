#!/usr/bin/python3
"""An SMTP server for tests, Debian's python3-aiosmtpd: with SMTPUTF8 or without, keeps what it takes.
usage: keeping_server.py yes|no LOG

Prints its port; each message becomes a line of JSON in LOG. Recipients that begin with "no-" are refused."""

import json
import socket
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


class Keeper:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("no-"):
            return "550 5.1.1 nö user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        kept = {"sender": envelope.mail_from, "recipients": envelope.rcpt_tos, "utf8": "SMTPUTF8" in envelope.mail_options,
                "text": envelope.content.decode("utf-8", "surrogateescape")}
        with open(LOG, "a") as log:
            log.write(json.dumps(kept) + "\n")
        return "250 OK"


class Server(Controller):
    def factory(self):
        return SMTP(self.handler, enable_SMTPUTF8=UTF8, hostname="sink.test")


UTF8, LOG = sys.argv[1] == "yes", sys.argv[2]
with socket.create_server(("127.0.0.1", 0)) as probe:
    PORT = probe.getsockname()[1]
Server(Keeper(), hostname="127.0.0.1", port=PORT).start()
print(PORT, flush=True)
threading.Event().wait()
