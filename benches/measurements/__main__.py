"""Pushes a million measurements a minute into the release build, over its API, and says what that costs.

    python3 benches/measurements --json measurements.json

100,000 networks of clients and three regions, each batch of 2,000 another part of them; the service ranks by latency, so
what is measured is worked out and put in force meanwhile, and clients of these and other networks ask at a fixed rate. All
threads of the server share one core, who pushes and asks shares another. Told are processor seconds of the server, how long a
push waits for its answer, what was taken, what was lost of the queries, and resident memory as it goes.

Exit codes: 0 all as it should be; 1 a push failed, a query was lost or answered wrong, the core was not enough, or memory
grew after the networks were known; 2 nothing could be measured.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time

# No folder of compiled files beside the sources.
sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(1, str(ROOT / "benches/compare"))

import machine
import programs
import servers
import steered

REGIONS = {"fra": (50.11, 8.68), "iad": (38.95, -77.45), "sin": (1.35, 103.99)}
ADDRESSES = ("192.0.2.10", "192.0.2.11", "192.0.2.12")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
TOKEN = "a-token-of-the-benchmark-0123456789"
FIRST, LAST = 0x01000000, 0xDF000000
# Part of memory that may be added between the middle and the end: allocators breathe.
GROWTH_MAX = 0.10


class Meridian(servers.Meridian):
    """One service of three regions, by latency."""

    def configure(self):
        super().configure()
        self.zone_path().write_text(servers.SMALL_ZONE)
        (self.folder / "geoip").mkdir()
        (self.folder / "geoip/country.mmdb").symlink_to(ROOT / "geoip/country.mmdb")
        (self.folder / "state").mkdir(exist_ok=True)
        token = self.folder / "state/admin.token"
        token.write_text(f"edge feed {TOKEN}\n")
        token.chmod(0o600)
        lines = []
        for region, (lat, lon) in REGIONS.items():
            lines += [f"[regions.{region}]", f"location = {{ lat = {lat}, lon = {lon} }}"]
        name = f"{steered.host(0)}.example.com"
        lines += ["[services.www]", f'names = ["{name}"]', 'policy = "latency"', "[services.www.endpoints]"]
        lines += [f'{region} = ["{address}"]' for region, address in zip(REGIONS, ADDRESSES)]
        (self.zones / "regions.toml").write_text("\n".join(lines) + "\n")


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("measurements: ended"))
    load = programs.built(ROOT, {"load": options.load})["load"]
    os.sched_setaffinity(0, {options.load_core})
    with tempfile.TemporaryDirectory(prefix="measurements-") as folder:
        server = Meridian(folder, str(pathlib.Path(options.meridian).resolve()), options.server_core, None, "")
        try:
            with server:
                server.configure()
                server.start()
                found = measure(server, options, load)
        except (servers.Failed, OSError) as error:
            print(f"measurements: {error}", file=sys.stderr)
            sys.exit(2)
    found["machine"] = machine.describe()
    for key, value in found.items():
        print(f"{key:<22} {value}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(found, indent=1))
    sys.exit(1 if found["problems"] else 0)


def parse_options():
    parser = argparse.ArgumentParser(
        prog="measurements", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--per-minute", type=int, default=1_000_000, help="measurements a minute (default 1000000)")
    parser.add_argument("--seconds", type=int, default=180, help="how long (default 180)")
    parser.add_argument("--networks", type=int, default=100_000, help="of clients (default 100000)")
    parser.add_argument("--batch", type=int, default=2_000, help="measurements of a push (default 2000)")
    parser.add_argument("--rate", type=int, default=10_000, help="queries a second meanwhile, 0 for none (default 10000)")
    parser.add_argument("--load", help="its program (default: built)")
    parser.add_argument("--meridian", default=str(ROOT / "target/release/meridian"), help="its program")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--json", help="write all figures to this file")
    return parser.parse_args()


def measure(server, options, load):
    bodies = [body(number, options) for number in range(max(1, options.networks * len(REGIONS) // options.batch))]
    connection = http.client.HTTPConnection("127.0.0.1", server.admin_port, timeout=30)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    pause = options.batch * 60.0 / options.per_minute
    found = {"problems": [], "pushed": 0, "taken": 0, "thinned": 0, "refused": 0}
    waits, memory, at = [], [], 0
    asking = ask(load, server, options) if options.rate else None
    begun, used = time.monotonic(), processor(server)
    while time.monotonic() - begun < options.seconds:
        due = begun + at * pause
        time.sleep(max(0.0, due - time.monotonic()))
        sent = time.monotonic()
        connection.request("POST", "/api/v1/latency", bodies[at % len(bodies)], headers)
        answer = connection.getresponse()
        text = answer.read()
        waits.append((time.monotonic() - sent) * 1_000)
        at += 1
        if answer.status != 200:
            found["problems"].append(f"push {at}: {answer.status} {text[:120]!r}")
            break
        told = json.loads(text)
        found["pushed"] += options.batch
        found["taken"] += told["taken"]
        found["thinned"] += told["thinned"]
        found["refused"] += told["refused_in_all"]
        memory.append(resident(server))
    seconds = time.monotonic() - begun
    found["per minute"] = round(found["pushed"] * 60 / seconds)
    found["processor, part"] = round((processor(server) - used) / seconds, 3)
    found["wait ms p50"] = round(statistics.median(waits), 1)
    found["wait ms p99"] = round(sorted(waits)[len(waits) * 99 // 100], 1)
    found["resident MB, first"] = round(memory[0] / 1e6, 1)
    found["resident MB, middle"] = round(memory[len(memory) // 2] / 1e6, 1)
    found["resident MB, last"] = round(memory[-1] / 1e6, 1)
    found["metrics"] = latency_metrics(server)
    if asking:
        asked = json.loads(asking.communicate(timeout=60)[0])
        found["queries"] = {key: asked[key] for key in ("sent", "lost", "wrong")} | asked["latency_us"]
        if asked["lost"] or asked["wrong"]:
            found["problems"].append("queries were lost or answered wrong")
    if found["processor, part"] > 0.95:
        found["problems"].append("one core is not enough")
    if found["per minute"] < options.per_minute * 0.97:
        found["problems"].append("the rate was not kept")
    if memory[-1] > memory[len(memory) // 2] * (1 + GROWTH_MAX):
        found["problems"].append("memory grows")
    return found


def ask(load, server, options):
    """Begins to ask for the steered name, for clients everywhere: any of its addresses is right."""
    command = [load, "udp", "--server", f"127.0.0.1:{server.port}", "--workload", "subnets", "--names", "1", "--any-ttl"]
    command += ["--rate", str(options.rate), "--seconds", str(options.seconds), "--window", "16384", "--json"]
    command += [word for address in ADDRESSES for word in ("--expect-address", address)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: servers.prepare_child(None))


def body(number, options):
    """A batch: each network to each region, in turn."""
    chance = random.Random(number)
    # Spread over all of IPv4 below multicast, each a /24.
    stride = (LAST - FIRST) // options.networks & ~0xFF
    rows = []
    for index in range(number * options.batch, (number + 1) * options.batch):
        network, region = index // len(REGIONS) % options.networks, list(REGIONS)[index % len(REGIONS)]
        bits = FIRST + network * stride
        address = f"{bits >> 24}.{bits >> 16 & 255}.{bits >> 8 & 255}.0/24"
        # Each way has a time of its own that does not change, and noise.
        usual = 100 + random.Random(index).random() * 150
        rows.append({"client": address, "region": region, "ms": round(usual + chance.expovariate(0.3), 2)})
    return json.dumps({"source": "agent", "measurements": rows})


def processor(server):
    """Processor seconds of all its threads."""
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(server):
    return int(pathlib.Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * PAGE


def latency_metrics(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.admin_port, timeout=30)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    wanted = ("meridian_latency_networks", "meridian_latency_ways", "meridian_latency_bytes", "meridian_latency_moves")
    return {line.split(" ")[0]: line.split(" ")[1] for line in lines if line.startswith(wanted)}


if __name__ == "__main__":
    main()
