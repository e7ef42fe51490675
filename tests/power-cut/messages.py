"""The messages: everything about one follows from its name, so that whoever finds it can tell whether it is whole."""

import random
import re
import zlib

MARK = "X-Power-Cut"
USERS = 5
FAR = "far.test"


class Message:
    """Text and recipients of the message of that name. Recipients are "user:2" (that user's mailbox), "ok", "later"
    (refused for now by the next server, once or twice) and "never" (refused: a notification to the sender)."""

    def __init__(self, name):
        self.name = name
        dice = random.Random(zlib.crc32(name.encode()))
        kind, size = dice.random(), dice.random()
        user = f"user:{dice.randrange(USERS)}"
        if kind < 0.50:
            self.recipients = [user]
        elif kind < 0.60:
            self.recipients = [f"user:{n}" for n in dice.sample(range(USERS), 3)]
        elif kind < 0.75:
            self.recipients = ["ok"]
        elif kind < 0.87:
            self.recipients = ["later"]
        elif kind < 0.96:
            self.recipients = [user, "later", "ok"]
        else:
            self.recipients = ["never"]
        if size < 0.86:
            lines = dice.randint(2, 40)
        elif size < 0.98:
            lines = dice.randint(300, 900)
        else:
            lines = dice.randint(4500, 9000)  # beyond what cleanup keeps in memory
        seed = dice.getrandbits(40)
        self.body = "".join(f"{name} {n} {(seed * (n + 1)) & 0xffffffffffff:012x} {'.' * (n % 50)}\n" for n in range(lines))

    def text(self):
        return f"Subject: {self.name}\n{MARK}: {self.name}\n\n{self.body}"


def name_in(text):
    found = re.search(rf"^{MARK}: (\S+)\s*$", text, re.M)
    return found.group(1) if found else None


def has_new_id(text):
    """Whether it has been through cleanup twice (postsuper -r), as another message each time."""
    return len(re.findall(r"^Received:", text.replace("\r\n", "\n").split("\n\n")[0], re.M)) > 1


def is_whole(text, name):
    """Whether a delivered message has all of its text, and nothing else."""
    text = text.replace("\r\n", "\n")
    at = text.find("\n\n")
    return at > 0 and text[at + 2:] == Message(name).body
