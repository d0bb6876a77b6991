"""Reads the rows of tests/corpus; the format is told in tests/corpus/README.md."""

import pathlib
import struct

import wire

ROOT = pathlib.Path(__file__).resolve().parent.parent / "corpus"


class Theme:
    """One file of rows and the zones it is asked of: a list of (origin, path)."""

    def __init__(self, path):
        self.path, self.name, self.zones, self.rows = path, path.stem, [], []
        self.signed = []


class Row:
    """One question and what must come back."""

    def __init__(self, line, question):
        self.line, self.question = line, question
        self.packet = None
        self.transports = ("udp", "tcp")
        self.silence, self.rcode, self.flags = False, None, set()
        self.sections = [[], [], []]
        self.optional = [[], [], []]
        self.echo, self.opt, self.exact, self.opcode = "echo", "as-asked", False, 0
        self.why = []


def load_all(patterns):
    """Every theme whose name is among `patterns`, or all."""
    themes = [load(path) for path in sorted(ROOT.glob("*.rows"))]
    return [theme for theme in themes if not patterns or theme.name in patterns]


def load(path):
    """One theme; a row that cannot be read ends the run with its place."""
    theme, row = Theme(path), None
    for number, text in enumerate(path.read_text().splitlines(), 1):
        text = text.rstrip()
        if not text or text.startswith("#"):
            continue
        try:
            if text.startswith("> "):
                row = read_question(number, text[2:])
                theme.rows.append(row)
            elif text.startswith("zone: "):
                origin, file = text.split()[1:]
                theme.zones.append((origin, ROOT / "zones" / file))
                read_signed(theme, ROOT / "zones" / file)
            elif text.startswith("about: "):
                continue
            else:
                read_expectation(theme, row, text)
        except (wire.Malformed, ValueError, IndexError, KeyError, AttributeError) as error:
            raise SystemExit(f"{path}:{number}: {error!r}: {text}") from error
    return theme


def read_signed(theme, path):
    """RRSIG and DNSKEY of ready-signed zones, which stand one to a line with every field given."""
    for text in path.read_text().splitlines():
        fields = text.split()
        if len(fields) > 7 and fields[2] == "IN" and fields[3] in ("RRSIG", "DNSKEY"):
            rtype, covered, signer = wire.type_number(fields[3]), 0, ""
            if rtype == 46:
                covered, signer = wire.type_number(fields[4]), fields[11]
            owner = wire.fold(wire.name_from_text(fields[0]))
            data = wire.rdata_from_text(rtype, fields[4:])
            theme.signed.append((owner, rtype, covered, signer, data))


def read_question(number, text):
    """`NAME TYPE OPTIONS...` or `raw HEX...`."""
    row = Row(number, text)
    fields = text.split()
    if fields[0] == "raw":
        words = [field for field in fields[1:] if not field.startswith("+")]
        row.packet = bytes.fromhex("".join(words))
        row.opt = "any"
        row.opcode = row.packet[2] >> 3 & 15 if len(row.packet) > 2 else 0
        options = [field for field in fields[1:] if field.startswith("+")]
    else:
        options = fields[2:]
    flags, rclass, edns = 0, 1, None
    for option in options:
        key, _, value = option.partition("=")
        if key in ("+udp", "+tcp"):
            row.transports = (key[1:],)
        elif key in ("+rd", "+cd", "+ad", "+z", "+tc", "+aa", "+ra"):
            flags |= wire.FLAGS[key[1:].upper()]
        elif key == "opcode":
            row.opcode = int(value)
        elif key == "class":
            rclass = wire.class_number(value)
        elif key in ("+do", "+edns", "+bufsize", "+option", "+version", "+ednsflags"):
            edns = edns or {"size": 1232, "version": 0, "flags": 0, "options": b""}
            if key == "+do":
                edns["flags"] |= 0x8000
            elif key == "+ednsflags":
                edns["flags"] |= int(value, 16)
            elif key == "+bufsize":
                edns["size"] = int(value)
            elif key == "+version":
                edns["version"] = int(value)
            elif key == "+option":
                code, _, octets = value.partition(":")
                octets = bytes.fromhex(octets)
                edns["options"] += struct.pack("!HH", int(code), len(octets)) + octets
        else:
            raise wire.Malformed(f"unknown option {option}")
    if row.packet is None:
        row.packet = build(fields[0], wire.type_number(fields[1]), rclass, flags | row.opcode << 11, edns)
    return row


def build(name, rtype, rclass, flags, edns):
    """A query with one question; its id is written when it is sent."""
    packet = struct.pack("!6H", 0, flags, 1, 0, 0, 1 if edns else 0)
    packet += wire.name_to_wire(wire.name_from_text(name)) + struct.pack("!HH", rtype, rclass)
    if edns:
        ttl = edns["version"] << 16 | edns["flags"]
        packet += b"\0" + struct.pack("!HHIH", 41, edns["size"], ttl, len(edns["options"])) + edns["options"]
    return packet


SECTIONS = {"answer": 0, "authority": 1, "additional": 2}


def read_expectation(theme, row, text):
    """`< RCODE FLAGS`, a record of a section, or one of the row's words."""
    if text.startswith("< "):
        words = text[2:].split()
        row.silence = words == ["silence"]
        if not row.silence:
            row.rcode, row.flags = wire.RCODES[words[0]], set(words[1:])
            if not row.flags <= set(wire.FLAGS):
                raise wire.Malformed("unknown flag")
        return
    key, value = text.split(": ", 1)
    if key.rstrip("?") in SECTIONS:
        records = read_records(theme, value)
        (row.optional if key.endswith("?") else row.sections)[SECTIONS[key.rstrip("?")]].extend(records)
    elif key == "question" and value in ("none", "any"):
        row.echo = value
    elif key == "opt" and value in ("any", "none"):
        row.opt = value
    elif key == "case" and value == "exact":
        row.exact = True
    elif key == "why":
        row.why.append(value)
    else:
        raise wire.Malformed(f"unknown word {key}")


def read_records(theme, text):
    """`OWNER TTL TYPE DATA`; for `DNSKEY as-signed` and `RRSIG TYPE [of OWNER] [by ZONE]` the data is the zone file's."""
    fields = wire.split_fields(text)
    owner, ttl, rtype = wire.name_from_text(fields[0]), int(fields[1]), wire.type_number(fields[2])
    if not (rtype == 46 and len(fields) in (4, 6, 8) or fields[3:] == ["as-signed"]):
        return [wire.record(owner, rtype, ttl, wire.rdata_from_text(rtype, fields[3:]))]
    words = dict(zip(fields[4::2], fields[5::2]))
    signed = wire.fold(wire.name_from_text(words.pop("of", fields[0])))
    zone = words.pop("by", None)
    covered = wire.type_number(fields[3]) if rtype == 46 else 0
    found = [data for at in theme.signed for data in at[4:] if at[:3] == (signed, rtype, covered) and zone in (None, at[3])]
    if not found or words:
        raise wire.Malformed("not in the theme's signed zones")
    return [wire.record(owner, rtype, ttl, data) for data in found]
