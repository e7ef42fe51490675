"""Folders of others over IMAP: public trees, folders that users share, by real clients, in sandboxes, asleep too; with
one uid for all, and with system-like uids and a group."""

import imaplib
import os
import pathlib
import smtplib
import struct
import subprocess
import unittest

from instance import Instance, private_mounts, wait
from t_42_imap_sessions import TEXT
from t_44_imap_hibernate import Idler, wait_asleep

GROUP = 28765  # of users who share


def make_tree(mail, name="public", entries="lrs anyone\nlrswipkxtea ann\n", folder="News"):
    tree = mail.prefix / name
    for path in (tree, tree / f".{folder}"):
        for part in ("cur", "new", "tmp"):
            (path / part).mkdir(parents=True)
    (tree / "postern.acl").write_text("postern-acl 1\n" + entries)
    for path in [tree, *tree.rglob("*")]:
        if mail.identity:
            os.chown(path, *mail.identity)
    return tree


def warnings(mail):
    return [line for line in mail.log().splitlines() if "warning" in line and "TLS is not offered" not in line]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def forge_name(folder, uid, name):
    """Says in the folder's log, as a transaction of ours would, that the message's file has this name, and that it is flagged."""
    log = folder / "postern.log"
    offset, generation = log.stat().st_size, log.read_bytes()[24:32]
    flags = struct.pack("<BBBQQIII", 2, 1, 0, 0, 0, 1, uid, uid)
    payload = flags + struct.pack("<BIBH", 4, uid, 0, len(name)) + name.encode()
    modseq = struct.pack("<Q", 1 << 62)
    crc = crc32c(generation + struct.pack("<Q", offset) + modseq + payload)
    with open(log, "ab") as out:
        out.write(struct.pack("<II", len(payload), crc) + modseq + payload)


