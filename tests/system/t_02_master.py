"""master: start, stop, reload, status, restarts, throttling, foreground with a service manager."""

import os
import signal
import smtplib
import socket
import subprocess
import unittest

from instance import Instance, is_process, wait


class Life(unittest.TestCase):
    def test_start_status_stop(self):
        with Instance() as mail:
            status = mail.run("postern", "status")
            self.assertRegex(status.stderr, r"the Postern mail system is running: PID: \d+")
            self.assertRegex(status.stdout, r"qmgr +unix +qmgr +public/qmgr")
            again = mail.run("postern", "start", check=False)
            self.assertEqual(again.returncode, 1)
            self.assertIn("already running", again.stderr)
            mail.run("postern", "stop")
            for command in ("status", "stop", "reload", "abort", "flush"):
                result = mail.run("postern", command, check=False)
                self.assertEqual(result.returncode, 1)
                self.assertIn("not running", result.stderr)

    def test_abort_leaves_nothing(self):
        with Instance() as mail:
            pids = mail.pids("qmgr")
            self.assertTrue(pids)
            mail.run("postern", "abort")
            for pid in pids:
                wait(lambda: not os.path.exists(f"/proc/{pid}"), "the end of qmgr")

    def test_killed_daemon_comes_back(self):
        with Instance() as mail:
            mail.run("postqueue", "-f")  # it works: what ends before has started badly, and is throttled
            (old,) = mail.pids("qmgr")
            os.kill(old, signal.SIGKILL)
            mail.wait_log(rf"warning: process .*/qmgr pid {old} killed by signal 9")
            wait(lambda: mail.pids("qmgr") not in ([], [old]), "another qmgr", mail.log)

    def test_killed_master_is_replaced(self):
        with Instance() as mail:
            pid = int((mail.queue / "pid/master.pid").read_text())
            os.kill(pid, signal.SIGKILL)
            wait(lambda: not is_process(pid, "master"), "master's end")
            wait(lambda: mail.run("postern", "start", check=False).returncode == 0, "a new master", mail.log)
            self.assertTrue(mail.running())

    def test_failing_program_is_throttled(self):
        with Instance() as mail:
            (mail.prefix / "libexec/smtpd").unlink()
            (mail.prefix / "libexec/smtpd").symlink_to("/bin/false")
            with socket.create_connection(mail.address("smtp")):
                mail.wait_log(r"warning: .*/smtpd: bad command startup -- throttling")
            self.assertIn("throttled", mail.run("postern", "status").stdout)


class Reload(unittest.TestCase):
    def test_sessions_survive_and_new_ones_see_the_change(self):
        with Instance() as mail:
            mail.add_user("bob")
            with smtplib.SMTP(*mail.address("smtp")) as old:
                self.assertIn(b"mail.example.test", old.ehlo()[1])
                text = (mail.etc / "main.cf").read_text()
                (mail.etc / "main.cf").write_text(text.replace("myhostname = mail.", "myhostname = new."))
                mail.run("postern", "reload")
                mail.wait_log(r"master\[\d+\]: reload -- version")
                old.sendmail("a@client.test", ["bob@example.test"], "Subject: x\r\n\r\nx\r\n")
                with smtplib.SMTP(*mail.address("smtp")) as new:
                    self.assertIn(b"new.example.test", new.ehlo()[1])

    def test_broken_configuration_keeps_the_old_one(self):
        with Instance() as mail:
            with open(mail.etc / "main.cf", "a") as main_cf:
                main_cf.write("smtpd_timeout = soon\n")
            pid = int((mail.queue / "pid/master.pid").read_text())
            result = mail.run("postern", "reload", check=False)
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, r"main\.cf, line \d+: .*smtpd_timeout")
            os.kill(pid, signal.SIGHUP)  # whoever signals without asking "postern"
            mail.wait_log(r"error: reload: .*smtpd_timeout.*; keeping the old configuration")
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                self.assertEqual(smtp.noop()[0], 250)

    def test_new_and_removed_services(self):
        with Instance() as mail:
            master_cf = mail.etc / "master.cf"
            text = master_cf.read_text()
            master_cf.write_text(text.replace("127.0.0.1:0 ", "127.0.0.8:0 "))
            mail.run("postern", "reload")
            wait(lambda: "127.0.0.8:0" in mail.run("postern", "status").stdout, "the new service", mail.log)
            self.assertNotIn("127.0.0.1:0", mail.run("postern", "status").stdout)
            with self.assertRaises(OSError):
                socket.create_connection(mail.address("smtp"), 1)


class Foreground(unittest.TestCase):
    def test_service_manager_is_told(self):
        mail = Instance()
        path = str(mail.prefix / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            os.chmod(path, 0o777)
            manager.settimeout(20)
            who = mail.identity
            extra = {"user": who[0], "group": who[1], "extra_groups": []} if who else {}
            child = subprocess.Popen([str(mail.prefix / "bin/postern"), "start-fg"],
                                     env={**mail.environment(), "NOTIFY_SOCKET": path}, cwd="/", **extra)
            try:
                self.assertEqual(manager.recv(100), b"READY=1")
                child.send_signal(signal.SIGTERM)
                self.assertEqual(manager.recv(100), b"STOPPING=1")
                self.assertEqual(child.wait(20), 0)
            finally:
                if child.poll() is None:
                    child.kill()
                mail.__exit__(None)


if __name__ == "__main__":
    unittest.main()
