"""Seen by programs that people use: swaks, curl, mbsync, mpop, fetchmail, mutt, neomutt, openssl."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import debian
from instance import Instance, process, wait

NEEDED = ("swaks", "curl", "mbsync", "mpop", "fetchmail", "mutt", "openssl")
BODY = "Subject: seen by clients\r\nFrom: ann@client.test\r\nTo: bob@example.test\r\n\r\nline one\r\n.dot\r\n"


def run(*words, input=None, check=True, **more):
    result = subprocess.run([str(w) for w in words], input=input, text=True, capture_output=True, timeout=60, **more)
    if check and result.returncode != 0:
        raise AssertionError(f"{words}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result


class RealClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        missing = [name for name in NEEDED if not shutil.which(name)]
        if missing:
            raise AssertionError(f"not installed: {missing}; ./check installs them")
        services = ("smtp", "submission", "smtps", "imap", "imaps", "pop3", "pop3s")
        cls.mail = mail = Instance(services=services, params={
            "smtpd_tls_security_level": "may", "smtpd_tls_cert_file": "$config_directory/cert.pem",
            "smtpd_tls_key_file": "$config_directory/key.pem"})
        cls.cert = mail.etc / "cert.pem"
        names = ",".join(f"IP:{host},DNS:{host}" for host, *_ in (v[0].rsplit(":", 1) for v in mail.listeners.values()))
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=mail.example.test", "-addext", f"subjectAltName={names}", "-keyout", mail.etc / "key.pem",
            "-out", cls.cert)
        if mail.identity:
            for name in ("key.pem", "cert.pem"):
                os.chown(mail.etc / name, *mail.identity)
        mail.start()

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None)

    def setUp(self):
        self.user = self.id().rsplit("_", 1)[1]
        self.maildir = self.mail.add_user(self.user, "secret")
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="postern-client-"))
        self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)
        self.to = f"{self.user}@example.test"

    def swaks(self, service, *words, **more):
        host, port = self.mail.address(service)
        return run("swaks", "--server", host, "--port", port, "--from", "ann@client.test", "--to", self.to, *words, **more)

    def url(self, scheme, service, path=""):
        host, port = self.mail.address(service)
        return f"{scheme}://{host}:{port}/{path}"

    def curl(self, *words, **more):
        return run("curl", "-sS", "--cacert", self.cert, *words, **more)

    def test_swaks(self):
        self.swaks("smtp")
        self.swaks("smtp", "--tls")
        self.swaks("smtp", "--pipeline")
        self.swaks("submission", "--tls", "--auth", "PLAIN", "--auth-user", self.user, "--auth-password", "secret")
        self.swaks("submission", "--tls", "--auth", "LOGIN", "--auth-user", self.user, "--auth-password", "secret")
        self.swaks("smtps", "--tlsc", "--auth", "PLAIN", "--auth-user", self.user, "--auth-password", "secret")
        refused = self.swaks("submission", "--tls", "--auth", "PLAIN", "--auth-user", self.user, "--auth-password", "no", check=False)
        self.assertEqual(refused.returncode, 28)  # swaks: authentication failed
        self.assertIn("535 5.7.8", refused.stdout)
        refused = self.swaks("submission", check=False)
        self.assertEqual(refused.returncode, 24)  # swaks: no recipient accepted
        self.mail.wait_messages(self.maildir, 6)
        self.mail.wait_log(rf"client=\S+, sasl_method=PLAIN, sasl_username={self.user}")

    def test_curl(self):
        message = self.work / "m.eml"
        message.write_text(BODY, newline="")
        for scheme, service, more in (("smtp", "smtp", []), ("smtp", "submission", ["--ssl-reqd", "-u", f"{self.user}:secret"]),
                                      ("smtps", "smtps", ["-u", f"{self.user}:secret"])):
            self.curl(self.url(scheme, service, "client.test"), "--mail-from", "ann@client.test", "--mail-rcpt", self.to,
                      "-T", message, *more)
        self.mail.wait_messages(self.maildir, 3)
        login = ["-u", f"{self.user}:secret"]
        for scheme, service, more in (("imap", "imap", ["--ssl-reqd"]), ("imaps", "imaps", [])):
            self.assertIn("INBOX", self.curl(self.url(scheme, service), *login, *more).stdout)
            self.assertIn("line one", self.curl(self.url(scheme, service, "INBOX;MAILINDEX=1"), *login, *more).stdout)
        for scheme, service, more in (("pop3", "pop3", ["--ssl-reqd"]), ("pop3s", "pop3s", [])):
            self.assertEqual(len(self.curl(self.url(scheme, service), *login, *more).stdout.splitlines()), 3)
            self.assertIn("\n.dot", self.curl(self.url(scheme, service, "1"), *login, *more).stdout.replace("\r", ""))
        wrong = self.curl(self.url("imaps", "imaps"), "-u", f"{self.user}:wrong", check=False)
        self.assertEqual(wrong.returncode, 67)  # curl: login denied
        # A message put there by IMAP is there for POP3.
        self.curl(self.url("imaps", "imaps", "INBOX"), *login, "-T", message)
        self.assertEqual(len(self.curl(self.url("pop3s", "pop3s"), *login).stdout.splitlines()), 4)

    def test_mbsync(self):
        for _ in range(3):
            self.swaks("smtp")
        self.mail.wait_messages(self.maildir, 3)
        host, port = self.mail.address("imaps")
        local = self.work / "local"
        local.mkdir()
        config = self.work / "mbsyncrc"
        config.write_text(f"""\
IMAPAccount postern
Host {host}
Port {port}
User {self.user}
Pass secret
SSLType IMAPS
CertificateFile {self.cert}

