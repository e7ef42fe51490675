"""Whose turn it is: a stalled site beside others, pauses between deliveries, the concurrency of a destination."""

import contextlib
import re
import smtplib
import socket
import time
import unittest

from instance import Instance
from t_20_queue import MESSAGE

# Time from a message's arrival to its end, as qmgr's agents log it.
SENT = r"to=<{}>, .* delay=([\d.]+), .*status=sent"


@contextlib.contextmanager
def tarpit():
    """A site that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield f"[127.0.0.1]:{server.getsockname()[1]}"


def instance(hop="[127.0.0.1]:9", **params):
    transports = f"inline:{{ {{stalled.test = smtp:{hop}}} {{slow.test = slow:}} {{ok.test = discard:swallowed}} }}"
    return Instance(params={"transport_maps": transports, **params},
                    master_cf="slow unix - - n - - discard\n")


def send(smtp, recipient):
    smtp.sendmail("ann@ok.test", [recipient], MESSAGE)


class Scheduling(unittest.TestCase):
    def test_a_stalled_site_holds_nobody_up(self):
        with tarpit() as hop, instance(hop, qmgr_message_active_limit="100", qmgr_message_recipient_limit="100") as mail:
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                for n in range(600):
                    send(smtp, f"user{n}@stalled.test")
                for n in range(20):
                    send(smtp, f"quick{n}@ok.test")
            delays = [float(mail.wait_log(SENT.format(f"quick{n}@ok.test")).group(1)) for n in range(20)]
            self.assertLess(max(delays), 10, delays)  # a busy machine; bench/scale --only stalled measures it
            self.assertEqual(len(mail.queue_ids()), 600)
            self.assertNotRegex(mail.log(), r"stalled\.test>, .*status=")

    def test_a_pause_between_deliveries(self):
        with instance(slow_destination_rate_delay="1s") as mail:
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                began = time.monotonic()
                for n in range(4):
                    send(smtp, f"user{n}@slow.test")
                send(smtp, "quick@ok.test")
            mail.wait_log(SENT.format("quick@ok.test"))
            mail.wait_empty_queue()
            self.assertGreaterEqual(time.monotonic() - began, 3)
            self.assertEqual(len(re.findall(r"@slow\.test>.*status=sent", mail.log())), 4)

    def test_a_small_message_passes_a_list(self):
        """With a slot cost of 0 nobody passes."""
        for cost, place in (("2", 3), ("0", 6)):
            with self.subTest(cost), instance(slow_delivery_slot_cost=cost, slow_delivery_slot_loan="1", slow_minimum_delivery_slots="1",
                                              slow_destination_recipient_limit="1", slow_transport_rate_delay="1s") as mail:
                with smtplib.SMTP(*mail.address("smtp")) as smtp:
                    smtp.sendmail("ann@ok.test", [f"user{n}@slow.test" for n in range(6)], MESSAGE)
                    mail.wait_log(r"user\d@slow\.test>.*status=sent")
                    send(smtp, "quick@slow.test")
                mail.wait_empty_queue()
                sent = re.findall(r"to=<(\w+)@slow\.test>.*status=sent", mail.log())
                self.assertEqual(len(sent), 7)
                if cost == "0":
                    self.assertEqual(sent.index("quick"), place, sent)
                else:
                    self.assertLess(sent.index("quick"), place, sent)

    def test_a_setting_that_is_none_is_said(self):
        with instance(slow_destination_concurrency_positive_feedback="quick") as mail:
            with smtplib.SMTP(*mail.address("smtp")) as smtp:
                send(smtp, "user@slow.test")
            mail.wait_log(r"warning: slow_destination_concurrency_positive_feedback: \"quick\" is no number from 0 to 1")
            mail.wait_log(SENT.format("user@slow.test"))


if __name__ == "__main__":
    unittest.main()
