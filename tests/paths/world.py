"""Places far from each other, on one machine: each a network namespace with one TUN device, and a router between them."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any, Callable, TypeVar

import kernel

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDER = kernel.OWN / "paths"
# The device in each place.
DEVICE = "world"
Seen = TypeVar("Seen")


@dataclasses.dataclass(frozen=True)
class Place:
    """A network and who is there, from address 10 on; the first one is the place's own."""

    network: str
    hosts: int = 1
    network6: str | None = None

    @property
    def addresses(self) -> list[str]:
        """The addresses of those who are there."""
        return [self.network.replace(".0/24", f".{10 + host}") for host in range(self.hosts)]

    @property
    def address(self) -> str:
        """The first of them."""
        return self.addresses[0]

    @property
    def address6(self) -> str | None:
        """The only one in the other family."""
        return self.network6 and self.network6.replace("::/64", "::10")


class World:
    """All places; whatever was started in one of them ends with the context. Only within `kernel.apart`."""

    def __init__(self, places: dict[str, Place]) -> None:
        self.places = places
        self.processes: dict[str, subprocess.Popen[Any]] = {}

    def __enter__(self) -> "World":
        FOLDER.mkdir()
        devices = {name: self.make(name, place) for name, place in self.places.items()}
        told = {
            name: {"device": devices[name], "networks": [place.network, *filter(None, [place.network6])]}
            for name, place in self.places.items()
        }
        self.router = subprocess.Popen(
            [sys.executable, str(HERE / "router.py"), json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=list(devices.values()),
        )
        for device in devices.values():
            os.close(device)
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.processes.values(), self.router]:
            process.kill()
            process.wait()

    def make(self, name: str, place: Place) -> int:
        """A place with its device."""
        run("ip", "netns", "add", name)
        with kernel.inside(name):
            device = kernel.open_tun(DEVICE)
            run("ip", "link", "set", "lo", "up")
            run("ip", "link", "set", DEVICE, "up")
            for address in place.addresses:
                run("ip", "address", "add", f"{address}/24", "dev", DEVICE)
            # With `quickack` nobody waits up to 40 ms whether there is something to send an acknowledgment with. What is
            # to be seen in the kernel's round-trip times are the paths; how hosts delay acknowledgments is another matter.
            run("ip", "route", "add", "default", "dev", DEVICE, "quickack", "1")
            if place.address6:
                run("ip", "address", "add", f"{place.address6}/64", "dev", DEVICE, "nodad")
                run("ip", "-6", "route", "add", "default", "dev", DEVICE, "quickack", "1")
        return device

    def set_round_trip(self, one: str, other: str, ms: float, jitter_ms: float = 0.0) -> None:
        """Sets how long it takes from one place to another and back; half of it each way."""
        for source, target in ((one, other), (other, one)):
            answer = self.tell(f"set {source} {target} {ms / 2}ms jitter {jitter_ms / 2}ms")
            assert answer == "ok", answer

    def figures(self) -> dict[str, int]:
        """What the router did since this was asked last."""
        figures: dict[str, int] = json.loads(self.tell("figures"))
        return figures

    def tell(self, line: str) -> str:
        """A word to the router, and its answer."""
        assert self.router.stdin and self.router.stdout
        self.router.stdin.write(line + "\n")
        self.router.stdin.flush()
        return self.router.stdout.readline().strip()

    def spawn(self, place: str, name: str, command: list[str]) -> None:
        """Starts a process in a place; what it says goes to a file."""
        with kernel.inside(place), open(FOLDER / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=FOLDER)

    def run(self, place: str, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Runs a command in a place to its end."""
        with kernel.inside(place):
            return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=FOLDER)

    def see_all_alive(self) -> None:
        """Fails if a process has ended: then there is nothing to wait for."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise AssertionError(f"{name} has ended with {process.returncode}")

    def logs(self) -> str:
        """The last lines of what every process has said."""
        tails = []
        for file in sorted(FOLDER.glob("*.log")):
            tails.append(f"--- {file.stem}\n" + "\n".join(file.read_text(errors="replace").splitlines()[-15:]))
        return "\n".join(tails)


def run(*command: str) -> None:
    """Runs a command that has to succeed."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}`: {done.stderr.strip()}")


def wait_until(what: str, look: Callable[[], tuple[bool, Seen]], seconds: float) -> Seen:
    """Looks until what is seen is true; returns it. `look` gives (true or not, what is seen)."""
    deadline = time.monotonic() + seconds
    while True:
        stays: object
        try:
            well, seen = look()
            if well:
                return seen
            stays = seen
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            stays = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s; it stays {stays}")
        # The pause keeps the looking small beside what is looked at.
        time.sleep(0.2)
