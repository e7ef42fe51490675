"""Plays scripted IMAP sessions in the format of the imaptest suite (its doc-scripted_test.md): a header,
then commands and the untagged replies they must (or must not) bring, with variables. What a script
expects is unified with what the server said; replies that no line asks for are ignored."""

import re
import socket

CRLF = b"\r\n"
WAIT = 30


class Mismatch(Exception):
    """The server did not do what the script says."""


# --- The text of IMAP as trees: a list is a Python list, a string or atom is bytes, a literal too.

class Text(bytes):
    """A quoted string or literal: never a variable, never NIL."""


def _quoted(data, at):
    out = bytearray()
    at += 1
    while data[at:at + 1] != b'"':
        at += data[at:at + 1] == b"\\"
        out += data[at:at + 1]
        at += 1
        if at > len(data):
            raise Mismatch(f"unfinished string in {data!r}")
    return Text(out), at + 1


def _atom(data, at):
    """An atom; what stands in brackets belongs to it, blanks and lists included: BODY[HEADER.FIELDS (To)]."""
    start, depth = at, 0
    while at < len(data):
        c = data[at:at + 1]
        if depth == 0 and c in (b" ", b")", b"(", b"\r"):
            break
        depth += (c == b"[") - (c == b"]" and depth > 0)
        at += 1
    return bytes(data[start:at]), at


def _item(data, at):
    c = data[at:at + 1]
    if c == b"(":
        return parse(data, at + 1, inside=True)
    if c == b'"':
        return _quoted(data, at)
    literal = re.compile(rb"~?\{(\d+)\+?\}\r\n").match(data, at)
    if literal:
        end = literal.end() + int(literal.group(1))
        return Text(data[literal.end():end]), end
    return _atom(data, at)


def parse(data, at=0, inside=False):
    """The items up to the end of data, or up to ")": (items, where it ended)."""
    items = []
    while at < len(data):
        c = data[at:at + 1]
        if c == b")" and inside:
            return items, at + 1
        if c in (b" ", b")"):
            at += 1
            continue
        before = at
        item, at = _item(data, at)
        if at == before:
            raise Mismatch(f"cannot read {bytes(data[at:at + 40])!r}")
        items.append(item)
    return items, at


# --- The client.

class Connection:
    def __init__(self, address, user, password):
        self.socket = socket.create_connection(address, timeout=WAIT)
        self.lines = self.socket.makefile("rb")
        self.count = 0
        self.response()
        self.login = (user, password)
        self.capabilities = set()

    def response(self):
        """One whole response, literals included, without the final line end."""
        out = self.lines.readline()
        while literal := re.search(rb"\{(\d+)\}\r\n$", out):
            out += self.lines.read(int(literal.group(1))) + self.lines.readline()
        if not out.endswith(CRLF):
            raise Mismatch("the server closed the connection")
        return out[:-2]

    def send(self, tag, parts):
        """Sends a command whose parts alternate between text and literals, waiting for each "+"."""
        text = tag.encode() + b" " + parts[0]
        for literal, after in zip(parts[1::2], parts[2::2]):
            self.socket.sendall(text + b"{%d}\r\n" % len(literal))
            early = []
            while not (line := self.response()).startswith(b"+"):
                early.append(line)
                if line.startswith(tag.encode() + b" "):
                    return early  # refused
            text = literal + after
        self.socket.sendall(text + CRLF)
        return []

    def until(self, tag, early=()):
        """(untagged responses, the tagged one)"""
        untagged = []
        for line in early:
            if line.startswith(tag.encode() + b" "):
                return untagged, line[len(tag) + 1:]
            untagged.append(line)
        while True:
            line = self.response()
            if line.startswith(tag.encode() + b" "):
                return untagged, line[len(tag) + 1:]
            if line.startswith(b"* "):
                untagged.append(line)

    def do(self, *parts):
        self.count += 1
        tag = f"x{self.count}"
        return self.until(tag, self.send(tag, [p if isinstance(p, bytes) else p.encode() for p in parts]))

    def must(self, *parts):
        untagged, tagged = self.do(*parts)
        if not tagged.upper().startswith(b"OK"):
            raise Mismatch(f"{parts[0]!r}: {tagged!r}")
        return untagged

    def log_in(self):
        self.must('LOGIN "%s" "%s"' % self.login)
        for line in self.must("CAPABILITY"):
            if line.upper().startswith(b"* CAPABILITY "):
                self.capabilities = set(line.decode().upper().split()[2:])

    def close(self):
        self.lines.close()
        self.socket.close()


