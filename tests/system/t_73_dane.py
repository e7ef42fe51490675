"""DANE: a signed zone in a real name server, a trust anchor, and a server with the right key or another one."""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest

from instance import Instance, wait
from t_30_relay import send
from t_72_certificates import make

LDNS = shutil.which("ldns-signzone")
UNBOUND = shutil.which("unbound", path="/usr/sbin:/usr/bin")

# Signed by a key that is the trust anchor of this test. unbound serves both zones as authority.
SIGNED = """$ORIGIN signed.test.
$TTL 60
@ IN SOA ns.signed.test. x.signed.test. 1 3600 3600 3600 60
@ IN NS ns.signed.test.
ns IN A 127.0.0.1
@ IN MX 10 mx.signed.test.
mx IN A {address}
other IN MX 10 mx2.signed.test.
mx2 IN A {address}
_{port}._tcp.mx IN TLSA 3 1 1 {digest}
_{port}._tcp.mx2 IN TLSA 3 1 1 {wrong}
authority IN MX 10 mx4.signed.test.
mx4 IN A {address}
_{port}._tcp.mx4 IN TLSA 2 0 1 {authority}
named IN MX 10 mx5.signed.test.
mx5 IN A {address}
_{port}._tcp.mx5 IN TLSA 2 0 1 {authority}
plain IN MX 10 mx3.signed.test.
mx3 IN A {address}
"""


ADDRESS = "127.0.73.1"  # where no other test has a port


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((ADDRESS, 0))
        return one.getsockname()[1]


def key_digest(certificate):
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, check=True, capture_output=True).stdout
    return subprocess.run(["openssl", "dgst", "-sha256", "-r"], input=der, check=True, capture_output=True).stdout.split()[0].decode()


def certificate_digest(certificate):
    words = ["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"]
    return subprocess.run(words, check=True, capture_output=True).stdout.decode().split("=")[1].strip().replace(":", "")


class NameServer:
    """unbound with the zone, and the anchor for it."""

    def __init__(self, folder, zone):
        self.folder, self.port = folder, free_port()
        (folder / "zone").write_text(zone)
        base = subprocess.run(["ldns-keygen", "-k", "-a", "ECDSAP256SHA256", "signed.test"], cwd=folder, check=True,
                              capture_output=True, text=True).stdout.strip()
        subprocess.run(["ldns-signzone", "-f", "zone.signed", "zone", base], cwd=folder, check=True, capture_output=True)
        self.anchor = folder / f"{base}.key"
        (folder / "unbound.conf").write_text(f"""server:
  interface: {ADDRESS}@{self.port}
  chroot: ""
  username: ""
  directory: "{folder}"
  pidfile: "{folder}/pid"
  logfile: "{folder}/log"
  use-syslog: no
  do-daemonize: no
  module-config: "iterator"
  local-zone: "test." nodefault
auth-zone:
  name: "signed.test."
  zonefile: "{folder}/zone.signed"
  for-downstream: yes
  for-upstream: no
remote-control:
  control-enable: no
""")
        self.process = subprocess.Popen([UNBOUND, "-c", folder / "unbound.conf"])
        wait(self.answers, "the name server")

    def answers(self):
        query = b"\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06signed\x04test\x00\x00\x0f\x00\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.settimeout(1)
            one.connect((ADDRESS, self.port))
            try:
                one.send(query)
                return one.recv(4096)[3] & 15 == 0
            except OSError:
                return False

    def end(self):
        self.process.terminate()
        self.process.wait(20)


