"""Measures how long it takes until a health check that fails changes the DNS answer.

    python3 benches/reaction --trials 100 --json reaction.json --markdown reaction.md

Each trial is a name with two addresses, both checked over HTTP. At a moment drawn at random the first one's target
begins to answer 503, and the name is asked each millisecond until its answer changes. What is reported is the time from
the first 503 that was sent, beside the floor that the settings allow: (failures to go down - 1) x the cadence of a
failing check. README.md beside this folder says more.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

# No folder of compiled files beside the sources.
sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(1, str(ROOT / "benches/compare"))

import machine
import programs
import servers
import subjects

TICK_S = 0.001
# Beyond the floor and one interval, a name that has not changed is given up.
PATIENCE_S = 10.0
# How long a server may take until every name answers its first address.
SETTLE_S = 60.0


def main():
    options = parse_options()
    # SIGTERM leaves through the same clean-up as an exception.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("reaction: ended"))
    target = options.target or programs.built(ROOT, {"target": None})["target"]
    found = {"machine": machine.describe(), "trials": options.trials, "left_out": {}, "cases": []}
    for name in options.cases.split(","):
        case = subjects.CASES[name]
        program = case.server.find()
        if case.server is subjects.Meridian:
            program = str(pathlib.Path(options.meridian).resolve())
        if not program or not pathlib.Path(program).exists():
            found["left_out"][name] = f"no program at {program}" if program else "not installed"
            continue
        note(f"{name}: {case.settings}")
        try:
            found["cases"].append({"case": name, "settings": case.settings} | measure(case, program, target, options))
        except servers.Failed as error:
            found["left_out"][name] = str(error)
    report = render(found)
    print(report)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(found, indent=1))
    if options.markdown:
        pathlib.Path(options.markdown).write_text(report)


def parse_options():
    parser = argparse.ArgumentParser(prog="reaction", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    names = ",".join(subjects.CASES)
    parser.add_argument("--cases", default=names, help=f"which, in which order (default {names})")
    parser.add_argument("--trials", type=int, default=100, help="of each case (default 100)")
    parser.add_argument("--parallel", type=int, default=10, help="trials at a time (default 10)")
    parser.add_argument("--seed", type=int, default=1, help="equal seeds, equal moments")
    parser.add_argument("--meridian", default=str(ROOT / "target/release/meridian"), help="its program")
    parser.add_argument("--target", help="the program that answers health checks (default: built)")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--markdown", help="write the table to this file")
    parser.add_argument("--keep", action="store_true", help="keep configurations and logs")
    options = parser.parse_args()
    unknown = set(options.cases.split(",")) - set(subjects.CASES)
    if unknown:
        parser.error("unknown: " + ", ".join(sorted(unknown)))
    if not 1 <= options.trials <= subjects.TRIALS_MAX:
        parser.error(f"--trials: 1 to {subjects.TRIALS_MAX}")
    return options


def measure(case, program, target_program, options):
    """All trials of one case."""
    folder = tempfile.mkdtemp(prefix="reaction-")
    draw = random.Random(options.seed)
    begun = time.monotonic()
    try:
        with contextlib.ExitStack() as stack:
            target = stack.enter_context(Target(target_program))
            server = stack.enter_context(case.server(folder, program, case, options.trials, target.port))
            server.configure()
            server.start()
            asker = stack.enter_context(Asker(server.port, options.trials))
            settle(asker, options.trials)
            trials = []
            for first in range(0, options.trials, options.parallel):
                batch = range(first, min(first + options.parallel, options.trials))
                trials += run_batch(case, target, asker, batch, draw)
    finally:
        if options.keep:
            note(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return {"floor_ms": case.floor_s * 1e3, "trials": trials, "seconds": time.monotonic() - begun}


def settle(asker, trials):
    """Until every name answers its first address, and a while longer, so that every check has its cadence."""
    end = time.monotonic() + SETTLE_S
    right = set()
    while len(right) < trials:
        if time.monotonic() > end:
            raise servers.Failed(f"after {SETTLE_S:.0f} s {trials - len(right)} names do not answer their first address")
        for trial, site, _ in asker.ask(set(range(trials)) - right, 0.2):
            if site == 1:
                right.add(trial)
    # PowerDNS takes the first address before it has checked anything.
    time.sleep(3.0)
    for trial, site, _ in asker.ask(range(trials), 0.5):
        if site != 1:
            raise servers.Failed(f"name {trial} answers its second address while the first is up")


def run_batch(case, target, asker, batch, draw):
    """Several trials at once: each begins to fail at its own moment of one interval and is asked until it changes."""
    start = time.monotonic()
    due = {trial: start + draw.random() * case.interval_s for trial in batch}
    changed, asked = {}, set(batch)
    end = start + 2 * case.interval_s + case.floor_s + PATIENCE_S
    while asked and time.monotonic() < end:
        tick = time.monotonic()
        for trial in [trial for trial, moment in due.items() if moment <= tick]:
            target.fail(subjects.address(1, trial))
            del due[trial]
        for trial, site, at_ns in asker.ask(asked, TICK_S / 2):
            if site == 2 and trial in asked:
                changed[trial] = at_ns
                asked.discard(trial)
        time.sleep(max(0.0, tick + TICK_S - time.monotonic()))
    found = []
    for trial in batch:
        failing, failed = target.times(subjects.address(1, trial))
        if trial not in changed or failing is None or failed is None or changed[trial] < failing:
            found.append(None)
            continue
        at = changed[trial]
        found.append({"from_failing_ms": (at - failing) / 1e6, "from_failed_ms": (at - failed) / 1e6})
    return found


class Target(servers.Target):
    """Health checks' target whose addresses fail one by one."""

    def __init__(self, program):
        super().__init__(program)
        self._times = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def fail(self, address):
        self.process.stdin.write(f"fail {address}\n")

    def times(self, address):
        """When it began to fail and when it first said so, nanoseconds; None if not yet."""
        return self._times.get(("failing", address)), self._times.get(("failed", address))

    def _listen(self):
        for line in self.process.stdout:
            what, address, at_ns = line.split()
            self._times[what, address] = int(at_ns)


