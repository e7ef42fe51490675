"""SASL mechanisms on the server side, spoken by the GNU and Cyrus libraries' own clients and by Python: SCRAM with and
without channel binding in IMAP, POP3 and SMTP, for users stored in every form; what is offered where."""

import base64
import contextlib
import imaplib
import poplib
import re
import shutil
import smtplib
import socket
import subprocess
import unittest

from instance import Instance
from t_15_submission_tls import careless, make_certificate
from t_72_certificates import make

CYRUS = shutil.which("imtest", path="/usr/lib/cyrus/bin:/usr/bin")
GSASL = shutil.which("gsasl")
SERVICES = ("smtp", "submission", "imap", "imaps", "pop3", "pop3s")


def make_instance(mechanisms="scram-sha-256, scram-sha-1, plain, login", services=SERVICES, **params):
    mail = Instance(services=services, params={
        "auth_mechanisms": mechanisms, "smtpd_sasl_auth_enable": "yes", "auth_failure_delay": "0",
        "smtpd_tls_security_level": "may", **params})
    path = make_certificate(mail.etc, mail.identity)
    with open(mail.etc / "main.cf", "a") as main_cf:
        main_cf.write(f"smtpd_tls_cert_file = {path}\n")
    return mail


def add_users(mail, **users):
    """Name and password scheme. Everybody's password is "pencil"."""
    for name, scheme in users.items():
        mail.add_user(name, "x")
        mail.run("postern", "user", "passwd", name, "--scheme", scheme, "--password-stdin", input="pencil\n")


def gsasl(mail, service, mechanism, *more, user="ann", password="pencil"):
    host, port = mail.address(service)
    protocol = "--imap" if service.startswith("imap") else "--smtp"
    return subprocess.run([GSASL, protocol, "-m", mechanism, "-a", user, "-p", password, "--x509-ca-file=", *more,
                           "--connect", f"{host}:{port}"],
                          input="", capture_output=True, text=True, timeout=60)


def cyrus(mail, program, service, mechanism, *more, user="ann", password="pencil"):
    host, port = mail.address(service)
    return subprocess.run([shutil.which(program, path="/usr/lib/cyrus/bin:/usr/bin"), "-m", mechanism, "-a", user, "-u", user,
                           "-w", password, "-p", str(port), *more, host],
                          input="", capture_output=True, text=True, timeout=60).stdout