@unittest.skipUnless(LDNS and UNBOUND, "needs Debian's ldnsutils and unbound")
class Dane(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-dane-"))
        cls.folder.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.far = Instance(params={"mydestination": "signed.test, other.signed.test, plain.signed.test, authority.signed.test, named.signed.test",
                                   "smtpd_tls_security_level": "may", "smtpd_tls_chain_files": "$config_directory/mx4.signed.test.pem"})
        cls.addClassCleanup(cls.far.__exit__, None)
        make(cls.far.etc, "ca")
        chain = make(cls.far.etc, "mx4.signed.test", "ca")
        chain.write_text(chain.read_text() + (cls.far.etc / "ca.crt").read_text())
        cls.far.start()
        cls.bob = cls.far.add_user("bob")
        address, port = cls.far.address("smtp")
        digest = key_digest(cls.far.etc / "mx4.signed.test.crt")
        authority = certificate_digest(cls.far.etc / "ca.crt")
        cls.names = NameServer(cls.folder, SIGNED.format(address=address, port=port, digest=digest, wrong="0" * 64, authority=authority))
        cls.addClassCleanup(cls.names.end)

    def client(self, **params):
        mail = Instance(params={"dns_forwarders": f"{ADDRESS}@{self.names.port}", "dns_trust_anchor_file": str(self.names.anchor),
                                "smtp_dns_support_level": "dnssec", "smtp_tls_security_level": "dane", "smtp_tls_loglevel": "1",
                                "smtp_tcp_port": str(self.far.address("smtp")[1]), "inet_protocols": "ipv4", **params})
        self.addCleanup(mail.__exit__, None)
        mail.start()
        return mail

    def test_the_right_server_is_verified(self):
        mail = self.client()
        send(mail, "bob@signed.test")
        mail.wait_log(r"Verified TLS connection established to mx.signed.test\[")
        mail.wait_log(r"to=<bob@signed.test>, relay=mx.signed.test\[.*status=sent")

    def test_another_key_makes_mail_wait(self):
        mail = self.client()
        send(mail, "bob@other.signed.test")
        mail.wait_log(r"to=<bob@other.signed.test>, .*dsn=4.7.5, status=deferred \(Server certificate not verified\)")

    def test_an_authority_and_the_name(self):
        mail = self.client()
        send(mail, "bob@authority.signed.test", "bob@named.signed.test")
        mail.wait_log(r"Verified TLS connection established to mx4.signed.test\[")
        mail.wait_log(r"to=<bob@named.signed.test>, .*dsn=4.7.5, status=deferred \(Server certificate not verified\)")

    def test_a_host_without_records(self):
        mail = self.client()
        send(mail, "bob@plain.signed.test")
        mail.wait_log(r"Untrusted TLS connection established to mx3.signed.test\[")
        mail.wait_log(r"to=<bob@plain.signed.test>, .*status=sent")
        strict = self.client(smtp_tls_security_level="dane-only")
        send(strict, "bob@plain.signed.test")
        strict.wait_log(r"to=<bob@plain.signed.test>, .*dsn=4.7.5, status=deferred \(no TLSA records found\)")

    def test_without_validation_there_is_no_dane(self):
        mail = self.client(smtp_dns_support_level="enabled")
        send(mail, "bob@other.signed.test")  # nobody compares keys
        mail.wait_log(r"to=<bob@other.signed.test>, .*status=sent")

    def test_a_forged_answer_is_no_answer(self):
        anchors = self.folder / "another"
        anchors.mkdir(exist_ok=True)
        base = subprocess.run(["ldns-keygen", "-k", "-a", "ECDSAP256SHA256", "signed.test"], cwd=anchors, check=True,
                              capture_output=True, text=True).stdout.strip()
        mail = self.client(dns_trust_anchor_file=str(anchors / f"{base}.key"))
        send(mail, "bob@signed.test")
        mail.wait_log(r"to=<bob@signed.test>, .*dsn=4.4.3, status=deferred")

    def test_a_missing_anchor_stops_the_service(self):
        mail = self.client(dns_trust_anchor_file="/nonexistent/root.key")
        send(mail, "bob@signed.test")
        mail.wait_log(r"DNSSEC trust anchor /nonexistent/root.key cannot be read")


if __name__ == "__main__":
    unittest.main()
