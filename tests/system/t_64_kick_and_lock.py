"""postkick and postlock: for scripts that talk to services and change mailbox files; beside Debian's where it can be had."""

import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from debian import Postfix
from instance import Instance, wait

TRANSPORTS = "inline:{ {busy.test = retry:4.3.0 come later} }"


class Kick(unittest.TestCase):
    def test_qmgr_and_pickup(self):
        with Instance({"transport_maps": TRANSPORTS, "minimal_backoff_time": "1000s", "maximal_backoff_time": "1000s",
                       "queue_run_delay": "1000s"}) as mail:
            mail.run("sendmail", "c@busy.test", input="Subject: x\n\ntext\n")
            def tries():
                return mail.log().count("to=<c@busy.test>")
            wait(lambda: tries() == 1, "the first attempt", mail.log)
            wait(lambda: "(queue active)" in mail.log() and '"deferred"' in mail.run("postqueue", "-j").stdout, "a deferred message", mail.log)
            result = mail.run("postkick", "public", "qmgr", "DI")  # not due yet
            self.assertEqual((result.stdout, result.stderr), ("", ""))
            mail.run("postkick", "public", "qmgr", "FADI")
            wait(lambda: tries() == 2, "the second attempt", mail.log)
            ignored = mail.run("postkick", "public", "qmgr", "WX?")
            self.assertEqual(ignored.stderr, 'postkick: warning: requests ignored: "X?"\n')
            self.assertEqual(mail.run("postkick", "public", "pickup", "W").stderr, "")
            self.assertEqual(mail.run("postkick", "private", "rewrite", "W").stderr, "")
            self.assertEqual(tries(), 2)

    def test_what_cannot_be_reached(self):
        mail = Instance()
        (mail.queue / "public").mkdir()
        (mail.queue / "public/file").touch()
        os.mkfifo(mail.queue / "public/pipe")
        lost = "postkick: warning: Cannot contact class {} service {} - perhaps the mail system is down\n"
        for words, status, text in (
                ([], 1, "postkick: fatal: usage: postkick [-c config_dir] [-v] class service request\n"),
                (["public", "qmgr"], 1, "postkick: fatal: usage: postkick [-c config_dir] [-v] class service request\n"),
                (["public", "qmgr", "I"], 1, "postkick: warning: unable to look up public/qmgr: No such file or directory\n"
                 + lost.format("public", "qmgr")),
                (["public", "file", "W"], 1, "postkick: warning: public/file is not a socket\n" + lost.format("public", "file")),
                (["public", "pipe", "W"], 1, "postkick: warning: public/pipe is not a socket\n" + lost.format("public", "pipe")),
        ):
            result = mail.run("postkick", *words, check=False)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (status, "", text))
        shutil.rmtree(mail.prefix)


