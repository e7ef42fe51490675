"""Configuration and tables that are damaged, endless, or no files at all: a clear error, nothing hangs, nothing is lost."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from instance import BUILD, private_mounts

COMMANDS = BUILD / "commands"


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="postern-test-")
        self.addCleanup(folder.cleanup)
        self.etc = pathlib.Path(folder.name)
        (self.etc / "main.cf").write_text("")
        (self.etc / "master.cf").write_text("smtp inet n - n - - smtpd\n")

    def run_command(self, name, *words):
        result = subprocess.run([COMMANDS / name, "-c", self.etc, *words], capture_output=True, timeout=60)
        return result.returncode, (result.stdout + result.stderr).decode(errors="replace")

    def refused(self, text, *commands):
        for name, *words in commands or (("postern", "check"), ("postconf", "-n"), ("postconf", "-e", "relayhost=x")):
            code, said = self.run_command(name, *words)
            with self.subTest(command=(name, *words)):
                self.assertEqual(code, 1, said[:500])
                self.assertRegex(said, text)


class BadInput(WithFolder):
    def test_files_that_are_none(self):
        main = self.etc / "main.cf"
        main.unlink()
        self.refused("open .*/main.cf: No such file or directory")
        os.mkfifo(main)
        self.refused("read .*/main.cf: not a regular file")
        main.unlink()
        main.mkdir()
        self.refused("read .*/main.cf: not a regular file")
        main.rmdir()
        main.symlink_to("main.cf")
        self.refused("open .*/main.cf: Too many levels of symbolic links")
        main.unlink()
        main.symlink_to("/dev/zero")
        self.refused("read .*/main.cf: not a regular file")

    def test_texts_that_are_none(self):
        main = self.etc / "main.cf"
        main.write_bytes(b"myhostname = a.example.test\n\x7fELF\0\0\0\n" * 1000)
        self.refused("main.cf(, line 2)?: contains a zero byte")
        self.assertEqual(main.read_bytes().count(b"\0"), 3000)
        main.write_text("relayhost = " + "x" * 10_000_000 + "\n")
        self.refused("main.cf, line 1: relayhost: expansion is longer than 1 MB", ("postern", "check"))
        main.write_text("a = $b\nb = $a\nmyorigin = $a\n")
        self.refused(r"main.cf, line 3: myorigin: refers to itself: \$myorigin -> \$a -> \$b -> \$a", ("postern", "check"))

    def test_tables_that_are_none(self):
        os.mkfifo(self.etc / "fifo")
        (self.etc / "loop").symlink_to("loop")
        (self.etc / "binary").write_bytes(b"\0\xff" * 100)
        for table, text in ((f"texthash:{self.etc}/fifo", "not a regular file"), (f"cidr:{self.etc}/loop", "Too many levels"),
                            ("pcre:/dev/zero", "file is too large"), (f"regexp:{self.etc}", "Is a directory"),
                            (f"ldap:{self.etc}/none", "No such file or directory")):
            (self.etc / "main.cf").write_text(f"virtual_alias_maps = {table}\nsmtpd_client_restrictions = check_client_access {table}\n")
            code, said = self.run_command("postern", "check")
            self.assertEqual(code, 1)
            for line, name in ((1, "virtual_alias_maps"), (2, "smtpd_client_restrictions")):
                self.assertRegex(said, f"error: {self.etc}/main.cf, line {line}: {name}: {table}: .*{text}")
        for kind in ("hash", "lmdb", "cdb"):
            suffix = {"hash": "db"}.get(kind, kind)
            (self.etc / f"t.{suffix}").write_bytes(b"\0\xff" * 5000)
            code, said = self.run_command("postmap", "-q", "key", f"{kind}:{self.etc}/t")
            self.assertEqual(code, 1, said)
            self.assertIn(f"{self.etc}/t.{suffix}", said)


@unittest.skipUnless(os.geteuid() == 0, "needs root to mount a small disk")
class FullDisk(WithFolder):
    def test_postmap_leaves_the_old_table(self):
        private_mounts()
        disk = self.etc / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        source = disk / "m"
        for kind in ("hash", "btree", "cdb", "lmdb"):
            source.write_text("good one\n")
            self.assertEqual(self.run_command("postmap", f"{kind}:{source}"), (0, ""))
            source.write_text("".join(f"key{number} value{number}\n" for number in range(7000)))
            code, said = self.run_command("postmap", f"{kind}:{source}")
            self.assertEqual(code, 1, kind)
            self.assertRegex(said, "fatal: .*disk/m.*: No space left on device")
            source.write_text("")
            self.assertEqual(self.run_command("postmap", "-q", "good", f"{kind}:{source}"), (0, "one\n"))
            self.assertEqual(len(list(disk.iterdir())), 2, "nothing half done stays")
            for file in disk.iterdir():
                file.unlink()


if __name__ == "__main__":
    unittest.main()
