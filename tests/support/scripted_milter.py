#!/usr/bin/python3
"""A milter for tests, on Debian's python3-milter: does what the message or the envelope asks it to.
usage: scripted_milter.py SOCKET LOG   (SOCKET: inet:port@127.0.0.1 or unix:path)

In MAIL or RCPT a local part like reject-rcpt, tempfail-mail, discard-mail or code-rcpt; in the message a
"Do:" field with words of: reject tempfail code discard quarantine header insert change delete body addrcpt
delrcpt from die skip. Everything heard goes to LOG, a line each."""

import os
import sys

import Milter


class Scripted(Milter.Base):
    def note(self, *words):
        with open(LOG, "a") as log:
            log.write(" ".join(str(w) for w in words) + "\n")

    def connect(self, name, family, address):
        self.note("connect", name, address[0] if address else "-", self.getsymval("j"), self.getsymval("{daemon_name}"))
        return Milter.CONTINUE

    def hello(self, name):
        self.note("helo", name)
        return Milter.REJECT if name == "reject-helo" else Milter.CONTINUE

    def envfrom(self, sender, *parameters):
        self.note("mail", sender, *parameters, "auth=%s" % self.getsymval("{auth_authen}"))
        self.fields, self.size = [], 0
        return self.envelope(sender, "mail")

    def envrcpt(self, recipient, *parameters):
        self.note("rcpt", recipient, self.getsymval("{rcpt_addr}"))
        return self.envelope(recipient, "rcpt")

    def envelope(self, address, stage):
        if f"reject-{stage}" in address:
            return Milter.REJECT
        if f"tempfail-{stage}" in address:
            return Milter.TEMPFAIL
        if f"discard-{stage}" in address:
            return Milter.DISCARD
        if f"die-{stage}" in address:
            os._exit(1)
        if f"code-{stage}" in address:
            self.setreply("553", "5.1.7", "not in this town")
            return Milter.REJECT
        return Milter.CONTINUE

    def data(self):
        self.note("data", self.getsymval("i"))
        return Milter.CONTINUE

    def header(self, name, value):
        self.note("header", name, repr(value))
        self.fields.append((name, value))
        return Milter.CONTINUE

    def eoh(self):
        self.note("eoh")
        return Milter.CONTINUE

    def body(self, chunk):
        self.size += len(chunk)
        return Milter.CONTINUE

    def eom(self):
        words = dict(self.fields).get("Do", "").split()
        self.note("eom", self.size, self.getsymval("i"), *words)
        for word in words:
            if word == "die":
                os._exit(1)
            if word == "header":
                self.addheader("X-Added", "by the milter\n\tin two lines")
            if word == "insert":
                self.addheader("X-Top", "first", 0)
            if word == "change":
                self.chgheader("Subject", 1, "changed")
            if word.startswith("subject:"):
                self.chgheader("Subject", 1, word[8:])
            if word == "delete":
                self.chgheader("X-Secret", 1, None)
            if word == "body":
                self.replacebody("new text\n.with a dot\n")
            if word == "addrcpt":
                self.addrcpt("<carol@example.test>")
            if word == "delrcpt":
                self.delrcpt("<bob@example.test>")
            if word == "from":
                self.chgfrom("<changed@example.test>")
            if word == "quarantine":
                self.quarantine("looks odd")
        if "reject" in words:
            return Milter.REJECT
        if "tempfail" in words:
            return Milter.TEMPFAIL
        if "discard" in words:
            return Milter.DISCARD
        if "code" in words:
            self.setreply("550", "5.6.0", "not with that text, 100%% sure")
            return Milter.REJECT
        return Milter.ACCEPT

    def abort(self):
        self.note("abort")
        return Milter.CONTINUE

    def close(self):
        self.note("close")
        return Milter.CONTINUE


if __name__ == "__main__":
    SOCKET, LOG = sys.argv[1:3]
    Milter.factory = Scripted
    Milter.set_flags(Milter.ADDHDRS | Milter.CHGHDRS | Milter.CHGBODY | Milter.ADDRCPT | Milter.DELRCPT | Milter.CHGFROM
                     | Milter.QUARANTINE)
    Milter.runmilter("test", SOCKET, 60)
