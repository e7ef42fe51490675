"""Addresses in headers through canonical maps and masquerading. The expected results are Postfix 3.7.11's, recorded
from the same tables and messages; white space is not compared (Postfix writes a header anew, here only an address changes)."""

import pathlib
import re
import smtplib
import unittest

from instance import Instance

TABLES = {
    "canon": ("root The.Root@Canon.example\njoe@host.test joe.doe@canon.example\n@olddom.test @newdom.test\n"
              "loop1@x.test loop2@x.test\nloop2@x.test loop3@x.test\nq@x.test \"quoted user\"@x.test\n"
              "\"sp ace\"@x.test nospace@x.test\nself@x.test SELF@x.test\nmulti@x.test a@x.test, b@x.test\n"),
    "sender": "both@x.test sender@x.test\n",
    "recipient": "both@x.test recip@x.test\n",
    "checks": "/^X-Rep:/ REPLACE To: joe@host.test\n",
}
PARAMS = {
    "mydomain": "my.test", "myorigin": "my.test", "mydestination": "my.test, localhost, example.test",
    "canonical_maps": "texthash:$config_directory/canon", "sender_canonical_maps": "texthash:$config_directory/sender",
    "recipient_canonical_maps": "texthash:$config_directory/recipient", "header_checks": "regexp:$config_directory/checks",
    "masquerade_domains": "!keep.masq.test masq.test", "masquerade_exceptions": "root", "recipient_delimiter": "+",
    "append_dot_mydomain": "yes",
}
# A field, and what Postfix makes of it, without white space.
CASES = [
    ('To: root', 'To:The.Root@Canon.example'),
    ('To: root, joe@host.test,a@b.test', 'To:The.Root@Canon.example,joe.doe@canon.example,a@b.test'),
    ('To: Joe Doe <joe@host.test>', 'To:JoeDoe<joe.doe@canon.example>'),
    ('To: "Doe, Joe" <joe@host.test>', 'To:"Doe,Joe"<joe.doe@canon.example>'),
    ('To: joe@host.test (Joe (nested) Doe)', 'To:joe.doe@canon.example(Joe(nested)Doe)'),
    ('To: friends: joe@host.test, root;', 'To:friends:joe.doe@canon.example,The.Root@Canon.example;'),
    ('To: friends: joe@host.test, Ann <ann@olddom.test>; , other', 'To:friends:joe.doe@canon.example,Ann<ann@newdom.test>;,other@my.test'),
    ('To: undisclosed-recipients:;', 'To:undisclosed-recipients:;'),
    ('To: <joe@host.test>', 'To:<joe.doe@canon.example>'),
    ('To: <root>', 'To:<The.Root@Canon.example>'),
    ('To: Root <root>', 'To:Root<The.Root@Canon.example>'),
    ('To: Joe User', 'To:Joe@my.test,User@my.test'),
    ('To: joe user <root>, Ann', 'To:joeuser<The.Root@Canon.example>,Ann@my.test'),
    ('To: joe@host', 'To:joe@host.my.test'),
    ('To: user%dom.test', 'To:user@dom.test'),
    ('To: dom!user', 'To:user@dom.my.test'),
    ('To: a.test!b.test!user', 'To:b.test!user@a.test'),
    ('To: user%dom.test@my.test', 'To:user%dom.test@my.test'),
    ('To: <@relay.test:joe@host.test>', 'To:<joe.doe@canon.example>'),
    ('To: <@relay.test,@relay2.test:joe@host.test>', 'To:<joe.doe@canon.example>'),
    ('To: "sp ace"@x.test', 'To:nospace@x.test'),
    ('To: "sp ace" <"sp ace"@x.test>', 'To:"space"<nospace@x.test>'),
    ('To: q@x.test', 'To:"quoteduser"@x.test'),
    ('To: joe+ext@host.test', 'To:joe.doe+ext@canon.example'),
    ('To: Joe <joe+ext@host.test>', 'To:Joe<joe.doe+ext@canon.example>'),
    ('To: root+foo', 'To:The.Root+foo@Canon.example'),
    ('To: x@olddom.test', 'To:x@newdom.test'),
    ('To: x+y@olddom.test', 'To:x+y@newdom.test'),
    ('To: loop1@x.test', 'To:loop3@x.test'),
    ('To: self@x.test', 'To:SELF@x.test'),
    ('To: multi@x.test', 'To:a@x.test'),
    ('To: joe@HOST.test', 'To:joe.doe@canon.example'),
    ('To: u@a.masq.test', 'To:u@masq.test'),
    ('To: u@a.b.MASQ.test', 'To:u@masq.test'),
    ('To: root@a.masq.test', 'To:root@a.masq.test'),
    ('To: u@x.keep.masq.test', 'To:u@x.keep.masq.test'),
    ('To: u@keep.masq.test', 'To:u@keep.masq.test'),
    ('To: u@masq.test', 'To:u@masq.test'),
    ('Cc: both@x.test', 'Cc:recip@x.test'),
    ('From: both@x.test', 'From:sender@x.test'),
    ('Sender: both@x.test', 'Sender:sender@x.test'),
    ('Reply-To: both@x.test', 'Reply-To:sender@x.test'),
    ('Resent-Reply-To: both@x.test', 'Resent-Reply-To:recip@x.test'),
    ('Resent-From: both@x.test', 'Resent-From:sender@x.test'),
    ('Resent-Sender: both@x.test', 'Resent-Sender:sender@x.test'),
    ('Resent-To: both@x.test', 'Resent-To:recip@x.test'),
    ('Resent-Cc: both@x.test', 'Resent-Cc:recip@x.test'),
    ('Errors-To: both@x.test', 'Errors-To:sender@x.test'),
    ('Return-Receipt-To: both@x.test', 'Return-Receipt-To:sender@x.test'),
    ('Disposition-Notification-To: both@x.test', 'Disposition-Notification-To:sender@x.test'),
    ('Mail-Followup-To: both@x.test', 'Mail-Followup-To:sender@x.test'),
    ('Apparently-To: both@x.test', 'Apparently-To:recip@x.test'),
    ('Delivered-To: both@x.test', 'Delivered-To:both@x.test'),
    ('X-To: both@x.test', 'X-To:both@x.test'),
    ('Bcc: both@x.test', ''),
    ('Return-Path: <both@x.test>', ''),
    ('To: joe@host.test\r\n , root,\r\n\tAnn <ann@olddom.test>', 'To:joe.doe@canon.example,The.Root@Canon.example,Ann<ann@newdom.test>'),
    ('To: joe @ host.test', 'To:joe.doe@canon.example'),
    ('To: joe . doe @ host.test', 'To:joe.doe@host.test'),
    ('To: joe(comment)@host.test', 'To:joe.doe@canon.example(comment)'),
    ('To: Joe <joe(comment)@host.test>', 'To:Joe<joe.doe@canon.example(comment)>'),
    ('To: joe@host.test>', 'To:joe.doe@canon.example>'),
    ('To: <>', 'To:<>'),
    ('To: "" <root>', 'To:""<The.Root@Canon.example>'),
    ('To: ,,root,,', 'To:,,The.Root@Canon.example,,'),
    ('To: user@[127.0.0.1]', 'To:user@[127.0.0.1]'),
    ('To: user@host.', 'To:user@host'),
    ('To: user@host.test.', 'To:user@host.test'),
    ('To: user@', 'To:user@'),
    ('To: =?utf-8?q?J=C3=B6?= <joe@host.test>', 'To:=?utf-8?q?J=C3=B6?=<joe.doe@canon.example>'),
    ('To: J\xf6 \xdc <joe@host.test>', 'To:J\xf6\xdc<joe.doe@canon.example>'),
    ('To: Joe <joe@host.test> (comment), x', 'To:Joe<joe.doe@canon.example>(comment),x@my.test'),
    ('To: Joe <joe@host.test>, <root>', 'To:Joe<joe.doe@canon.example>,<The.Root@Canon.example>'),
    ('To: <joe@host.test> Joe', 'To:<joe.doe@canon.example>,Joe@my.test'),
    ('To: "joe"@host.test', 'To:joe.doe@canon.example'),
    ('To: joe\\@x@host.test', 'To:joe\\@x@host.test'),
    ('TO : root', 'TO:The.Root@Canon.example'),
    ('to:root', 'to:The.Root@Canon.example'),
    ('To:   root', 'To:The.Root@Canon.example'),
    ('To: a@b.test, root\r\n\r\n', 'To:a@b.test,The.Root@Canon.example'),
    ('X-Rep: joe@host.test', 'To:joe.doe@canon.example'),
    ('To: root@localhost', 'To:root@localhost.my.test'),
    ('To: Joe Doe <joe@host.test> , Foo Bar <root>', 'To:JoeDoe<joe.doe@canon.example>,FooBar<The.Root@Canon.example>'),
    ('To: <joe@host.test>,<root>', 'To:<joe.doe@canon.example>,<The.Root@Canon.example>'),
    ('To: root;', 'To:The.Root@Canon.example;'),
    ('To: a: b: root;;', 'To:a:b:The.Root@Canon.example;;'),
    ('To: joe@host.test joe2@host.test', 'To:joe.doe@canon.example,joe2@host.test'),
    ('To: root <joe@host.test> root', 'To:root<joe.doe@canon.example>,The.Root@Canon.example'),
    ('To: "a\\"b" <root>', 'To:"a\\"b"<The.Root@Canon.example>'),
    ('To: "a@b" <root>', 'To:"a@b"<The.Root@Canon.example>'),
    ('To: Joe "Q" Doe <root>', 'To:Joe"Q"Doe<The.Root@Canon.example>'),
]


