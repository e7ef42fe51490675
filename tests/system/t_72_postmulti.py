"""postmulti: a second mail system beside the first, from its making to its end."""

import re
import unittest

from instance import Instance, wait


class Several(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mail = mail = Instance()
        cls.maildir = mail.add_user("bob")
        cls.beside = mail.prefix / "postfix-out"
        if mail.identity:
            import os
            os.chown(mail.prefix, *mail.identity)

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None)

    def run_(self, *words, check=True, **more):
        return self.mail.run(*words, check=check, **more)

    def listed(self):
        return self.run_("postmulti", "-l").stdout.splitlines()

    def test_a_life(self):
        mail, etc, beside = self.mail, self.mail.etc, self.beside
        refused = self.run_("postmulti", "-e", "create", "-I", "postfix-out", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("run 'postmulti -e init' first", refused.stderr)
        self.run_("postmulti", "-e", "init")
        self.assertRegex((etc / "main.cf").read_text(), r"(?m)^multi_instance_wrapper = \$\{command_directory\}/postmulti -p --$")
        self.run_("postmulti", "-e", "create", "-I", "postfix-out", "-G", "mta", f"data_directory={mail.prefix}/data-out",
                  f"queue_directory={mail.prefix}/queue-out")
        self.assertEqual(self.listed(), [f"-               -               y         {etc}", f"postfix-out     mta             n         {beside}"])

        # Not enabled: looked at, not started.
        self.run_("postmulti", "-p", "start")
        wait(mail.running, "the first one", mail.log)
        mail._read_ports()
        status = lambda: {name: self.run_("postern", "-c", name, "status", check=False).returncode for name in (str(etc), str(beside))}
        self.assertEqual(status(), {str(etc): 0, str(beside): 1})

        # Enabled, and open for local users: mail goes through its own queue, under its own name.
        self.run_("postmulti", "-e", "enable", "-i", "postfix-out")
        for name in ("myhostname", "mydestination", "home_mailbox", "local_recipient_maps", "auth_passwd_file", "alias_maps", "myorigin"):
            value = self.run_("postconf", "-h", name).stdout.rstrip("\n")
            self.run_("postconf", "-c", str(beside), "-e", f"{name}={value}")
        self.run_("postconf", "-c", str(beside), "-e", "authorized_submit_users=static:anyone")
        self.run_("postmulti", "-i", "postfix-out", "-p", "start")
        self.assertEqual(status(), {str(etc): 0, str(beside): 0})
        self.run_("sendmail", "-C", str(beside), "-f", "ann@example.test", "bob@example.test", input="Subject: by the second\n\nhi\n")
        mail.wait_messages(self.maildir, 1)
        mail.wait_log(r"postfix-out/local\[\d+\]: \w+: to=<bob@example.test>.*status=sent")

        # One command for all; what it finds in its environment.
        said = self.run_("postmulti", "-x", "sh", "-c", 'echo "$MAIL_CONFIG $multi_instance_name $multi_instance_enable $queue_directory"').stdout
        self.assertEqual(said.splitlines(), [f"{etc}  yes {mail.queue}", f"{beside} postfix-out yes {mail.prefix}/queue-out"])
        self.assertEqual(self.run_("postmulti", "-R", "-g", "mta", "-x", "postconf", "-h", "multi_instance_name").stdout, "postfix-out\n")
        self.assertEqual(self.run_("postmulti", "-x", "sh", "-c", "exit 3", check=False).returncode, 3)
        self.run_("postmulti", "-p", "reload")
        wait(lambda: len(re.findall("reload -- version", mail.log())) == 2, "two reloads", mail.log)

        # Stopped in reverse, then taken away.
        busy = self.run_("postmulti", "-e", "deport", "-i", "postfix-out", check=False)
        self.assertIn("is running: stop it first", busy.stderr)
        self.run_("postmulti", "-p", "stop")
        self.assertEqual(status(), {str(etc): 1, str(beside): 1})
        stops = re.findall(r"(postfix(?:-out)?)/master\[\d+\]: terminating on signal 15", mail.log())
        self.assertEqual(stops, ["postfix-out", "postfix"])
        self.run_("postmulti", "-e", "disable", "-i", "postfix-out")
        gone = self.run_("postmulti", "-e", "destroy", "-i", "postfix-out")
        self.assertEqual(self.listed(), [f"-               -               y         {etc}"])
        for folder in (beside, mail.prefix / "queue-out", mail.prefix / "data-out"):
            self.assertFalse(folder.exists(), gone.stderr)

    def test_wrong_words(self):
        for words in ([], ["-l", "-p"], ["-p"], ["-x"], ["-l", "word"], ["-R", "-p", "status"], ["-I", "postfix-x", "-l"], ["-e", "other"],
                      ["-g", "nobody", "-l"], ["-i", "nobody", "-x", "true"]):
            result = self.run_("postmulti", *words, check=False)
            self.assertEqual(result.returncode, 1, words)
            self.assertIn("postmulti: fatal: ", result.stderr, words)


if __name__ == "__main__":
    unittest.main()
