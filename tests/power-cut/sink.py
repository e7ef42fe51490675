"""The next mail server: takes what is relayed and remembers it, outside of every image, with the time.

Recipients: ok-NAME@…, never-NAME@… (refused for good), later-NAME@… (refused for now, once or twice)."""

import collections
import re
import socketserver
import threading
import time
import zlib

from messages import has_new_id, is_whole, name_in


class Sink:
    def __init__(self):
        self.lock = threading.Lock()
        self.delivered = collections.defaultdict(list)  # (name, "ok" or "later") -> times
        self.requeued = set()  # names of messages that "postsuper -r" made other messages of
        self.broken = []
        self.tries = collections.Counter()
        sink = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    sink.session(self.rfile, self.wfile)
                except OSError:
                    pass  # the other side was killed

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, allow_reuse_address, request_queue_size = True, True, 100

        self.server = Server(("127.0.0.1", 0), Session)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def session(self, lines, answers):
        say = lambda text: (answers.write(text.encode() + b"\r\n"), answers.flush())
        say("220 sink")
        recipients = []
        for line in lines:
            verb = line[:4].upper()
            if verb == b"RCPT":
                found = re.search(rb"<(ok|later|never)-([^@>]+)@", line)
                answer = self.judge(*(part.decode() for part in found.groups())) if found else "550 5.1.1 who?"
                if answer.startswith("250"):
                    recipients.append((found.group(2).decode(), found.group(1).decode()))
                say(answer)
            elif verb == b"DATA":
                say("354 go on")
                if not self.take(lines, recipients):
                    return
                recipients = []
                say("250 2.0.0 taken")
            elif verb == b"QUIT":
                return say("221 bye")
            else:
                if verb in (b"MAIL", b"RSET"):
                    recipients = []
                say("250-sink\r\n250 ENHANCEDSTATUSCODES" if verb == b"EHLO" else "250 2.0.0 ok")

    def judge(self, kind, name):
        if kind == "never":
            return "550 5.1.1 no such user"
        if kind == "later":
            with self.lock:
                self.tries[name] += 1
                if self.tries[name] <= 1 + zlib.crc32(name.encode()) % 2:
                    return "451 4.2.0 come later"
        return "250 2.1.5 ok"

    def take(self, lines, recipients):
        text = []
        for line in lines:
            if line == b".\r\n":
                break
            text.append(line[1:] if line.startswith(b".") else line)
        else:
            return False
        text = b"".join(text).decode()
        now, name = time.time(), name_in(text)
        with self.lock:
            if name is None or not is_whole(text, name) or any(name != r[0] for r in recipients):
                self.broken.append(f"relayed message for {recipients} is not whole")
            if has_new_id(text):
                self.requeued.add(name)
            for recipient in recipients:
                self.delivered[recipient].append(now)
        return True