# --- Unification.

VARIABLE = re.compile(rb"\$\$|\$\{case:([^}]*)\}|\$\{(\w+)\}|\$(\w+)|\$")


class Matcher:
    """Matches what a script expects against a response; binds variables on success only."""

    def __init__(self, variables):
        self.variables = variables

    def substitute(self, text):
        """Text with all variables that have values."""
        def value(match):
            name = match.group(2) or match.group(3)
            if match.group(0) == b"$$":
                return b"$"
            if match.group(1) is not None:
                return match.group(1)
            return self.variables.get(name, match.group(0)) if name else b"$"
        return VARIABLE.sub(value, text)

    def reply(self, expected, actual, original):
        """expected, actual: item lists without the "*"; original: number as at the command's start."""
        saved = dict(self.variables)
        if self._reply(expected, actual, original):
            return True
        self.variables.clear()
        self.variables.update(saved)
        return False

    def _reply(self, expected, actual, original):
        if not expected or len(actual) < len(expected):
            return False
        first = expected[0]
        if re.fullmatch(rb"\$\d+", first):
            if original != int(first[1:]):
                return False
            expected, actual = expected[1:], actual[1:]
        if first.lower() in (b"ok", b"no", b"bad") and len(expected) == 2 and expected[1].startswith(b"["):
            # a response code; the text behind it is the server's own
            if first.lower() != actual[0].lower() or not isinstance(actual[1], bytes):
                return False
            wanted, said = expected[1][1:-1].split(), bytes(actual[1])[1:-1].split()
            return len(wanted) == len(said) and all(
                self._item(e, a, b"") for e, a in zip(wanted, said))
        kind = b"".join(x for x in (expected + [b"", b""])[:2] if isinstance(x, bytes) and x.isalpha()).lower()
        ordered = len(expected) == len(actual)
        return ordered and all(self._item(e, a, kind) for e, a in zip(expected, actual))

    def _item(self, expected, actual, kind):
        if isinstance(expected, list):
            if not isinstance(actual, list):
                return False
            return self._list(expected, actual, kind)
        if not isinstance(expected, Text):
            if expected == b"$":
                return True
            name = re.fullmatch(rb"\$\{?(\w+)\}?", expected)
            if name and name.group(1) not in self.variables:
                if isinstance(actual, list):
                    return False
                self.variables[name.group(1)] = bytes(actual)
                return True
            if expected.startswith(b"${case:"):
                return self.substitute(expected) == actual
            expected = self.substitute(expected)
        return not isinstance(actual, list) and expected.lower() == bytes(actual).lower()

    def _list(self, expected, actual, kind):
        if kind == b"fetch":
            return self._chains(expected, actual, 2)
        if kind.startswith(b"status"):
            return self._chains(expected, actual, 2)
        if kind in (b"list", b"lsub"):
            return self._chains(expected, actual, 1)
        if kind == b"flags":
            rest = [a for a in actual if a.lower() != b"\\recent"]
            wanted = [e for e in expected if e.lower() != b"\\recent"]
            return len(rest) == len(wanted) and self._chains(wanted, rest, 1)
        return len(expected) == len(actual) and all(self._item(e, a, b"") for e, a in zip(expected, actual))

    def _chains(self, expected, actual, size):
        left = [actual[i:i + size] for i in range(0, len(actual), size)]
        for i in range(0, len(expected), size):
            chain = expected[i:i + size]
            name = chain[0].lower() if isinstance(chain[0], bytes) else b""
            inner = b"flags" if size == 2 and name == b"flags" else b""
            for candidate in left:
                if len(candidate) == len(chain) and all(
                        self._item(e, a, inner) for e, a in zip(chain, candidate)):
                    left.remove(candidate)
                    break
            else:
                return False
        return True


# --- Scripts.

class Command:
    def __init__(self, connection, tag, parts, status, line):
        self.connection, self.tag, self.parts, self.line = connection, tag, parts, line
        self.status, self.prefix = status, b""


class Group:
    """Commands that are sent together, and what they must bring."""

    def __init__(self):
        self.commands, self.wanted, self.banned = [], [], []


