"""Measures what ten thousand health checks cost Meridian, and whether they stay right: alone, and under load.

    python3 benches/probes --json probes.json --markdown probes.md

One target answers the checks of all endpoints (127.SITE.x.y, one port); none ever fails. Reported are the server's share
of a core, its memory, how late its checks are, and every endpoint that was believed down: by the outcomes, the events
and the states of the checks, and by the load, for which only the first address of each name is a right answer.
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
import urllib.request

# No folder of compiled files beside the sources.
sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(1, str(ROOT / "benches/compare"))

import machine
import programs
import servers

SITES = ("a", "b")
# The metrics read; see docs/metrics.md. The gauge starts at nothing each time that it is read.
LATENESS = "meridian_probe_lateness_seconds"
LATEST = "meridian_probe_lateness_max_seconds"
OUTCOMES = "meridian_probes_total"
FAILED = 'meridian_probes_total{result="fail"}'
STARVED = "meridian_probes_starved_total"
# Queries that found the server's receive buffer full: what else was lost, the load lost.
OVERFLOWS = 'meridian_dns_dropped_total{transport="udp",reason="receive-overflow"}'
# Events that say that something was believed down.
DOWN_EVENTS = {"check_down", "endpoint_down", "region_lost", "service_all_down", "active_moved"}


def main():
    options = parse_options()
    # SIGTERM leaves through the same clean-up as an exception.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("probes: ended"))
    tools = programs.built(ROOT, {"load": options.load, "target": options.target})
    os.sched_setaffinity(0, {options.load_core})
    found = {"machine": machine.describe(), "options": vars(options), "phases": []}
    folder = tempfile.mkdtemp(prefix="probes-")
    try:
        with contextlib.ExitStack() as stack:
            target = stack.enter_context(servers.Target(tools["target"]))
            server = stack.enter_context(Meridian(folder, options, target.port))
            server.configure()
            found["start_s"] = server.start()
            # The first round is over, and every check has its place in the interval.
            time.sleep(options.settle)
            found["phases"].append(measure("alone", server, target, options, None))
            if options.rate:
                found["phases"].append(measure(f"{options.rate:,} queries/s", server, target, options, tools["load"]))
    finally:
        if options.keep:
            note(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    report = render(found)
    print(report)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(found, indent=1))
    if options.markdown:
        pathlib.Path(options.markdown).write_text(report)
    sys.exit(0 if all(is_right(phase, options) for phase in found["phases"]) else 1)


def parse_options():
    parser = argparse.ArgumentParser(prog="probes", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--endpoints", type=int, default=10_000, help="checked, an even number (default 10000)")
    parser.add_argument("--interval", type=int, default=10, help="of every check, seconds (default 10)")
    parser.add_argument("--seconds", type=int, default=60, help="of each phase (default 60)")
    parser.add_argument("--settle", type=float, default=20.0, help="seconds before the first phase (default 20)")
    parser.add_argument("--rate", type=int, default=100_000, help="queries a second in the second phase (0: none)")
    parser.add_argument("--meridian", default=str(ROOT / "target/release/meridian"), help="its program")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1, help="of the load and the target")
    parser.add_argument("--load", help="the load generator's program (default: built)")
    parser.add_argument("--target", help="the program that answers health checks (default: built)")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--markdown", help="write the table to this file")
    parser.add_argument("--keep", action="store_true", help="keep configurations and logs")
    options = parser.parse_args()
    if options.endpoints % 2 or not 2 <= options.endpoints <= 100_000:
        parser.error("--endpoints: an even number, 2 to 100000")
    return options


class Meridian(servers.Meridian):
    """One service for every two endpoints, the first of them answered while it is up."""

    def __init__(self, folder, options, target_port):
        super().__init__(folder, str(pathlib.Path(options.meridian).resolve()), options.server_core, None, "")
        self.services, self.interval, self.target_port = options.endpoints // 2, options.interval, target_port

    def configure(self):
        super().configure()
        self.zone_path().write_text(servers.SMALL_ZONE)
        lines = [f"[regions.{site}]" for site in SITES]
        lines += ["[checks.web]", f'http = {{ path = "/", port = {self.target_port} }}']
        lines += [f'interval = "{self.interval}s"', 'timeout = "2s"']
        for number in range(self.services):
            name = f"h{number:07}"
            lines += [f"[services.{name}]", f'names = ["{name}.example.com"]', 'policy = "failover"', 'check = "web"']
            lines += ['order = ["a", "b"]', f"[services.{name}.endpoints]"]
            lines += [
                f'{site} = ["127.{at}.{number >> 8}.{number & 255}"]' for at, site in enumerate(SITES, 1)
            ]
        (self.zones / "regions.toml").write_text("\n".join(lines) + "\n")

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def metrics(self):
        """All samples: name with labels → value."""
        pairs = (line.rsplit(" ", 1) for line in self.get("/metrics").splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in pairs}

    def down(self):
        """Events so far that say that something was down, and checks that are not up now."""
        events = [event for event in json.loads(self.get("/api/v1/events")) if event["kind"] in DOWN_EVENTS]
        checks = [check for check in json.loads(self.get("/api/v1/checks")) if check["state"] != "up"]
        return len(events), len(checks)


def measure(what, server, target, options, load):
    """One phase."""
    note(f"{what}: {options.seconds} s")
    pid = server.process.pid
    before, cpu_before, begun = server.metrics(), cpu_seconds(pid), time.monotonic()
    target.count()
    loaded = {}
    with machine.Core(options.server_core) as core, machine.Core(options.load_core) as load_core:
        if load:
            loaded = run_load(load, server, options)
        else:
            time.sleep(options.seconds)
    seconds = time.monotonic() - begun
    user, system = (after - earlier for after, earlier in zip(cpu_seconds(pid), cpu_before))
    checks, resident = target.count(), machine.resident_mb(pid)
    after = server.metrics()
    down_events, not_up = server.down()
    return {
        "what": what,
        "checks_per_second": checks / seconds,
        "cpu_share": (user + system) / seconds,
        "cpu_user_share": user / seconds,
        # What others had of the server's core, and what the hypervisor took of it.
        "elsewhere": max(0.0, core.busy - user - system) / seconds,
        "stolen": core.stolen / seconds,
        # How full the core of load and target was.
        "load_core": (load_core.busy + load_core.stolen) / seconds,
        "resident_mb": resident,
        "lateness": late(before, after),
        "outcomes": difference(before, after, OUTCOMES),
        "starved": after.get(STARVED, 0.0) - before.get(STARVED, 0.0),
        "failed": after[FAILED] - before[FAILED] if FAILED in after else None,
        "down_events": down_events,
        "not_up": not_up,
        "qps": loaded.get("qps", 0.0),
        "lost": loaded.get("lost", 0),
        "overflows": after.get(OVERFLOWS, 0.0) - before.get(OVERFLOWS, 0.0),
        "wrong": loaded.get("wrong", 0),
        "p99_us": loaded.get("latency_us", {}).get("p99", 0.0),
    }


def is_right(phase, options):
    """All checks were made, and nobody was believed down."""
    is_complete = phase["checks_per_second"] > 0.9 * options.endpoints / options.interval and phase["lateness"]["p99"]
    return bool(is_complete) and phase["failed"] == phase["down_events"] == phase["not_up"] == phase["wrong"] == 0


def run_load(load, server, options):
    """Asks at a fixed rate; only the address at the first site is right."""
    command = [load, "udp", "--server", f"127.0.0.1:{server.port}", "--core", str(options.load_core), "--json"]
    command += ["--names", str(server.services), "--sites", "1", "--any-ttl", "--rate", str(options.rate)]
    command += ["--window", "16384", "--seconds", str(options.seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=options.seconds + 60)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise servers.Failed(f"no figures of the load:\n{done.stderr}") from None


def cpu_seconds(pid):
    """User and system time of a process, seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return int(fields[11]) * machine.TICK, int(fields[12]) * machine.TICK


