"""Asks a server over UDP and TCP. After a packet that may
meet silence a second question is sent: when that one is answered first, the silence is known without waiting."""

import socket
import struct

import wire

TIMEOUT_S = 5.0
SENTINEL_ID = 0xFFFE


def send_udp(address, packet, sentinel):
    """The answer's octets, or None for silence."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.settimeout(TIMEOUT_S)
        udp.connect(address)
        udp.send(packet)
        if sentinel is not None:
            udp.send(sentinel)
        return first_answer(lambda: udp.recv(65535), sentinel)


def send_tcp(address, packet, sentinel):
    """The answer's octets, or None for silence or a closed connection."""
    with socket.create_connection(address, TIMEOUT_S) as tcp:
        message = struct.pack("!H", len(packet)) + packet
        if sentinel is not None:
            message += struct.pack("!H", len(sentinel)) + sentinel
        tcp.sendall(message)
        return first_answer(lambda: read_frame(tcp), sentinel)


def first_answer(receive, sentinel):
    """The first message; where a sentinel was sent too, the one that is not its answer."""
    try:
        answer = receive()
        if sentinel is None or answer[:2] != sentinel[:2]:
            return answer
    except (TimeoutError, ConnectionError, EOFError):
        pass
    return None


def read_frame(tcp):
    """One length-prefixed message."""
    length = struct.unpack("!H", read_exactly(tcp, 2))[0]
    return read_exactly(tcp, length)


def read_exactly(tcp, count):
    """So many octets."""
    octets = b""
    while len(octets) < count:
        part = tcp.recv(count - len(octets))
        if not part:
            raise EOFError
        octets += part
    return octets


def ask(address, transport, row, number):
    """Sends a row's packet with an id of its own; the parsed answer or None, and the parsed request if it can be."""
    packet = row.packet
    if not row.question.startswith("raw"):
        packet = struct.pack("!H", number) + packet[2:]
    sentinel = None
    if row.question.startswith("raw"):
        header = struct.pack("!6H", SENTINEL_ID, 0, 1, 0, 0, 0)
        sentinel = header + wire.name_to_wire((b"sentinel", b"invalid")) + struct.pack("!HH", 1, 1)
    answer = (send_udp if transport == "udp" else send_tcp)(address, packet, sentinel)
    try:
        request = wire.Message(packet, whole=False)
    except wire.Malformed:
        request = None
    if answer is None:
        return None, request
    message = wire.Message(answer)
    if answer[:2] != packet[:2]:
        raise wire.Malformed("id not as sent")
    if transport == "udp" and len(answer) > max(512, request.opt[0].rclass if request and request.opt else 512):
        raise wire.Malformed(f"{len(answer)} octets over UDP, more than was offered")
    return message, request
