"""The servers that bench/imap measures, each with a configuration, folders and ports of its own, and the messages
they get. Nothing of the host's is used or changed; packages that are not installed are unpacked into a folder."""

import base64
import ctypes
import hashlib
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

NOBODY = pwd.getpwnam("nobody")
WORDS = ("mail letter answer server folder meeting budget report friday monday release figure question attached "
         "please thanks regards list change number invoice order travel hotel train paper draft review").split()
RECIPIENTS = [f"d{n}" for n in range(10)]  # who gets what the delivery rows send
OPENED = ["appended", "appended-disk", "sent", "sent-disk"]  # whose mail comes through the server's own doors
LIBRARY = "usr/lib/" + (os.uname().machine + "-linux-gnu")


# --- Messages: plain, alternative, with attachment, forwarded; names and subjects with encoded words -------

def message(n, rng):
    def text(size):
        out, line = [], ""
        while sum(map(len, out)) < size:
            line += rng.choice(WORDS) + " "
            if len(line) > 70:
                out.append(line.strip() + "\n")
                line = ""
        return "".join(out)

    name = rng.choice(["Ann Example", "=?utf-8?Q?J=C3=BCrgen?= M", '"Smith, Bob"', "Carol"])
    subject = " ".join(rng.choices(WORDS, k=5)) + f" {n}"
    if n % 5 == 0:
        subject = "=?utf-8?B?" + base64.b64encode(("Über " + subject).encode()).decode() + "?="
    head = (f"Return-Path: <u{n % 97}@client.test>\nReceived: from client.test (client.test [192.0.2.1])\n"
            f"\tby mail.bench.test (Postfix) with ESMTP id {n:010X}\n\tfor <bob@bench.test>; Mon, 6 Jul 2026 10:00:00 +0000 (UTC)\n"
            f"From: {name} <u{n % 97}@client.test>\nTo: Bob <bob@bench.test>, list{n % 7}@bench.test\n"
            f"Cc: Dora <dora@bench.test>\nSubject: {subject}\nDate: Mon, 6 Jul 2026 10:{n % 60:02}:{n // 60 % 60:02} +0000\n"
            f"Message-ID: <{n}.{n * 7919}@client.test>\nIn-Reply-To: <{n - 1}.{(n - 1) * 7919}@client.test>\n"
            f"X-Mailer: bench {n % 11}\nMIME-Version: 1.0\n")
    kind = n % 4
    if kind == 0:
        return head + "Content-Type: text/plain; charset=utf-8\n\n" + text(2700)
    bound = f"b{n}x"
    alternative = (f"--{bound}\nContent-Type: text/plain; charset=us-ascii\n\n{text(900)}\n"
                   f"--{bound}\nContent-Type: text/html; charset=us-ascii\nContent-Transfer-Encoding: quoted-printable\n\n"
                   f"<html><body>=\n{text(900)}</body></html>\n--{bound}--\n")
    if kind == 1:
        return head + f"Content-Type: multipart/alternative; boundary={bound}\n\n" + alternative
    data = base64.encodebytes(rng.randbytes(900)).decode()
    if kind == 2:
        return (head + f"Content-Type: multipart/mixed; boundary=\"{bound}\"\n\n--{bound}\nContent-Type: text/plain\n\n{text(1000)}\n"
                f"--{bound}\nContent-Type: application/pdf; name=\"r{n}.pdf\"\nContent-Disposition: attachment; filename=\"r{n}.pdf\"\n"
                f"Content-Transfer-Encoding: base64\n\n{data}\n--{bound}--\n")
    return (head + f"Content-Type: multipart/mixed; boundary=\"{bound}\"\n\n--{bound}\n\n{text(600)}\n--{bound}\n"
            f"Content-Type: message/rfc822\n\nFrom: x@y.test\nSubject: inner {n}\n\n{text(1300)}\n--{bound}--\n")


def fill(maildir, messages):
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True)
    for n, text in enumerate(messages):
        name = f"{1780000000 + n}.M{n}P1.bench,S={len(text)},W={len(text) + text.count(chr(10))}:2,"
        (maildir / "cur" / name).write_text(text)
        os.utime(maildir / "cur" / name, (1780000000 + n, 1780000000 + n))
    for path in [maildir.parent, maildir, *maildir.rglob("*")]:
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)


def mailboxes(messages, few):
    """Whose mail is there from the beginning."""
    return {"big": messages, "few": few, "new": [], "foreign": [], **{name: [] for name in [*OPENED, *RECIPIENTS]}}


# --- What all have in common -----------------------------------------------------------------------------

