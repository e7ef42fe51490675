"""Thunderbird, headless, as a user's mail program: it makes an account, fetches mail, reads and flags and deletes, learns of a new
message while it idles, and stores one. Its own debugging protocol (Marionette: lines of JSON behind their length) drives it. Skipped
where Debian's package thunderbird is not installed."""

import contextlib
import imaplib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from instance import Instance, wait

PROGRAM = shutil.which("thunderbird")
MESSAGE = "From: Ann <ann@example.test>\r\nTo: jo@example.test\r\nSubject: number {n}\r\nDate: Mon, 6 Jul 2026 10:0{n}:00 +0000\r\n" \
          "Message-ID: <{n}@example.test>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe text of number {n}: gr\u00fc\u00dfe\r\n"

# It asks nobody outside, and shows nothing that waits for a user.
PREFERENCES = {"marionette.port": 0, "app.update.enabled": False, "datareporting.policy.dataSubmissionEnabled": False,
               "mail.provider.suppress_dialog_on_startup": True, "mail.spotlight.firstRunDone": True, "mail.winsearch.firstRunDone": True,
               "mailnews.start_page.enabled": False, "network.dns.disablePrefetch": True, "mail.imap.use_status_for_biff": False,
               "extensions.update.enabled": False, "network.captive-portal-service.enabled": False, "mail.server.default.check_new_mail": True}

# What every script may use. `done` is Marionette's last argument.
TOOLS = """
    const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
    const given = Array.from(arguments), done = given.pop();
    const server = () => MailServices.accounts.allServers.find(one => one.type == "imap");
    const inbox = () => server().rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
    const messages = folder => [...folder.messages];
    const shown = () => Services.wm.getMostRecentWindow("mail:3pane").msgWindow;
"""


