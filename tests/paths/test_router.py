"""The pure parts of the router, in simulated time: `python3 -B -m unittest discover -s tests/paths`."""

import ipaddress
import random
import unittest

from packets import Map, destination
from schedule import PENDING_MAX, Schedule, Shape, parse_set


def packet4(to: str) -> bytes:
    """The header of an IPv4 packet, as far as the router reads it."""
    return bytes([0x45]) + bytes(15) + ipaddress.IPv4Address(to).packed


def packet6(to: str) -> bytes:
    """The same for IPv6."""
    return bytes([0x60]) + bytes(23) + ipaddress.IPv6Address(to).packed


class Packets(unittest.TestCase):
    """Where packets go."""

    def test_destination(self) -> None:
        for packet, expected in [
            (packet4("198.18.1.10"), bytes([198, 18, 1, 10])),
            (packet4("198.18.1.10") + b"more", bytes([198, 18, 1, 10])),
            (packet6("2001:db8::1"), ipaddress.IPv6Address("2001:db8::1").packed),
            (b"", None),
            (packet4("198.18.1.10")[:-1], None),
            (packet6("2001:db8::1")[:-1], None),
            (bytes([0x50]) + bytes(60), None),
        ]:
            with self.subTest(packet=packet):
                self.assertEqual(destination(packet), expected)

    def test_the_longest_network_wins(self) -> None:
        networks = {"all": ["198.18.0.0/15", "2001:db8::/32"], "a": ["198.18.1.0/24"], "b": ["2001:db8:2::/48"]}
        places = Map({place: [ipaddress.ip_network(network) for network in own] for place, own in networks.items()})
        for packet, place in [
            (packet4("198.18.1.255"), "a"),
            (packet4("198.18.2.0"), "all"),
            (packet4("198.20.0.0"), None),
            (packet6("2001:db8:2::1"), "b"),
            (packet6("2001:db8:3::1"), "all"),
            (packet6("ff02::2"), None),
            (b"\x45", None),
        ]:
            with self.subTest(packet=packet):
                self.assertEqual(places.place(packet), place)
                self.assertEqual(places.place(packet), place, "the second time from memory")


class Schedules(unittest.TestCase):
    """When packets are handed on."""

    def setUp(self) -> None:
        self.schedule = Schedule(Shape(0.005), random.Random(1))

    def due(self, now_s: float) -> list[bytes]:
        return [pending.packet for pending in self.schedule.due(now_s)]

    def test_each_path_has_its_delay(self) -> None:
        self.schedule.set("a", "fra", Shape(0.020))
        self.assertIsNone(self.schedule.next_due_s())
        self.schedule.add(1.0, "a", "fra", b"slow")
        self.schedule.add(1.0, "fra", "a", b"default")
        self.assertAlmostEqual(self.schedule.next_due_s() or 0, 1.005)
        self.assertEqual(self.due(1.004), [])
        self.assertEqual(self.due(1.006), [b"default"])
        self.assertEqual(self.due(1.019), [])
        self.assertEqual(self.due(1.021), [b"slow"])
        self.assertIsNone(self.schedule.next_due_s())

    def test_nothing_overtakes_when_a_delay_ends(self) -> None:
        self.schedule.set("a", "fra", Shape(0.100))
        self.schedule.add(1.0, "a", "fra", b"1")
        self.schedule.set("a", "fra", Shape(0.001))
        self.schedule.add(1.01, "a", "fra", b"2")
        self.schedule.add(1.02, "b", "fra", b"another path")
        self.assertEqual(self.due(1.05), [b"another path"])
        self.assertEqual(self.due(1.101), [b"1", b"2"])
        self.schedule.add(1.2, "a", "fra", b"3")
        self.assertAlmostEqual(self.schedule.next_due_s() or 0, 1.201)

    def test_nothing_overtakes_in_jitter(self) -> None:
        self.schedule.set("a", "fra", Shape(0.010, jitter_s=0.010))
        delays = []
        for number in range(1000):
            now_s = number * 0.001
            self.schedule.add(now_s, "a", "fra", number.to_bytes(2, "big"))
            delays.append(max(pending.due_s for pending in self.schedule.pending) - now_s)
        self.assertTrue(all(0.010 <= delay <= 0.020 + 1e-9 for delay in delays))
        self.assertEqual(self.due(9), [number.to_bytes(2, "big") for number in range(1000)])

    def test_loss(self) -> None:
        self.schedule.set("a", "fra", Shape(loss=0.25))
        arrived = sum(self.schedule.add(0.0, "a", "fra", b"") for _ in range(4000))
        self.assertTrue(2900 < arrived < 3100, arrived)
        self.schedule.set("a", "fra", Shape(loss=1.0))
        self.assertFalse(self.schedule.add(0.0, "a", "fra", b""))

    def test_memory_is_bounded(self) -> None:
        for _ in range(PENDING_MAX):
            self.assertTrue(self.schedule.add(0.0, "a", "fra", b""))
        self.assertFalse(self.schedule.add(0.0, "a", "fra", b""))


class Words(unittest.TestCase):
    """What the router is told."""

    def test_what_is_understood(self) -> None:
        for line, shape in [
            ("set a fra 20ms", Shape(0.020)),
            ("set a fra 1.5s loss 1%", Shape(1.5, 0.0, 0.01)),
            ("set a fra 0s jitter 500us loss 100%", Shape(0.0, 0.0005, 1.0)),
        ]:
            with self.subTest(line=line):
                self.assertEqual(parse_set(line.split()), ("a", "fra", shape))

    def test_what_is_not(self) -> None:
        for line in [
            "",
            "set a fra",
            "get a fra 20ms",
            "set a fra 20",
            "set a fra ms",
            "set a fra -1ms",
            "set a fra 20ms jitter",
            "set a fra 20ms loss 0.1",
            "set a fra 20ms loss 101%",
            "set a fra 20ms lost 1%",
        ]:
            with self.subTest(line=line), self.assertRaises(ValueError):
                parse_set(line.split())


if __name__ == "__main__":
    unittest.main()
