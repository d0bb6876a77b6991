"""Measures what dashboards that are left open and a scraper cost the queries: 500 clients of the event stream, and
/metrics each second.

    python3 benches/streams --json streams.json --markdown streams.md

Instructions per query of the UDP threads are counted by callgrind in the real server, with one query under way at a
time, in turns without and with the clients. The loss at a fixed rate is that of the release build, in turns with the
bare responder (what the machine alone loses), without and with the clients; in each turn of the server a data centre
fails and comes back, which each client must be told, event for event.

Exit codes: 0 all as it should be; 1 a stream was closed, an event was missed, more was lost than in the worst turn
without clients, an answer was wrong, or instructions differ by more than --bound; 2 nothing could be measured.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
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

import followers
import machine
import programs
import servers
import steered

# Seconds of a turn after which the data centre fails, and after which it is well again.
FAILS, PASSES = 2.0, 7.0
# What each client must have heard of then.
FAILOVER = ("check_down", "region_lost", "check_up", "region_back")
OVERFLOWS = 'meridian_dns_dropped_total{transport="udp",reason="receive-overflow"}'


def main():
    options = parse_options()
    # SIGTERM leaves through the same clean-up as an exception.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("streams: ended"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * options.streams + 256)), hard))
    tools = programs.built(ROOT, {name: getattr(options, name) for name in ("load", "target", "bare")})
    os.sched_setaffinity(0, {options.load_core})
    found = {"machine": machine.describe(), "options": vars(options), "problems": []}
    folder = tempfile.mkdtemp(prefix="streams-")
    try:
        with servers.Target(tools["target"]) as target:
            lift(target.process.pid, options.nice)
            # What it reports of each command is not needed, and must not fill the pipe.
            threading.Thread(target=target.process.stdout.read, daemon=True).start()
            if options.queries:
                found["count"] = count(folder, options, tools, target, found["problems"])
            if options.rounds:
                found["turns"] = rate(folder, options, tools, target, found["problems"])
    except (servers.Failed, OSError) as error:
        print(f"streams: {error}", file=sys.stderr)
        sys.exit(2)
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
    sys.exit(1 if found["problems"] else 0)


def parse_options():
    parser = argparse.ArgumentParser(prog="streams", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--streams", type=int, default=500, help="clients that follow (default 500)")
    parser.add_argument("--queries", type=int, default=30_000, help="of each count (default 30000; 0: nothing is counted)")
    parser.add_argument("--pairs", type=int, default=3, help="counts without and with (default 3)")
    parser.add_argument("--bound", type=float, default=1.0, help="percent by which counts may differ (default 1)")
    parser.add_argument("--rate", type=int, default=100_000, help="queries a second (default 100000)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default 5; 0: no rate is kept)")
    parser.add_argument("--seconds", type=int, default=15, help="of each turn, at least 12 (default 15)")
    parser.add_argument("--meridian", default=str(ROOT / "target/release/meridian"), help="its program")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1, help="of the load, the clients and what answers checks")
    parser.add_argument("--nice", type=int, default=0, help="of the sessions of the servers and the load, where the kernel groups by sessions (sched_autogroup); below 0 only as root")
    for tool in ("load", "target", "bare"):
        parser.add_argument(f"--{tool}", help="the bench target of that name (default: built)")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--markdown", help="write the tables to this file")
    parser.add_argument("--keep", action="store_true", help="keep configurations, logs and counts")
    options = parser.parse_args()
    if options.seconds < 12:
        parser.error("--seconds: a data centre needs 12 to fail and to come back")
    return options


class Meridian(servers.Meridian):
    """A hundred names at four sites by the place of the client, checked over HTTP, with capacities: so that all that
    works beside the queries works, while any site's address is a right answer."""

    def __init__(self, folder, options, target_port):
        super().__init__(folder, str(pathlib.Path(options.meridian).resolve()), options.server_core, None, "")
        self.target_port = target_port

    def configure(self):
        super().configure()
        self.zone_path().write_text(servers.SMALL_ZONE)
        (self.folder / "geoip").mkdir()
        shutil.copy(ROOT / "geoip/country.mmdb", self.folder / "geoip/country.mmdb")
        lines = ["[policies.here]", 'mode = "active-active"', 'prefer = "geo"', "spill = true", 'ramp = "0s"']
        for site, (lat, lon) in steered.PLACES.items():
            lines += [f"[regions.{site}]", f"location = {{ lat = {lat}, lon = {lon} }}"]
            lines += ['capacity = { target = 4000000, max = 5000000, unit = "answers" }']
        lines += ["[checks.web]", f'http = {{ path = "/", port = {self.target_port} }}', 'interval = "2s"']
        lines += ['timeout = "1s"', "fall = 2", "rise = 2", 'retry = "500ms"']
        for number in range(steered.NAMES):
            name = steered.host(number)
            lines += [f"[services.{name}]", f'names = ["{name}.example.com"]', 'policy = "here"', 'check = "web"']
            lines.append(f"[services.{name}.endpoints]")
            lines += [f'{site} = ["{steered.address(site, number)}"]' for site in steered.SITES]
        (self.zones / "regions.toml").write_text("\n".join(lines) + "\n")

    def is_well(self):
        """Whether every endpoint is up."""
        checks = json.loads(followers.get(self.admin_port, "/api/v1/checks"))
        return all(check["state"] == "up" for check in checks)

    def wait_well(self, patience=60):
        end = time.monotonic() + patience
        while not self.is_well():
            if time.monotonic() > end:
                raise servers.Failed(f"not every endpoint is up after {patience} s")
            time.sleep(0.2)

    def overflows(self):
        lines = followers.get(self.admin_port, "/metrics").splitlines()
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith(OVERFLOWS))