class Script:
    def __init__(self, path):
        self.name = path.name
        self.header = {"connections": "1", "state": "selected", "messages": "all", "capabilities": ""}
        lines = path.read_bytes().split(b"\n")
        body = 0
        for body, line in enumerate(lines):
            if line.startswith(b"#"):
                continue
            if not line.strip():
                break
            key, value = line.decode().split(":", 1)
            self.header[key.strip().lower()] = value.strip()
        self.connections = int(self.header["connections"])
        self.groups = list(self._groups(self._logical(lines[body:])))
        mbox = path.with_name(path.name + ".mbox")
        mbox = mbox if mbox.exists() else path.with_name("default.mbox")
        self.messages, self.dates = read_mbox(mbox), read_dates(mbox)

    def missing(self, capabilities):
        wanted = self.header["capabilities"].upper().split()
        return [w for w in wanted if w not in capabilities]

    @staticmethod
    def _logical(lines):
        """(line number, [text, literal, text ...]), with {{{ }}} gathered; None is a blank line."""
        number = 0
        while number < len(lines):
            line, start = lines[number], number + 1
            number += 1
            if line.startswith(b"#"):
                continue
            if not line.strip():
                yield start, None
                continue
            parts = []
            while line.endswith(b"{{{"):
                literal = []
                while not lines[number].startswith(b"}}}"):
                    literal.append(lines[number])
                    number += 1
                # "~{{{" is a literal8: bytes as they stand
                end = b"\n" if line.endswith(b"~{{{") else CRLF
                parts += [re.sub(rb"~?\{\{\{$", b"", line), end.join(literal)]
                line = lines[number][3:]
                number += 1
            yield start, parts + [line]

    def _groups(self, logical):
        group = None
        for number, parts in logical:
            if parts is None:
                continue
            head = parts[0]
            if head[:2] in (b"* ", b"! "):
                (group.wanted if head[:1] == b"*" else group.banned).append((number, [head[2:]] + parts[1:]))
                continue
            connection = 0
            if self.connections > 1:
                first, head = head.split(b" ", 1)
                connection = int(first) - 1
            words = head.split(b" ", 2)
            result = words[0].lower()
            tagged = re.fullmatch(rb"tag\w*", result)
            if tagged and words[1].lower() in (b"ok", b"no", b"bad", b'""') and group:
                for command in group.commands:
                    if command.tag == words[0].decode():
                        command.status, command.prefix = words[1].lower(), words[2] if len(words) > 2 else b""
                continue
            if result in (b"ok", b"no", b"bad", b'""') and group and group.commands[-1].status is None:
                group.commands[-1].status = result
                group.commands[-1].prefix = head[len(words[0]) + 1:]
                continue
            pipelined = tagged and group and group.commands[-1].tag and group.commands[-1].status is None
            if not pipelined:
                if group:
                    yield group
                group = Group()
            if tagged:
                text = head[len(words[0]) + 1:]
                group.commands.append(Command(connection, words[0].decode(), [text] + parts[1:], None, number))
            elif result in (b"ok", b"no", b"bad", b'""'):
                text = head[len(words[0]) + 1:]
                group.commands.append(Command(connection, "", [text] + parts[1:], result, number))
            else:
                group.commands.append(Command(connection, "", [head] + parts[1:], None, number))
        if group:
            yield group


def read_mbox(path):
    """Messages with CRLF line ends; the empty line that ends each belongs to the mbox."""
    pieces = re.split(rb"(?m)^From .*\n", path.read_bytes())[1:]
    return [re.sub(rb"(?<!\r)\n", CRLF, re.sub(rb"\n\n\Z", b"\n", piece)) for piece in pieces]


def read_dates(path):
    """When each message came, as its From_ line says: an INTERNALDATE in quotes and a space, or nothing."""
    dates = []
    for line in re.findall(rb"(?m)^From .*$", path.read_bytes()):
        words = line.split()[-6:]
        zone = words.pop() if re.fullmatch(rb"[+-]\d{4}", words[-1]) else b"+0000"
        _, month, day, clock, year = words[-5:] if len(words) >= 5 else [b""] * 5
        good = re.fullmatch(rb"\d{4}", year) and re.fullmatch(rb"[\d:]{8}", clock)
        dates.append(b'"%2d-%s-%s %s %s" ' % (int(day), month, year, clock, zone) if good else b"")
    return dates


