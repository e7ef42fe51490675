"""Clients: they submit messages as fast as they are taken, each once, and write down what they were promised."""

import random
import smtplib
import threading
import time

from messages import Message


class Ledger:
    """What was promised, kept outside of every image: message name -> (recipients, how, when)."""

    def __init__(self, path):
        self.lock = threading.Lock()
        self.promised, self.refused, self.unanswered = {}, 0, 0
        self.file = open(path, "a", buffering=1)

    def acknowledge(self, message, recipients, how):
        now = time.time()
        with self.lock:
            self.promised[message.name] = (recipients, how, now)
            self.file.write(f"{now:.6f} {message.name} {how} {','.join(recipients)}\n")

    def forget(self):
        with self.lock:
            self.promised.clear()


class Load:
    """Between start() and stop(): sessions of SMTP, users of sendmail, and an administrator."""

    def __init__(self, server, ledger, cut_number, smtp=5, sendmail=2, meddle=True, seed=0):
        self.server, self.ledger, self.number = server, ledger, cut_number
        self.over = threading.Event()
        self.dice = random.Random(seed)
        workers = [self.smtp_session] * smtp + [self.sendmail_user] * sendmail + [self.administrator] * meddle
        self.threads = [threading.Thread(target=worker, args=(n,), daemon=True) for n, worker in enumerate(workers)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        if any(thread.is_alive() for thread in self.threads):
            raise AssertionError("a client hangs")

    def names(self, client):
        n = 0
        while not self.over.is_set():
            yield Message(f"{self.number}.{client}.{n}")
            n += 1

    def smtp_session(self, client):
        smtp = None
        for message in self.names(client):
            try:
                smtp = smtp or smtplib.SMTP("127.0.0.1", self.server.port(), timeout=20)
                to = {self.server.address(r, message.name): r for r in message.recipients}
                refused = smtp.sendmail(self.server.sender, list(to), message.text())
                self.ledger.acknowledge(message, [r for a, r in to.items() if a not in refused], "250")
            except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused):
                self.ledger.refused += 1  # a clear no: it is not in the queue
            except (OSError, smtplib.SMTPException):
                self.ledger.unanswered += 1
                self.over.wait(0.02)
            else:
                continue
            if smtp:
                smtp.close()
            smtp = None

    def sendmail_user(self, client):
        for message in self.names(client):
            to = {self.server.address(r, message.name): r for r in message.recipients}
            if self.server.sendmail(list(to), message.text()) == 0:
                self.ledger.acknowledge(message, list(to.values()), "exit")
            else:
                self.ledger.unanswered += 1
                self.over.wait(0.02)

    def administrator(self, _client):
        """Puts mail on hold, lets it go, requeues it."""
        while not self.over.wait(self.dice.uniform(0.05, 0.4)):
            self.server.meddle(self.dice.choice(("-h", "-H", "-H", "-r")))
