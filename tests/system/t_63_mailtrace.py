"""mailtrace: stories of messages, each of which names the rule that decided."""

import itertools
import json
import os
import pwd
import re
import smtplib
import socket
import socketserver
import struct
import subprocess
import threading
import unittest

from instance import Instance, wait
from t_30_relay import Sink
from t_53_client_names import name_at
from t_56_policy_service import Handler as PolicyHandler
from t_58_milters import HAS_MILTER, Scripted

MESSAGE = "From: ann@client.test\r\nSubject: {}\r\nMessage-ID: <{}@client.test>\r\n\r\nhi\r\n"
QUEUE_ID = rb"queued as (\w+)"


numbers = itertools.count()


def send(mail, recipient, subject="x", sender="ann@client.test", service="smtp", name=None, helo="client.test"):
    """The queue id, or the refusal as an exception."""
    with smtplib.SMTP(*mail.address(service)) as smtp:
        smtp.ehlo(helo)
        for code, answer in (smtp.mail(sender), smtp.rcpt(recipient), smtp.data(MESSAGE.format(subject, name or f"m{next(numbers)}"))):
            if code not in (250, 354):
                raise smtplib.SMTPResponseException(code, answer)
        return re.search(QUEUE_ID, answer).group(1).decode()


def story(mail, *words, has=r"", check=True):
    """What mailtrace tells, as soon as it contains a pattern and does not change any more: programs with a loop tell
    what they have to tell in groups, so that one program's last word may be there before another's first."""
    told, same = [""], [0]
    def look():
        before = re.sub(r"\(in .*", "", told[0])
        told[0] = mail.run("mailtrace", *words, check=False).stdout
        same[0] = same[0] + 1 if re.sub(r"\(in .*", "", told[0]) == before else 0
        return re.search(has, told[0], re.M) and same[0] >= 5
    wait(look, f"/{has}/ in mailtrace {words}", lambda: told[0] + mail.log())
    return told[0]


def line_of(path, text):
    """main.cf:12 for the line of main.cf that has the text."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if text in line:
            return f"{path}:{number}" if path.parent.name != "etc" or path.suffix != ".cf" else f"{path.name}:{number}"
    raise AssertionError(f"{text} is not in {path}")


class Stories(unittest.TestCase):
    """Mail for this host, and what is refused."""

    @classmethod
    def setUpClass(cls):
        cls.policy = socketserver.ThreadingTCPServer(("127.0.0.1", 0), PolicyHandler)
        cls.policy.daemon_threads, cls.policy.questions = True, []
        threading.Thread(target=cls.policy.serve_forever, daemon=True).start()
        server = "inet:127.0.0.1:%d" % cls.policy.server_address[1]
        cls.mail = mail = Instance(services=("smtp", "submission"))
        etc = mail.etc
        (etc / "aliases").write_text("# people\nstaff: bob, carl\n"
                                     "loop: bob-loop\nbob-loop: loop\n"
                                 "boss: chief\nchief: bob\n")
        mail.run("postalias", f"hash:{etc}/aliases")
        (etc / "senders").write_text("# nobody\nspammer@client.test REJECT 5.7.9 not you\n")
        (etc / "helos").write_text("/^friend/ OK\n\n# bad names\n/^evil/ REJECT evil name\n")
        (etc / "virtual").write_text("team@example.test bob@example.test, carl@example.test\n")
        (etc / "checks").write_text("/^Subject: forbidden/ REJECT no\n/^Subject: aside/ HOLD look\n")
        with open(etc / "main.cf", "a") as file:
            file.write(f"""
alias_maps = hash:{etc}/aliases
local_recipient_maps = $alias_maps passwdfile:{etc}/users
virtual_alias_maps = texthash:{etc}/virtual
header_checks = regexp:{etc}/checks
message_size_limit = 50000
smtpd_helo_restrictions = check_helo_access regexp:{etc}/helos
smtpd_sender_restrictions =
  check_sender_access texthash:{etc}/senders
# a comment between
  reject_non_fqdn_sender
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions =
  check_policy_service {server}
  permit