def difference(before, after, name):
    """How much the samples of a counter have grown, by their labels."""
    samples = {sample: value for sample, value in after.items() if sample.split("{")[0] == name}
    return {sample[len(name) :]: value - before.get(sample, 0.0) for sample, value in samples.items()}


def late(before, after):
    """By how much checks were late, seconds: the least bound of a bucket that half of them, and that 99 of 100, did not
    exceed, and the latest. None where none began."""
    grown = difference(before, after, f"{LATENESS}_bucket")
    bounds = {float(labels.split('"')[1].replace("+Inf", "inf")): count for labels, count in grown.items()}
    most = max(bounds.values(), default=0)
    found = {f"p{share}": min((b for b, count in bounds.items() if most and count >= most * share / 100), default=None)
             for share in (50, 99)}
    return found | {"p100": after.get(LATEST)}


def render(found):
    options = found["options"]
    lines = [
        f"{found['machine']}; {time.strftime('%Y-%m-%d')}; {options['endpoints']:,} endpoints over HTTP every"
        f" {options['interval']} s; {options['seconds']} s each; first answer after {found['start_s']:.2f} s\n",
        "| | checks/s | share of a core | of it user | others there, stolen | resident MB | lateness of a check, ms: p50 / p99 (at most) / latest"
        " | outcomes | starved | events of a fall | not up at the end | queries/s | lost | of them at the server | wrong | p99 µs | core of load and target |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for phase in found["phases"]:
        late = " / ".join("?" if late is None else f"{late * 1e3:.1f}" for late in phase["lateness"].values())
        outcomes = ", ".join(f"{labels} {count:.0f}" for labels, count in phase["outcomes"].items() if count) or "?"
        lines.append(
            f"| {phase['what']} | {phase['checks_per_second']:,.0f} | {phase['cpu_share']:.3f}"
            f" | {phase['cpu_user_share']:.3f} | {phase['elsewhere']:.3f}, {phase['stolen']:.3f}"
            f" | {phase['resident_mb']:.0f} | {late} | {outcomes} | {phase['starved']:.0f}"
            f" | {phase['down_events']} | {phase['not_up']} | {phase['qps']:,.0f} | {phase['lost']} | {phase['overflows']:.0f}"
            f" | {phase['wrong']} | {phase['p99_us']:.0f} | {phase['load_core']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def note(text):
    print(text, file=sys.stderr, flush=True)


main()
