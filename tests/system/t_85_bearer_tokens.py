"""OAUTHBEARER and XOAUTH2: tokens that openssl has signed, checked with keys from files, and opaque ones about which an
HTTP server of Python's, with and without TLS, is asked; what clients are told when theirs is no good."""

import base64
import contextlib
import http.server
import imaplib
import json
import pathlib
import shutil
import smtplib
import ssl
import subprocess
import threading
import time
import unittest
import urllib.parse

from instance import Instance
from t_15_submission_tls import careless, make_certificate
from t_72_certificates import make


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """A private key whose public half is in `folder`, in a file of its name."""

    def __init__(self, private, folder, name, algorithm):
        self.name, self.algorithm, self.path = name, algorithm, private / f"{name}.key"
        kind = {"RS256": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ES256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                "EdDSA": ["ED25519"]}[algorithm]
        subprocess.run(["openssl", "genpkey", "-algorithm", *kind, "-out", self.path], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", self.path, "-pubout", "-out", folder / f"{name}.pem"], check=True)

    def sign(self, text):
        if self.algorithm == "EdDSA":
            source = self.path.with_suffix(".text")
            source.write_bytes(text)
            return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", source],
                                  capture_output=True, check=True).stdout
        made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path], input=text, capture_output=True, check=True).stdout
        if self.algorithm == "RS256":
            return made
        numbers = subprocess.run(["openssl", "asn1parse", "-inform", "DER"], input=made, capture_output=True, check=True).stdout.decode()
        return b"".join(bytes.fromhex(line.rsplit(":", 1)[1].zfill(64)) for line in numbers.splitlines() if "INTEGER" in line)

    def token(self, kid=None, **claims):
        claims = {"iss": "https://issuer.test", "aud": "mail", "scope": "openid mail", "email": "ann", "exp": int(time.time()) + 600, **claims}
        header = {"alg": self.algorithm, "kid": kid or self.name}
        text = ".".join(url64(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{url64(self.sign(text.encode()))}"


class AuthorizationServer(http.server.ThreadingHTTPServer):
    """Knows the tokens of `known`; "slow" never gets its answer."""
    known = {"opaque": {"active": True, "email": "ann", "iss": "https://issuer.test", "aud": ["mail"], "scope": "mail"},
             "stale": {"active": False}, "other": {"active": True, "email": "nobody", "iss": "https://issuer.test", "aud": "mail", "scope": "mail"},
             "weak": {"active": True, "email": "ann", "iss": "https://issuer.test", "aud": "mail"}, "broken": "<html>"}

    def __init__(self, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.done = [], threading.Event()
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def handle_error(self, *_):
        pass  # a client that does not like our certificate

    def stop(self):
        self.done.set()
        self.shutdown()
        self.thread.join()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked.append((self.path, self.headers["Authorization"], form))
        (token,) = form["token"]
        if token == "slow":
            self.server.done.wait(20)
            return
        answer = self.server.known.get(token, {"active": False})
        body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (body[:5], body[5:]):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


def make_instance(**params):
    mail = Instance(services=("imap", "pop3", "submission"), params={
        "auth_mechanisms": "oauthbearer, xoauth2, plain", "auth_failure_delay": "0", "auth_oauth2_issuers": "https://issuer.test",
        "auth_oauth2_audiences": "mail", "auth_oauth2_scopes": "mail", "smtpd_tls_security_level": "may",
        "auth_oauth2_openid_configuration_url": "https://issuer.test/.well-known/openid-configuration", **params})
    path = make_certificate(mail.etc, mail.identity)
    with open(mail.etc / "main.cf", "a") as main_cf:
        main_cf.write(f"smtpd_tls_cert_file = {path}\n")
    return mail


def bearer(token, user="", extra="host=mail.example.test\1port=143\1"):
    return f"n,{'a=' + user if user else ''},\1{extra}auth=Bearer {token}\1\1".encode()


def log_in(mail, token, user="", mechanism="OAUTHBEARER"):
    """Empty, or what the server says is wrong: its challenge and its last word."""
    challenges = []
    message = bearer(token, user) if mechanism == "OAUTHBEARER" else f"user={user}\1auth=Bearer {token}\1\1".encode()

    def say(challenge):
        challenges.append(challenge)
        return message if len(challenges) == 1 else (b"\1" if mechanism == "OAUTHBEARER" else b"")
    with imaplib.IMAP4(*mail.address("imap")) as imap:
        try:
            imap.authenticate(mechanism, say)
            assert imap.select()[0] == "OK"
            return ""
        except imaplib.IMAP4.error as error:
            return f"{challenges[-1].decode()} {error}"


class Jwt(unittest.TestCase):
    def test_signed_tokens(self):
        mail = make_instance(auth_oauth2_keys="$config_directory/keys")
        folder, private = mail.etc / "keys", mail.prefix / "private"
        folder.mkdir()
        private.mkdir()
        keys = [Key(private, folder, f"key-{algorithm}", algorithm) for algorithm in ("RS256", "ES256", "EdDSA")]
        stranger = Key(private, private, "stranger", "ES256")
        with mail:
            mail.add_user("ann")
            mail.add_user("bob")
            for key in keys:
                self.assertEqual(log_in(mail, key.token()), "", key.algorithm)
                self.assertEqual(log_in(mail, key.token(), "ann", "XOAUTH2"), "", key.algorithm)
            one = keys[1]
            refused = [
                (stranger.token(kid=one.name), "invalid_token", "no key has signed it"),
                (one.token(exp=int(time.time()) - 1), "invalid_token", "it has expired"),
                (one.token(nbf=int(time.time()) + 600), "invalid_token", "it is not valid yet"),
                (one.token(iss="https://other.test"), "invalid_token", "it is of another issuer"),
                (one.token(aud="web"), "invalid_token", "it is for another audience"),
                (one.token(scope="openid"), "insufficient_scope", "it lacks the scope mail"),
                (one.token(email="nobody"), "invalid_token", "unknown user"),
                (one.token(email=["ann"]), "invalid_token", "it has no email"),
                ("opaque", "invalid_token", "it is no JWT")]
            for token, status, why in refused:
                said = log_in(mail, token)
                self.assertIn(f'{{"status":"{status}","scope":"mail","openid-configuration":"https://issuer.test/', said, why)
                self.assertIn("AUTHENTICATIONFAILED", said, why)
                mail.wait_log(rf"imap: OAUTHBEARER user=<\w*>.*: authentication failed: .*{why}")
            self.assertIn("invalid_token", log_in(mail, one.token(), "bob"))
            self.assertIn('{"status":"400","schemes":"bearer","scope":"mail"}', log_in(mail, one.token(), "bob", "XOAUTH2"))
            mail.wait_log("authentication failed: the token is one of user ann")
            self.check_smtp(mail, one.token())
            mail.wait_log(r"imap-login: Login: user=<ann>, method=OAUTHBEARER")
            self.assertNotIn(one.token().split(".")[0], mail.log())

    def check_smtp(self, mail, token):
        with smtplib.SMTP(*mail.address("submission"), timeout=20) as smtp:
            smtp.starttls(context=careless())
            smtp.ehlo()
            self.assertEqual(smtp.esmtp_features["auth"].split(), ["OAUTHBEARER", "XOAUTH2", "PLAIN"])
            code, text = smtp.docmd("AUTH", "OAUTHBEARER " + base64.b64encode(bearer("x.y.z")).decode())
            self.assertEqual(code, 334)
            self.assertEqual(json.loads(base64.b64decode(text))["status"], "invalid_token")
            self.assertEqual(smtp.docmd("AQ==")[0], 535)
            self.assertEqual(smtp.docmd("AUTH", "XOAUTH2 =")[0], 334)  # its error, in one go
            self.assertEqual(smtp.docmd("")[0], 535)
            self.assertEqual(smtp.docmd("AUTH", "OAUTHBEARER"), (334, b""))
            self.assertEqual(smtp.docmd(base64.b64encode(bearer(token)).decode())[0], 235)
            smtp.sendmail("ann@example.test", ["bob@example.test"], "Subject: x\r\n\r\nx\r\n")
        mail.wait_log(r"sasl_method=OAUTHBEARER, sasl_username=ann")

    @unittest.skipUnless(shutil.which("curl"), "needs curl")
    def test_curl(self):
        mail = make_instance(auth_oauth2_keys="$config_directory/issuer.pem")
        key = Key(mail.prefix, mail.etc, "issuer", "ES256")
        with mail:
            mail.add_user("ann")
            for service, scheme in (("imap", "imap"), ("pop3", "pop3")):
                host, port = mail.address(service)
                for mechanism in ("OAUTHBEARER", "XOAUTH2"):
                    done = subprocess.run(["curl", "-sS", "--ssl-reqd", "-k", "-m", "30", "-u", "ann:", "--oauth2-bearer", key.token(),
                                           "--login-options", f"AUTH={mechanism}", f"{scheme}://{host}:{port}/"],
                                          capture_output=True, text=True)
                    self.assertEqual(done.returncode, 0, (service, mechanism, done))


class Introspection(unittest.TestCase):
    @contextlib.contextmanager
    def serving(self, certificate=None, **params):
        server = AuthorizationServer(certificate)
        self.addCleanup(server.stop)
        scheme = "https" if certificate else "http"
        with make_instance(auth_oauth2_introspection_url=f"{scheme}://localhost:{server.server_port}/introspect", **params) as mail:
            mail.add_user("ann")
            yield mail, server

    def test_opaque_tokens(self):
        with self.serving(auth_oauth2_client_id="postern", auth_oauth2_client_secret_file="$config_directory/secret",
                          auth_oauth2_timeout="1s") as (mail, server):
            (mail.etc / "secret").write_text("geheim\n")
            self.assertEqual(log_in(mail, "opaque"), "")
            path, authorization, form = server.asked[-1]
            self.assertEqual((path, authorization), ("/introspect", "Basic " + base64.b64encode(b"postern:geheim").decode()))
            self.assertEqual(form, {"token": ["opaque"], "token_type_hint": ["access_token"]})
            for token, why in (("stale", "it is not active"), ("no-such", "it is not active"), ("other", "unknown user"),
                               ("weak", "it lacks the scope mail")):
                self.assertIn("AUTHENTICATIONFAILED", log_in(mail, token), token)
                mail.wait_log(rf"authentication failed: .*{why}")
            for token, why in (("broken", "JSON: no value"), ("slow", "timeout|timed out")):
                self.assertIn("UNAVAILABLE", log_in(mail, token), token)
                mail.wait_log(rf"warning: introspection: .*({why})")
            self.assertNotIn("geheim", mail.log())
            server.stop()
            self.assertIn("UNAVAILABLE", log_in(mail, "opaque"))

    def test_over_tls(self):
        folder = pathlib.Path(self.enterContext(contextlib.closing(TemporaryFolder())).path)
        make(folder, "ca.test")
        make(folder, "localhost", "ca.test")
        (folder / "ca.test.crt").chmod(0o644)
        with self.serving(folder / "localhost.pem", auth_oauth2_tls_CAfile=folder / "ca.test.crt") as (mail, server):
            self.assertEqual(log_in(mail, "opaque"), "")
        with self.serving(folder / "localhost.pem") as (mail, server):
            self.assertIn("UNAVAILABLE", log_in(mail, "opaque"))
            mail.wait_log("warning: introspection: .*certificate verification failed")
            self.assertEqual(server.asked, [])


class TemporaryFolder:
    def __init__(self):
        import tempfile
        self.path = tempfile.mkdtemp(prefix="postern-test-")
        pathlib.Path(self.path).chmod(0o755)

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)


if __name__ == "__main__":
    unittest.main()