def unpack(folder, *packages):
    """Debian's packages, unpacked; nothing is installed."""
    folder.mkdir()
    folder.parent.chmod(0o755)
    for package in packages:
        subprocess.run(["apt-get", "-q", "download", package], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    for file in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", file, folder / "root"], check=True)
    return folder / "root"


def make_certificate(path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mail.bench.test",
                    "-keyout", path, "-out", path.with_suffix(".crt")], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(address, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(address, timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit(f"bench: nobody listens at {address}") from None
            time.sleep(0.05)


def own_network():
    """A loopback of our own, where nobody waits to acknowledge what has come (quickack): a server that leaves Nagle's
    algorithm on (Cyrus) would be measured by how long its clients do."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:  # CLONE_NEWNET
        raise SystemExit(f"bench: unshare: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for target in ("127.0.0.0/8", "127.0.0.1"):
        subprocess.run(["ip", "route", "change", "table", "local", "local", target, "dev", "lo", "proto", "kernel", "scope", "host",
                        "src", "127.0.0.1", "quickack", "1"], check=True)


class Server:
    """imap, pop3, delivery: where it listens. lmtp: whether delivery speaks that, and not SMTP; None: it has none."""
    lmtp = True
    literal_plus = True

    @classmethod
    def prepare(cls, scratch):
        """Fetches what is not installed."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"bench-{self.name.lower()}-"))
        self.folder.chmod(0o755)
        self.imap, self.pop3, self.delivery = (("127.0.0.1", free_port()) for _ in range(3))
        make_certificate(self.folder / "both.pem")

    def launch(self, words, **more):
        self.command = words, more
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        **more)
        for address in (self.imap, self.pop3, self.delivery):
            wait_for(address)

    def halt(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def restart(self):
        self.halt()
        words, more = self.command
        self.launch(words, **more)

    def put_files(self, user, texts):
        """What somebody does who copies mail into a mailbox, while the server knows nothing of it."""
        shutil.rmtree(self.maildir(user))
        fill(self.maildir(user), texts)

    def maildir(self, user):
        return self.folder / "home" / user / "Maildir"

    def index_files(self, user):
        """What an administrator must do then, if anything."""

    def root(self):
        return self.process.pid

    def address(self, user):
        return user + "@example.test"

    def delivered(self, users):
        """How many messages these have, or None where the delivery's answer says that it is done."""
        return None

    def stop(self):
        self.halt()
        shutil.rmtree(self.folder)


# --- Postern --------------------------------------------------------------------------------------------

class Postern(Server):
    name = "Postern"
    lmtp = False

    def __init__(self, messages, few):
        from instance import Instance
        self.instance = Instance(services=("imap", "pop3", "smtp"), params={
            "default_process_limit": "6000", "login_client_limit": "6000", "smtpd_client_connection_count_limit": "0"})
        pem = self.instance.etc / "both.pem"
        make_certificate(pem)
        with open(self.instance.etc / "main.cf", "a") as config:
            config.write(f"smtpd_tls_cert_file = {pem}\n")
        for user, texts in mailboxes(messages, few).items():
            fill(self.add_user(user), texts)
        self.instance.__enter__()
        self.find_addresses()

    def find_addresses(self):
        self.imap, self.pop3, self.delivery = (self.instance.address(name) for name in ("imap", "pop3", "smtp"))

    def restart(self):
        self.instance.stop()
        self.instance.start()
        self.find_addresses()

    def maildir(self, user):
        return self.instance.prefix / "home" / user / "Maildir"

    def add_user(self, name):
        # Passwords in plain text, as the others have them: what a hash costs is not what is measured.
        home = self.maildir(name).parent
        home.mkdir()
        self.instance.run("postern", "user", "add", name, "--uid", NOBODY.pw_uid, "--gid", NOBODY.pw_gid, "--home", home,
                          "--scheme", "PLAIN", "--password-stdin", input="secret\n")
        return self.maildir(name)

    def root(self):
        return int((self.instance.queue / "pid/master.pid").read_text().split()[0])

    def delivered(self, users):
        return sum(len(os.listdir(self.maildir(user) / part)) for user in users for part in ("new", "cur"))

    def stop(self):
        self.instance.__exit__(None, None, None)


# --- Dovecot --------------------------------------------------------------------------------------------

DOVECOT = """\
protocols = imap pop3 lmtp
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = 127.0.0.1
postmaster_address = postmaster@example.test
ssl = yes
ssl_cert = <{folder}/both.pem
ssl_key = <{folder}/both.pem
disable_plaintext_auth = no
auth_username_format = %n
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_max_userip_connections = 6000
default_client_limit = 12000
default_process_limit = 6000
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/home/%n allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  executable = {more}/pop3-login
  service_count = 0
  process_min_avail = 1
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap {{
  process_limit = 6000
  process_min_avail = 8
}}
service pop3 {{
  executable = {more}/pop3
}}
service lmtp {{
  executable = {more}/lmtp
  process_min_avail = 4
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
"""


class Dovecot(Server):
    """Tuned as its documentation says for performance: login processes serve many, imap processes wait."""
    name = "Dovecot"

    @classmethod
    def prepare(cls, scratch):
        version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "dovecot-imapd"], text=True, check=True,
                                 capture_output=True).stdout
        cls.packages = unpack(scratch / "dovecot", f"dovecot-pop3d={version}", f"dovecot-lmtpd={version}")

    def __init__(self, messages, few):
        super().__init__()
        (self.folder / "home").mkdir()
        for user, texts in mailboxes(messages, few).items():
            fill(self.maildir(user), texts)
        config = self.folder / "dovecot.conf"
        config.write_text(DOVECOT.format(folder=self.folder, more=self.packages / "usr/lib/dovecot", imap=self.imap[1],
                                         pop3=self.pop3[1], lmtp=self.delivery[1]))
        self.launch(["/usr/sbin/dovecot", "-F", "-c", config])


# --- Cyrus ----------------------------------------------------------------------------------------------

CYRUS_IMAPD = """\
configdirectory: {folder}/var
defaultpartition: default
partition-default: {folder}/spool
admins: admin
cyrus_user: nobody
cyrus_group: nogroup
allowplaintext: 1
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {folder}/sasldb2
sasl_mech_list: PLAIN
tls_server_cert: {folder}/both.pem
tls_server_key: {folder}/both.pem
"""

CYRUS_MASTER = """\
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {folder}/imapd.conf -r"
  idled cmd="{bin}/idled -C {folder}/imapd.conf"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {folder}/imapd.conf" listen="127.0.0.1:{imap}" prefork=8 maxchild=6000
  pop3 cmd="{bin}/pop3d -C {folder}/imapd.conf" listen="127.0.0.1:{pop3}" prefork=1 maxchild=100
  lmtp cmd="{bin}/lmtpd -C {folder}/imapd.conf -a" listen="127.0.0.1:{lmtp}" prefork=4 maxchild=100
}}
EVENTS {{
  checkpoint cmd="{bin}/ctl_cyrusdb -C {folder}/imapd.conf -c" period=30
}}
"""


class Cyrus(Server):
    """With processes that wait for clients. It keeps mail in files of its own beside an index and a cache, which it
    makes when a message comes: nothing is ever cold. So it gets the messages by IMAP."""
    name = "Cyrus"

    @classmethod
    def prepare(cls, scratch):
        cls.packages = unpack(scratch / "cyrus", "cyrus-common", "cyrus-imapd", "cyrus-pop3d", "libical3", "sasl2-bin")

    def __init__(self, messages, few):
        super().__init__()
        root = self.packages
        self.environment = {**os.environ, "LD_LIBRARY_PATH": str(root / LIBRARY)}
        for name in ("spool", *("var/" + part for part in ("socket", "db", "proc", "lock", "msg", "user", "quota", "log"))):
            (self.folder / name).mkdir(parents=True)
        users = mailboxes(messages, few)
        for user in ("admin", *users):
            subprocess.run([root / "usr/sbin/saslpasswd2", "-c", "-p", "-f", self.folder / "sasldb2", "-u", socket.gethostname(),
                            user], input=b"secret\n", check=True, env=self.environment, capture_output=True)
        values = {"folder": self.folder, "bin": root / "usr/lib/cyrus/bin", "imap": self.imap[1], "pop3": self.pop3[1],
                  "lmtp": self.delivery[1]}
        (self.folder / "imapd.conf").write_text(CYRUS_IMAPD.format(**values))
        (self.folder / "cyrus.conf").write_text(CYRUS_MASTER.format(**values))
        for path in [self.folder, *(p for part in ("var", "spool") for p in (self.folder / part).rglob("*")),
                     *(self.folder / name for name in ("var", "spool", "sasldb2"))]:
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
        self.launch([root / "usr/lib/cyrus/bin/master", "-D", "-C", self.folder / "imapd.conf", "-M", self.folder / "cyrus.conf",
                     "-p", self.folder / "pid"], env=self.environment, cwd=self.folder)
        self.talk("admin", [b"CREATE user/" + user.encode() for user in users])
        for user, texts in users.items():
            self.upload(user, texts)

    def talk(self, user, commands):
        with socket.create_connection(self.imap, timeout=120) as s:
            lines = s.makefile("rb")
            lines.readline()
            for command in [b"LOGIN " + user.encode() + b" secret", *commands]:
                s.sendall(b"a " + command + b"\r\n")
                answer = lines.readline()
                while not answer.startswith(b"a "):
                    answer = lines.readline()
                if not answer.startswith(b"a OK"):
                    raise SystemExit(f"bench: Cyrus says {answer!r}")

    def upload(self, user, texts):
        crlf = [text.replace("\n", "\r\n").encode() for text in texts]
        self.talk(user, [b"APPEND INBOX" + b"".join(b" {%d+}\r\n" % len(text) + text for text in crlf[at:at + 1000])
                         for at in range(0, len(crlf), 1000)])

    def tool(self, name, *words):
        return subprocess.run([self.packages / "usr/lib/cyrus/bin" / name, "-C", self.folder / "imapd.conf", *words], check=True,
                              text=True, capture_output=True, env=self.environment, user=NOBODY.pw_uid, group=NOBODY.pw_gid,
                              extra_groups=[], cwd=self.folder).stdout

    def put_files(self, user, texts):
        folder = pathlib.Path(self.tool("mbpath", f"user/{user}").split()[0])
        for n, text in enumerate(texts, 1):
            (folder / f"{n}.").write_text(text.replace("\n", "\r\n"))
            os.chown(folder / f"{n}.", NOBODY.pw_uid, NOBODY.pw_gid)

    def index_files(self, user):
        self.tool("reconstruct", f"user/{user}")

    def address(self, user):
        return user


# --- Courier --------------------------------------------------------------------------------------------

# Its paths are compiled in: it sees the packages' files in /usr and /etc, and a /run of its own.
COURIER = """\
mount -t tmpfs tmpfs /run
mkdir -p /run/etc /run/work /run/courier/authdaemon
mount -t overlay -o lowerdir={packages}/usr:/usr overlay /usr
mount -t overlay -o lowerdir={folder}/etc:{packages}/etc:/etc,upperdir=/run/etc,workdir=/run/work overlay /etc
makeuserdb
sed -i '/^courier:/d' /etc/passwd /etc/group
echo 'courier:x:{uid}:{gid}::/:/bin/false' >>/etc/passwd
echo 'courier:x:{gid}:' >>/etc/group
sed -i 's/^authmodulelist=.*/authmodulelist=authuserdb/' /etc/courier/authdaemonrc
set -a
/usr/lib/courier/courier-authlib/authdaemond &
. /etc/courier/imapd-ssl
. /etc/courier/imapd
TLS_CERTFILE={folder}/both.pem TLS_CACHEFILE= TLS_DHPARAMS= IMAP_STARTTLS=YES IMAP_ENHANCEDIDLE=1 IMAP_EMPTYTRASH=
couriertcpd -address=127.0.0.1 -maxprocs=6000 -maxperip=6000 -nodnslookup -noidentlookup \
    {imap} /usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir &
. /etc/courier/pop3d
couriertcpd -address=127.0.0.1 -maxprocs=100 -maxperip=100 -nodnslookup -noidentlookup \
    {pop3} /usr/lib/courier/courier/courierpop3login /usr/lib/courier/courier/courierpop3d Maildir &
wait
"""


class Courier(Server):
    """It has a process for each connection from the start, no index, and nothing that speaks LMTP."""
    name = "Courier"
    lmtp = None
    literal_plus = False

    @classmethod
    def prepare(cls, scratch):
        cls.packages = unpack(scratch / "courier", "courier-imap", "courier-pop", "courier-authdaemon", "courier-base", "courier-authlib",
                              "courier-authlib-userdb", "libcourier-unicode4", "gamin", "libgamin0", "libidn12")

    def __init__(self, messages, few):
        super().__init__()
        for name in ("home", "etc/courier"):
            (self.folder / name).mkdir(parents=True)
        lines, digest = [], base64.b64encode(hashlib.sha1(b"secret").digest()).decode()
        for user, texts in mailboxes(messages, few).items():
            home = self.folder / "home" / user
            fill(home / "Maildir", texts)
            lines.append(f"{user}\tuid={NOBODY.pw_uid}|gid={NOBODY.pw_gid}|home={home}|mail={home}/Maildir|systempw={{SHA}}{digest}\n")
        userdb = self.folder / "etc/courier/userdb"
        userdb.write_text("".join(lines))
        userdb.chmod(0o600)
        values = {"folder": self.folder, "packages": self.packages, "imap": self.imap[1], "pop3": self.pop3[1],
                  "uid": NOBODY.pw_uid, "gid": NOBODY.pw_gid}
        self.delivery = self.imap  # nobody listens for mail
        self.launch(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", COURIER.format(**values)])

    def put(self, user, text):
        """A delivery as any agent would make it."""
        maildir, name = self.maildir(user), f"{time.time():.6f}.bench"
        with open(maildir / "tmp" / name, "wb") as file:
            file.write(text)
            os.fsync(file.fileno())
        os.chown(file.name, NOBODY.pw_uid, NOBODY.pw_gid)
        os.rename(file.name, maildir / "new" / name)

    def halt(self):
        self.process.kill()  # and with it all in its namespace
        self.process.wait(60)