class Player:
    """Plays a script against a server at address with a user whose store is empty."""

    MAILBOX = b"imaptest"

    def __init__(self, script, address, user, password):
        self.script = script
        self.variables = {b"mailbox": self.MAILBOX, b"user": user.encode(), b"username": user.encode(),
                          b"password": password.encode(), b"mailbox_url": self.MAILBOX, b"domain": b"localhost"}
        self.connections = [Connection(address, user, password) for _ in range(script.connections)]
        self.next_message = 0

    def prepare(self):
        """Brings all connections into the script's state; the names of extensions that are missing."""
        for connection in self.connections:
            connection.log_in()
        missing = self.script.missing(self.connections[0].capabilities)
        states = ["auth", "created", "appended", "selected"]
        wanted = states.index(self.script.header["state"])
        if missing or wanted == 0:
            return missing
        first = self.connections[0]
        first.must(b"CREATE " + self.MAILBOX)
        if wanted >= 2:
            count = self.script.header["messages"]
            for _ in range(len(self.script.messages) if count == "all" else int(count)):
                date = self.script.dates[self.next_message % len(self.script.dates)]
                first.must(b"APPEND " + self.MAILBOX + b" " + date, self._message(), b"")
        if wanted >= 3:
            for connection in self.connections:
                connection.must(b"SELECT " + self.MAILBOX)
        return []

    def _message(self):
        text = self.script.messages[self.next_message % len(self.script.messages)]
        self.next_message += 1
        return text

    def play(self):
        for group in self.script.groups:
            try:
                self._play(group)
            except Mismatch as error:
                raise Mismatch(f"{self.script.name}, line {group.commands[0].line}: {error}") from error

    def _play(self, group):
        matcher = Matcher(self.variables)
        untagged = []
        sent = [(command, *self._send(command, matcher)) for command in group.commands]
        for command, connection, tag, early in sent:
            more, tagged = connection.until(tag, early)
            untagged += more
            status, _, rest = tagged.partition(b" ")
            if command.status not in (None, b'""') and status.lower() != command.status:
                raise Mismatch(f"expected {command.status.decode()}, got {tagged!r}")
            if not rest.lower().startswith(matcher.substitute(command.prefix).lower()):
                raise Mismatch(f"expected {command.prefix!r}, got {tagged!r}")
        self._judge(group, matcher, numbered(untagged))

    def _send(self, command, matcher):
        connection = self.connections[command.connection]
        parts = [matcher.substitute(p) if i % 2 == 0 else p for i, p in enumerate(command.parts)]
        if parts[0].lower().split()[0] == b"append" and len(parts) == 1 and b"catenate" not in parts[0].lower():
            words = parts[0].strip()
            parts = [(words if b" " in words else words + b" " + self.MAILBOX) + b" ", self._message(), b""]
        connection.count += 1
        tag = command.tag or f"x{connection.count}"
        return connection, tag, connection.send(tag, parts)

    @staticmethod
    def _items(parts, matcher):
        text = b"".join(p if i % 2 == 0 else b"{%d}\r\n" % len(p) + p for i, p in enumerate(parts))
        items = parse(text)[0]
        return [matcher.substitute(i) if isinstance(i, bytes) and b"[" in i else i for i in items]

    def _judge(self, group, matcher, replies):
        for number, parts in group.wanted:
            expected = self._items(parts, matcher)
            if not any(matcher.reply(expected, *reply) for reply in replies):  # one may match two lines
                said = b"\n".join(repr(items).encode() for items, _ in replies).decode()
                raise Mismatch(f"line {number}: nothing matches {expected!r} in\n{said}")
        for number, parts in group.banned:
            expected = self._items(parts, matcher)
            if any(matcher.reply(expected, *reply) for reply in replies):
                raise Mismatch(f"line {number}: the server said {expected!r}")

    def close(self):
        for connection in self.connections:
            connection.close()


def numbered(untagged):
    """(items, message number as it was when the command began) of each untagged response."""
    originals = list(range(0, 5000))  # index: number now
    out = []
    for line in untagged:
        items = parse(line)[0][1:]
        original = None
        if items and isinstance(items[0], bytes) and items[0].isdigit() and len(items) > 1:
            now = int(items[0])
            original = originals[now] if now < len(originals) else now
            if items[1].lower() == b"expunge":
                del originals[now]
        out.append((items, original))
    return out