class Counted(Meridian):
    """The same under callgrind."""

    name = "counted"

    def command(self):
        # Threads take turns: one that works must not keep the one that answers waiting.
        valgrind = ["valgrind", "--tool=callgrind", "--separate-threads=yes", "--fair-sched=try"]
        return valgrind + [f"--callgrind-out-file={self.folder}/count", *super().command()]

    def control(self, word):
        done = subprocess.run(["callgrind_control", word, str(self.process.pid)], capture_output=True, text=True)
        if done.returncode:
            raise servers.Failed(f"callgrind_control {word} failed:\n{done.stdout}{done.stderr}")

    def collected(self):
        """Instructions of the UDP threads since the counts were set to nothing, and calls to receive."""
        self.control("--dump")
        instructions, calls = 0, 0
        for path in self.folder.glob("count.*-*"):
            text = path.read_text(errors="replace")
            path.unlink()
            # Only who serves UDP calls this.
            name = re.search(r"^c?fn=\((\d+)\) recvmmsg", text, re.MULTILINE)
            if not name:
                continue
            instructions += int(re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)[1])
            calls += sum(map(int, re.findall(rf"^cfn=\({name[1]}\).*\n(?:cfi=.*\n)?calls=(\d+)", text, re.MULTILINE)))
        if not instructions:
            raise servers.Failed("callgrind counted no thread that serves UDP")
        return instructions, calls


class Scraper:
    """/metrics each second while the block runs."""

    def __init__(self, port):
        self.port, self.count = port, 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _work(self):
        due = time.monotonic()
        while not self._end.wait(max(0.0, due - time.monotonic())):
            due += 1.0
            followers.get(self.port, "/metrics")
            self.count += 1


@contextlib.contextmanager
def watched(server, options, problems, what, kinds=(), is_slow=False):
    """The clients and the scraper while the block runs; yields what came of them, filled at the end."""
    result, begun = {}, time.monotonic()
    with followers.Followers(server.admin_port, options.streams) as crowd, Scraper(server.admin_port) as scraper:
        yield result
        crowd.settle()
        # Under callgrind the server's time is not ours.
        result |= crowd.judge(0 if is_slow else time.monotonic() - begun, kinds)
    result["scrapes"] = scraper.count
    problems += [f"{what}: {problem}" for problem in crowd.problems[:5]]


