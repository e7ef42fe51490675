"""The SMTP client and the transports in a running system: what loops back, and where it goes instead."""

import json
import os
import pathlib
import smtplib
import socket
import subprocess
import tempfile
import unittest

from instance import Instance
from name_server import A, MX, SRV, TXT, NameServer
from t_30_relay import Sink
from t_72_certificates import make

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


class TlsWishes(unittest.TestCase):
    """RFC 8689: the sender wants no TLS policy; RFC 8460: the destination wants to hear how TLS went."""

    def test_of_senders_and_of_destinations(self):
        records = {("far.test", MX): [(10, "mx.far.test")], ("mx.far.test", A): ["127.0.0.1"],
                   ("_smtp._tls.far.test", TXT): ["v=TLSRPTv1; rua=mailto:tls@far.test"]}
        with NameServer(records) as names, tempfile.TemporaryDirectory() as folder, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as collector, Sink(pathlib.Path(folder)) as sink:
            collector.settimeout(20)
            mail = Instance(params={"dns_forwarders": names.address, "smtp_host_lookup": "dns", "smtpd_reject_unlisted_recipient": "no",
                                    "disable_dns_lookups": "no", "smtp_tls_security_level": "encrypt", "smtp_tcp_port": sink.port,
                                    "smtp_tlsrpt_enable": "yes", "smtp_tlsrpt_socket_name": "public/tlsrpt"})
            self.addCleanup(mail.__exit__, None)
            mail.start()
            collector.bind(str(mail.queue / "public/tlsrpt"))
            os.chmod(mail.queue / "public/tlsrpt", 0o666)
            send(mail, "a@far.test")
            mail.wait_log(r"to=<a@far.test>, .*dsn=4\.7\.4, status=deferred \(TLS is required, but was not offered by host mx\.far\.test")
            told = json.loads(collector.recv(65536))
            self.assertEqual((told["d"], told["pr"]), ("far.test", "v=TLSRPTv1; rua=mailto:tls@far.test"))
            (policy,) = told["policies"]
            self.assertEqual((policy["policy-type"], policy["policy-domain"], policy["t"], policy["f"]), (9, "far.test", 1, 1))
            (failure,) = policy["failure-details"]
            self.assertEqual((failure["c"], failure["n"], failure["r"], failure["s"]), (201, "mx.far.test", "127.0.0.1", "127.0.0.1"))
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.sendmail("ann@client.test", ["b@far.test"], "TLS-Required: No\r\n" + MESSAGE)
            mail.wait_log(r"to=<b@far.test>, relay=mx\.far\.test\[127\.0\.0\.1\]:\d+, .*status=sent")
            self.assertEqual(len(sink.messages()), 1)
            collector.setblocking(False)
            self.assertRaises(BlockingIOError, collector.recv, 65536)


class Relayed(unittest.TestCase):
    """To a sink, by way of what main.cf says of hosts, answers and statuses."""

    def instance(self, **params):
        mail = Instance(params={"smtpd_reject_unlisted_recipient": "no", **params})
        self.addCleanup(mail.__exit__, None)
        return mail

    def names(self, records):
        names = NameServer(records)
        names.__enter__()
        self.addCleanup(names.__exit__)
        return names

    def sink(self, mail, *options):
        folder = mail.prefix / "sink"
        folder.mkdir()
        sink = Sink(folder, *options)
        sink.__enter__()
        self.addCleanup(sink.__exit__, None, None, None)
        return sink

    def test_servers_by_srv_records(self):
        records = {("mx.far.test", A): ["127.0.0.1"]}
        names = self.names(records)
        mail = self.instance(dns_forwarders=names.address, smtp_host_lookup="dns", use_srv_lookup="submission",
                             relayhost="far.test:submission", disable_dns_lookups="no")
        sink = self.sink(mail)
        records["_submission._tcp.far.test", SRV] = [(10, 0, 1, "gone.far.test"), (20, 0, sink.port, "mx.far.test")]
        records["gone.far.test", 16] = []
        mail.start()
        send(mail, "a@elsewhere.test")
        mail.wait_log(rf"to=<a@elsewhere.test>, relay=mx.far.test\[127.0.0.1\]:{sink.port}, .*status=sent")
        self.assertIn(("_submission._tcp.far.test", SRV), names.asked)

    def test_filtered_records_make_mail_wait(self):
        names = self.names({("far.test", MX): [(10, "mx.far.test")], ("mx.far.test", A): ["127.0.0.1"]})
        mail = self.instance(dns_forwarders=names.address, smtp_host_lookup="dns", disable_dns_lookups="no",
                             smtp_dns_reply_filter="regexp:{{/^far.test. [0-9]+ IN MX 10 mx.far.test.$$/ IGNORE}}")
        mail.start()
        send(mail, "a@far.test")
        mail.wait_log(r"to=<a@far.test>, .*dsn=4.7.0, status=deferred "
                      r"\(Error looking up name=far.test type=MX: DNS reply filter drops all results\)")

    def test_statuses_are_replaced(self):
        rules = "{/^5.1.1 unknown user(.*)/ 4.1.1 perhaps later$$1} {/^2.0.0 250 2.0.0 Ok/ 2.6.0 handed over} {/^4.2.0 .*/ 5.2.0 no}"
        mail = self.instance(default_delivery_status_filter="pcre:{" + rules + "}", mydestination="here.test",
                             local_recipient_maps="")
        sink = self.sink(mail)
        with open(mail.etc / "main.cf", "a") as file:
            file.write(f"relayhost = {sink.hop}\n")
        mail.start()
        send(mail, "nobody.at.all@here.test", "a@far.test")
        mail.wait_log(r'/local\[\d+\]: \w+: to=<nobody.at.all@here.test>, .*dsn=4.1.1, status=deferred \(perhaps later: "nobody.at.all"\)')
        mail.wait_log(r"/smtp\[\d+\]: \w+: to=<a@far.test>, .*dsn=2.6.0, status=sent \(handed over\)")

    def test_authorities_of_our_own_choice(self):
        far = self.instance(mydestination="far.test", smtpd_tls_security_level="may",
                            smtpd_tls_chain_files="$config_directory/mx.far.test.pem")
        for name, by in (("ca", None), ("stranger", None), ("mx.far.test", "ca")):
            make(far.etc, name, by) if by else make(far.etc, name)
        key = subprocess.run(["openssl", "x509", "-in", far.etc / "ca.crt", "-noout", "-pubkey"], check=True, capture_output=True).stdout
        (far.etc / "ca.key.pub").write_bytes(key)
        far.add_user("bob")
        far.start()
        host, port = far.address("smtp")
        for anchor, text in (("ca.crt", r"status=sent"), ("ca.key.pub", r"status=sent"),
                             ("stranger.crt", r"dsn=4.7.5, status=deferred \(Server certificate not trusted\)")):
            with self.subTest(anchor):
                mail = self.instance(relayhost=f"[{host}]:{port}", smtp_tls_security_level="secure", smtp_tls_loglevel="1",
                                     smtp_tls_secure_cert_match="mx.far.test", smtp_tls_trust_anchor_file=str(far.etc / anchor))
                mail.start()
                send(mail, "bob@far.test")
                mail.wait_log(r"to=<bob@far.test>, .*" + text)


if __name__ == "__main__":
    unittest.main()
