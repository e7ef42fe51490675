"""check_policy_service with a policy server of our own, and what happens when it goes away."""

import smtplib
import socketserver
import threading
import unittest

from instance import Instance

MESSAGE = "From: ann@client.test\r\nSubject: x\r\n\r\nhi\r\n"


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        question = {}
        for line in self.rfile:
            line = line.decode().rstrip("\n")
            if line:
                name, _, value = line.partition("=")
                question[name] = value
                continue
            self.server.questions.append(question)
            action = {"grey": "DEFER_IF_PERMIT 4.7.1 Greylisted", "bad": "REJECT 5.7.2 Not from you",
                      }.get(question["sender"].split("@")[0], "DUNNO")
            self.wfile.write(f"action={action}\n\n".encode())
            question = {}


class PolicyService(unittest.TestCase):
    def test_answers(self):
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads, server.questions = True, []
            threading.Thread(target=server.serve_forever, daemon=True).start()
            service = "inet:127.0.0.1:%d" % server.server_address[1]
            with Instance(params={"smtpd_recipient_restrictions": f"reject_unauth_destination, check_policy_service {service}",
                                  "smtpd_policy_service_retry_delay": "100ms", "smtpd_policy_service_default_action":
                                  "451 4.3.5 No policy"}) as mail:
                maildir = mail.add_user("bob")

                def send(sender):
                    with smtplib.SMTP(*mail.address("smtp")) as smtp:
                        smtp.sendmail(f"{sender}@client.test", ["bob@example.test"], MESSAGE)

                def refused(sender):
                    with self.assertRaises(smtplib.SMTPRecipientsRefused) as refusal:
                        send(sender)
                    return refusal.exception.recipients["bob@example.test"]

                send("good")
                mail.wait_messages(maildir, 1)
                self.assertEqual(refused("bad"), (554, b"5.7.2 <bob@example.test>: Recipient address rejected: Not from you"))
                code, text = refused("grey")
                self.assertEqual(code, 450)
                self.assertIn(b"Greylisted", text)
                question = server.questions[0]
                for name, value in {"request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "ESMTP",
                                    "client_address": "127.0.0.1", "sender": "good@client.test",
                                    "recipient": "bob@example.test", "sasl_username": ""}.items():
                    self.assertEqual(question[name], value, name)

    def test_a_server_that_is_not_there(self):
        with Instance(params={"smtpd_recipient_restrictions": "reject_unauth_destination, check_policy_service unix:private/none",
                              "smtpd_policy_service_retry_delay": "100ms",
                              "smtpd_policy_service_default_action": "451 4.3.5 No policy"}) as mail:
            mail.add_user("bob")
            with smtplib.SMTP(*mail.address("smtp")) as smtp, self.assertRaises(smtplib.SMTPRecipientsRefused) as refusal:
                smtp.sendmail("a@client.test", ["bob@example.test"], MESSAGE)
            code, text = refusal.exception.recipients["bob@example.test"]
            self.assertEqual(code, 451)
            self.assertIn(b"No policy", text)
            mail.wait_log(r"policy\[\d+\]: .*warning: problem talking to server unix:private/none: ")


if __name__ == "__main__":
    unittest.main()