def count(folder, options, tools, target, problems):
    """Instructions per query, in turns without and with."""
    if not shutil.which("valgrind"):
        raise servers.Failed("valgrind is not installed")
    pairs = []
    with Counted(folder, options, target.port) as server:
        server.configure()
        note(f"counting: the server starts under callgrind after {server.start():.1f} s")
        server.wait_well(300)
        # What is done once is done before anything counts.
        run_load(tools["load"], server, options, ["--window", "1", "--queries", "2000", "--seconds", "600"])
        for number in range(options.pairs):
            without = counted(server, options, tools, problems)
            with watched(server, options, problems, f"count {number + 1}", is_slow=True) as seen:
                time.sleep(2.0)
                followed = counted(server, options, tools, problems)
            pairs.append({"without": without, "with": followed} | seen)
            note(f"count {number + 1}: {without['per_query']:,.1f} without, {followed['per_query']:,.1f} with")
    apart = {"percent": abs(statistics.median(percent(pair) for pair in pairs))}
    if apart["percent"] > options.bound:
        problems.append(f"instructions per query differ by {apart['percent']:.2f} %")
    return apart | {"pairs": pairs}


def percent(pair):
    return (pair["with"]["per_query"] / pair["without"]["per_query"] - 1) * 100


def counted(server, options, tools, problems):
    server.control("--zero")
    # One at a time: how many queries a batch has is chance, and what a batch costs is shared by them.
    more = ["--window", "1", "--queries", str(options.queries), "--seconds", "600"]
    loaded = run_load(tools["load"], server, options, more)
    instructions, calls = server.collected()
    if loaded["sent"] < options.queries:
        raise servers.Failed(f"{loaded['sent']} queries of {options.queries} in ten minutes")
    if loaded["lost"] or loaded["wrong"]:
        problems.append(f"while counting {loaded['lost']} queries were lost and {loaded['wrong']} answers wrong")
    return {"per_query": instructions / options.queries, "batches": calls, "seconds": loaded["seconds"]}


def rate(folder, options, tools, target, problems):
    """Turns at the fixed rate."""
    turns = []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Meridian(folder, options, target.port))
        server.configure()
        server.start()
        bare = stack.enter_context(servers.Bare(folder, tools["bare"], options.server_core))
        bare.start()
        for started in (server, bare):
            lift(started.process.pid, options.nice)
        server.wait_well()
        for number in range(options.rounds):
            turns.append(turn("machine", bare, options, tools, None))
            turns.append(turn("without", server, options, tools, target))
            server.wait_well()
            begun = time.monotonic()
            with watched(server, options, problems, f"turn {number + 1}", FAILOVER) as seen:
                last = turn("with", server, options, tools, target)
                server.wait_well()
            turns.append(last | seen | {"followed_s": time.monotonic() - begun})
    worst = max(one["lost"] for one in turns if one["what"] != "with")
    for one in turns:
        if one["what"] == "with" and one["lost"] > worst:
            problems.append(f"{one['lost']} queries were lost with clients, {worst} at most without")
        if one["wrong"]:
            problems.append(f"{one['wrong']} answers were wrong ({one['what']})")
    return turns


def turn(what, server, options, tools, target):
    """Asks at the rate, while the data centre fails and comes back."""
    pid, is_meridian = server.process.pid, isinstance(server, Meridian)
    threads = udp_threads(pid) if is_meridian else [pid]
    more = ["--rate", str(options.rate), "--window", "16384", "--seconds", str(options.seconds)]
    if not is_meridian:
        more += ["--expect-address", server.fixed_address]
    dropped = server.overflows() if is_meridian else 0
    before, cpu_before = thread_seconds(pid, threads), process_seconds(pid)
    with machine.Core(options.server_core) as core, machine.Core(options.load_core) as load_core:
        failing = threading.Thread(target=fail_and_pass, args=(target,)) if target else None
        if failing:
            failing.start()
        loaded = run_load(tools["load"], server, options, more)
        seconds, used = thread_seconds(pid, threads) - before, process_seconds(pid) - cpu_before
        if failing:
            failing.join()
    figures = {
        "what": what,
        "qps": loaded["qps"],
        "sent": loaded["sent"],
        "lost": loaded["lost"],
        "wrong": loaded["wrong"],
        "p99_us": loaded["latency_us"]["p99"],
        "overflows": server.overflows() - dropped if is_meridian else 0,
        "udp_us_per_query": seconds * 1e6 / max(1, loaded["answered"]),
        "others_s": used - seconds,
        # What others had of the server's core, and what the hypervisor took of both.
        "elsewhere": max(0.0, core.busy - used) / loaded["seconds"],
        "stolen": (core.stolen + load_core.stolen) / loaded["seconds"],
    }
    note(
        f"{what}: {figures['lost']} lost of {figures['sent']:,}, {figures['overflows']} at the server,"
        f" {figures['udp_us_per_query']:.2f} us/query"
    )
    return figures


