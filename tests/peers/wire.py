"""A small DNS message reader and writer, kept apart from Meridian's own on purpose: it judges its answers.

Names are tuples of byte labels, record data is wire form without compression.
"""

import base64
import ipaddress
import re
import struct

TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "RP": 17,
    "AFSDB": 18, "AAAA": 28, "LOC": 29, "SRV": 33, "NAPTR": 35, "CERT": 37, "DNAME": 39, "OPT": 41, "APL": 42,
    "DS": 43, "SSHFP": 44, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "NSEC3": 50, "NSEC3PARAM": 51, "TLSA": 52,
    "SMIMEA": 53, "CDS": 59, "CDNSKEY": 60, "OPENPGPKEY": 61, "CSYNC": 62, "ZONEMD": 63, "SVCB": 64, "HTTPS": 65,
    "SPF": 99, "EUI48": 108, "EUI64": 109, "TKEY": 249, "TSIG": 250, "IXFR": 251, "AXFR": 252, "MAILB": 253,
    "MAILA": 254, "ANY": 255, "URI": 256, "CAA": 257,
}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
CLASSES = {"IN": 1, "CH": 3, "HS": 4, "NONE": 254, "ANY": 255}
RCODES = {
    "NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5, "YXDOMAIN": 6,
    "NOTAUTH": 9, "BADVERS": 16,
}
RCODE_NAMES = {number: name for name, number in RCODES.items()}
FLAGS = {"AA": 0x0400, "TC": 0x0200, "RD": 0x0100, "RA": 0x0080, "Z": 0x0040, "AD": 0x0020, "CD": 0x0010}

# Where names stand in record data: N is a name, a digit so many octets; octets that remain are taken as they are.
LAYOUTS = {
    2: "N", 5: "N", 12: "N", 39: "N", 6: "NN", 15: "2N", 17: "NN", 18: "2N", 33: "222N", 47: "N",
}


class Malformed(Exception):
    """A message or a text that cannot be read."""


def type_number(text):
    """The number of `A`, `TYPE65280`, ..."""
    text = text.upper()
    if text in TYPES:
        return TYPES[text]
    if re.fullmatch(r"TYPE\d+", text):
        return int(text[4:])
    raise Malformed(f"unknown type {text}")


def type_name(number):
    """The mnemonic, else `TYPE123`."""
    return TYPE_NAMES.get(number, f"TYPE{number}")


def class_number(text):
    """The number of `IN`, `CLASS32`, ..."""
    text = text.upper()
    if text in CLASSES:
        return CLASSES[text]
    if re.fullmatch(r"CLASS\d+", text):
        return int(text[5:])
    raise Malformed(f"unknown class {text}")


def unescape(text):
    """Octets of a text with RFC 1035 §5.1 escapes, as (octet, was escaped) pairs."""
    position = 0
    while position < len(text):
        if text[position] != "\\":
            yield ord(text[position]), False
            position += 1
        elif text[position + 1: position + 4].isdigit() and len(text[position + 1: position + 4]) == 3:
            yield int(text[position + 1: position + 4]), True
            position += 4
        else:
            yield ord(text[position + 1]), True
            position += 2


def name_from_text(text):
    """A fully qualified name."""
    if text == ".":
        return ()
    if not text.endswith("."):
        raise Malformed(f"name {text} does not end in a dot")
    labels, label = [], bytearray()
    for octet, escaped in unescape(text):
        if octet == 0x2E and not escaped:
            labels.append(bytes(label))
            label = bytearray()
        else:
            label.append(octet)
    if label or any(not 0 < len(one) < 64 for one in labels):
        raise Malformed(f"bad name {text}")
    return tuple(labels)


def name_to_text(name):
    """The presentation form."""
    def show(label):
        return "".join(
            chr(octet) if chr(octet).isalnum() and octet < 128 or octet in b"-_*/" else f"\\{octet:03d}"
            for octet in label
        )
    return "".join(show(label) + "." for label in name) or "."


def name_to_wire(name):
    """Uncompressed."""
    return b"".join(bytes([len(label)]) + label for label in name) + b"\0"


def fold(name):
    """ASCII lower case, RFC 4343."""
    return tuple(label.lower() for label in name)


def character_strings(fields):
    """`"a b" c` as they stand in TXT record data."""
    wire = b""
    for field in fields:
        octets = bytes(octet for octet, _ in unescape(field))
        if len(octets) > 255:
            raise Malformed("character-string longer than 255")
        wire += bytes([len(octets)]) + octets
    return wire


