"""The scripted sessions of the imaptest suite, one test each. Scripts that need extensions which we do
not announce are skipped and named. The suite is not part of the project: POSTERN_SUITES or ../shared/suites."""

import os
import pathlib
import unittest

from imap_script import Player, Script
from instance import Instance

SUITES = pathlib.Path(os.environ.get("POSTERN_SUITES",
                                     pathlib.Path(__file__).resolve().parents[3] / "shared" / "suites"))
FOLDER = SUITES / "imap-imaptest"


def scripts():
    if not FOLDER.is_dir():
        return []
    return [p for p in sorted(FOLDER.iterdir()) if p.suffix == "" and not p.name.startswith("SOURCE")]


class Scripts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mail = Instance(services=("imap",))
        cls.mail.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None, None, None)

    def play(self, path):
        user = "u-" + path.name
        self.mail.add_user(user)
        player = Player(Script(path), self.mail.address("imap"), user, "secret")
        self.addCleanup(player.close)
        missing = player.prepare()
        if missing:
            self.skipTest(f"{path.name} needs {' '.join(missing)}")
        player.play()


class Suite(unittest.TestCase):
    @unittest.skipIf(scripts(), "the suite is here")
    def test_suite(self):
        self.skipTest(f"no suite of IMAP scripts at {FOLDER}")


for _path in scripts():
    setattr(Scripts, "test_" + _path.name.replace("-", "_"), lambda self, path=_path: self.play(path))
