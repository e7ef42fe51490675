"""What the queue is given that it should not be: ids that are none, files that are damaged, foreign or no files, two
postsupers at once, a clock that jumps."""

import os
import re
import shutil
import smtplib
import socket
import subprocess
import unittest

from instance import Instance, wait
from t_20_queue import instance, send


class BadInput(unittest.TestCase):
    def test_a_queue_id_that_is_none(self):
        with instance() as mail:
            for name in ("../../etc/passwd", "", "a b", "x" * 300, "-", "no-such-id", "é"):
                for words in (("postsuper", "-d"), ("postsuper", "-h"), ("postcat", "-q"), ("postqueue", "-i")):
                    if name == "-" or (name == "" and words[0] == "postcat"):
                        continue  # "-": ids from standard input
                    result = mail.run(*words, name, check=False)
                    self.assertNotEqual(result.returncode, 0, (words, name))
                    self.assertRegex(result.stderr, r"fatal: .*(bad mail queue id|No such file|invalid name)", (words, name))
            result = mail.run("postsuper", "-d", "-", input="../x\n\n  \nnonsense!\n" + "y" * 5000 + "\n")
            self.assertEqual(len(re.findall(r"warning: bad mail queue id", result.stderr)), 3, result.stderr)
            # One that could be, and is not there.
            self.assertEqual(mail.run("postsuper", "-d", "4zzzzzzzzzz1234", check=False).returncode, 0)
            self.assertTrue(mail.running())

    def damaged(self, mail):
        """name -> what is wrong with it: copies of a good file, each spoilt in its own way."""
        good = send(mail, "c@busy.test")
        wait(lambda: list(mail.queue.glob(f"deferred/*/{good}")), "the message in deferred/", mail.log)
        (path,) = mail.queue.glob(f"deferred/*/{good}")
        data = bytearray(path.read_bytes())
        mail.run("postern", "stop")
        folder = mail.queue / "incoming"
        spoilt = {"4BADVERS10": data[:8] + b"\x09" + data[9:], "4BADCRC100": data[:40] + bytes([data[40] ^ 1]) + data[41:],
                  "4BADMAG1C0": b"PosternX" + data[8:], "4TRUNCATED": data[:-5], "4EMPTY1000": b"",
                  "4GARBAGE10": os.urandom(5000) + b"PosternE"}
        for name, content in spoilt.items():
            (folder / name).write_bytes(bytes(content))
            if mail.identity:
                os.chown(folder / name, *mail.identity)
        (folder / "4SYML1NK10").symlink_to("/etc/passwd")
        os.mkfifo(folder / "4F1F010000")
        return good, sorted(name for name in spoilt if not name.startswith(("4EMPTY", "4TRUNC"))) + ["4F1F010000", "4SYML1NK10"]

    def test_damaged_and_foreign_files(self):
        with instance() as mail:
            good, bad = self.damaged(mail)
            if mail.identity:
                stranger = mail.queue / "incoming/4STRANGER0"
                shutil.copy(next(mail.queue.glob(f"deferred/*/{good}")), stranger)
                os.chown(stranger, 12345, 12345)
                stranger.chmod(0o644)
                bad.append("4STRANGER0")
            # By hand, while the system is down: the tools say what is wrong and hang on nothing.
            for name in bad:
                result = mail.run("postcat", "-q", name, check=False)
                self.assertNotEqual(result.returncode, 0, name)
                self.assertIn("fatal: ", result.stderr)
            # A text that is not what it was is shown, and told of.
            (copy := mail.prefix / "copy").write_bytes((mail.queue / "incoming/4BADCRC100").read_bytes())
            copy.chmod(0o644)
            for words in (("-s", "x", copy), ("-x", copy), ("-s", "-1", copy)):
                self.assertEqual(mail.run("postcat", *words, check=False).returncode, 1, words)
            turned = mail.run("postcat", "-r", copy, check=False).stdout
            self.assertLess(turned.index("Subject: hello"), turned.index("sender: ann@ok.test"))
            self.assertNotIn("Subject: hello", mail.run("postcat", "-s", "100000", copy, check=False).stdout)
            result = mail.run("postcat", copy, check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn("Subject: hello", result.stdout)
            self.assertIn("message text does not match its checksum", result.stderr)
            self.assertIn(good, mail.run("mailq").stdout)
            self.assertEqual(mail.run("postsuper", "-h", "ALL", "deferred").returncode, 0)
            mail.run("postsuper", "-H", "ALL")
            mail.start()
            wait(lambda: all((mail.queue / "corrupt" / name).is_symlink() or (mail.queue / "corrupt" / name).exists() for name in bad),
                 f"{bad} in corrupt/", lambda: f"{os.listdir(mail.queue / 'corrupt')}\n{mail.log()}")
            for name in bad:
                self.assertRegex(mail.log(), rf"warning: {name}: .+; saving corrupt file|{name}: warning: .+; saving corrupt file", name)
            # Never committed, so of no concern to anybody; they stay for a while.
            self.assertTrue((mail.queue / "incoming/4TRUNCATED").exists() and (mail.queue / "incoming/4EMPTY1000").exists())
            # All others go on.
            new = send(mail, "a@ok.test")
            mail.wait_log(rf"{new}: to=<a@ok.test>.*status=sent")
            self.assertIn(good, mail.run("mailq").stdout)
            # They can be looked at and removed where they are now.
            for name in bad:
                mail.run("postsuper", "-d", name)
            self.assertEqual(os.listdir(mail.queue / "corrupt"), [])

    def test_a_full_disk(self):
        with instance(queue_minfree="999999999999999999") as mail:
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.ehlo()
                self.assertEqual(smtp.mail("a@client.test"), (452, b"4.3.1 Insufficient system storage"))
            mail.wait_log(r"smtpd\[\d+\]: warning: not enough free space in mail queue: \d+ bytes < 999999999999999999")
            mail.wait_log(r"smtpd\[\d+\]: NOQUEUE: reject: MAIL from localhost\[127.0.0.1\]: 452 4.3.1 Insufficient system storage; "
                          r"from=<a@client.test>")
            # What a local user has handed in stays where it is until there is room.
            mail.run("sendmail", "a@ok.test", input="Subject: x\n\nx\n")
            mail.wait_log(r"pickup\[\d+\]: warning: maildrop/\w+: Error: insufficient system storage: will be tried again")
            self.assertEqual(len(list((mail.queue / "maildrop").iterdir())), 1)

    def test_very_many_recipients(self):
        count = 20_000
        with Instance({"smtpd_recipient_limit": "200000", "transport_maps": "inline:{far.test=discard:}"}) as mail:
            with socket.create_connection(mail.address("smtp")) as client, client.makefile("rb") as replies:
                replies.readline()
                client.sendall(b"HELO x\r\nMAIL FROM:<a@client.test>\r\n")
                for _ in range(2):
                    self.assertTrue(replies.readline().startswith(b"250"))
                for base in range(0, count, 500):
                    client.sendall(b"".join(b"RCPT TO:<u%d@far.test>\r\n" % i for i in range(base, base + 500)))
                    for _ in range(500):
                        self.assertEqual(replies.readline(), b"250 2.1.5 Ok\r\n")
                client.sendall(b"DATA\r\n")
                self.assertTrue(replies.readline().startswith(b"354 "))
                client.sendall(b"Subject: x\r\n\r\nx\r\n.\r\n")
                self.assertTrue(replies.readline().startswith(b"250 2.0.0 Ok: queued as"))
            wait(lambda: mail.log().count("status=sent") == count, "all of them", mail.log)
            # More than fit into maildrop/ is an error that its sender hears of.
            header = "To: " + ",\n ".join(f"u{i}" for i in range(210_000)) + "\n"
            refused = mail.run("sendmail", "-t", input=header + "\nx\n", check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("too many recipients", refused.stderr)
            refused = mail.run("sendmail", "-t", input=header * 3 + "\nx\n", check=False)
            self.assertIn("header is too long for the -t option", refused.stderr)
            mail.wait_empty_queue()

    def test_two_postsupers_at_once(self):
        for running in (True, False):
            with instance() as mail:
                ids = {send(mail, "c@busy.test") for _ in range(60)}
                wait(lambda: len(list(mail.queue.glob("deferred/*/*"))) == 60, "all deferred", mail.log)
                if not running:
                    mail.run("postern", "stop")
                who = {"user": mail.identity[0], "group": mail.identity[1], "extra_groups": []} if mail.identity else {}
                def files(*patterns):
                    return [p.name for pattern in patterns for p in mail.queue.glob(pattern)]
                def start(*words):
                    return subprocess.Popen([mail.prefix / "bin/postsuper", *words], env=mail.environment(), text=True,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", **who)
                for options in (("-h", "-h"), ("-H", "-r"), ("-h", "-H"), ("-H", "-H")):
                    for child in [start(option, "ALL") for option in options]:
                        _, errors = child.communicate(timeout=60)
                        self.assertEqual(child.returncode, 0, (options, running, errors))
                    if running:  # what was requeued has new ids
                        wait(lambda: not files("maildrop/*") and len(files("deferred/*/*", "hold/*")) == 60,
                             f"60 messages at rest after {options}", mail.log)
                    elif "-r" in options:  # waits for pickup, but for what was held then
                        self.assertEqual(len(files("maildrop/*", "deferred/*/*", "hold/*")), 60)
                        break
                    else:
                        self.assertEqual(sorted(files("deferred/*/*", "hold/*")), sorted(ids), options)
                everywhere = ("maildrop", "incoming", "active", "deferred", "hold")
                totals = [re.search(r"Deleted: (\d+) message", child.communicate(timeout=60)[1]) for child in
                          [start("-d", "ALL", *everywhere), start("-d", "ALL", *everywhere)]]
                self.assertEqual(sum(int(t.group(1)) for t in totals if t), 60, running)
                mail_left = [n for n in files("maildrop/*", "deferred/*/*", "hold/*", "incoming/*") if not n.endswith(".done")]
                self.assertEqual(mail_left, [])


if __name__ == "__main__":
    unittest.main()