def split_fields(text):
    """White-space separated fields; quotes group and are taken off."""
    fields = []
    for match in re.finditer(r'"((?:[^"\\]|\\.)*)"|(\S+)', text):
        fields.append(match.group(1) if match.group(1) is not None else match.group(2))
    return fields


def type_bitmap(names):
    """RFC 4034 §4.1.2."""
    windows = {}
    for number in sorted(type_number(name) for name in names):
        window = windows.setdefault(number >> 8, bytearray(32))
        window[(number & 255) >> 3] |= 0x80 >> (number & 7)
    wire = b""
    for number, window in sorted(windows.items()):
        octets = bytes(window).rstrip(b"\0")
        wire += bytes([number, len(octets)]) + octets
    return wire


def base32hex(text):
    """RFC 4648 §7 without padding, as NSEC3 owners write it."""
    standard = text.upper().translate(str.maketrans("0123456789ABCDEFGHIJKLMNOPQRSTUV", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
    return base64.b32decode(standard + "=" * (-len(standard) % 8))


def rrsig_time(text):
    """Seconds of `YYYYMMDDHHmmSS`, RFC 4034 §3.2."""
    import calendar
    numbers = [int(text[0:4])] + [int(text[at: at + 2]) for at in range(4, 14, 2)]
    return calendar.timegm((*numbers, 0, 0, 0)) & 0xFFFFFFFF


def rdata_from_text(rtype, fields):
    """Wire form of record data; names must be fully qualified. Types not listed here are written `\\# LENGTH HEX`."""
    def name(text):
        return name_to_wire(name_from_text(text))
    if fields and fields[0] == "\\#":
        octets = bytes.fromhex("".join(fields[2:]))
        if len(octets) != int(fields[1]):
            raise Malformed("\\# length does not match")
        return octets
    kind = type_name(rtype)
    if kind == "A":
        return ipaddress.IPv4Address(fields[0]).packed
    if kind == "AAAA":
        return ipaddress.IPv6Address(fields[0]).packed
    if kind in ("NS", "CNAME", "PTR", "DNAME"):
        return name(fields[0])
    if kind == "SOA":
        return name(fields[0]) + name(fields[1]) + struct.pack("!5I", *map(int, fields[2:7]))
    if kind == "MX":
        return struct.pack("!H", int(fields[0])) + name(fields[1])
    if kind == "SRV":
        return struct.pack("!3H", *map(int, fields[:3])) + name(fields[3])
    if kind in ("TXT", "SPF", "HINFO"):
        return character_strings(fields)
    if kind == "CAA":
        return bytes([int(fields[0]), len(fields[1])]) + fields[1].encode() + bytes(o for o, _ in unescape(fields[2]))
    if kind in ("DS", "CDS"):
        return struct.pack("!HBB", *map(int, fields[:3])) + bytes.fromhex("".join(fields[3:]))
    if kind in ("DNSKEY", "CDNSKEY"):
        return struct.pack("!HBB", *map(int, fields[:3])) + base64.b64decode("".join(fields[3:]))
    if kind == "RRSIG":
        fixed = struct.pack(
            "!HBBIIIH", type_number(fields[0]), int(fields[1]), int(fields[2]), int(fields[3]),
            rrsig_time(fields[4]), rrsig_time(fields[5]), int(fields[6]),
        )
        return fixed + name(fields[7]) + base64.b64decode("".join(fields[8:]))
    if kind == "NSEC":
        return name(fields[0]) + type_bitmap(fields[1:])
    if kind in ("NSEC3", "NSEC3PARAM"):
        salt = b"" if fields[3] == "-" else bytes.fromhex(fields[3])
        head = struct.pack("!BBH", *map(int, fields[:3])) + bytes([len(salt)]) + salt
        if kind == "NSEC3PARAM":
            return head
        following = base32hex(fields[4])
        return head + bytes([len(following)]) + following + type_bitmap(fields[5:])
    raise Malformed(f"write {kind} data as \\# LENGTH HEX")


class Record:
    """One resource record: `wire` is its data without compression, `folded` the same with names in lower case."""

    def __init__(self, owner, rtype, rclass, ttl, wire, folded):
        self.owner, self.rtype, self.rclass, self.ttl = owner, rtype, rclass, ttl
        self.wire, self.folded = wire, folded

    def key(self, exact):
        """What two equal records share; with `exact`, the case of letters too."""
        if exact:
            return (self.owner, self.rtype, self.rclass, self.ttl, self.wire)
        return (fold(self.owner), self.rtype, self.rclass, self.ttl, self.folded)

    def __str__(self):
        return f"{name_to_text(self.owner)} {self.ttl} {type_name(self.rtype)} {self.data_text()}"

    def data_text(self):
        """The data, shortened: enough to know it by."""
        if self.rtype in (1, 28):
            return str(ipaddress.ip_address(self.wire))
        if self.rtype in LAYOUTS and self.rtype != 6:
            names, rest = read_data(self.wire, 0, len(self.wire), self.rtype, text=True)
            return names + (f" +{len(rest)}" if rest and self.rtype != 47 else "")
        if self.rtype == 46:
            return type_name(struct.unpack("!H", self.wire[:2])[0])
        if self.rtype in (16, 13):
            return repr(self.wire[1:25])
        return self.wire.hex()[:24]


class Message:
    """A parsed message. `question_wire` holds the question's octets as they were sent; `whole` forbids octets after it."""

    def __init__(self, octets, whole=True):
        if len(octets) < 12:
            raise Malformed("shorter than a header")
        self.octets = octets
        self.id, flags, *counts = struct.unpack("!6H", octets[:12])
        self.response = bool(flags & 0x8000)
        self.opcode = flags >> 11 & 15
        self.flags = {name for name, bit in FLAGS.items() if flags & bit}
        self.rcode = flags & 15
        self.counts = counts
        position = 12
        for _ in range(counts[0]):
            _, position = read_name(octets, position)
            position += 4
        if position > len(octets):
            raise Malformed("question cut short")
        self.question_wire = octets[12:position]
        self.sections = []
        for count in counts[1:]:
            records = []
            for _ in range(count):
                record, position = read_record(octets, position)
                records.append(record)
            self.sections.append(records)
        if whole and position != len(octets):
            raise Malformed("octets after the last record")
        self.opt = [record for record in self.sections[2] if record.rtype == 41]
        self.sections[2] = [record for record in self.sections[2] if record.rtype != 41]
        if self.opt:
            self.rcode |= self.opt[0].ttl >> 24 << 4


def read_name(octets, position):
    """A possibly compressed name, and the position after it."""
    labels, end, jumps, total = [], None, 0, 0
    while True:
        if position >= len(octets):
            raise Malformed("name cut short")
        length = octets[position]
        if length >= 0xC0:
            if position + 1 >= len(octets):
                raise Malformed("pointer cut short")
            end = position + 2 if end is None else end
            target = (length & 0x3F) << 8 | octets[position + 1]
            jumps += 1
            if target >= position or jumps > 127:
                raise Malformed("pointer does not lead back")
            position = target
        elif length >= 0x40:
            raise Malformed("reserved label type")
        else:
            total += length + 1
            if total > 255 or position + 1 + length > len(octets):
                raise Malformed("name too long")
            position += 1
            if length == 0:
                return tuple(labels), position if end is None else end
            labels.append(octets[position: position + length])
            position += length


def read_data(octets, position, end, rtype, text=False):
    """Record data without compression and the same with names folded; as text for messages to people."""
    wire, folded, words = b"", b"", []
    for step in LAYOUTS.get(rtype, ""):
        if step == "N":
            name, position = read_name(octets, position)
            wire += name_to_wire(name)
            folded += name_to_wire(fold(name))
            words.append(name_to_text(name))
        else:
            words.append(str(int.from_bytes(octets[position: position + int(step)], "big")))
            wire += octets[position: position + int(step)]
            folded += octets[position: position + int(step)]
            position += int(step)
    if position > end:
        raise Malformed("record data cut short")
    rest = octets[position:end]
    if text:
        return " ".join(words), rest
    return wire + rest, folded + rest


def read_record(octets, position):
    """One record, and the position after it."""
    owner, position = read_name(octets, position)
    if position + 10 > len(octets):
        raise Malformed("record cut short")
    rtype, rclass, ttl, length = struct.unpack("!HHIH", octets[position: position + 10])
    position += 10
    if position + length > len(octets):
        raise Malformed("record data cut short")
    wire, folded = read_data(octets, position, position + length, rtype)
    return Record(owner, rtype, rclass, ttl, wire, folded), position + length


def record(owner, rtype, ttl, wire):
    """A record of class IN from parts."""
    plain, folded = read_data(wire, 0, len(wire), rtype)
    return Record(owner, rtype, 1, ttl, plain, folded)
