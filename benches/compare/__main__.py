"""Measures DNS servers side by side: the same zone, one core for the server, one for the load, round after round.

    python3 benches/compare --rounds 10 --json figures.json --markdown figures.md

Every server first has to answer every question of the small zone rightly; who does not is left out, with the reason.
README.md beside this folder says what the columns mean.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# No folder of compiled files beside the sources.
sys.dont_write_bytecode = True

import machine
import programs
import servers
import steered
import tables

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIG = 1_000_000

# What is asked, by name: title, arguments of `load`, and what is served for it.
WORKLOADS = {
    "names": ("W1: 1,000 names", ["udp"], "small"),
    "subnets": ("1,000 names, another client subnet in each query", ["udp", "--workload", "subnets"], "small"),
    "sites": ("W2: 100 names steered by country to 4 sites, another client subnet in each query", ["udp"], "sites"),
    "weighted": ("W3: 100 names, one of 4 addresses by weight, with health", ["udp"], "weighted"),
    "absent": ("W4: random names that do not exist", ["udp", "--workload", "absent"], "small"),
    "million": ("W5: 1,000,000 names", ["udp", "--names", str(BIG)], "big"),
    "tcp": ("W6: TCP, connections reused, pipelined", ["tcp", "--channels", "8", "--window", "32"], "small"),
    "tcp-batches": (
        "W6: TCP, a client that writes in batches",
        ["tcp", "--channels", "8", "--window", "32", "--refill", "8"],
        "small",
    ),
}
# What is served, and how many names the zone file holds for it.
SERVED = {"small": 1_000, "sites": 0, "weighted": 0, "big": BIG}
# A run is disturbed if others had more than this share of the server's core, or the hypervisor took it.
DISTURBED = 0.05


def main():
    options = parse_options()
    # SIGTERM leaves through the same clean-up as an exception.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("compare: ended"))
    tools = programs.built(ROOT, {"load": options.load, "bare": options.bare, "target": options.target})
    # Both are inherited by the servers, which choose their own core, and by the load.
    os.sched_setaffinity(0, {options.load_core})
    os.setpriority(os.PRIO_PROCESS, 0, options.nice)
    figures = {"machine": machine.describe(), "options": vars(options), "left_out": {}, "workloads": {}, "changes": []}
    folder = tempfile.mkdtemp(prefix="compare-")
    try:
        with contextlib.ExitStack() as stack:
            Bench(options, tools, pathlib.Path(folder), figures, stack).run()
    finally:
        if options.keep:
            note(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        # What was measured before an interruption is not lost.
        write(figures, options)


def write(figures, options):
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1))
    report = render(figures, options.subject)
    print(report)
    if options.markdown:
        pathlib.Path(options.markdown).write_text(report)


def parse_options():
    parser = argparse.ArgumentParser(prog="compare", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    names = ",".join(servers.PEERS)
    parser.add_argument("--servers", default=names, help=f"which, in which order (default {names})")
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="which of " + ", ".join(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=10, help="rounds of each workload (default 10)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run (default 3)")
    parser.add_argument("--window", type=int, default=128, help="UDP queries under way (default 128)")
    parser.add_argument("--refill", type=int, default=16, help="UDP queries sent at a time, at least (default 16)")
    parser.add_argument("--rate", type=int, default=0, help="latencies at this rate too (default: no such runs)")
    parser.add_argument("--repeats", type=int, default=3, help="starts and changes of the big zone (default 3; 0: none)")
    parser.add_argument("--change-rate", type=int, default=20_000, help="queries a second meanwhile (default 20000)")
    parser.add_argument("--subject", default="meridian", help="whose ratios to the others are printed")
    parser.add_argument("--meridian", default=str(ROOT / "target/release/meridian"), help="its program")
    parser.add_argument(
        "--done-line",
        default='meridian_zone_serial{zone="example.com."}',
        help="how Meridian's metric of the zone's serial begins",
    )
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--nice", type=int, default=0, help="of servers and load; below 0 only as root, and at others' cost")
    parser.add_argument("--load", help="the load generator's program (default: built)")
    parser.add_argument("--bare", help="the bare responder's program (default: built)")
    parser.add_argument("--target", help="the program that answers health checks (default: built)")
    parser.add_argument(
        "--database",
        default=str(ROOT / "geoip/country.mmdb"),
        help="countries of networks; `country_code` for Knot",
    )
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--markdown", help="write the tables to this file")
    parser.add_argument("--keep", action="store_true", help="keep configurations and logs")
    options = parser.parse_args()
    unknown = set(options.servers.split(",")) - set(servers.PEERS) | set(options.workloads.split(",")) - set(WORKLOADS)
    if unknown - {""}:
        parser.error("unknown: " + ", ".join(sorted(unknown)))
    return options


class Bench:
    """One comparison."""

    def __init__(self, options, tools, folder, figures, stack):
        self.options, self.tools, self.folder, self.figures, self.stack = options, tools, folder, figures, stack
        self.target = None
        self.names = [name for name in options.servers.split(",") if name and self.is_there(name)]

    def is_there(self, name):
        if self.program(name):
            return True
        self.leave_out(name, "not installed" if name != "meridian" else f"no program at {self.options.meridian}")
        return False

    def program(self, name):
        if name == "meridian":
            path = pathlib.Path(self.options.meridian)
            return str(path.resolve()) if path.exists() else None
        return self.tools["bare"] if name == "bare" else servers.PEERS[name].find()

    def leave_out(self, name, reason):
        print(f"left out: {name}: {reason}", file=sys.stderr)
        self.figures["left_out"][name] = reason

    def run(self):
        chosen = [name for name in self.options.workloads.split(",") if name]
        for served in SERVED:
            workloads = [name for name in chosen if WORKLOADS[name][2] == served]
            if workloads:
                self.run_rounds(workloads, served)
        for repeat in range(self.options.repeats):
            note(f"start and change {repeat + 1}/{self.options.repeats}")
            self.figures["changes"].append(self.measure_changes())

    def run_rounds(self, workloads, served):
        """All servers run at once, one of them is asked at a time."""
        steering = self.steering(served)
        with contextlib.ExitStack() as stack:
            running = {}
            for name in self.names:
                if steering and not servers.PEERS[name].steers:
                    continue
                try:
                    server = stack.enter_context(self.make(name, SERVED[served], steering))
                    server.start()
                    self.verify(server, served)
                    running[name] = server
                except servers.Failed as error:
                    self.leave_out(f"{name} ({served})", str(error))
            for workload in workloads:
                title, arguments, _ = WORKLOADS[workload]
                arguments = arguments + (steering.load_arguments() if steering else [])
                rounds = self.figures["workloads"].setdefault(workload, {"title": title, "rounds": []})["rounds"]
                for number in range(self.options.rounds):
                    note(f"{workload} round {number + 1}/{self.options.rounds}")
                    rounds.append({name: self.measure(server, arguments) for name, server in running.items()})

    def steering(self, served):
        """How names are steered, if they are."""
        if served == "sites":
            folder = tempfile.mkdtemp(dir=self.folder)
            return steered.Sites(folder, self.options.database)
        if served == "weighted":
            self.target = self.stack.enter_context(servers.Target(self.tools["target"]))
            return steered.Weighted(self.target.port)
        return None

    def make(self, name, names, steering=None):
        """A configured server with a zone of its own, not started."""
        folder = tempfile.mkdtemp(dir=self.folder)
        extra = [self.options.done_line] if name == "meridian" else []
        server = servers.PEERS[name](folder, self.program(name), self.options.server_core, steering, *extra)
        server.configure()
        self.load(["make-zone", "--names", str(names), "--out", str(server.zone_path())])
        if not server.zone_path().exists():
            raise servers.Failed(f"no zone file for {server.name}")
        with open(server.zone_path(), "a") as zone:
            zone.write(server.zone_lines())
        return server

    def verify(self, server, served):
        """Each name of the small zone, or a thousand of the large one, asked slowly: all answers must be right. Steered
        names are asked ten thousand times, from other networks each time."""
        names = {"small": ["--order", "sequential"], "big": ["--names", str(BIG)]}.get(served, [])
        queries = 1_000 if names else 10_000
        if server.steering:
            kinds = [["udp", *server.steering.load_arguments()]]
        else:
            kinds = [["udp"], ["udp", "--workload", "subnets"], ["udp", "--workload", "absent"], ["tcp"]]
        for arguments in kinds:
            if server.fixed_address and "absent" in arguments:
                continue
            found, text = self.ask(server, [*arguments, "--queries", str(queries), "--window", "16", *names])
            if found is None or found["wrong"] or found["lost"] or found["answered"] != queries:
                raise servers.Failed(f"{server.name} answers {' '.join(arguments)} wrongly:\n{text}")
        if served == "weighted" and server.checks_health and not self.target.count():
            raise servers.Failed(f"{server.name} checks no health")

    def measure(self, server, arguments):
        """One run as fast as it goes, and one at a fixed rate if that is wanted."""
        window, refill = str(self.options.window), str(self.options.refill)
        fast = [] if "--window" in arguments else ["--window", window, "--refill", refill]
        found = self.measure_run(server, arguments + fast)
        if self.options.rate:
            # An open loop: room for all queries of a pause of the server.
            steady = ["--rate", str(self.options.rate), "--window", "16384", "--refill", "1"]
            plain = arguments[: arguments.index("--window")] if "--window" in arguments else arguments
            found["steady"] = self.measure_run(server, plain + steady)
        return found

    def measure_run(self, server, arguments):
        seconds = ["--seconds", str(self.options.seconds)]
        with machine.Core(self.options.server_core) as core:
            found, text = self.ask(server, arguments + seconds)
        if found is None:
            raise servers.Failed(f"no figures of {server.name}:\n{text}")
        used = found["server"]["seconds"]
        elsewhere = core.busy - used["user"] - used["system"]
        found["elsewhere"], found["stolen"] = elsewhere / found["seconds"], core.stolen / found["seconds"]
        found["disturbed"] = max(found["elsewhere"], found["stolen"]) > DISTURBED
        # The load was the limit: the server had time left and the load had none.
        found["client_bound"] = found["server"]["load"] < 0.95 and found["client"]["load"] > 0.95
        return found

    def measure_changes(self):
        """Start, memory, and the change of one record, of each server alone."""
        found = {}
        for name in self.names:
            if name == "bare":
                continue
            try:
                with self.make(name, BIG) as server:
                    found[name] = self.measure_change(server)
            except servers.Failed as error:
                self.leave_out(f"{name} (change)", str(error))
        return found

    def measure_change(self, server):
        start = server.start()
        pid = server.process.pid
        # Some give memory back a moment after they have started.
        time.sleep(1.0)
        resident = machine.resident_mb(pid)
        figures = {"start_s": start, "start_peak_mb": machine.peak_mb(pid), "resident_mb": resident}
        arguments = ["reload", "--zone-names", str(BIG), "--names", str(BIG), "--churned", "0"]
        arguments += ["--zone-file", str(server.zone_path()), "--every-ms", "2000", "--times", "2", "--seconds", "110"]
        arguments += ["--rate", str(self.options.change_rate), "--window", "16384", *server.reload_arguments()]
        with machine.Peak(pid) as peak:
            change, text = self.ask(server, arguments)
        if change is None or not change["reloads"]["first_answer_ms_median"]:
            raise servers.Failed(f"{server.name} does not reload:\n{text}")
        return figures | {"change": change | {"peak_mb": peak.mb}}

    def ask(self, server, arguments):
        """Runs the load against a server; its figures, or None, and what it printed."""
        arguments = arguments + ["--server", f"127.0.0.1:{server.port}", "--pid", str(server.process.pid), "--json"]
        arguments += ["--core", str(self.options.load_core)]
        if server.fixed_address:
            arguments += ["--expect-address", server.fixed_address]
        elif server.steering:
            arguments += ["--sites", str(len(steered.SITES)), "--any-ttl"]
        return self.load(arguments)

    def load(self, arguments):
        """Runs the load generator; what it printed as JSON, or None, and all it said."""
        limit = 120 + 3 * self.options.seconds
        done = subprocess.run([self.tools["load"], *arguments], capture_output=True, text=True, timeout=limit)
        try:
            return json.loads(done.stdout), done.stdout
        except ValueError:
            return None, f"{done.stderr}{done.stdout}(status {done.returncode})"


def note(text):
    print(text, file=sys.stderr, flush=True)


def render(figures, subject):
    parts = [f"{figures['machine']}; {time.strftime('%Y-%m-%d')}\n"]
    parts += [f"Left out: {name}: {' '.join(reason.split())[:400]}\n" for name, reason in figures["left_out"].items()]
    parts += [tables.rounds_table(found["title"], found["rounds"], subject) for found in figures["workloads"].values()]
    if figures["changes"]:
        parts.append(tables.changes_table(BIG, figures["changes"]))
    return "\n".join(parts)


main()