class SharedFolders(unittest.TestCase):
    def serve(self, users=("ann", "bob"), **params):
        mail = Instance({}, services=("imap",))
        (mail.prefix / "shared").mkdir()
        tree = make_tree(mail)
        if mail.identity:
            os.chown(mail.prefix / "shared", *mail.identity)
        with open(mail.etc / "main.cf", "a") as main_cf:
            values = {"mailbox_public_folders": f"Public={tree}", "mailbox_shared_dict": mail.prefix / "shared/dict", **params}
            main_cf.writelines(f"{name} = {value}\n" for name, value in values.items())
        mail.start()
        self.addCleanup(mail.__exit__, None)
        for user in users:
            mail.add_user(user)
        return mail

    def add_to_database(self, mail, name, lines):
        """The system's users or groups, for this test and the programs that it starts."""
        file = mail.prefix / name
        file.write_text(pathlib.Path("/etc", name).read_text() + lines)
        subprocess.run(["mount", "--bind", file, f"/etc/{name}"], check=True)
        self.addCleanup(subprocess.run, ["umount", f"/etc/{name}"])

    def imap(self, mail, user):
        imap = imaplib.IMAP4(*mail.address("imap"))
        self.addCleanup(lambda: imap.state == "LOGOUT" or imap.shutdown())
        imap.login(user, "secret")
        return imap

    def test_public_folders(self):
        mail = self.serve()
        ann, bob = self.imap(mail, "ann"), self.imap(mail, "bob")
        self.assertEqual(bob.namespace()[1], [b'(("" ".")) (("Other." ".")) (("Public." "."))'])
        self.assertEqual(ann.append("Public.News", r"(\Seen)", None, TEXT)[0], "OK")
        self.assertEqual(ann.create("Public.Team")[0], "OK")
        self.assertEqual(ann.setacl("Public.Team", "anyone", '""')[0], "OK")
        self.assertEqual(ann.setacl("Public.Team", "$staff", "lrswi")[0], "OK")
        self.assertEqual(bob.create("Public.Mine")[0], "NO")
        self.assertEqual(bob.select("Public.News"), ("OK", [b"1"]))
        self.assertEqual(bob.search(None, "UNSEEN"), ("OK", [b"1"]))
        self.assertIn(b"\\Seen", bob.fetch("1", "(BODY[])")[1][0][0] + bob.fetch("1", "(FLAGS)")[1][0])
        self.assertEqual(bob.copy("1", "INBOX")[0], "OK")
        self.assertEqual(bob.store("1", "+FLAGS", "\\Flagged")[0], "NO")
        self.assertEqual(bob.append("Public.Team", None, None, TEXT)[0], "NO")
        # A group of the user's, from the file of users, in the next session.
        users = mail.etc / "users"
        users.write_text("".join(line + ("::userdb_acl_groups=guests,staff" if line.startswith("bob:") else "") + "\n"
                                 for line in users.read_text().splitlines()))
        again = self.imap(mail, "bob")
        self.assertEqual(again.append("Public.Team", None, None, TEXT)[0], "OK")
        self.assertEqual(again.status("Public.News", "(UNSEEN)")[1], [b"Public.News (UNSEEN 0)"])
        self.assertEqual(warnings(mail), [])

    def test_users_let_each_other_in(self):
        mail = self.serve(("ann", "bob", "eve.doe"))
        ann = self.imap(mail, "ann")
        ann.create("Work")
        ann.create("Secret")
        ann.append("Work", None, None, TEXT)
        for who, rights in (("bob", "lrswite"), ("eve.doe", "lr")):
            self.assertEqual(ann.setacl("Work", who, rights)[0], "OK")
        self.assertIn("shared/shared-boxes/user/bob/ann\n1\n", (mail.prefix / "shared/dict").read_text())
        bob = self.imap(mail, "bob")
        self.assertIn(b'(\\HasNoChildren) "." Other.ann.Work', bob.list()[1])
        self.assertEqual(bob.select("Other.ann.Work"), ("OK", [b"1"]))
        self.assertEqual(bob.append("Other.ann.Work", None, None, TEXT)[0], "OK")
        self.assertEqual(bob.store("1", "+FLAGS", r"(\Seen \Deleted)")[0], "OK")
        self.assertEqual(bob.expunge(), ("OK", [b"1"]))
        self.assertEqual(bob.select("Other.ann.Secret")[0], "NO")
        ann.select("Work")
        self.assertEqual(ann.search(None, "UNSEEN"), ("OK", [b"1"]))
        eve = self.imap(mail, "eve.doe")
        self.assertEqual(eve.select("Other.ann.Work", readonly=True), ("OK", [b"1"]))
        self.assertEqual(eve.fetch("1", "(FLAGS)")[0], "OK")
        eve.unselect()
        eve.setacl("INBOX", "ann", "lrs")
        self.assertIn(b'(\\HasNoChildren) "." Other.eve^doe.INBOX', self.imap(mail, "ann").list()[1])
        self.assertEqual(ann.deleteacl("Work", "bob")[0], "OK")
        self.assertEqual(bob.status("Other.ann.Work", "(MESSAGES)")[0], "NO")
        self.assertEqual(self.imap(mail, "bob").list("Other.", "*")[1], [None])
        self.assertEqual(warnings(mail), [])

    def test_the_sandbox_is_opened_for_no_more(self):
        mail = self.serve()
        ann = self.imap(mail, "ann")
        ann.create("Work")
        ann.setacl("Work", "bob", "lr")
        bob = self.imap(mail, "bob")
        self.assertEqual(bob.select("Other.ann.Work", readonly=True)[0], "OK")
        # All files have one uid here: it is the sandbox that keeps bob's process out.
        ann.create("Secret")
        ann.append("Secret", None, None, TEXT)
        for folder in ("Work", "Secret"):
            (mail.prefix / "home/bob/Maildir" / f".{folder}").symlink_to(mail.prefix / "home/ann/Maildir" / f".{folder}")
        self.assertEqual(bob.select("Work", readonly=True)[0], "OK")
        self.assertEqual(bob.select("Secret")[0], "NO")

    def test_what_an_owner_puts_there_harms_no_reader(self):
        mail = self.serve(imap_hibernate_timeout="0")
        ann, bob = self.imap(mail, "ann"), self.imap(mail, "bob")
        for folder in ("Linked", "Forged"):
            ann.create(folder)
            ann.setacl(folder, "bob", "lrswite")
            ann.append(folder, None, None, TEXT)
        bob.create("Private")
        bob.append("Private", None, None, TEXT)
        bob.append("INBOX", None, None, TEXT)
        for imap in (ann, bob):
            imap.logout()
        anns, bobs = (mail.prefix / "home" / name / "Maildir" for name in ("ann", "bob"))
        own = sorted(path for path in bobs.rglob("*") if path.is_file() and path.parent.name in ("new", "cur"))
        for path in (anns / ".Linked/new").iterdir():
            path.unlink()
        (anns / ".Linked/new").rmdir()
        (anns / ".Linked/new").symlink_to(bobs / "new")
        forge_name(anns / ".Forged", 1, "../../../../bob/Maildir/.Private")
        for pipe in (".Forged/postern.metadata", ".Linked/postern.uids"):
            (anns / pipe).unlink(missing_ok=True)
            os.mkfifo(anns / pipe)
            if mail.identity:
                os.chown(anns / pipe, *mail.identity)
        bob = self.imap(mail, "bob")
        self.assertEqual(bob.xatom("GETMETADATA", "Other.ann.Forged", "/shared/comment")[0], "NO")
        (anns / ".Linked/postern.uids").unlink()
        self.assertEqual(bob.select("Other.ann.Linked")[0], "NO")
        mail.wait_log("warning: .*/.Linked/new: no directory; symbolic links there are not followed")
        self.assertEqual(bob.status("Other.ann.Forged", "(MESSAGES)")[1], [b"Other.ann.Forged (MESSAGES 1)"])
        self.assertEqual(bob.select("Other.ann.Forged"), ("OK", [b"1"]))
        self.assertEqual(bob.fetch("1", "(FLAGS BODY.PEEK[])")[1][0][1], TEXT)
        bob.logout()
        self.assertEqual(sorted(path for path in bobs.rglob("*") if path.is_file() and path.parent.name in ("new", "cur")), own)
        self.assertEqual(self.imap(mail, "bob").select("Private"), ("OK", [b"1"]))

    def quota(self, imap, name):
        """The figures of the one quota root of a mailbox."""
        roots, lines = imap.getquotaroot(name)[1]
        self.assertEqual(len(lines), 1, roots)
        return lines[0].decode()

    def test_quota_is_the_owners(self):
        mail = self.serve(mailbox_quota_rule="*:storage=20k:messages=100")
        ann = self.imap(mail, "ann")
        for folder in ("Work", "Secret"):
            ann.create(folder)
        ann.setacl("Work", "bob", "lrswite")
        bob = self.imap(mail, "bob")

        def add(imap, folder, size):
            return imap.append(folder, None, None, TEXT + b"x" * (size - len(TEXT)))

        self.assertEqual(add(bob, "Other.ann.Work", 9000)[0], "OK")
        self.assertEqual(self.quota(bob, "Other.ann.Work"), "Other.ann (STORAGE 9 20 MESSAGE 1 100)")
        self.assertEqual(self.quota(ann, "INBOX"), '"" (STORAGE 9 20 MESSAGE 1 100)')
        self.assertEqual(self.quota(bob, "INBOX"), '"" (STORAGE 0 20 MESSAGE 0 100)')
        self.assertEqual(add(ann, "Secret", 9000)[0], "OK")
        self.assertEqual(add(bob, "Other.ann.Work", 4000), ("NO", [b"[OVERQUOTA] Quota exceeded"]))
        add(bob, "INBOX", 4000)
        bob.select()
        for command in ("COPY", "MOVE"):
            kind, text = bob._simple_command(command, "1", "Other.ann.Work")
            self.assertEqual((kind, text[0][:11]), ("NO", b"[OVERQUOTA]"), command)
        # Room in a folder that bob's process may not look into; the file is still the one that his sandbox knows.
        ann.select("Secret")
        ann.store("1", "+FLAGS", "\\Deleted")
        ann.expunge()
        self.assertEqual(bob._simple_command("MOVE", "1", "Other.ann.Work")[0], "OK")
        self.assertEqual(self.quota(ann, "INBOX"), '"" (STORAGE 13 20 MESSAGE 2 100)')
        self.assertEqual(self.quota(bob, "INBOX"), '"" (STORAGE 0 20 MESSAGE 0 100)')
        bob.select("Other.ann.Work")
        bob.store("1", "+FLAGS", "\\Deleted")
        bob.expunge()
        self.assertEqual(self.quota(ann, "INBOX"), '"" (STORAGE 4 20 MESSAGE 1 100)')
        # The names of her files are seen, to count them, and nothing else of hers.
        add(ann, "Secret", 9000)
        (mail.prefix / "home/bob/Maildir/.Secret").symlink_to(mail.prefix / "home/ann/Maildir/.Secret")
        self.assertEqual(bob.select("Secret")[0], "NO")
        self.assertEqual(warnings(mail), [])

    def test_a_quota_that_another_program_replaces(self):
        mail = self.serve(mailbox_quota_rule="*:messages=2")
        ann = self.imap(mail, "ann")
        ann.create("Work")
        ann.setacl("Work", "bob", "lrswite")
        bob = self.imap(mail, "bob")
        self.assertEqual(bob.append("Other.ann.Work", None, None, TEXT)[0], "OK")
        file = mail.prefix / "home/ann/Maildir/maildirsize"
        other = file.with_name("other")
        other.write_text(file.read_text())
        if mail.identity:
            os.chown(other, *mail.identity)
        other.rename(file)
        # bob's sandbox does not know this one. His session counts, and says what it cannot note.
        self.assertEqual(bob.append("Other.ann.Work", None, None, TEXT)[0], "OK")
        self.assertEqual(bob.append("Other.ann.Work", None, None, TEXT)[0], "NO")
        self.assertEqual(self.quota(self.imap(mail, "bob"), "Other.ann.Work"), "Other.ann (MESSAGE 1 2)")
        self.assertEqual(ann.append("INBOX", None, None, TEXT)[0], "OK", "her sum is one message short")
        self.assertEqual(ann.append("INBOX", None, None, TEXT)[0], "NO", "and counted before it says no")
        self.assertEqual(self.quota(ann, "INBOX"), '"" (MESSAGE 3 2)')

    def test_what_each_user_has_of_his_own(self):
        mail = self.serve(mailbox_full_text_index="yes")
        ann, bob = self.imap(mail, "ann"), self.imap(mail, "bob")
        for _ in range(55):
            ann.append("Public.News", None, None, TEXT)
        for imap, note in ((ann, "hers"), (bob, "his")):
            self.assertEqual(imap.xatom("SETMETADATA", "Public.News", f'(/private/comment "{note}")')[0], "OK")
        for imap, note in ((ann, b"hers"), (bob, b"his")):
            self.assertEqual(imap.xatom("GETMETADATA", "Public.News", "/private/comment")[0], "OK")
            self.assertEqual(imap.response("METADATA")[1], [b'Public.News (/private/comment "%s")' % note])
        bob.xatom("GENURLAUTH", '"imap://bob@h/Public.News/;UID=1;URLAUTH=anonymous"', "INTERNAL")
        url = bob.response("GENURLAUTH")[1][0].decode()
        bob.xatom("URLFETCH", url)
        self.assertIn(TEXT[:20], bob.response("URLFETCH")[1][0][1])
        # The first search reads the messages, and makes an index; the second is answered by it.
        bob.select("Public.News")
        word = TEXT.split()[-1].decode()
        first = bob.search(None, "TEXT", word)
        self.assertEqual(len(first[1][0].split()), 55)
        mail.wait_log(r"indexed: folder=.*/\.News, messages=55")
        self.assertEqual(bob.search(None, "TEXT", word), first)
        own = mail.prefix / "home/bob/Maildir/postern.seen"
        self.assertEqual(len(list(own.glob("Public.*.index/postern.fts"))), 1)
        self.assertEqual(list(mail.prefix.glob("public/**/postern.fts")), [])
        self.assertEqual(list(mail.prefix.glob("public/**/postern.urlauth")), [])
        # Of folders that are gone for long: when a session begins.
        (own / "Public.12345").write_text("postern-seen 1 0\n")
        mark = own / "Public.12345.absent"
        mark.touch()
        os.utime(mark, (0, 0))
        if mail.identity:
            for path in (own / "Public.12345", mark):
                os.chown(path, *mail.identity)
        bob.logout()
        self.imap(mail, "bob")
        self.assertFalse(mark.exists())
        self.assertFalse((own / "Public.12345").exists())
        self.assertEqual(len(list(own.glob("Public.*.metadata"))), 1)
        self.assertEqual(warnings(mail), [])

    def test_sessions_sleep_in_them(self):
        mail = self.serve(imap_hibernate_timeout="1s")
        ann = self.imap(mail, "ann")
        ann.append("Public.News", None, None, TEXT)
        client = Idler(mail)
        self.addCleanup(client.close)
        client.say(b"s SELECT Public.News")
        client.until(b"s ")
        client.say(b"f STORE 1 +FLAGS (\\Seen)")
        client.until(b"f ")
        ann.logout()
        client.idle()
        wait_asleep(mail)
        self.imap(mail, "ann").append("Public.News", None, None, TEXT)
        self.assertIn(b"* 2 EXISTS\r\n", client.until(b"* 2 EXISTS"))
        other = self.imap(mail, "bob")
        other.select("Public.News")
        other.store("1", "-FLAGS", "\\Seen")
        lines = client.until(b"* 1 FETCH")
        self.assertNotIn(b"\\Seen", lines[-1])

    def test_rubbish_in_the_configuration(self):
        mail = self.serve(mailbox_public_folders="Public=relative a..b=/tmp/x", mailbox_shared_dict="/nonexistent/dict")
        imap = self.imap(mail, "ann")
        self.assertEqual(imap.select()[0], "OK")
        self.assertEqual(imap.setacl("INBOX", "bob", "lr")[0], "OK")
        mail.wait_log("warning: mailbox_public_folders: Public=relative: not an absolute path")
        mail.wait_log("warning: .*mailbox_shared_dict: ")

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_users_of_their_own_and_a_group(self):
        """Each user has a uid; the tree is writable for a group that both are in."""
        private_mounts()
        mail = Instance({"imap_hibernate_timeout": "0"}, services=("imap",), real_uids=True)
        tree = make_tree(mail, entries="lrswipkxtea $readers\nlr eve\n")
        (tree / "maildirsize").write_text("4C\n")
        for path in [tree, *tree.rglob("*")]:
            os.chown(path, -1, GROUP)
            path.chmod(0o2770 if path.is_dir() else 0o660)
        with open(mail.etc / "main.cf", "a") as main_cf:
            main_cf.write(f"mailbox_public_folders = Public={tree}\n")
        mail.start()
        self.addCleanup(mail.__exit__, None)
        for user in ("ann", "bob", "eve"):
            mail.add_user(user)
        users = {name: (mail.prefix / "home" / name).stat().st_uid for name in ("ann", "bob", "eve")}
        self.add_to_database(mail, "passwd", "".join(f"{name}:x:{uid}:{uid}::/:/bin/false\n" for name, uid in users.items()))
        self.add_to_database(mail, "group", f"readers:x:{GROUP}:ann,bob\nothers:x:{GROUP + 1}:eve\n")
        ann, bob, eve = self.imap(mail, "ann"), self.imap(mail, "bob"), self.imap(mail, "eve")
        # The list lets eve in; the file system does not: she is in another group.
        self.assertEqual(eve.select("Public.News")[0], "NO")
        for imap, count in ((ann, b"1"), (bob, b"2")):
            self.assertEqual(imap.append("Public.News", None, None, TEXT)[0], "OK")
            self.assertEqual(imap.select("Public.News"), ("OK", [count]))
            self.assertEqual(imap.store("1", "+FLAGS", "\\Flagged \\Seen")[0], "OK")
            self.assertEqual(imap.create(f"Public.By{count.decode()}")[0], "OK")
        self.assertEqual(ann.append("Public.By2", None, None, TEXT)[0], "OK")
        self.assertEqual(ann.rename("Public.By2", "Public.Both")[0], "OK")
        self.assertEqual(bob.delete("Public.By1")[0], "OK")
        self.assertEqual(len({path.stat().st_uid for path in (tree / ".News/cur").iterdir()}), 2)
        # The tree's quota counts what each of them adds.
        self.assertEqual(self.quota(bob, "Public.News"), "Public (MESSAGE 3 4)")
        self.assertEqual(bob.append("Public.Both", None, None, TEXT)[0], "OK")
        for imap in (ann, bob):
            self.assertEqual(imap.append("Public.Both", None, None, TEXT), ("NO", [b"[OVERQUOTA] Quota exceeded"]))
        self.assertEqual({path.stat().st_gid for path in tree.rglob("*")}, {GROUP})

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_an_inbox_that_is_a_groups(self):
        """Users with uids of their own share a Maildir by its group: what local delivers there is the group's too."""
        private_mounts()
        mail = Instance({"imap_hibernate_timeout": "0", "mailbox_quota_rule": "*:messages=4"}, services=("smtp", "imap"), real_uids=True)
        shared = mail.prefix / "shared"
        shared.mkdir()
        os.chown(shared, -1, GROUP)
        shared.chmod(0o2770)
        with open(mail.etc / "main.cf", "a") as main_cf:
            main_cf.write(f"mailbox_shared_dict = {shared}/dict\n")
        mail.start()
        self.addCleanup(mail.__exit__, None)
        maildir = mail.add_user("ann")
        mail.add_user("bob")
        users = {name: (mail.prefix / "home" / name).stat().st_uid for name in ("ann", "bob")}
        self.add_to_database(mail, "passwd", "".join(f"{name}:x:{uid}:{uid}::{mail.prefix}/home/{name}:/bin/false\n"
                                                     for name, uid in users.items()))
        self.add_to_database(mail, "group", f"team:x:{GROUP}:ann,bob\n")
        ann = self.imap(mail, "ann")
        ann.create("Lists")
        for folder in ("INBOX", "Lists"):
            self.assertEqual(ann.setacl(folder, "bob", "lrswite")[0], "OK")
        for path in [maildir.parent, maildir, *maildir.rglob("*")]:
            os.chown(path, -1, GROUP)
            path.chmod(0o2770 if path.is_dir() else 0o660)
        (maildir.parent / ".forward").write_text(f"\\ann, {maildir}/.Lists/\n")
        os.chown(maildir.parent / ".forward", users["ann"], -1)
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.sendmail("eve@client.test", ["ann@example.test"], "Subject: for the team\n\nx\n")
        for folder in (maildir, maildir / ".Lists"):
            wait(lambda folder=folder: mail.messages(folder), "a delivery", mail.log)
            info = mail.messages(folder)[0].stat()
            self.assertEqual((info.st_mode & 0o777, info.st_gid, info.st_uid), (0o660, GROUP, users["ann"]))
        bob = self.imap(mail, "bob")
        for folder in ("Other.ann.INBOX", "Other.ann.Lists"):
            self.assertEqual(bob.select(folder), ("OK", [b"1"]))
            self.assertEqual(bob.fetch("1", "(BODY[HEADER.FIELDS (SUBJECT)])")[1][0][1], b"Subject: for the team\r\n\r\n")
        # Each of them counts for her quota, whoever adds or takes it.
        self.assertEqual(self.quota(bob, "Other.ann.INBOX"), "Other.ann (MESSAGE 2 4)")
        for _ in range(2):
            self.assertEqual(bob.append("Other.ann.Lists", None, None, TEXT)[0], "OK")
        self.assertEqual(self.quota(ann, "INBOX"), '"" (MESSAGE 4 4)')
        self.assertEqual(bob.append("Other.ann.Lists", None, None, TEXT), ("NO", [b"[OVERQUOTA] Quota exceeded"]))
        self.assertEqual(ann.append("INBOX", None, None, TEXT), ("NO", [b"[OVERQUOTA] Quota exceeded"]))
        self.assertEqual((maildir / "maildirsize").stat().st_mode & 0o777, 0o660)
        self.assertEqual(warnings(mail), [])


if __name__ == "__main__":
    unittest.main()
