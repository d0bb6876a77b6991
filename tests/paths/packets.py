"""Where a packet goes: its destination, and the place whose network that is in. Pure."""

import ipaddress
from typing import Mapping, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Where the destination stands in the header, and how long the header is at least (RFC 791 §3.1, RFC 8200 §3).
DESTINATION = {4: (slice(16, 20), 20), 6: (slice(24, 40), 40)}


def destination(packet: bytes) -> bytes | None:
    """The octets of the address that an IP packet goes to: 4 or 16. None if it is not an IP packet."""
    if not packet:
        return None
    version = packet[0] >> 4
    if version not in DESTINATION:
        return None
    where, header_len = DESTINATION[version]
    return packet[where] if len(packet) >= header_len else None


class Map:
    """Which place has which networks; the longest network that holds an address wins."""

    def __init__(self, networks: Mapping[str, Sequence[Network]]) -> None:
        self.networks = sorted(
            ((network, place) for place, own in networks.items() for network in own),
            key=lambda pair: -pair[0].prefixlen,
        )
        # Addresses are few and packets are many: each address is looked for once.
        self.known: dict[bytes, str | None] = {}

    def place(self, packet: bytes) -> str | None:
        """The place that a packet goes to; None if it is nobody's, as multicast is."""
        address = destination(packet)
        if address is None:
            return None
        if address not in self.known:
            self.known[address] = self.find(ipaddress.ip_address(address))
        return self.known[address]

    def find(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
        """The place of an address that was not seen before."""
        return next((place for network, place in self.networks if address in network), None)
