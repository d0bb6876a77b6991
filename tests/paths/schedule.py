"""When a packet is handed on: each path, which is a source and a target, has a delay of its own. Pure: the moment comes in
as an argument, and so does chance.

On one path packets never overtake each other, whatever its jitter and however its delay changes: TCP would take that for
loss, and its round-trip times would tell of the retransmission and not of the path.
"""

import dataclasses
import heapq
import random
from typing import Iterator

# What may be on its way at once. Far more than any test sends; a loop of packets would otherwise eat all memory.
PENDING_MAX = 10_000

UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a path does to a packet, one way."""

    delay_s: float = 0.0
    # Up to so much is added, drawn evenly.
    jitter_s: float = 0.0
    # The part of the packets that is lost, 0 to 1.
    loss: float = 0.0


@dataclasses.dataclass(frozen=True, order=True)
class Pending:
    """A packet on its way; of two that are due at once the one that came first goes first."""

    due_s: float
    number: int
    target: str = dataclasses.field(compare=False)
    packet: bytes = dataclasses.field(compare=False)


class Schedule:
    """All packets on their way."""

    def __init__(self, default: Shape, chance: random.Random) -> None:
        self.default, self.chance = default, chance
        self.shapes: dict[tuple[str, str], Shape] = {}
        self.last_due_s: dict[tuple[str, str], float] = {}
        self.pending: list[Pending] = []
        self.number = 0

    def set(self, source: str, target: str, shape: Shape) -> None:
        """Changes a path for the packets to come. What is on its way arrives when it would have."""
        self.shapes[source, target] = shape

    def add(self, now_s: float, source: str, target: str, packet: bytes) -> bool:
        """Takes a packet that came now; false if it is lost."""
        path = (source, target)
        shape = self.shapes.get(path, self.default)
        if len(self.pending) >= PENDING_MAX or (shape.loss and self.chance.random() < shape.loss):
            return False
        due_s = now_s + shape.delay_s + (self.chance.uniform(0, shape.jitter_s) if shape.jitter_s else 0.0)
        due_s = self.last_due_s[path] = max(due_s, self.last_due_s.get(path, due_s))
        self.number += 1
        heapq.heappush(self.pending, Pending(due_s, self.number, target, packet))
        return True

    def next_due_s(self) -> float | None:
        """When the next packet is due; None while there is none."""
        return self.pending[0].due_s if self.pending else None

    def due(self, now_s: float) -> Iterator[Pending]:
        """Gives what is due by now, in its order, and forgets it."""
        while self.pending and self.pending[0].due_s <= now_s:
            yield heapq.heappop(self.pending)


def parse_set(words: list[str]) -> tuple[str, str, Shape]:
    """Reads `set SOURCE TARGET DELAY [jitter DURATION] [loss PERCENT]`, e.g. `set a fra 20ms jitter 500us loss 1%`."""
    if len(words) < 4 or len(words) % 2 or words[0] != "set":
        raise ValueError("not `set SOURCE TARGET DELAY [jitter DURATION] [loss PERCENT]`")
    more = dict(zip(words[4::2], words[5::2]))
    if unknown := more.keys() - {"jitter", "loss"}:
        raise ValueError(f"not known: {' '.join(sorted(unknown))}")
    jitter_s, loss = parse_duration(more.get("jitter", "0s")), parse_percent(more.get("loss", "0%"))
    return words[1], words[2], Shape(parse_duration(words[3]), jitter_s, loss)


def parse_duration(text: str) -> float:
    """Seconds of e.g. `20ms`."""
    number = text.rstrip("mus")
    unit_s = UNITS_S.get(text[len(number) :])
    if unit_s is None or float(number) < 0:
        raise ValueError(f"`{text}` is no duration: write e.g. 20ms, 500us or 1.5s")
    return float(number) * unit_s


def parse_percent(text: str) -> float:
    """The part of e.g. `1%`."""
    part = float(text.removesuffix("%")) / 100
    if not text.endswith("%") or not 0 <= part <= 1:
        raise ValueError(f"`{text}` is no part: write e.g. 1%")
    return part