class Asker:
    """Asks for the trials' names from one socket; which trial an answer is for, its id says."""

    def __init__(self, port, trials):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setblocking(False)
        self.socket.connect(("127.0.0.1", port))
        self.queries = [subjects.query(trial) for trial in range(trials)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, trials, patience):
        """Asks for each once and waits at most so many seconds: (trial, 1 or 2, when it was answered)."""
        waiting = 0
        for trial in trials:
            with contextlib.suppress(OSError):
                self.socket.send(self.queries[trial])
                waiting += 1
        end = time.monotonic() + patience
        while waiting > 0:
            try:
                message = self.socket.recv(1500)
                at_ns = time.monotonic_ns()
            except BlockingIOError:
                if time.monotonic() > end:
                    return
                time.sleep(0.00005)
                continue
            except ConnectionError:
                continue
            waiting -= 1
            trial = int.from_bytes(message[:2], "big")
            if trial < len(self.queries):
                site = subjects.site_of(message, len(self.queries[trial]))
                if site:
                    yield trial, site, at_ns


def render(found):
    lines = [
        f"{found['machine']}; {time.strftime('%Y-%m-%d')}; {found['trials']} trials each\n",
        "| case | settings | floor ms | from the first 503 sent, ms: p50 / p99 / max | over the floor, ms: p50 / p99"
        " | from the target's failing, ms: p50 / p99 | missed | took s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in found["cases"]:
        trials = [trial for trial in case["trials"] if trial]
        missed = len(case["trials"]) - len(trials)
        if not trials:
            lines.append(f"| {case['case']} | {case['settings']} | {case['floor_ms']:.0f} | - | - | - | {missed} | - |")
            continue
        failed = sorted(trial["from_failed_ms"] for trial in trials)
        failing = sorted(trial["from_failing_ms"] for trial in trials)
        over = [figure - case["floor_ms"] for figure in failed]
        lines.append(
            f"| {case['case']} | {case['settings']} | {case['floor_ms']:.0f}"
            f" | {quantile(failed, 0.5):.1f} / {quantile(failed, 0.99):.1f} / {failed[-1]:.1f}"
            f" | {quantile(over, 0.5):.1f} / {quantile(over, 0.99):.1f}"
            f" | {quantile(failing, 0.5):.0f} / {quantile(failing, 0.99):.0f} | {missed} | {case['seconds']:.0f} |"
        )
    lines += [f"\nLeft out: {name}: {' '.join(reason.split())[:400]}" for name, reason in found["left_out"].items()]
    return "\n".join(lines) + "\n"


def quantile(ordered, share):
    """The least figure that so large a share does not exceed."""
    if share == 0.5:
        return statistics.median(ordered)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def note(text):
    print(text, file=sys.stderr, flush=True)


os.environ.setdefault("LC_ALL", "C")
main()
