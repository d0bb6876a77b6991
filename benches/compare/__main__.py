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
import servers
import tables

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIG = 1_000_000

# What is asked, by name: arguments of `load`, and whether the big zone is served.
WORKLOADS = {
    "names": ("W1: 1,000 names", ["udp"], False),
    "subnets": ("W2: 1,000 names, another client subnet in each query", ["udp", "--workload", "subnets"], False),
    "few": ("W3: 100 names", ["udp", "--names", "100"], False),
    "absent": ("W4: random names that do not exist", ["udp", "--workload", "absent"], False),
    "million": ("W5: 1,000,000 names", ["udp", "--names", str(BIG)], True),
    "tcp": ("W6: TCP, connections reused, pipelined", ["tcp", "--channels", "8", "--window", "32"], False),
    "tcp-batches": (
        "W6: TCP, a client that writes in batches",
        ["tcp", "--channels", "8", "--window", "32", "--refill", "8"],
        False,
    ),
}
# A run is disturbed if others had more than this share of the server's core, or the hypervisor took it.
DISTURBED = 0.05


def main():
    options = parse_options()
    # SIGTERM leaves through the same clean-up as an exception.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("compare: ended"))
    tools = build_tools(options)
    # Both are inherited by the servers, which choose their own core, and by the load.
    os.sched_setaffinity(0, {options.load_core})
    os.setpriority(os.PRIO_PROCESS, 0, options.nice)
    figures = {"machine": machine.describe(), "options": vars(options), "left_out": {}, "workloads": {}, "changes": []}
    folder = tempfile.mkdtemp(prefix="compare-")
    try:
        bench = Bench(options, tools, pathlib.Path(folder), figures)
        bench.run()
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
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--markdown", help="write the tables to this file")
    parser.add_argument("--keep", action="store_true", help="keep configurations and logs")
    options = parser.parse_args()
    unknown = set(options.servers.split(",")) - set(servers.PEERS) | set(options.workloads.split(",")) - set(WORKLOADS)
    if unknown - {""}:
        parser.error("unknown: " + ", ".join(sorted(unknown)))
    return options


def build_tools(options):
    """Paths of `load` and `bare`, built unless given."""
    tools = {"load": options.load, "bare": options.bare}
    if None in tools.values():
        command = ["cargo", "bench", "--no-run", "--bench", "load", "--bench", "bare", "--message-format", "json"]
        built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        for message in map(json.loads, built.stdout.splitlines()):
            name = message.get("target", {}).get("name")
            if message.get("executable") and name in tools:
                tools[name] = tools[name] or message["executable"]
    return tools


class Bench:
    """One comparison."""

    def __init__(self, options, tools, folder, figures):
        self.options, self.tools, self.folder, self.figures = options, tools, folder, figures
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
        if name in getattr(self, "names", []):
            self.names.remove(name)

    def run(self):
        chosen = [name for name in self.options.workloads.split(",") if name]
        for big in (False, True):
            workloads = [name for name in chosen if WORKLOADS[name][2] == big]
            if workloads:
                self.run_rounds(workloads, big)
        for repeat in range(self.options.repeats):
            note(f"start and change {repeat + 1}/{self.options.repeats}")
            self.figures["changes"].append(self.measure_changes())

    def run_rounds(self, workloads, big):
        """All servers run at once, one of them is asked at a time."""
        with contextlib.ExitStack() as stack:
            running = {}
            for name in list(self.names):
                try:
                    server = stack.enter_context(self.make(name, BIG if big else 1_000))
                    server.start()
                    self.verify(server, big)
                    running[name] = server
                except servers.Failed as error:
                    self.leave_out(name, str(error))
            for workload in workloads:
                title, arguments, _ = WORKLOADS[workload]
                rounds = self.figures["workloads"].setdefault(workload, {"title": title, "rounds": []})["rounds"]
                for number in range(self.options.rounds):
                    note(f"{workload} round {number + 1}/{self.options.rounds}")
                    rounds.append({name: self.measure(server, arguments) for name, server in running.items()})

    def make(self, name, names):
        """A configured server with a zone of its own, not started."""
        folder = tempfile.mkdtemp(dir=self.folder)
        extra = [self.options.done_line] if name == "meridian" else []
        server = servers.PEERS[name](folder, self.program(name), self.options.server_core, *extra)
        server.configure()
        self.load(["make-zone", "--names", str(names), "--out", str(server.zone_path())])
        if not server.zone_path().exists():
            raise servers.Failed(f"no zone file for {server.name}")
        return server

    def verify(self, server, big):
        """Each name of the small zone, or a thousand of the large one, asked slowly: all answers must be right."""
        names = ["--names", str(BIG)] if big else ["--order", "sequential"]
        slow = ["--queries", "1000", "--window", "16", *names]
        for arguments in (["udp"], ["udp", "--workload", "subnets"], ["udp", "--workload", "absent"], ["tcp"]):
            if server.fixed_address and "absent" in arguments:
                continue
            found, text = self.ask(server, arguments + slow)
            if found is None or found["wrong"] or found["lost"] or found["answered"] != 1000:
                raise servers.Failed(f"{server.name} answers {' '.join(arguments)} wrongly:\n{text}")

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
        for name in list(self.names):
            if name == "bare":
                continue
            try:
                with self.make(name, BIG) as server:
                    found[name] = self.measure_change(server)
            except servers.Failed as error:
                self.leave_out(name, str(error))
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
