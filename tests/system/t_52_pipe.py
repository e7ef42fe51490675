"""pipe: commands of foreign software, as an ordinary user's instance and, as root, with another account."""

import os
import pathlib
import re
import smtplib
import unittest

from instance import Instance, private_mounts

ROOT = os.geteuid() == 0


def send(mail, *recipients, sender="ann@client.test"):
    with smtplib.SMTP(*mail.address("smtp")) as smtp:
        smtp.ehlo()
        smtp.mail(sender)
        for recipient in recipients:
            code, answer = smtp.rcpt(recipient)
            assert code == 250, answer
        _, answer = smtp.data("Subject: x\r\n\r\nFrom me\r\n.hi\r\n")
        return re.search(rb"queued as (\w+)", answer).group(1).decode()


def service(out):
    # A command that tells what it was given.
    return (f"box unix - n n - 4 pipe flags=DRhu user=games directory={out} argv=/bin/sh -c"
            " {cat >got; echo $$0 $$1 $$2 $$3 >args; id -un >who; id -Gn >>who} ${sender} ${recipient} ${user}/${extension} ${domain}\n"
            "later unix - n n - 4 pipe user=games argv=/bin/sh -c {echo not now; exit 75}\n"
            "never unix - n n - 4 pipe user=games argv=/bin/sh -c {echo 5.7.1 not you; exit 1}\n"
            "slow unix - n n - 4 pipe user=games argv=/bin/sleep 60\n"
            "broken unix - n n - 4 pipe flags=Z user=games argv=/bin/true\n")


PARAMS = {"recipient_delimiter": "+", "box_destination_recipient_limit": "1", "slow_time_limit": "1s",
          "relay_domains": "box.test later.test never.test slow.test broken.test",
          "transport_maps": "inline:{box.test=box: later.test=later:hop never.test=never: slow.test=slow: broken.test=broken:}"}


class Pipe:
    def test_gets_the_message_and_its_facts(self):
        mail = self.mail
        qid = send(mail, "User+List@Box.Test", sender="ann@client.test")
        mail.wait_log(rf"pipe\[\d+\]: {qid}: to=<User\+List@box.test>, relay=box, delay=.*, dsn=2.0.0,"
                      r" status=sent \(delivered via box service\)".replace("box.test", "[Bb]ox.[Tt]est"))
        self.assertRegex((self.out / "got").read_text(), r"\AReturn-Path: <ann@client.test>\nDelivered-To: User\+List@[Bb]ox.[Tt]est\n"
                                                         r"Received: [\s\S]*\n\nFrom me\n\.hi\n\Z")
        self.assertEqual((self.out / "args").read_text(), "ann@client.test user+list@box.test user/list box.test\n")
        mail.wait_log(rf"{qid}: removed")

    def test_exit_statuses_and_time_limit(self):
        mail = self.mail
        for domain, expected in (
                ("later", r"dsn=4.3.0, status=deferred \(temporary failure. Command output: not now\)"),
                ("never", r"dsn=5.7.1, status=bounced \(not you\)"),
                ("slow", r'dsn=5.3.0, status=bounced \(Command time limit exceeded: "/bin/sleep"\)')):
            qid = send(mail, f"u@{domain}.test")
            mail.wait_log(rf"{qid}: to=<u@{domain}.test>, relay={domain}, .*{expected}")

    def test_a_mistake_is_loud_and_the_mail_waits(self):
        mail = self.mail
        qid = send(mail, "u@broken.test")
        mail.wait_log(r'pipe\[\d+\]: fatal: service broken: flags=Z: unknown flag "Z"')
        self.assertIn(qid, mail.queue_ids())


class AsOrdinaryUser(Pipe, unittest.TestCase):
    def setUp(self):
        self.mail = mail = Instance(params=PARAMS)
        self.out = mail.prefix / "data"
        with open(mail.etc / "master.cf", "a") as file:
            file.write(service(self.out))
        mail.start()
        self.addCleanup(lambda: mail.__exit__(None))


@unittest.skipUnless(ROOT, "needs root")
class AsRoot(Pipe, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        private_mounts()
        cls.mail = mail = Instance(params=PARAMS, real_uids=True)
        cls.out = mail.prefix / "out"
        cls.out.mkdir()
        cls.out.chmod(0o1777)
        with open(mail.etc / "master.cf", "a") as file:
            file.write(service(cls.out) + "root unix - n n - 1 pipe user=root argv=/bin/true\n"
                       f"filter unix - n n - 4 pipe user=games argv={mail.prefix}/bin/sendmail -G -i -f ${{sender}} -- bob@example.test\n")
        mail.run("postconf", "-e", "relay_domains = $transport_maps",
                 "transport_maps = inline:{box.test=box: later.test=later: never.test=never: slow.test=slow: broken.test=broken: "
                 "root.test=root: filter.test=filter:}")
        mail.run("postern", "set-permissions")
        mail.take_standard_place()
        mail.start()
        cls.bob = mail.add_user("bob")

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None)

    def test_runs_as_its_user(self):
        mail = self.mail
        (self.out / "who").unlink(missing_ok=True)
        qid = send(mail, "u@box.test")
        mail.wait_log(rf"{qid}: to=<u@box.test>, .*status=sent")
        self.assertEqual((self.out / "who").read_text(), "games\ngames\n")

    def test_never_as_root(self):
        mail = self.mail
        send(mail, "u@root.test")
        mail.wait_log(r"pipe\[\d+\]: fatal: service root: user=root: commands are not run with root's rights")

    def test_a_filter_sends_on_with_sendmail(self):
        mail = self.mail
        send(mail, "u@filter.test")
        mail.wait_log(r"to=<u@filter.test>, relay=filter, .*status=sent")
        mail.wait_messages(self.bob, 1)


if __name__ == "__main__":
    unittest.main()
