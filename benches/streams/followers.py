"""Clients of `/api/v1/stream`, as many as wanted, in one thread: what they are sent is kept and judged afterwards, so that
following costs as little as it can."""

import json
import os
import selectors
import socket
import threading
import time
import urllib.request

REQUEST = b"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
# A client is there once it has been told the generation that is served.
GREETING = b"event: state\n"


class Followers:
    """Use as a context manager: inside, all of them follow."""

    def __init__(self, port, count):
        self.port, self.count = port, count
        self.problems = []
        self._selector = selectors.DefaultSelector()
        self._end = threading.Event()
        self._clients = []
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self.since = last_event(self.port)
        for _ in range(self.count):
            client = Client(socket.create_connection(("127.0.0.1", self.port), timeout=30))
            client.socket.sendall(REQUEST)
            client.socket.setblocking(False)
            self._selector.register(client.socket, selectors.EVENT_READ, client)
            self._clients.append(client)
        self._thread.start()
        self._wait(lambda client: client.has(GREETING), 60)
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        for client in self._clients:
            client.socket.close()
        self._selector.close()

    def settle(self, patience=20):
        """Waits until the last event of the journal has come to everybody who still follows."""
        mark = f"id: {last_event(self.port)}\n".encode()
        if last_event(self.port) > self.since:
            self._wait(lambda client: client.is_closed or client.has(mark), patience)

    def judge(self, seconds, kinds=()):
        """Ends the following. What was wrong is in `problems`; `kinds` must be among the events of the meantime."""
        self._end.set()
        self._thread.join()
        expected = events(self.port, self.since)
        missing = set(kinds) - {event["kind"] for event in expected}
        if missing:
            self.problems.append(f"no event of the kind {', '.join(sorted(missing))}")
        numbers = [event["seq"] for event in expected]
        traffic = max(1, int(seconds / 2) - 2)
        for number, client in enumerate(self._clients):
            for problem in client.problems(numbers, traffic):
                self.problems.append(f"client {number}: {problem}")
        return {
            "open": sum(not client.is_closed for client in self._clients),
            "events": len(numbers),
            "told_all": sum(client.events == numbers for client in self._clients),
            "octets": sum(client.octets for client in self._clients),
        }

    def _read(self):
        # The load is on the same core and goes first.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        while not self._end.is_set():
            for key, _ in self._selector.select(0.1):
                try:
                    octets = key.fileobj.recv(1 << 18)
                except BlockingIOError:
                    continue
                except OSError:
                    octets = b""
                key.data.take(octets)
                if not octets:
                    self._selector.unregister(key.fileobj)

    def _wait(self, is_done, patience):
        end = time.monotonic() + patience
        while time.monotonic() < end and not all(map(is_done, self._clients)):
            time.sleep(0.05)


class Client:
    def __init__(self, connection):
        self.socket = connection
        self.parts = []
        self.is_closed = False
        self.octets = 0
        self.events = []

    def take(self, octets):
        self.is_closed |= not octets
        self.octets += len(octets)
        self.parts.append(octets)

    def has(self, mark):
        # What is waited for was told lately.
        return mark in b"".join(self.parts[-64:])

    def problems(self, expected, traffic):
        """What this client was not told, or told wrongly."""
        head, _, body = b"".join(self.parts).partition(b"\r\n\r\n")
        found = []
        if not head.startswith(b"HTTP/1.1 200 "):
            self.is_closed = True
            return [f"was refused: {head[:40]!r}"]
        if self.is_closed:
            found.append("its stream was closed")
        told = dechunked(body).decode(errors="replace").split("\n\n")
        # The last one may not be whole.
        messages = [dict(line.split(": ", 1) for line in text.split("\n") if ": " in line) for text in told[:-1]]
        self.events = [int(message["id"]) for message in messages if message.get("event") == "event"]
        if self.events != expected:
            missed = len(set(expected) - set(self.events))
            found.append(f"was told {len(self.events)} events of {len(expected)}, {missed} are missing")
        of_traffic = sum(message.get("event") == "traffic" for message in messages)
        if of_traffic < traffic:
            found.append(f"was told the traffic {of_traffic} times, not {traffic}")
        return found


def dechunked(body):
    """The body without the sizes of its chunks; of a chunk that is not whole, what there is."""
    parts, at = [], 0
    while (end := body.find(b"\r\n", at)) >= 0:
        size = int(body[at:end], 16)
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return b"".join(parts)


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return answer.read().decode()


def last_event(port):
    newest = json.loads(get(port, "/api/v1/events?limit=1"))
    return newest[-1]["seq"] if newest else 0


def events(port, since):
    """All events after a number."""
    found = []
    while more := json.loads(get(port, f"/api/v1/events?since={since}&limit=1000")):
        found += more
        since = more[-1]["seq"]
    return found