@unittest.skipUnless(GSASL and CYRUS, "needs gsasl and cyrus-clients")
class Scram(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mail = make_instance()
        cls.mail.start()
        cls.addClassCleanup(lambda: cls.mail.__exit__(None))
        add_users(cls.mail, ann="SCRAM-SHA-256", old="SCRAM-SHA-1", plain="PLAIN", crypt="SHA512-CRYPT")

    def test_gnu_sasl(self):
        for service, protocol in (("imap", "imap"), ("submission", "smtp")):
            for user, mechanism in (("ann", "SCRAM-SHA-256"), ("old", "SCRAM-SHA-1"), ("plain", "SCRAM-SHA-1"),
                                    ("plain", "SCRAM-SHA-256"), ("ann", "PLAIN"), ("old", "PLAIN"), ("crypt", "LOGIN")):
                for more in (("--no-starttls",), ("--no-cb",)):
                    done = gsasl(self.mail, service, mechanism, *more, user=user)
                    self.assertEqual(done.returncode, 0, (service, user, mechanism, done))
            # It never says that it could have bound to the channel, and insists on doing so.
            for user, mechanism in (("ann", "SCRAM-SHA-256-PLUS"), ("old", "SCRAM-SHA-1-PLUS")):
                done = gsasl(self.mail, service, mechanism, user=user)
                self.assertEqual(done.returncode, 0, (service, user, mechanism, done))
                done = gsasl(self.mail, service, mechanism, "--priority=NORMAL:-VERS-TLS1.3", user=user)
                self.assertEqual(done.returncode, 0, (service, user, mechanism, done))
            for user, password in (("ann", "pencils"), ("nobody", "pencil"), ("crypt", "pencil"), ("old", "pencil")):
                done = gsasl(self.mail, service, "SCRAM-SHA-256", "--no-cb", user=user, password=password)
                self.assertNotEqual(done.returncode, 0, (service, user, done))
            self.mail.wait_log(rf"{protocol}: SCRAM-SHA-256 user=<ann>, client=\S+ secured: authentication failed: password mismatch")
            self.mail.wait_log(rf"{protocol}: SCRAM-SHA-256 user=<nobody>, .*: authentication failed: unknown user")
            self.mail.wait_log(rf"{protocol}: SCRAM-SHA-256 user=<crypt>, .*: the stored password is of another scheme")
        self.mail.wait_log(r"warning: \S+\[127\.0\.0\.\d\]: SASL SCRAM-SHA-256 authentication failed: ")
        self.mail.wait_log(r"imap-login: Login: user=<ann>, method=SCRAM-SHA-256-PLUS, .*, TLS")
        self.assertNotIn("pencil", self.mail.log())

    def test_cyrus_sasl(self):
        for program, service in (("imtest", "imap"), ("pop3test", "pop3"), ("smtptest", "submission")):
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"):
                user = "old" if mechanism.endswith("-1") else "ann"
                good = cyrus(self.mail, program, service, mechanism, user=user)
                self.assertIn("Authenticated.", good, (program, mechanism))
                bad = cyrus(self.mail, program, service, mechanism, user=user, password="eraser")
                self.assertIn("Authentication failed", bad, (program, mechanism))
            self.assertIn("Authenticated.", cyrus(self.mail, program, service, "SCRAM-SHA-256", "-t", ""), program)

    def test_the_log_of_a_message(self):
        with Smtp(self.mail.address("submission")) as smtp:
            smtp.scram("SCRAM-SHA-256", "ann", "pencil")
            smtp.sendmail("ann@example.test", ["plain@example.test"], "Subject: x\r\n\r\nx\r\n")
        self.mail.wait_log(r"postfix/submission/smtpd\[\d+\]: \w+: client=\S+, sasl_method=SCRAM-SHA-256, sasl_username=ann")

    def test_what_looks_the_same_is_the_same(self):
        self.mail.add_user("j\u00fcrgen", "x")
        self.mail.run("postern", "user", "passwd", "j\u00fcrgen", "--scheme", "SCRAM-SHA-256", "--password-stdin",
                      input="pass\u00adwort \u2168\n")
        with Smtp(self.mail.address("submission")) as smtp:
            smtp.scram("SCRAM-SHA-256", "ju\u0308rgen", "passwort IX")
        plain = base64.b64encode("\0j\u00fcrgen\0passwort IX".encode()).decode()
        with talk_to(self.mail.address("imap")) as talk:
            self.assertRegex(talk(f"a AUTHENTICATE PLAIN {plain}"), "a OK")

    def test_given_up_in_the_middle(self):
        first = base64.b64encode(b"n,,n=ann,r=abc").decode()
        with talk_to(self.mail.address("imap")) as talk:
            self.assertRegex(talk(f"a AUTHENTICATE SCRAM-SHA-256 {first}"), r"\+ \S{60,}")
            self.assertRegex(talk("*"), "a BAD Authentication aborted")
            self.assertRegex(talk(f"b AUTHENTICATE SCRAM-SHA-256 {first}"), r"\+ \S{60,}")
            self.assertRegex(talk("!"), "b BAD Invalid base64")
            self.assertRegex(talk(f"c AUTHENTICATE SCRAM-SHA-256 {first}"), r"\+ \S{60,}")
            self.assertRegex(talk("eA=="), r"c NO \[AUTHENTICATIONFAILED\]")
            self.assertRegex(talk("d LOGIN ann pencil"), "d OK")

    def test_what_is_offered_where(self):
        with imaplib.IMAP4(*self.mail.address("imap")) as imap:
            self.assertEqual(mechanisms_of(imap), ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"])
            imap.starttls(careless())
            under_tls = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN"]
            self.assertEqual(mechanisms_of(imap), under_tls)
        pop = poplib.POP3(*self.mail.address("pop3"))
        self.assertEqual(pop.capa()["SASL"], ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"])
        pop.stls(careless())
        before = pop.capa()
        self.assertEqual(before["SASL"], under_tls)
        pop.user("ann")
        pop.pass_("pencil")
        self.assertEqual(pop.capa(), before, "the same after the login, RFC 5034 4")
        pop.quit()
        with smtplib.SMTP(*self.mail.address("submission")) as smtp:
            smtp.ehlo()
            self.assertEqual(auth_of(smtp), ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"])
            smtp.starttls(context=careless())
            smtp.ehlo()
            self.assertEqual(auth_of(smtp), under_tls)

    def test_salts_survive_a_restart(self):
        def salt(user):
            with talk_to(self.mail.address("imap")) as talk:
                first = base64.b64encode(f"n,,n={user},r=abc".encode()).decode()
                challenge = base64.b64decode(talk(f"a AUTHENTICATE SCRAM-SHA-256 {first}")[2:])
                return re.search(rb",s=(.*)$", challenge)[1]
        before = [salt(user) for user in ("ann", "plain", "crypt", "nobody")]
        self.assertEqual(len({len(one) for one in before}), 1)
        self.assertEqual((self.mail.etc / "users.salt").stat().st_mode & 0o777, 0o600)
        self.mail.run("postern", "reload")
        self.assertEqual([salt(user) for user in ("ann", "plain", "crypt", "nobody")], before)


class Offered(unittest.TestCase):
    def test_security_options(self):
        with make_instance(services=("submission",),
                           smtpd_sasl_security_options="noanonymous, noplaintext",
                           smtpd_sasl_tls_security_options="noanonymous",
                           smtpd_sasl_mechanism_filter="!scram-sha-1, !scram-sha-1-plus, static:rest") as mail:
            with smtplib.SMTP(*mail.address("submission")) as smtp:
                smtp.ehlo()
                self.assertEqual(auth_of(smtp), ["SCRAM-SHA-256"])
                smtp.starttls(context=careless())
                smtp.ehlo()
                self.assertEqual(auth_of(smtp), ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"])

    def test_no_passwords_at_all(self):
        with make_instance("scram-sha-256, digest-md5", services=("imap", "pop3")) as mail:
            with imaplib.IMAP4(*mail.address("imap")) as imap:
                self.assertEqual(mechanisms_of(imap), ["SCRAM-SHA-256"])
                self.assertIn("LOGINDISABLED", imap.capabilities)
                with self.assertRaisesRegex(imaplib.IMAP4.error, "LOGIN is disabled"):
                    imap.login("ann", "pencil")
            pop = poplib.POP3(*mail.address("pop3"))
            self.assertNotIn("USER", pop.capa())
            with self.assertRaises(poplib.error_proto):
                pop.user("ann")
            pop.quit()
            mail.wait_log("warning: auth_mechanisms: no mechanism digest-md5 here; it is not offered")


class UsersFile(unittest.TestCase):
    def test_fields_that_restrict_logins(self):
        with make_instance(services=("imap", "pop3", "submission")) as mail:
            fields = {"here": "allow_nets=10.0.0.0/8,127.0.0.1", "away": "allow_nets=10.0.0.0/8", "wrong": "allow_nets=home",
                      "far": "proxy=y", "odd": "userdb_nice=5"}
            add_users(mail, **dict.fromkeys(fields, "PLAIN"))
            users = mail.etc / "users"
            lines = [f"{line}::{fields[line.split(':')[0]]}" for line in users.read_text().splitlines()]
            users.write_text("\n".join(lines) + "\n")
            self.assertEqual({name: self.imap_says(mail, name) for name in fields},
                             {"here": "OK", "odd": "OK", "away": "NO [AUTHENTICATIONFAILED]", "wrong": "NO [UNAVAILABLE]",
                              "far": "NO [UNAVAILABLE]"})
            self.assertEqual([self.submission_says(mail, name) for name in ("here", "away", "wrong")], [235, 535, 454])
            mail.wait_log("users, line 5: the extra field userdb_nice has no effect here")
            mail.wait_log("user=<away>.*: the client is in none of the user's allow_nets")
            mail.wait_log('user wrong: allow_nets=home: "home" is no network')
            mail.wait_log("user far: the extra field proxy=y is not supported")

    def test_away_for_a_moment(self):
        with make_instance(services=("smtp", "imap")) as mail:
            add_users(mail, ann="PLAIN")
            self.assertEqual(self.imap_says(mail, "ann"), "OK")
            users = mail.etc / "users"
            aside = users.rename(mail.etc / "users~")
            self.assertEqual(self.imap_says(mail, "ann"), "NO [UNAVAILABLE]")
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                smtp.helo("client.test")
                smtp.mail("sender@example.test")
                self.assertEqual(smtp.rcpt("ann@example.test")[0] // 100, 4)
                aside.rename(users)
                self.assertEqual(smtp.rcpt("ann@example.test")[0], 250)

    def imap_says(self, mail, name):
        with talk_to(mail.address("imap")) as talk:
            return re.match(r"a (OK|NO \[[A-Z]+\])", talk(f"a LOGIN {name} pencil"))[1]

    def submission_says(self, mail, name):
        with smtplib.SMTP(*mail.address("submission")) as smtp:
            smtp.ehlo()
            smtp.user, smtp.password = name, "pencil"
            try:
                return smtp.auth("PLAIN", smtp.auth_plain)[0]
            except smtplib.SMTPAuthenticationError as refused:
                return refused.smtp_code


class External(unittest.TestCase):
    def test_by_certificate(self):
        mail = make_instance("external, plain", services=("imap", "pop3", "submission"), smtpd_tls_ask_ccert="yes",
                             login_tls_ask_ccert="yes", smtpd_tls_CAfile="$config_directory/ca.test.crt",
                             smtpd_sasl_mechanism_filter="static:all")
        for name in ("ca.test", "strangers.test"):
            make(mail.etc, name)
        for name, authority in (("ann", "ca.test"), ("nobody-here", "ca.test"), ("bob", "strangers.test")):
            make(mail.etc, name, authority)
        with mail:
            add_users(mail, ann="PLAIN", bob="PLAIN")
            self.check_imap_and_pop3(mail)
            self.check_smtp(mail)
            mail.wait_log(r"imap-login: Login: user=<ann>, method=EXTERNAL")
            mail.wait_log(r"imap: EXTERNAL user=<nobody-here>, .*: unknown user")
            mail.wait_log(r"sasl_method=EXTERNAL, sasl_username=ann")

    def check_imap_and_pop3(self, mail):
        for name, offered, works in (("ann", True, True), ("nobody-here", True, False), ("bob", False, False), (None, False, False)):
            with imaplib.IMAP4(*mail.address("imap")) as imap:
                self.assertEqual(mechanisms_of(imap), ["PLAIN"])
                imap.starttls(client_of(mail, name))
                self.assertEqual(mechanisms_of(imap), ["EXTERNAL", "PLAIN"] if offered else ["PLAIN"], name)
                if works:
                    imap.authenticate("EXTERNAL", lambda _: b"")
                    self.assertEqual(imap.select()[0], "OK")
                else:
                    with self.assertRaises(imaplib.IMAP4.error):
                        imap.authenticate("EXTERNAL", lambda _: b"")
            pop = poplib.POP3(*mail.address("pop3"))
            pop.stls(client_of(mail, name))
            self.assertEqual("EXTERNAL" in pop.capa()["SASL"], offered, name)
            if works:
                pop._shortcmd("AUTH EXTERNAL =")
                self.assertEqual(pop.stat(), (0, 0))
                pop.quit()
            pop.close()

    def check_smtp(self, mail):
        with smtplib.SMTP(*mail.address("submission"), timeout=20) as smtp:
            smtp.starttls(context=client_of(mail, "ann"))
            smtp.ehlo()
            self.assertEqual(auth_of(smtp), ["EXTERNAL", "PLAIN"])
            self.assertEqual(smtp.docmd("AUTH", "EXTERNAL " + base64.b64encode(b"bob").decode())[0], 535)
            self.assertEqual(smtp.docmd("AUTH", "EXTERNAL =")[0], 235)
            smtp.sendmail("ann@example.test", ["bob@example.test"], "Subject: x\r\n\r\nx\r\n")


def client_of(mail, name):
    context = careless()
    if name:
        context.load_cert_chain(mail.etc / f"{name}.pem")
    return context


@contextlib.contextmanager
def talk_to(address):
    """Says a line and reads one; the greeting is read already."""
    with socket.create_connection(address, timeout=20) as connection, connection.makefile("rb") as lines:
        lines.readline()

        def talk(line):
            connection.sendall(line.encode() + b"\r\n")
            return lines.readline().decode().rstrip()
        yield talk


def mechanisms_of(imap):
    _, (line,) = imap.capability()
    return re.findall(r"AUTH=(\S+)", line.decode())


def auth_of(smtp):
    return smtp.esmtp_features["auth"].split()


class Smtp(smtplib.SMTP):
    """smtplib with SCRAM, from the RFC."""

    def __init__(self, address):
        super().__init__(*address, timeout=20)
        self.ehlo()

    def scram(self, mechanism, user, password):
        import hashlib
        import hmac
        name = "sha256" if "256" in mechanism else "sha1"

        def mac(key, text):
            return hmac.new(key, text.encode(), name).digest()
        bare = f"n={user},r=client"
        code, challenge = self.docmd("AUTH", f"{mechanism} {base64.b64encode(b'n,,' + bare.encode()).decode()}")
        assert code == 334, (code, challenge)
        server = base64.b64decode(challenge).decode()
        fields = dict(part.split("=", 1) for part in server.split(","))
        salted = hashlib.pbkdf2_hmac(name, password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        last = f"c=biws,r={fields['r']}"
        message = f"{bare},{server},{last}"
        key = mac(salted, "Client Key")
        signature = mac(hashlib.new(name, key).digest(), message)
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        code, verifier = self.docmd(base64.b64encode(f"{last},p={proof}".encode()).decode())
        assert code == 334, (code, verifier)
        assert base64.b64decode(verifier).decode() == "v=" + base64.b64encode(mac(mac(salted, "Server Key"), message)).decode()
        code, text = self.docmd("")
        assert code == 235, (code, text)


if __name__ == "__main__":
    unittest.main()