class Lock(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mail = Instance({"deliver_lock_attempts": "2", "deliver_lock_delay": "1s"})
        cls.folder = cls.mail.prefix / "boxes"
        cls.folder.mkdir()
        if cls.mail.identity:
            os.chown(cls.folder, *cls.mail.identity)
        cls.box = cls.folder / "box"

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.mail.prefix, ignore_errors=True)

    def lock(self, *words):
        return self.mail.run("postlock", *words, check=False)

    def test_the_command_runs_with_the_locks(self):
        result = self.lock(self.box, "sh", "-c", f"ls {self.folder}; exit 7")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (7, "box\nbox.lock\n", ""))
        self.assertEqual(self.box.stat().st_mode & 0o7777, 0o600)
        self.assertEqual(os.listdir(self.folder), ["box"])
        # Who asks for the same lock does not get it.
        ask = "import fcntl,sys; f=open(sys.argv[1],'a'); fcntl.{}(f, fcntl.LOCK_EX|fcntl.LOCK_NB)"
        for style, call, excluded in (("fcntl", "lockf", True), ("flock", "flock", True), ("flock", "lockf", False),
                                      ("dotlock", "lockf", False), ("dotlock fcntl", "lockf", True)):
            result = self.lock("-l", style, self.box, "python3", "-c", ask.format(call), self.box)
            self.assertEqual("BlockingIOError" in result.stderr, excluded, (style, call, result.stderr))
            self.assertEqual(result.returncode != 0, excluded)

    def test_somebody_else_has_the_lock(self):
        self.box.touch()
        if self.mail.identity:
            os.chown(self.box, *self.mail.identity)
        with open(self.box, "a") as held:
            fcntl.lockf(held, fcntl.LOCK_EX)
            result = self.lock(self.box, "echo", "not run")
        self.assertEqual((result.returncode, result.stdout), (75, ""))
        self.assertEqual(result.stderr, f"postlock: fatal: open file {self.box}: {self.box}: unable to lock for exclusive access\n")
        self.assertEqual(os.listdir(self.folder), ["box"])

    def test_two_scripts_take_turns(self):
        counter = self.folder / "counter"
        counter.write_text("0")
        os.chmod(counter, 0o666)
        script = f"n=$(cat {counter}); sleep 0.02; echo $((n+1)) > {counter}"
        self.mail.run("postconf", "-e", "deliver_lock_attempts=60")
        running = [subprocess.Popen([self.mail.prefix / "bin/postlock", self.box, "sh", "-c", script],
                                    env=self.mail.environment()) for _ in range(3)]
        self.assertEqual([p.wait(60) for p in running], [0, 0, 0])
        self.mail.run("postconf", "-e", "deliver_lock_attempts=2")
        self.assertEqual(counter.read_text(), "3\n")
        counter.unlink()

    def test_failures(self):
        usage = "postlock: fatal: usage: postlock [-c config_dir] [-l lock_style] [-v] folder command...\n"
        for words, status, text in (
                ([], 75, usage), ([self.box], 75, usage), (["-x", self.box, "true"], 75, None),
                (["-l", "x", self.box, "true"], 75, None),
                ([self.folder / "no/box", "true"], 75, None), ([self.folder, "true"], 75, None),
                (["-c", "/nowhere", self.box, "true"], 75, None),
                ([self.box, "/no-such-command"], 1, "postlock: fatal: execvp /no-such-command: No such file or directory\n"),
                ([self.box, "sh", "-c", "kill -9 $$"], 1, "")):
            result = self.lock(*words)
            self.assertEqual(result.returncode, status, (words, result.stderr))
            self.assertTrue("postlock: " in result.stderr if text is None else result.stderr == text, result.stderr)
        self.assertNotIn("box.lock", os.listdir(self.folder))

    def test_signals_go_to_the_command(self):
        begun = self.folder / "begun"
        child = subprocess.Popen([self.mail.prefix / "bin/postlock", self.box, "sh", "-c", f"touch {begun}; exec sleep 60"],
                                 env=self.mail.environment())
        wait(begun.exists, "the command")
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(20), 1)
        begun.unlink()
        self.assertFalse((self.folder / "box.lock").exists())

    def test_as_debians(self):
        with tempfile.TemporaryDirectory() as folder:
            postfix = Postfix(pathlib.Path(folder) / "etc")
            box = pathlib.Path(folder) / "box"
            for words in ([], [box], ["-l", "x", box, "true"], [box, "sh", "-c", "exit 9"], [box, "/no-such-command"],
                          [box, "sh", "-c", "kill -9 $$"], ["/nonexistent/box", "true"], ["-l", "flock", box, "sh", "-c", "ls -A $0/*", folder]):
                theirs = postfix.run("postlock", *words)
                ours = subprocess.run([self.mail.prefix / "bin/postlock", *map(str, words)], env=self.mail.environment(), text=True,
                                      capture_output=True, timeout=60)
                self.assertEqual((ours.returncode, ours.stdout), (theirs.returncode, theirs.stdout), words)


if __name__ == "__main__":
    unittest.main()
