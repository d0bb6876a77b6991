#!/usr/bin/python3
"""A router between places: reads packets from the TUN device of each, holds each for the delay of its path, and writes it
to the device of the place that it goes to. It stands in for `tc netem`, which not every kernel has.

    router.py '{"a": {"device": 5, "networks": ["198.18.1.0/24"]}, …}'

The devices are open already, as these file descriptors: opening them is the business of whoever made the places. What it
is told comes in lines, each answered with one:

    set a fra 20ms jitter 500us loss 1%     the way from a to fra, for the packets to come: `ok` or `error: …`
    figures                                 what was done since the last such line, as JSON

It ends with its input, so it outlives nobody.
"""

import gc
import ipaddress
import json
import os
import random
import select
import sys
import time
from typing import Any

sys.dont_write_bytecode = True

from packets import Map
from schedule import Schedule, Shape, parse_set

# The way between two places that nobody has set: near, and yet no loopback.
DEFAULT = Shape(delay_s=0.0025)
# More than the largest packet of a device whose MTU nobody changed.
PACKET_MAX = 65536
# Packets read from one device before another's turn.
BATCH = 64
# Times kept for `figures`; beyond it only the worst counts.
LATE_MAX = 100_000


class Router:
    """The devices and what is on its way between them."""

    def __init__(self, places: dict[str, dict[str, Any]]) -> None:
        self.devices: dict[str, int] = {name: place["device"] for name, place in places.items()}
        self.names = {device: name for name, device in self.devices.items()}
        self.map = Map({
            name: [ipaddress.ip_network(network) for network in place["networks"]] for name, place in places.items()
        })
        # The same run twice loses the same packets.
        self.schedule = Schedule(DEFAULT, random.Random(6))
        # Without a buffer, so that `select` knows of a line that is there and was not read yet.
        self.words = open(sys.stdin.fileno(), "rb", buffering=0)
        self.forget()
        for device in self.names:
            os.set_blocking(device, False)

    def forget(self) -> None:
        """Begins the figures anew."""
        self.lost = 0
        self.late_s: list[float] = []
        self.late_max_s = 0.0

    def route(self) -> None:
        """Hands packets on until the input ends."""
        inputs = [self.words.fileno(), *self.names]
        while True:
            due_s = self.schedule.next_due_s()
            # Not `poll`: it counts in milliseconds.
            ready, _, _ = select.select(inputs, [], [], None if due_s is None else max(0.0, due_s - time.monotonic()))
            for device in ready:
                if device == self.words.fileno():
                    if not self.listen():
                        return
                else:
                    self.read(device)
            self.write()

    def read(self, device: int) -> None:
        """Takes what a place sends."""
        source = self.names[device]
        for _ in range(BATCH):
            try:
                packet = os.read(device, PACKET_MAX)
            except BlockingIOError:
                return
            target = self.map.place(packet)
            # Nobody's packets are what the kernel says to all: multicast, router solicitations.
            if target is not None and target != source and not self.schedule.add(time.monotonic(), source, target, packet):
                self.lost += 1

    def write(self) -> None:
        """Hands on what is due."""
        for pending in self.schedule.due(time.monotonic()):
            try:
                os.write(self.devices[pending.target], pending.packet)
            except OSError:
                # The place does not take it: its queue is full, or its device is down.
                self.lost += 1
            late_s = time.monotonic() - pending.due_s
            self.late_max_s = max(self.late_max_s, late_s)
            if len(self.late_s) < LATE_MAX:
                self.late_s.append(late_s)

    def listen(self) -> bool:
        """Reads a line and answers it; false at the end."""
        line = self.words.readline()
        if not line:
            return False
        print(self.answer(line.decode().split()), flush=True)
        return True

    def answer(self, words: list[str]) -> str:
        """Does what a line says; what is answered."""
        if words == ["figures"]:
            return self.figures()
        try:
            source, target, shape = parse_set(words)
            for place in (source, target):
                if place not in self.devices:
                    raise ValueError(f"there is no place `{place}`")
            self.schedule.set(source, target, shape)
            return "ok"
        except ValueError as error:
            return f"error: {error}"

    def figures(self) -> str:
        """How many packets, and how much later than due they were handed on, in microseconds."""
        late = sorted(self.late_s) or [0.0]
        figures = {
            "packets": len(self.late_s),
            "lost": self.lost,
            "late_p50_us": round(late[len(late) // 2] * 1e6),
            "late_p99_us": round(late[len(late) * 99 // 100] * 1e6),
            "late_max_us": round(self.late_max_s * 1e6),
        }
        self.forget()
        return json.dumps(figures)


def go_first() -> None:
    """Takes precedence over what else the machine does: what the router is late, every measured path is longer."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        # Not everybody may; then delays are as exact as the machine is idle.
        pass


if __name__ == "__main__":
    # A collection of garbage stops everything for milliseconds, and there is none that counting does not find.
    gc.disable()
    go_first()
    Router(json.loads(sys.argv[1])).route()