class Thunderbird:
    def __init__(self, folder):
        (folder / "user.js").write_text("".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in PREFERENCES.items()))
        self.process = subprocess.Popen([PROGRAM, "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile",
                                         folder], env={**os.environ, "HOME": str(folder)}, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        self.count, self.rest = 0, b""
        try:
            self.socket = self.connect(folder / "MarionetteActivePort")
            self.receive()
            self.do("WebDriver:NewSession")
            self.do("Marionette:SetContext", value="chrome")
            self.do("WebDriver:SetTimeouts", script=60000)
        except BaseException:
            self.stop()
            raise

    def connect(self, file):
        """Where it listens is in a file of its profile, once it does."""
        connected = []

        def look():
            try:
                connected.append(socket.create_connection(("127.0.0.1", int(file.read_text())), timeout=120))
            except (OSError, ValueError):
                return self.process.poll() is not None
            return True

        wait(look, "Thunderbird to listen", seconds=120)
        if not connected:
            raise AssertionError("Thunderbird has ended")
        return connected[0]

    def receive(self):
        while b":" not in self.rest:
            self.more()
        size, _, self.rest = self.rest.partition(b":")
        while len(self.rest) < int(size):
            self.more()
        packet, self.rest = self.rest[:int(size)], self.rest[int(size):]
        return json.loads(packet)

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("Thunderbird is gone")
        self.rest += data

    def do(self, command, **parameters):
        self.count += 1
        text = json.dumps([0, self.count, command, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self.receive()
        if error:
            raise AssertionError(f"{error['message']}\n{error.get('stacktrace', '')}")
        return result

    def run(self, script, *arguments):
        return self.do("WebDriver:ExecuteAsyncScript", script=TOOLS + script, args=arguments, sandbox="system")["value"]

    def until(self, script, expected):
        wait(lambda: self.run(f"done({script})") == expected, f"{script} to be {expected!r}", seconds=60)

    def stop(self):
        if hasattr(self, "socket"):
            self.socket.close()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@unittest.skipUnless(PROGRAM, "needs thunderbird")
class MailProgram(unittest.TestCase):
    def start(self, mail):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-thunderbird-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        program = Thunderbird(folder)
        self.addCleanup(program.stop)
        host, port = mail.address("imap")
        program.run("""
            const [host, port] = given;
            const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
            login.init("imap://" + host, null, "imap://" + host, "jo", "secret", "", "");
            Services.logins.addLoginAsync(login).then(() => {
                const made = MailServices.accounts.createIncomingServer("jo", host, "imap");
                made.port = port;
                made.socketType = Ci.nsMsgSocketType.plain;
                made.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
                const account = MailServices.accounts.createAccount();
                account.incomingServer = made;
                const identity = MailServices.accounts.createIdentity();
                identity.email = "jo@example.test";
                account.addIdentity(identity);
                done();
            });""", host, port)
        program.until("!!Services.wm.getMostRecentWindow('mail:3pane')?.msgWindow", True)
        program.run("server().performExpand(shown()); done();")
        program.until("!!inbox()", True)
        self.assertEqual(program.run("""
            const listener = { onStartRunningUrl() {}, onStopRunningUrl(url, status) { done(status); },
                OnStartRunningUrl() {}, OnStopRunningUrl(url, status) { done(status); }, QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]) };
            inbox().getNewMessages(shown(), listener);"""), 0)
        return program

    def test_it_works_as_users_do(self):
        with Instance(services=("imap",)) as mail:
            mail.add_user("jo")
            other = imaplib.IMAP4(*mail.address("imap"))
            self.addCleanup(lambda: other.state == "LOGOUT" or other.shutdown())
            other.login("jo", "secret")
            for n in range(1, 6):
                other.append("INBOX", None, None, MESSAGE.format(n=n).encode())
            program = self.start(mail)
            program.until("inbox() && inbox().getTotalMessages(false)", 5)
            self.assertEqual(program.run("done(messages(inbox()).map(m => m.mime2DecodedSubject).sort())"), [f"number {n}" for n in range(1, 6)])
            self.assertIn("The text of number 3: grüße", program.run("""
                const one = messages(inbox()).find(m => m.subject == "number 3"), uri = inbox().getUriForMsg(one);
                const text = [], sink = { onStartRequest() {}, onStopRequest() { done(decodeURIComponent(escape(text.join("")))); },
                    onDataAvailable(request, stream, offset, count) {
                        const reader = Cc["@mozilla.org/scriptableinputstream;1"].createInstance(Ci.nsIScriptableInputStream);
                        reader.init(stream);
                        text.push(reader.readBytes(count));
                    }, QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]) };
                MailServices.messageServiceFromURI(uri).streamMessage(uri, sink, null, null, false, "");"""))
            program.run("""
                const of = n => messages(inbox()).find(m => m.subject == "number " + n);
                inbox().markMessagesRead([of(1), of(2)], true);
                inbox().markMessagesFlagged([of(4)], true);
                inbox().addKeywordsToMessages([of(4)], "$label1");
                done();""")
            program.run("""
                const one = messages(inbox()).find(m => m.subject == "number 5");
                inbox().deleteMessages([one], shown(), true, false, { onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() {},
                    onStopCopy(status) { done(status); }, QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]) }, false);""")
            self.flags_become(other, {1: {"\\Seen"}, 2: {"\\Seen"}, 4: {"\\Flagged", "$label1"}})
            # What another client does shows in Thunderbird, which idles.
            self.wait_idle(mail)
            other.append("INBOX", None, None, MESSAGE.format(n=6).encode())
            program.until("messages(inbox()).some(m => m.subject == 'number 6')", True)
            self.wait_idle(mail)
            other.store("1", "+FLAGS", "(\\Answered)")
            program.until("messages(inbox()).find(m => m.subject == 'number 1').flags & Ci.nsMsgMessageFlags.Replied", 2)
            self.wait_idle(mail)
            other.store("2", "+FLAGS", "(\\Deleted)")
            other.expunge()
            program.until("messages(inbox()).some(m => m.subject == 'number 2')", False)

    def wait_idle(self, mail):
        """An expunge that Thunderbird hears of with the answer to a FETCH shows when it looks at the folder the next time, which may be
        minutes later. Who watches a folder is in IDLE; the other client never is."""
        def watches(pid):
            with contextlib.suppress(OSError):
                return any("inotify" in os.readlink(link) for link in pathlib.Path(f"/proc/{pid}/fd").iterdir())
            return False

        def look():
            (parent,) = mail.pids("imapd")
            return any(watches(pid) for pid in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split())

        wait(look, "Thunderbird to idle", mail.log, seconds=60)

    def flags_become(self, client, expected):
        """Of the messages by UID, besides \\Recent; those that are deleted are gone."""
        def look():
            client.select()
            lines = client.uid("FETCH", "1:*", "(UID FLAGS)")[1]
            found = {int(line.split(b"UID ")[1].split()[0].strip(b")")): {f.decode() for f in imaplib.ParseFlags(line)} - {"\\Recent"}
                     for line in lines if line and b"UID " in line}  # others are news of flags
            found = {uid: flags for uid, flags in found.items() if "\\Deleted" not in flags}
            seen.append(found)
            return {uid: flags for uid, flags in found.items() if uid in expected} == expected and 5 not in found

        seen = []
        wait(look, f"flags {expected}", lambda: str(seen[-1]), seconds=60)


if __name__ == "__main__":
    unittest.main()
