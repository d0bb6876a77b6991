"""Clients of three countries that ask all the time, as resolvers would for them (RFC 7871)."""

import random
import socket
import struct
import threading

TYPE_A, CLASS_IN, TYPE_OPT, OPTION_SUBNET = 1, 1, 41, 8
# Networks in Germany, the United States and Singapore, and the region that is near.
NEAR = {(88, 198, 0): "fra", (4, 4, 4): "iad", (203, 116, 1): "sin"}


def question(name, network):
    """A query for addresses, with a client subnet of 24 bits."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    subnet = struct.pack("!HHHBB", OPTION_SUBNET, 7, 1, 24, 0) + bytes(network)
    record = b"\0" + struct.pack("!HHIH", TYPE_OPT, 1232, 0, len(subnet)) + subnet
    head = struct.pack("!HHHHHH", random.getrandbits(16), 0, 1, 0, 0, 1)
    return head + labels + struct.pack("!HH", TYPE_A, CLASS_IN) + record


def first_address(answer):
    """The address of the first record, which has a compressed name; None if there is none."""
    if struct.unpack("!H", answer[6:8])[0] == 0:
        return None
    at = 12
    while answer[at]:
        at += 1 + answer[at]
    record = at + 5
    length = struct.unpack("!H", answer[record + 10 : record + 12])[0]
    return socket.inet_ntoa(answer[record + 12 : record + 12 + length]) if length == 4 else None


def ask(server, name, network):
    """The address that a client gets over UDP."""
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(2)
        asking.connect(server)
        asking.send(question(name, network))
        return first_address(asking.recv(1232))


def ask_over_tcp(server, name, network):
    """The same over TCP."""
    message = question(name, network)
    with socket.create_connection(server, timeout=2) as asking:
        asking.sendall(struct.pack("!H", len(message)) + message)
        with asking.makefile("rb") as answer:
            return first_address(answer.read(struct.unpack("!H", answer.read(2))[0]))


class Crowd(threading.Thread):
    """Asks all servers for all names until told to stop; those who do not answer are asked again."""

    def __init__(self, servers):
        super().__init__(daemon=True)
        self.servers, self.over = servers, threading.Event()

    def run(self):
        # The pause keeps the crowd small; nothing waits for it.
        while not self.over.wait(0.02):
            for server in self.servers:
                for network in NEAR:
                    for name in ("www.example.com", "api.example.com", "nobody.example.com"):
                        self.one(ask, server, name, network)
                self.one(ask_over_tcp, server, "www.example.com", next(iter(NEAR)))

    def one(self, how, server, name, network):
        """One question; what becomes of it is the servers' metrics' business."""
        try:
            how(server, name, network)
        except OSError:
            pass