IMAPStore far
Account postern

MaildirStore near
Path {local}/
Inbox {local}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""")
        sync = ("mbsync", "-c", config, "all")
        run(*sync)
        fetched = sorted((local / "INBOX").glob("*/*"))
        self.assertEqual(len([p for p in fetched if "U=" in p.name]), 3, fetched)
        # One deleted here, one new folder with a message made here: both arrive at the server.
        first = next(p for p in fetched if "U=" in p.name)
        first.unlink()
        for sub in ("cur", "new", "tmp"):
            (local / "Archive" / sub).mkdir(parents=True)
        (local / "Archive/new/1.local").write_text("Subject: kept\n\nfrom here\n")
        run(*sync)
        wait(lambda: len(self.mail.messages(self.maildir)) == 2, "the expunge", self.mail.log)
        self.assertEqual(len(self.mail.messages(self.maildir / ".Archive")), 1)
        before = sorted(p.name for p in local.rglob("*") if "U=" in p.name)
        run(*sync)  # nothing to do, and nothing done
        self.assertEqual(sorted(p.name for p in local.rglob("*") if "U=" in p.name), before)

    def test_mpop(self):
        for _ in range(2):
            self.swaks("smtp")
        self.mail.wait_messages(self.maildir, 2)
        host, port = self.mail.address("pop3s")
        inbox = self.work / "inbox"
        for sub in ("cur", "new", "tmp"):
            (inbox / sub).mkdir(parents=True)
        words = ["mpop", f"--host={host}", f"--port={port}", f"--user={self.user}", "--passwordeval=echo secret", "--auth=plain",
                 "--tls=on", "--tls-starttls=off", f"--tls-trust-file={self.cert}", f"--delivery=maildir,{inbox}",
                 f"--uidls-file={self.work}/uidls", "--keep=on"]
        run(*words)
        self.assertEqual(len(list((inbox / "new").iterdir())), 2)
        run(*words)  # UIDLs are stable: nothing is fetched again
        self.assertEqual(len(list((inbox / "new").iterdir())), 2)

    def test_fetchmail(self):
        self.swaks("smtp")
        self.mail.wait_messages(self.maildir, 1)
        for protocol, service in (("imap", "imap"), ("pop3", "pop3")):
            host, port = self.mail.address(service)
            config = self.work / "fetchmailrc"
            config.write_text(f"""poll {host} protocol {protocol} service {port}
  user "{self.user}" password "secret" sslproto '' keep fetchall
  mda "cat >> {self.work}/got.{protocol}"
""")
            config.chmod(0o600)
            run("fetchmail", "-f", config, "--nosyslog", "--pidfile", self.work / "pid", "--idfile", self.work / "ids",
                env={**os.environ, "HOME": str(self.work), "FETCHMAILHOME": str(self.work)})
            self.assertIn("Subject: test", (self.work / f"got.{protocol}").read_text())

    def test_mutt(self):
        self.mutt_session("")

    def test_neomutt(self):
        root = debian.unpack("neomutt", "libnotmuch5", "libgmime-3.0-0", "libglib2.0-0", "libtalloc2", "libsexp1", "liblua5.4-0")
        self.mutt_session("", program=root / "usr/bin/neomutt", LD_LIBRARY_PATH=f"{root}/usr/lib/{os.uname().machine}-linux-gnu")

    def test_mutt_with_qresync(self):
        self.mutt_session(f"set header_cache={self.work}/headers imap_condstore=yes imap_qresync=yes")

    def mutt_session(self, settings, program="mutt", **environment):
        self.swaks("smtp")
        self.mail.wait_messages(self.maildir, 1)
        host, port = self.mail.address("imaps")
        config = self.work / "muttrc"
        config.write_text(f"""\
set spoolfile="imaps://{host}:{port}/INBOX"
set folder="imaps://{host}:{port}/"
set imap_user={self.user} imap_pass=secret
set certificate_file={self.cert} ssl_ca_certificates_file={self.cert} ssl_verify_host=no
set delete=yes quit=yes
set record="" trash=""
{settings}
exec noop
push "<flag-message><sync-mailbox><copy-message>=Saved<enter><enter>y<exit><exit>q"
""")
        subprocess.run(["script", "-qec", f"{program} -F {config}", "/dev/null"], input="yyq\n", text=True, capture_output=True,
                       timeout=60, env={**os.environ, "TERM": "vt100", "HOME": str(self.work), **environment})
        wait(lambda: any("F" in p.name.rsplit(",", 1)[-1] for p in self.mail.messages(self.maildir)), "the flag", self.mail.log)

    def test_openssl(self):
        for service, protocol in (("smtp", "smtp"), ("imap", "imap"), ("pop3", "pop3")):
            host, port = self.mail.address(service)
            out = run("openssl", "s_client", "-connect", f"{host}:{port}", "-starttls", protocol, "-CAfile", self.cert,
                      "-verify_return_error", "-brief", input="QUIT\r\nq LOGOUT\r\n")
            self.assertIn("Verification: OK", out.stderr)
        host, port = self.mail.address("imaps")
        for version in ("-tls1_2", "-tls1_3"):
            out = run("openssl", "s_client", "-connect", f"{host}:{port}", version, "-quiet", "-CAfile", self.cert,
                      input="a CAPABILITY\r\nb LOGOUT\r\n")
            self.assertIn("a OK", out.stdout)
            self.assertIn("b OK", out.stdout)
        old = run("openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_1", "-CAfile", self.cert, input="", check=False)
        self.assertNotEqual(old.returncode, 0)


if __name__ == "__main__":
    unittest.main()