class HeaderAddresses(unittest.TestCase):
    def send(self, mail, fields):
        with smtplib.SMTP(*mail.address("smtp")) as smtp:
            smtp.helo("client.test")
            for number, field in enumerate(fields):
                smtp.docmd("MAIL FROM:<both@x.test>")
                smtp.docmd("RCPT TO:<bob@example.test>")
                smtp.docmd("DATA")
                smtp.send((f"X-Number: {number}\r\nDate: d\r\nFrom: f@f.test\r\nMessage-Id: <1@x>\r\n{field}\r\nX-End: 1\r\n\r\nbody\r\n"
                           ".\r\n").encode())
                self.assertEqual(smtp.getreply()[0], 250, field)

    def received(self, maildir):
        found = {}
        for path in (maildir / "new").iterdir():
            text = path.read_bytes().decode()
            number = int(re.search(r"^X-Number: (\d+)$", text, re.M)[1])
            found[number] = (text.split("Message-Id: <1@x>\n", 1)[1].split("X-End:", 1)[0], text)
        return found

    def instance(self, params):
        mail = Instance(params=params)
        for name, text in TABLES.items():
            (pathlib.Path(mail.etc) / name).write_text(text)
        return mail

    def test_as_postfix(self):
        with self.instance(PARAMS) as mail:
            maildir = mail.add_user("bob")
            self.send(mail, [field for field, _ in CASES])
            mail.wait_messages(maildir, len(CASES))
            found = self.received(maildir)
            for number, (field, expected) in enumerate(CASES):
                self.assertEqual(re.sub(r"\s+", "", found[number][0]), expected, field)
            self.assertIn("Return-Path: <sender@x.test>", found[0][1])

    def test_other_clients_headers_stay(self):
        with self.instance({**PARAMS, "local_header_rewrite_clients": ""}) as mail:
            maildir = mail.add_user("bob")
            fields = ["To: joe@host.test, root", "From: both@x.test"]
            self.send(mail, fields)
            mail.wait_messages(maildir, 2)
            found = self.received(maildir)
            for number, field in enumerate(fields):
                self.assertEqual(found[number][0].strip(), field)
        with self.instance({**PARAMS, "local_header_rewrite_clients": "static:all", "canonical_classes": "header_sender"}) as mail:
            maildir = mail.add_user("bob")
            self.send(mail, ["To: joe@host.test, root", "From: joe@host.test"])
            mail.wait_messages(maildir, 2)
            found = self.received(maildir)
            self.assertEqual(found[0][0].strip(), "To: joe@host.test, root@my.test")
            self.assertEqual(found[1][0].strip(), "From: joe.doe@canon.example")

    def test_a_table_that_fails_means_later(self):
        with self.instance({**PARAMS, "sender_canonical_maps": "fail:now",
                            "sender_canonical_classes": "header_sender"}) as mail:
            mail.add_user("bob")
            with smtplib.SMTP(*mail.address("smtp")) as smtp, self.assertRaises(smtplib.SMTPDataError) as refusal:
                smtp.sendmail("a@client.test", ["bob@example.test"], "To: x@y.test\r\n\r\nhi\r\n")
            self.assertEqual(refusal.exception.smtp_code, 451)
            mail.wait_log(r"cleanup\[\d+\]: \w+: warning: address rewriting failed: ")


if __name__ == "__main__":
    unittest.main()