""")
        cls.bob, cls.carl = mail.add_user("bob"), mail.add_user("carl")
        mail.start()

    @classmethod
    def tearDownClass(cls):
        cls.mail.__exit__(None)
        cls.policy.shutdown()
        cls.policy.server_close()

    def refused(self, *words, **more):
        with self.assertRaises(smtplib.SMTPResponseException):
            send(self.mail, *words, **more)

    def main(self, text):
        return re.escape(line_of(self.mail.etc / "main.cf", text))

    def test_delivered(self):
        qid = send(self.mail, "bob@example.test", name="delivered1")
        text = story(self.mail, qid, has="^now: not in the queue any more: all is done")
        self.assertRegex(text, rf"^Message {qid}, ")
        self.assertRegex(text, r"smtpd +comes from localhost\[127.0.0.1\] by ESMTP\n +rule: .*smtpd_recipient_restrictions permit")
        self.assertRegex(text, self.main("  permit") + " smtpd_recipient_restrictions permit")
        self.assertRegex(text, r"cleanup +its message-id=<delivered1@client.test>")
        self.assertRegex(text, r"local +<bob@example.test>: delivered, 2.0.0: delivered to maildir\n +[\d.]+ s since it came: ")
        order = [text.index(word) for word in ("smtpd ", "cleanup ", "qmgr ", "local ", "nobody is left")]
        self.assertEqual(order, sorted(order))
        for words in (["<delivered1@client.test>"], ["bob@example.test"], ["--since", "10m"]):
            self.assertIn(f"Message {qid}, ", self.mail.run("mailtrace", *words).stdout, words)

    def test_submitted_here(self):
        self.mail.run("sendmail", "-f", "bob@example.test", "carl@example.test", input="Subject: from here\n\nhi\n")
        story(self.mail, "carl@example.test", has=r"pickup +submitted on this host, uid=\d+ from=<bob@example.test>\n"
                                                  r" +rule: default: authorized_submit_users")

    def test_relaying_denied(self):
        self.refused("x@elsewhere.test", sender="relay@client.test")
        text = story(self.mail, "relay@client.test", has=r"refused: RCPT from .*Relay access denied")
        self.assertRegex(text, r"rule: " + self.main("smtpd_relay_restrictions") + " smtpd_relay_restrictions reject_unauth_destination")
        self.assertTrue(text.startswith("Session "), text)

    def test_unknown_user(self):
        self.refused("nobody-here@example.test")
        story(self.mail, "nobody-here@example.test", has=r"User unknown in local recipient table.*\n +rule: default: smtpd_reject_unlisted_recipient")

    def test_access_table(self):
        self.refused("bob@example.test", sender="spammer@client.test")
        text = story(self.mail, "spammer@client.test", has=r"rule: .*check_sender_access")
        place = re.escape(f"{self.mail.etc}/senders")
        self.assertRegex(text, self.main("  check_sender_access") + rf" smtpd_sender_restrictions check_sender_access "
                         rf"texthash:{place}, {place}:2 \(key spammer@client.test\)")

    def test_access_pattern(self):
        self.refused("bob@example.test", sender="pattern@client.test", helo="evil.test")
        place = re.escape(f"{self.mail.etc}/helos")
        story(self.mail, "pattern@client.test", has=self.main("smtpd_helo_restrictions") +
              rf" smtpd_helo_restrictions check_helo_access regexp:{place}, {place}:4 \(key evil.test\)")

    def test_restriction(self):
        self.refused("bob@example.test", sender="noone@unqualified")
        story(self.mail, "noone@unqualified", has=self.main("  reject_non_fqdn_sender") + " smtpd_sender_restrictions reject_non_fqdn_sender")

    def test_policy_service(self):
        self.refused("bob@example.test", sender="bad@client.test")
        story(self.mail, "bad@client.test", has=self.main("check_policy_service") + r" smtpd_recipient_restrictions check_policy_service inet:127.0.0.1:\d+")
        self.refused("bob@example.test", sender="grey@client.test")
        story(self.mail, "grey@client.test", has=r"450 4.7.1 .*Greylisted.*\n +rule: main.cf:\d+ smtpd_recipient_restrictions check_policy_service")

    def test_header_checks(self):
        self.refused("bob@example.test", "forbidden fruit", sender="header@client.test")
        place = re.escape(f"{self.mail.etc}/checks")
        story(self.mail, "header@client.test", has=r"refused: header Subject: forbidden fruit .*\n +rule: " + self.main("header_checks") + rf" header_checks, {place}:1")

    def test_size(self):
        with smtplib.SMTP(*self.mail.address("smtp")) as smtp:
            smtp.ehlo()
            self.assertEqual(smtp.mail("big@client.test", ["SIZE=1000000"])[0], 552)
        story(self.mail, "--since", "10m", has=r"refused: MAIL from .*552.*\n +rule: " + self.main("message_size_limit") + " message_size_limit")

    def test_rule_of_a_service(self):
        self.refused("bob@example.test", sender="stranger@client.test", service="submission")
        line = line_of(self.mail.etc / "master.cf", "smtpd_relay_restrictions")
        story(self.mail, "stranger@client.test", has=rf"rule: {line} smtpd_relay_restrictions reject\b")

    def test_alias(self):
        qid = send(self.mail, "staff@example.test")
        text = story(self.mail, qid, has=r"now: \w+: not in the queue any more: all is done\nnow: \w+: not in the queue any more: all is done")
        place = re.escape(f"{self.mail.etc}/aliases")
        self.assertRegex(text, r"local +\w+: to=<staff@example.test>: an alias of <bob@example.test>, <carl@example.test>\n +rule: " + self.main("alias_maps = hash") +
                         rf" alias_maps, {place}:2 \(key staff\)")
        self.assertRegex(text, rf"{qid}: <staff@example.test>: delivered, 2.0.0: forwarded as \w+")
        self.assertRegex(text, r"<bob@example.test> \(for <staff@example.test>\): delivered")

    def test_alias_loop(self):
        qid = send(self.mail, "loop@example.test", name="loop1")
        text = story(self.mail, qid, has=r"local +(\w+: )?<loop@example.test>: failed for good, 5.*unknown user: .loop")
        place = re.escape(f"{self.mail.etc}/aliases")
        self.assertRegex(text, r"to=<loop@example.test>: an alias of itself: loop, bob-loop, loop\n +rule: " + self.main("alias_maps = hash") +
                         rf" alias_maps, {place}:3 \(key loop\)")
        self.assertRegex(text, r"unknown user: .*\n +rule: " + self.main("alias_maps = hash") + " alias_maps and the users of this host")

    def test_alias_of_one(self):
        qid = send(self.mail, "boss@example.test")
        text = story(self.mail, qid, has="all is done")
        place = re.escape(f"{self.mail.etc}/aliases")
        self.assertRegex(text, rf"to=<boss@example.test>: an alias of the mailbox of bob, by way of chief\n +rule: .* alias_maps, {place}:5 \(key boss\)")

    def test_virtual_alias(self):
        qid = send(self.mail, "team@example.test")
        text = story(self.mail, qid, has="all is done")
        place = re.escape(f"{self.mail.etc}/virtual")
        self.assertRegex(text, r"cleanup +address <team@example.test> became <bob@example.test>, <carl@example.test>\n +rule: " +
                         self.main("virtual_alias_maps") + rf" virtual_alias_maps, {place}:1 \(key team@example.test\)")

    def test_forward_file(self):
        self.mail.add_user("dora")
        forward = self.mail.prefix / "home/dora/.forward"
        forward.write_text("carl@example.test\n")
        if self.mail.identity:
            import os
            os.chown(forward, *self.mail.identity)
        qid = send(self.mail, "dora@example.test")
        text = story(self.mail, qid, has=r"all is done\nnow: \w+: .*all is done")
        self.assertRegex(text, rf"to=<dora@example.test>: follows (\S+/.forward)\n +rule: \S+/home/dora/.forward")
        self.assertRegex(text, r"<carl@example.test> .*: delivered")

    def test_held_and_released(self):
        qid = send(self.mail, "bob@example.test", "aside please")
        text = story(self.mail, qid, has=r"^now: held; goes on after")
        self.assertRegex(text, r"hold: header Subject: aside please .*\n +rule: main.cf:\d+ header_checks, .*/checks:2")
        self.mail.run("postsuper", "-H", qid)
        text = story(self.mail, qid, has="all is done")
        self.assertRegex(text, r"postsuper +released from hold\n +rule: postsuper -H")

    def test_nothing_and_nonsense(self):
        result = self.mail.run("mailtrace", "never@seen.test", check=False)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        for words in ([], ["a/b"], ["--since", "yesterday-ish"], ["-x"]):
            self.assertEqual(self.mail.run("mailtrace", *words, check=False).returncode, 64, words)

    def test_json(self):
        qid = send(self.mail, "bob@example.test")
        story(self.mail, qid, has="all is done")
        lines = [json.loads(line) for line in self.mail.run("mailtrace", "-j", qid).stdout.splitlines()]
        events = [line["event"] for line in lines]
        self.assertEqual([e for e in events if e != "other"], ["received", "identified", "queued", "delivered", "removed", "now"])
        delivered = lines[events.index("delivered")]
        self.assertEqual((delivered["to"], delivered["status"], delivered["dsn"], delivered["program"]),
                         ("bob@example.test", "sent", "2.0.0", "local"))
        self.assertRegex(lines[0]["rule"], "smtpd_recipient_restrictions permit")
        self.assertEqual({line["story"] for line in lines}, {qid})

    def read_until(self, child, *patterns):
        seen = ""
        while not all(re.search(pattern, seen) for pattern in patterns):
            line = child.stdout.readline()
            self.assertTrue(line, seen)
            seen += line
        return seen

    def test_live(self):
        child = subprocess.Popen([str(self.mail.prefix / "bin/mailtrace"), "-f", "live@client.test"], stdout=subprocess.PIPE,
                                 text=True, env=self.mail.environment(),
                                 **({"user": self.mail.identity[0]} if self.mail.identity else {}))
        try:
            # The first may have come before mailtrace looked: it is told as what was. From then on it looks.
            send(self.mail, "bob@example.test", sender="live@client.test", name="live1")
            self.read_until(child, "nobody is left")
            qid = send(self.mail, "bob@example.test", sender="live@client.test", name="live2")
            # Each daemon writes its records when it gets to it: in any order. The first is told although it came before
            # the address was known.
            self.read_until(child, *(rf"{qid}: {text}" for text in ("comes from ", "<bob@example.test>: delivered", ".*nobody is left")))
        finally:
            child.terminate()
            child.wait(10)
            child.stdout.close()

    def test_damage_is_passed_over(self):
        qid = send(self.mail, "bob@example.test")
        story(self.mail, qid, has="all is done")
        with open(self.mail.queue / "mailtrace/records", "ab") as file:
            file.write(b"\xf7T\x01\x01\xff\x00 torn")
        after = send(self.mail, "bob@example.test")
        story(self.mail, after, has="all is done")
        result = self.mail.run("mailtrace", qid, after)
        self.assertRegex(result.stderr, r"warning: the records are damaged: \d+ bytes skipped")
        self.assertIn(f"Message {qid}", result.stdout)


class Filter(socketserver.StreamRequestHandler):
    """A content filter: takes a message by SMTP and gives it back to a port of the mail system."""

    def handle(self):
        say = lambda text: self.wfile.write(text.encode() + b"\r\n")
        say("220 filter")
        sender, recipients = "", []
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            verb = line[:4].upper()
            if verb == "MAIL":
                sender = re.search("<(.*?)>", line).group(1)
            elif verb == "RCPT":
                recipients.append(re.search("<(.*?)>", line).group(1))
            if verb == "DATA":
                say("354 go")
                content = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    content += part
                with smtplib.SMTP(*self.server.back) as smtp:
                    smtp.ehlo("filter.test")
                    smtp.mail(sender)
                    for recipient in recipients:
                        smtp.rcpt(recipient)
                    code, answer = smtp.data(content)
                say(f"{code} {answer.decode()}")
            else:
                say("221 bye" if verb == "QUIT" else "250 ok")


class ListServer(socketserver.BaseRequestHandler):
    """A DNS list with one entry: 127.0.0.1."""

    def handle(self):
        packet, back = self.request
        name, end = name_at(packet, 12)
        kind = struct.unpack(">H", packet[end:end + 2])[0]
        data = {1: socket.inet_aton("127.0.0.2"), 16: b"\x08see list"}.get(kind) if name == "1.0.0.127.list.test" else None
        known = name.endswith("list.test") and (data or name in ("list.test", "1.0.0.127.list.test"))
        reply = packet[:2] + struct.pack(">HHHHH", 0x8580 | (0 if known else 3), 1, 1 if data else 0, 0, 0) + packet[12:end + 4]
        if data:
            reply += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
        back.sendto(reply, self.client_address)


class Journeys(unittest.TestCase):
    """Mail that goes to other hosts."""

    def instance(self, sink=None, services=("smtp",), listener_options=None, **params):
        mail = Instance(params={"relayhost": sink.hop if sink else "[127.0.0.1]:1", **params}, services=services,
                        listener_options=listener_options)
        mail.start()
        self.addCleanup(mail.__exit__, None)
        return mail

    def sink(self, *options):
        import pathlib
        import tempfile
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        sink = Sink(pathlib.Path(folder.name), *options)
        sink.__enter__()
        self.addCleanup(sink.__exit__, None, None, None)
        return sink

    def test_relayed(self):
        mail = self.instance(self.sink())
        qid = send(mail, "a@far.test")
        text = story(mail, qid, has="all is done")
        self.assertRegex(text, r"smtp +<a@far.test>: given to 127.0.0.1\[127.0.0.1\]:\d+, 2.0.0: 250 2.0.0 Ok")
        self.assertRegex(text, r"rule: default: smtpd_relay_restrictions permit_mynetworks")
        self.assertRegex(text, r"to=<a@far.test>: goes to smtp:\[127.0.0.1\]:\d+\n +rule: " + line_of(mail.etc / "main.cf", "relayhost") + " relayhost")

    def test_deferred_then_sent(self):
        mail = self.instance(minimal_backoff_time="600s", maximal_backoff_time="600s")
        qid = send(mail, "a@far.test")
        text = story(mail, qid, has=r"^now: deferred until \S+ \(in (9|10) min\)")
        self.assertRegex(text, r"smtp +<a@far.test>: not now, 4.4.1: connect to 127.0.0.1\[127.0.0.1\]:1: Connection refused")
        self.assertRegex(text, r"qmgr +rests in the deferred queue until ")
        self.assertRegex(text, r"goes to smtp:\S+\n +rule: " + line_of(mail.etc / "main.cf", "relayhost") + " relayhost")
        mail.run("postconf", "-e", f"relayhost = {self.sink().hop}")
        mail.run("postern", "reload")
        mail.wait_log("reload -- version")
        mail.run("postqueue", "-i", qid)
        text = story(mail, qid, has="all is done")
        self.assertLess(text.index("not now"), text.index("given to"))

    def test_held_by_hand(self):
        mail = self.instance(minimal_backoff_time="600s", maximal_backoff_time="600s")
        qid = send(mail, "a@far.test")
        story(mail, qid, has="^now: deferred")
        mail.run("postsuper", "-h", qid)
        text = story(mail, qid, has="^now: held")
        self.assertRegex(text, r"postsuper +placed on hold\n +rule: postsuper -h")

    def test_tls_required_but_not_offered(self):
        mail = self.instance(self.sink())
        hop = mail.run("postconf", "-h", "relayhost").stdout.strip()
        etc = mail.etc
        (etc / "tls").write_text(f"# who must\n{hop} encrypt\n")
        mail.run("postconf", "-e", f"smtp_tls_policy_maps = texthash:{etc}/tls")
        mail.run("postern", "reload")
        mail.wait_log("reload -- version")
        qid = send(mail, "a@far.test")
        place = re.escape(f"{etc}/tls")
        story(mail, qid, has=r"smtp +<a@far.test>: not now.*TLS is required, but was not offered by host .*\n +rule: " +
              line_of(etc / "main.cf", "smtp_tls_policy_maps") + rf" smtp_tls_policy_maps, {place}:2 \(key ")
        mail.run("postconf", "-e", "smtp_tls_policy_maps =", "smtp_tls_security_level = encrypt")
        mail.run("postern", "reload")
        wait(lambda: mail.log().count("reload -- version") == 2, "a second reload", mail.log)
        qid = send(mail, "b@far.test")
        story(mail, qid, has=r"TLS is required, but was not offered by host .*\n +rule: " +
              line_of(etc / "main.cf", "smtp_tls_security_level") + " smtp_tls_security_level")
    def test_defer_transports(self):
        mail = self.instance(defer_transports="smtp")
        qid = send(mail, "a@far.test")
        line = line_of(mail.etc / "main.cf", "defer_transports")
        story(mail, qid, has=rf"not now, 4.3.2: deferred transport\n +rule: {line} defer_transports")

    def test_bounced(self):
        mail = self.instance(self.sink("-r", "RCPT"))
        mail.add_user("ann")
        qid = send(mail, "a@far.test", sender="ann@example.test")
        text = story(mail, qid, has=r"bounce +\w+: sender non-delivery notification: \w+")
        self.assertRegex(text, r"smtp +(\w+: )?<a@far.test>: failed for good at 127.0.0.1.*\n +rule: the remote server, 127.0.0.1\[127.0.0.1\]:\d+")
        text = story(mail, qid, has=r"all is done\nnow: \w+: .*all is done")
        self.assertRegex(text, r"local +\w+: <ann@example.test>: delivered")
        self.assertRegex(text, r"^Message \w+, .*, and 1 that it became")

    def test_expired(self):
        mail = self.instance(maximal_queue_lifetime="0")
        mail.add_user("ann")
        qid = send(mail, "a@far.test", sender="ann@example.test")
        line = line_of(mail.etc / "main.cf", "maximal_queue_lifetime")
        story(mail, qid, has=rf"status=expired, returned to sender\n +rule: {line} maximal_queue_lifetime")

    def test_soft_bounce(self):
        mail = self.instance(self.sink("-r", "RCPT"), soft_bounce="yes")
        qid = send(mail, "a@far.test")
        line = line_of(mail.etc / "main.cf", "soft_bounce")
        story(mail, qid, has=rf"soft_bounce: to=<a@far.test> stays in the queue\n +rule: {line} soft_bounce")

    def test_content_filter(self):
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Filter) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            mail = self.instance(services=("smtp", "submission"), content_filter="smtp:[127.0.0.1]:%d" % server.server_address[1],
                                 listener_options={"submission": "-o content_filter= -o smtpd_sasl_auth_enable=no"
                                                                 " -o smtpd_relay_restrictions=permit_mynetworks,reject"})
            server.back = mail.address("submission")
            maildir = mail.add_user("bob")
            qid = send(mail, "bob@example.test")
            mail.wait_messages(maildir, 1)
            text = story(mail, qid, has=r"all is done\nnow: \w+: .*all is done")
            self.assertRegex(text, rf"smtp +{qid}: <bob@example.test>: given to 127.0.0.1.*queued as (\w+)")
            again = re.search(r"queued as (\w+)", text).group(1)
            self.assertRegex(text, r"goes to smtp:\S+\n +rule: " + line_of(mail.etc / "main.cf", "content_filter") + " content_filter")
            self.assertRegex(text, rf"smtpd +{again}: comes from localhost\[127.0.0.1\]")
            self.assertRegex(text, rf"local +{again}: <bob@example.test>: delivered")
            self.assertEqual(mail.run("mailtrace", again).stdout, text, "either id tells it all")
            server.shutdown()

    def test_dns_list(self):
        with socketserver.ThreadingUDPServer(("127.0.0.1", 0), ListServer) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            mail = self.instance(dns_forwarders="127.0.0.1@%d" % server.server_address[1],
                                 smtpd_client_restrictions="reject_rbl_client list.test")
            with self.assertRaises(smtplib.SMTPResponseException):
                send(mail, "bob@example.test")
            line = line_of(mail.etc / "main.cf", "reject_rbl_client")
            story(mail, "--since", "10m", has=r"refused: RCPT from .*554 5.7.1 Service unavailable; Client host \[127.0.0.1\] blocked using "
                  rf"list.test; see list.*\n +rule: {line} smtpd_client_restrictions reject_rbl_client list.test")
            server.shutdown()

    @unittest.skipUnless(HAS_MILTER, "needs python3-milter")
    def test_milter(self):
        milter = Scripted()
        self.addCleanup(milter.remove)
        where = f"inet:127.0.0.1:{milter.port}"
        mail = self.instance(smtpd_milters=where, non_smtpd_milters=where, recipient_delimiter="+")
        mail.add_user("bob")
        rule = "rule: " + line_of(mail.etc / "main.cf", "smtpd_milters") + f" smtpd_milters {where}"
        with self.assertRaises(smtplib.SMTPResponseException):
            send(mail, "bob+reject-rcpt@example.test")
        story(mail, "bob+reject-rcpt@example.test", has=rf"milter-reject: RCPT from .*550 5.7.1 Command rejected.*\n +{rule}")
        for do, what in (("reject", "milter-reject: END-OF-MESSAGE from .* 5.7.1 Command rejected"), ("quarantine", "milter-hold: END-OF-MESSAGE")):
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                try:
                    smtp.sendmail(f"{do}@client.test", ["bob@example.test"], f"From: a@client.test\r\nDo: {do}\r\n\r\nx\r\n")
                except smtplib.SMTPDataError:
                    pass
            story(mail, f"{do}@client.test", has=rf"{what}.*\n +{rule}")
        mail.run("sendmail", "-f", "local@example.test", "bob@example.test", input="Do: quarantine\n\nx\n")
        line = line_of(mail.etc / "main.cf", "non_smtpd_milters")
        story(mail, "local@example.test", has=rf"milter-hold: .*\n +rule: {line} non_smtpd_milters {where}")

    def test_dsn_requested(self):
        mail = self.instance(smtpd_relay_restrictions="permit_mynetworks, reject")
        mail.add_user("ann")
        mail.add_user("bob")
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.ehlo()
            smtp.mail("ann@example.test", ["RET=HDRS", "ENVID=wish1"])
            smtp.rcpt("bob@example.test", ["NOTIFY=SUCCESS,FAILURE"])
            qid = re.search(QUEUE_ID, smtp.data(MESSAGE.format("x", "wish"))[1]).group(1).decode()
        text = story(mail, qid, has=r"all is done\nnow: \w+: .*all is done")
        self.assertRegex(text, r"bounce +\w+: sender delivery status notification: \w+\n +rule: NOTIFY=SUCCESS, which the sender asked for")
        self.assertRegex(text, r"local +\w+: <ann@example.test>: delivered")

    def test_full_mailbox(self):
        """local knows no quota of a user but the size of a mailbox file."""
        uid = os.geteuid() or pwd.getpwnam("nobody").pw_uid
        mail = self.instance(virtual_mailbox_domains="vm.test", virtual_mailbox_maps="inline:{bob@vm.test=box}", virtual_minimum_uid="1",
                             virtual_uid_maps=f"static:{uid}", virtual_gid_maps=f"static:{uid}", virtual_mailbox_limit="2000",
                             message_size_limit="1500", virtual_mailbox_base="/nonexistent")
        mail.run("postconf", "-e", f"virtual_mailbox_base = {mail.prefix}/home")
        mail.run("postern", "reload")
        mail.wait_log("reload -- version")
        mail.add_user("ann")
        for _ in range(2):
            qid = send(mail, "bob@vm.test", "a" * 900, sender="ann@example.test")
            mail.wait_log(rf"{qid}: to=<bob@vm.test>")
        line = line_of(mail.etc / "main.cf", "virtual_mailbox_limit")
        story(mail, qid, has=r"virtual +(\w+: )?<bob@vm.test>: failed for good, 5.2.2: .*mailbox size limit exceeded\n"
              rf".*\n? +rule: {line} virtual_mailbox_limit")

    def test_store_is_bounded_and_can_be_off(self):
        mail = self.instance(trace_size_limit="8192")
        mail.add_user("bob")
        for _ in range(40):
            send(mail, "bob@example.test")
        records = mail.queue / "mailtrace/records"
        wait(lambda: records.stat().st_size > 20_000 and records.stat().st_blocks * 512 <= 16384, "a bounded store", mail.log)
        self.assertEqual(mail.run("mailtrace", "bob@example.test").stderr, "")
        mail.run("postconf", "-e", "trace_size_limit = 0")
        mail.stop()
        before = records.stat().st_size
        mail.start()
        maildir = mail.prefix / "home/bob/Maildir"
        count = len(mail.messages(maildir))
        send(mail, "bob@example.test")
        mail.wait_messages(maildir, count + 1)
        self.assertEqual(records.stat().st_size, before)


if __name__ == "__main__":
    unittest.main()
