"""Reads MaxMind databases (*.mmdb), written from the format's description alone: what measures Meridian's reading of
them must not share code with it."""

import ipaddress
import pathlib
import struct

MARKER = b"\xab\xcd\xefMaxMind.com"
# Zero octets between the search tree and the data.
SEPARATOR = 16
# Types of the data section: the upper three bits of a control octet; 0 says that the next octet has the type, less 7.
EXTENDED, POINTER, TEXT, DOUBLE, BYTES, UINT16, UINT32, MAP = range(8)
INT32, UINT64, UINT128, ARRAY, _CONTAINER, _END, BOOLEAN, FLOAT = range(8, 16)


class Database:
    """One database, whole in memory."""

    def __init__(self, path):
        self.octets = pathlib.Path(path).read_bytes()
        start = self.octets.rfind(MARKER)
        if start < 0:
            raise ValueError(f"{path} is no MaxMind database")
        start += len(MARKER)
        self.metadata, _ = Decoder(self.octets, start).value(start)
        self.nodes = self.metadata["node_count"]
        self.bits = self.metadata["record_size"]
        self.node_octets = self.bits // 4
        data = self.nodes * self.node_octets + SEPARATOR
        self._data = Decoder(self.octets, data)
        self._records = {}
        # In a tree for both families, IPv4 is below 96 zero bits.
        self._root4 = 0
        if self.metadata["ip_version"] == 6:
            for _ in range(96):
                self._root4 = self._child(self._root4, 0) if self._root4 < self.nodes else self._root4

    def lookup(self, address):
        """The record of an address (None where there is none), and the length of its prefix."""
        address = ipaddress.ip_address(address)
        if address.version == 6 and self.metadata["ip_version"] == 4:
            return None, 0
        node = self._root4 if address.version == 4 else 0
        width = address.max_prefixlen
        for depth in range(width):
            if node >= self.nodes:
                return self._record(node), depth
            node = self._child(node, int(address) >> (width - 1 - depth) & 1)
        return self._record(node), width

    def networks(self, version):
        """All networks of a family in order, those without a record too: (address as a number, prefix length, record).
        What other corners of IPv6 lead into IPv4 is passed over."""
        width = 32 if version == 4 else 128
        root = self._root4 if version == 4 else 0
        waiting = [(root, 0, 0)] if version == 4 or self.metadata["ip_version"] == 6 else []
        while waiting:
            node, address, length = waiting.pop()
            if node == self._root4 and length > 0:
                continue
            if node >= self.nodes:
                yield address, length, self._record(node)
                continue
            waiting.append((self._child(node, 1), address | 1 << (width - 1 - length), length + 1))
            waiting.append((self._child(node, 0), address, length + 1))

    def _child(self, node, side):
        at = node * self.node_octets
        octets = self.octets[at : at + self.node_octets]
        if self.bits == 28:
            middle = octets[3] >> 4 if side == 0 else octets[3] & 15
            return middle << 24 | int.from_bytes(octets[4 * side : 4 * side + 3], "big")
        half = self.node_octets // 2
        return int.from_bytes(octets[half * side : half * side + half], "big")

    def _record(self, node):
        if node == self.nodes:
            return None
        if node not in self._records:
            self._records[node], _ = self._data.value(self._data.start + node - self.nodes - SEPARATOR)
        return self._records[node]


class Decoder:
    """Values of a data section; pointers count from `start`."""

    def __init__(self, octets, start):
        self.octets, self.start = octets, start

    def value(self, at):
        """The value at an offset, and the offset behind it."""
        control = self.octets[at]
        kind, at = control >> 5, at + 1
        if kind == POINTER:
            return self._pointer(control, at)
        if kind == EXTENDED:
            kind, at = self.octets[at] + 7, at + 1
        size, at = self._size(control & 31, at)
        if kind == MAP:
            found = {}
            for _ in range(size):
                key, at = self.value(at)
                found[key], at = self.value(at)
            return found, at
        if kind == ARRAY:
            items = []
            for _ in range(size):
                item, at = self.value(at)
                items.append(item)
            return items, at
        if kind == BOOLEAN:
            return bool(size), at
        octets = self.octets[at : at + size]
        return self._plain(kind, octets), at + size

    def _plain(self, kind, octets):
        if kind == TEXT:
            return octets.decode()
        if kind == DOUBLE:
            return struct.unpack("!d", octets)[0]
        if kind == FLOAT:
            return struct.unpack("!f", octets)[0]
        if kind == BYTES:
            return octets
        if kind in (UINT16, UINT32, INT32, UINT64, UINT128):
            return int.from_bytes(octets, "big", signed=kind == INT32 and len(octets) == 4)
        raise ValueError(f"data of type {kind}")

    def _size(self, size, at):
        if size < 29:
            return size, at
        more = size - 28
        base = {1: 29, 2: 285, 3: 65_821}[more]
        return base + int.from_bytes(self.octets[at : at + more], "big"), at + more

    def _pointer(self, control, at):
        more = (control >> 3 & 3) + 1
        base = {1: 0, 2: 2_048, 3: 526_336, 4: 0}[more]
        high = 0 if more == 4 else (control & 7) << 8 * more
        target = high + int.from_bytes(self.octets[at : at + more], "big") + base
        found, _ = self.value(self.start + target)
        return found, at + more
