"""The power-cut certificate in small: see tests/power-cut/README.md, which says how to run it long."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

from instance import BUILD, SANITIZED, SOURCE

# ./check --long sets it: 1,000.
CUTS = int(os.environ.get("POSTERN_CUTS", "4"))
NOT_TRIED = 2


def certificate(*options):
    """Exit status and what it says."""
    words = [sys.executable, SOURCE / "tests/power-cut/run", "-b", BUILD, *options]
    result = subprocess.run([str(w) for w in words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL, timeout=120 + 10 * CUTS)
    return result.returncode, result.stdout


class PowerCut(unittest.TestCase):
    def tried(self, status, text):
        if status == NOT_TRIED:
            self.skipTest("NO POWER WAS CUT: " + "; ".join(re.findall(r"NOT TRIED: (.*)", text)))
        print(text)

    def test_what_was_acknowledged_is_delivered_ext4(self):
        self.cut_on("ext4")

    def test_what_was_acknowledged_is_delivered_xfs(self):
        self.cut_on("xfs")

    def cut_on(self, kind):
        every = 2 if CUTS < 100 else 5
        longest = "1.0" if CUTS < 100 else "2.0"
        status, text = certificate("--fs", kind, "-n", CUTS // 2, "--settle-every", every, "--longest", longest)
        self.tried(status, text)
        self.assertEqual(status, 0, text)
        self.assertGreater(int(re.search(r"(\d+) messages acknowledged, 0 lost, 0 complaints: passed", text).group(1)), 0)

    @unittest.skipIf(SANITIZED, "libeatmydata and the sanitizer both have to be loaded first")
    def test_the_harness_sees_losses(self):
        """Where fsync does nothing, it must."""
        status, text = certificate("--control", "-n", 1, "--fs", "ext4", "--longest", "1.0")
        self.tried(status, text)
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"control: [1-9]\d* of \d+ lost under libeatmydata")


if __name__ == "__main__":
    unittest.main()