def fail_and_pass(target):
    site = steered.SITES[0]
    for pause, word in ((FAILS, "fail"), (PASSES - FAILS, "pass")):
        time.sleep(pause)
        for number in range(steered.NAMES):
            target.process.stdin.write(f"{word} {steered.address(site, number)}\n")


def run_load(load, server, options, more):
    command = [load, "udp", "--server", f"127.0.0.1:{server.port}", "--core", str(options.load_core), "--json"]
    command += ["--workload", "subnets", "--names", str(steered.NAMES), "--any-ttl", *more]
    if "--expect-address" not in more:
        command += ["--sites", str(len(steered.SITES))]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=900,
        start_new_session=True,
        preexec_fn=lambda: lift("self", options.nice),
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise servers.Failed(f"no figures of the load:\n{done.stderr}") from None


def lift(pid, niceness):
    """Gives the session of a process another priority beside other sessions; inside of it threads stay equals, as they
    are wherever a server runs."""
    group = pathlib.Path(f"/proc/{pid}/autogroup")
    if niceness and group.exists():
        group.write_text(str(niceness))


def udp_threads(pid):
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return [int(task.name) for task in tasks if (task / "comm").read_text().startswith("udp-")]


def thread_seconds(pid, threads):
    """Processor time of threads, to the nanosecond."""
    return sum(int(pathlib.Path(f"/proc/{pid}/task/{one}/schedstat").read_text().split()[0]) for one in threads) / 1e9


def process_seconds(pid):
    """Processor time of a process, of threads that have ended too."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * machine.TICK


def render(found):
    options = found["options"]
    lines = [f"{found['machine']}; {time.strftime('%Y-%m-%d')}; {options['streams']} clients, /metrics each second\n"]
    if "count" in found:
        lines += [
            "| instructions per query of the UDP threads | without | with | apart |",
            "|---|---|---|---|",
        ]
        for number, pair in enumerate(found["count"]["pairs"], 1):
            without, followed = pair["without"]["per_query"], pair["with"]["per_query"]
            lines.append(f"| count {number}, {options['queries']:,} queries | {without:,.1f} | {followed:,.1f} | {percent(pair):+.2f} % |")
        lines.append("")
    if "turns" in found:
        lines += [
            f"| {options['rate']:,} queries/s, {options['rounds']} × {options['seconds']} s | sent | lost | of them at the server | wrong | UDP threads µs/query"
            " | other threads, of a core | p99 µs | others there, stolen | streams open at the end | told every event | events | MB sent |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for what, name in (("machine", "bare responder"), ("without", "without clients"), ("with", "with clients")):
            turns = [turn for turn in found["turns"] if turn["what"] == what]
            total = lambda key: sum(turn[key] for turn in turns)
            middle = lambda key: statistics.median(turn[key] for turn in turns)
            line = f"| {name} | {total('sent'):,} | {total('lost')} | {total('overflows')} | {total('wrong')} | {middle('udp_us_per_query'):.2f}"
            line += f" | {middle('others_s') / options['seconds']:.3f} | {middle('p99_us'):.0f}"
            line += f" | {middle('elsewhere'):.3f}, {middle('stolen'):.3f}"
            if what == "with":
                of = options["streams"] * len(turns)
                line += f" | {total('open')} of {of} | {total('told_all')} of {of} | {total('events')} | {total('octets') / 1e6:.0f} |"
            else:
                line += " | | | | |"
            lines.append(line)
        lines.append("")
    lines += [f"- {problem}" for problem in found["problems"]]
    return "\n".join(lines) + "\n"


def note(text):
    print(text, file=sys.stderr, flush=True)


main()
