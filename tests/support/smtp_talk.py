"""An SMTP conversation, byte by byte: for what no client library would say."""

import socket


class Talk:
    """Connects; `first` is said before the greeting has come."""

    def __init__(self, address, first=b""):
        self.socket = socket.create_connection(address, timeout=20)
        self.socket.sendall(first)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read(self):
        """One reply with all of its lines; empty at the end of the connection."""
        lines = []
        while True:
            lines.append(self.file.readline().decode().rstrip())
            if lines[-1][3:4] != "-":
                return "\n".join(lines)

    def say(self, line):
        """The reply to a line: text gets its CR LF, bytes are sent as they are."""
        self.socket.sendall(line if isinstance(line, bytes) else line.encode() + b"\r\n")
        return self.read()

    def close(self):
        self.file.close()
        self.socket.close()
