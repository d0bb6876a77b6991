"""Compares an answer with a row and says each difference in a line."""

import collections

import wire

SECTION_NAMES = ("answer", "authority", "additional")


def differences(row, message, request):
    """Every way in which `message` is not what `row` wants; empty when it is."""
    if row.silence or message is None:
        if row.silence and message is None:
            return []
        return ["answered instead of silence" if row.silence else "no answer"]
    found = []
    if message.rcode != row.rcode:
        wanted, got = (wire.RCODE_NAMES.get(code, str(code)) for code in (row.rcode, message.rcode))
        found.append(f"rcode {got} for {wanted}")
    found += [f"flag {flag} missing" for flag in sorted(row.flags - message.flags)]
    found += [f"flag {flag} set" for flag in sorted(message.flags - row.flags)]
    if not message.response:
        found.append("QR clear")
    if message.opcode != row.opcode:
        found.append(f"opcode {message.opcode}")
    found += question_differences(row, message, request)
    found += edns_differences(row, message, request)
    sections = list(message.sections)
    if row.sections[0] and not any(record.rtype == 2 for record in row.sections[1]):
        for owner in without_servers(row, sections):
            found.append(f"authority names the servers of {owner}")
    for index, name in enumerate(SECTION_NAMES):
        found += section_differences(name, row.sections[index], row.optional[index], sections[index], row.exact)
    return found


def without_servers(row, sections):
    """Some servers put the zone's NS and their addresses beside every positive answer: taken out, told in one line."""
    servers = [record for record in sections[1] if record.rtype == 2]
    targets = {record.folded for record in servers}
    wanted = {record.key(False) for record in row.sections[2]}
    sections[1] = [record for record in sections[1] if record.rtype != 2 and not is_signature_of(record, 2)]
    if servers:
        sections[2] = [
            record for record in sections[2]
            if record.key(False) in wanted or wire.name_to_wire(wire.fold(record.owner)) not in targets
        ]
    return sorted({wire.name_to_text(wire.fold(record.owner)) for record in servers})


def is_signature_of(record, rtype):
    """An RRSIG that covers `rtype`."""
    return record.rtype == 46 and record.wire[:2] == bytes([rtype >> 8, rtype & 255])


def same(first, second):
    """True where two answers hold the same, whatever the order of their records; one with TC is not compared."""
    if first is None or second is None:
        return first is second
    if "TC" in first.flags | second.flags:
        return True
    return essence(first) == essence(second)


def essence(message):
    """Header, question and the records of each section."""
    sections = [sorted(record.key(True) for record in section) for section in message.sections]
    return (message.flags, message.rcode, message.question_wire, sections)


def question_differences(row, message, request):
    """The question comes back octet for octet unless the row says otherwise."""
    if row.echo == "any":
        return []
    wanted = b"" if row.echo == "none" else request.question_wire
    if message.question_wire == wanted:
        return []
    return ["question not as sent" if message.counts[0] else "question missing"]


def edns_differences(row, message, request):
    """RFC 6891 §6.1.1: an OPT for an OPT, none for none; the DO bit is copied (RFC 3225 §3), the rest of Z is clear."""
    if row.opt == "any":
        return []
    wanted = row.opt == "as-asked" and request is not None and bool(request.opt)
    if bool(message.opt) != wanted:
        return ["OPT missing" if wanted else "OPT not asked for"]
    if len(message.opt) > 1:
        return ["several OPT"]
    if not wanted:
        return []
    found, opt = [], message.opt[0]
    if opt.owner != ():
        found.append("OPT owner is not the root")
    if opt.ttl >> 16 & 255:
        found.append("EDNS version not 0")
    if opt.ttl & 0x8000 != request.opt[0].ttl & 0x8000:
        found.append("DO not copied")
    if opt.ttl & 0x7FFF:
        found.append("EDNS Z flags set")
    if opt.rclass < 512:
        found.append("UDP payload size below 512")
    return found


def section_differences(name, wanted, optional, got, exact):
    """Records missing and records too many; then the order of aliases, which are a chain."""
    need = collections.Counter(record.key(exact) for record in wanted)
    may = collections.Counter(record.key(exact) for record in optional)
    found = []
    for record in got:
        key = record.key(exact)
        if need[key]:
            need[key] -= 1
        elif may[key]:
            may[key] -= 1
        else:
            found.append(f"{name} +{record}")
    for record in wanted:
        key = record.key(exact)
        if need[key]:
            need[key] -= 1
            found.append(f"{name} -{record}")
    chain = [record.key(exact) for record in got if record.rtype in (5, 39)]
    if name == "answer" and not found and not optional and chain != [
            record.key(exact) for record in wanted if record.rtype in (5, 39)]:
        found.append("answer chain out of order")
    return found
