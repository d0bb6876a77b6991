"""Round-trip times between two places: as `ping` sees them, and as the kernel reckons them for a TCP connection."""

import os
import re
import socket
import statistics
import struct
import threading
import time

from kernel import inside
from world import World

# struct tcp_info of linux/tcp.h: where the smoothed round-trip time stands, in microseconds. `ss -ti` prints the same.
RTT_AT, TCP_INFO_LEN = 68, 232
ECHO, ECHO_REPLY = 8, 0
PATIENCE_S = 5.0


def measure(world: World, one: str, other: str, count: int = 20) -> tuple[float, float, float]:
    """Measures the way between two places: the median of echoes, then what the kernel says at both ends of a connection."""
    address = world.places[other].address
    client, server = exchange(one, other, socket.AF_INET, address, count)
    return statistics.median(echo_ms(one, address, number) for number in range(count // 2)), client, server


def echo_ms(place: str, address: str, number: int) -> float:
    """How long an echo takes (RFC 792)."""
    with inside(place):
        asking = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with asking:
        asking.settimeout(PATIENCE_S)
        asking.connect((address, 0))
        rest = struct.pack("!HH", os.getpid() & 0xFFFF, number)
        sum_of_words = (ECHO << 8) + sum(struct.unpack("!HH", rest))
        checksum = ~(sum_of_words + (sum_of_words >> 16)) & 0xFFFF
        start = time.monotonic()
        asking.send(struct.pack("!BBH", ECHO, 0, checksum) + rest)
        while True:
            packet = asking.recv(1500)
            message = packet[(packet[0] & 15) * 4 :]
            if message[0] == ECHO_REPLY and message[4:8] == rest:
                return (time.monotonic() - start) * 1000


def exchange(one: str, other: str, family: socket.AddressFamily, address: str, count: int) -> tuple[float, float]:
    """Sends a line to and fro over one connection; what the kernel says then at the end of `one` and of `other`."""
    with inside(other):
        listening = socket.create_server((address, 0), family=family)
    with listening:
        echoing = threading.Thread(target=send_back, args=(listening,), daemon=True)
        echoing.start()
        with inside(one):
            client = socket.create_connection(listening.getsockname()[:2], PATIENCE_S)
        with client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(count):
                client.sendall(b"x")
                theirs = client.recv(64)
            # The server's own time comes as the last answer: only there is it known.
            client.sendall(b"?")
            theirs = client.recv(64)
            return kernel_ms(client), float(theirs)


def send_back(listening: socket.socket) -> None:
    """The server of one connection: sends everything back, and its own time when asked for it."""
    connection, _ = listening.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(1):
            connection.sendall(str(kernel_ms(connection)).encode() if data == b"?" else data)


def kernel_ms(connection: socket.socket) -> float:
    """The smoothed round-trip time of a connection."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_LEN)
    (rtt_us,) = struct.unpack_from("=I", info, RTT_AT)
    return float(rtt_us) / 1000


def edge_ms(world: World, region: str, port: int) -> dict[str, float]:
    """What the kernel of a region says of its connections at a port: the median for each place of clients. By `ss`, so that
    nothing of it is what an agent reads."""
    listed = world.run(region, ["ss", "-tinHO", "state", "established", f"sport = :{port}"])
    hosts = {name: place.addresses for name, place in world.places.items() if name != region}
    times: dict[str, list[float]] = {}
    for line in listed.stdout.splitlines():
        place = next((name for name in hosts if any(f" {host}:" in line for host in hosts[name])), None)
        if place and (found := re.search(r" rtt:([\d.]+)/", line)):
            times.setdefault(place, []).append(float(found[1]))
    return {place: statistics.median(some) for place, some in times.items()}
