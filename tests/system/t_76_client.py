"""The SMTP client and the transports in a running system: what loops back, and where it goes instead."""

import smtplib
import unittest

from instance import Instance
from name_server import A, MX, NameServer

MESSAGE = "From: ann@client.test\r\nSubject: hello\r\n\r\ntext\r\n"
# Of spare.test we are the second host, and the first one has no address.
RECORDS = {("best.test", MX): [(10, "mail.example.test"), (20, "other.test")],
           ("spare.test", MX): [(10, "gone.test"), (20, "mail.example.test")],
           ("gone.test", 16): [],
           ("mail.example.test", A): ["127.0.0.1"], ("other.test", A): ["127.0.0.2"]}


def send(mail, *recipients):
    with smtplib.SMTP(*mail.address("smtp")) as smtp:
        smtp.sendmail("ann@client.test", recipients, MESSAGE)


class BestMx(unittest.TestCase):
    def run_with(self, transport, *recipients):
        names = NameServer(RECORDS)
        names.__enter__()
        self.addCleanup(names.__exit__)
        mail = Instance(params={"dns_forwarders": names.address, "best_mx_transport": transport,
                                "smtpd_reject_unlisted_recipient": "no", "smtp_host_lookup": "dns",
                                "smtp_dns_support_level": "enabled", "disable_dns_lookups": "no"})
        self.addCleanup(mail.__exit__, None)
        mail.start()
        send(mail, *recipients)
        return mail

    def test_another_transport_takes_it(self):
        mail = self.run_with("error:5.7.1 not ours", "a@best.test", "b@best.test")
        for name in "ab":
            mail.wait_log(rf"/error\[\d+\]: \w+: to=<{name}@best.test>, relay=none, .*dsn=5.7.1, status=bounced \(not ours\)")
        self.assertNotRegex(mail.log(), r"/smtp\[\d+\]: \w+: to=<[ab]@best.test>")

    def test_without_it_the_mail_loops(self):
        mail = self.run_with("", "a@best.test", "a@spare.test")
        mail.wait_log(r"/smtp\[\d+\]: \w+: to=<a@best.test>, relay=none, .*dsn=5.4.6, status=bounced "
                      r"\(mail for best.test loops back to myself\)")
        mail.wait_log(r"/smtp\[\d+\]: \w+: to=<a@spare.test>, .*dsn=4.4.4, status=deferred "
                      r"\(unable to find primary relay for spare.test\)")

    def test_nobody_goes_round(self):
        mail = self.run_with("smtp:best.test", "a@best.test")
        mail.wait_log(r"/smtp\[\d+\]: \w+: to=<a@best.test>, relay=none, .*dsn=5.4.6, status=bounced "
                      r"\(mail for best.test loops back to myself\)")


if __name__ == "__main__":
    unittest.main()
