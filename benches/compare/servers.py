"""The servers of a comparison: how each is configured, started, told to reload, and stopped.

Equivalent means: one thread for UDP and one for TCP, no rate limits, no logs of queries, minimal answers, the same zone
file, a receive buffer of 1 MiB where the server has a setting for it (gdnsd's largest; Knot has no setting, so the
window of the load stays below what the system's default holds).
"""

import ctypes
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import time

RECEIVE_BUFFER = 1 << 20
PR_SET_PDEATHSIG = 1
# What a zone needs at least, so that it is told when it is served: for servers whose names are steered.
SMALL_ZONE = """\
$ORIGIN example.com.
$TTL 60
@ SOA ns1 hostmaster 1 3600 600 604800 60
@ NS ns1
ns1 A 192.0.2.1
marker A 172.16.0.1
"""
LIBC = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A server that does not do what it should."""


class Server:
    """One server with its own folder and port. Use as a context manager: it is stopped whatever happens."""

    name = "?"
    zone_file = "example.com.zone"
    # What it answers: None for the zone's data, else one address for everything.
    fixed_address = None
    # Whether it can be given a `steered.Steering`.
    steers = True
    # Whether what it steers has health.
    checks_health = False

    def __init__(self, folder, program, core, steering=None):
        self.folder = pathlib.Path(folder) / self.name
        self.program = program
        self.core = core
        self.steering = steering
        self.port = free_port()
        self.process = None
        self.zones = self.folder / "zones"
        self.zones.mkdir(parents=True)

    @classmethod
    def find(cls):
        """The program's path, or None."""
        return shutil.which(cls.name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

    def zone_path(self):
        return self.zones / self.zone_file

    def configure(self):
        """Writes the configuration."""

    def zone_lines(self):
        """Further lines of the zone file, once it is written: the steered names, where they stand there."""
        return ""

    def command(self):
        raise NotImplementedError

    def reload_arguments(self):
        """Arguments for `load reload`: how to reload, and how to learn that it is done."""
        raise Failed(f"{self.name} cannot reload")

    def start(self, timeout=120.0):
        """Starts it; returns the seconds from exec to the first right answer."""
        log = open(self.folder / "log", "wb")
        begun = time.monotonic()
        self.process = subprocess.Popen(
            self.command(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: prepare_child(self.core),
        )
        log.close()
        while time.monotonic() < begun + timeout:
            if marker_generation(self.port, self.fixed_address) is not None:
                return time.monotonic() - begun
            if self.process.poll() is not None:
                break
            time.sleep(0.001)
        seconds, status = time.monotonic() - begun, self.process.poll()
        ended = "" if status is None else f", it ended with status {status}"
        tail = (self.folder / "log").read_text(errors="replace")[-2000:]
        self.stop()
        raise Failed(f"{self.name} gave no right answer in {seconds:.1f} s{ended}\n{tail}")

    def stop(self):
        """Ends it with all its processes."""
        if self.process is None:
            return
        for sign, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            try:
                os.killpg(self.process.pid, sign)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                continue
        # What the first process leaves behind is still of its group.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Meridian(Server):
    name = "meridian"
    checks_health = True

    def __init__(self, folder, program, core, steering, done_line):
        super().__init__(folder, program, core, steering)
        self.admin_port = free_port()
        self.done_line = done_line

    def configure(self):
        (self.folder / "meridian.toml").write_text(
            f"""\
[dns]
listen = ["127.0.0.1:{self.port}"]
zones = "zones"
threads = 1
[admin]
listen = "127.0.0.1:{self.admin_port}"
"""
        )
        if self.steering:
            (self.zones / "regions.toml").write_text(self.steering.meridian())
            self.steering.prepare_meridian(self)

    def command(self):
        return [self.program, "serve", "--config", str(self.folder / "meridian.toml")]

    def reload_arguments(self):
        metrics = f"127.0.0.1:{self.admin_port}"
        return ["--reload-pid", str(self.process.pid), "--metrics", metrics, "--done-line", self.done_line]


class Gdnsd(Server):
    name = "gdnsd"
    zone_file = "example.com"
    checks_health = True

    def configure(self):
        (self.folder / "config").write_text(
            f"""\
options => {{
  listen => {{ 127.0.0.1:{self.port} => {{ udp_threads = 1, tcp_threads = 1, udp_rcvbuf = {RECEIVE_BUFFER} }} }}
  run_dir = "{self.folder}/run"
  state_dir = "{self.folder}/state"
}}
"""
            + (self.steering.gdnsd() if self.steering else "")
        )

    def zone_lines(self):
        return self.steering.gdnsd_zone() if self.steering else ""

    def command(self):
        return [self.program, "-c", str(self.folder), "start"]

    def reload_arguments(self):
        # Returns when the zones are served.
        return ["--reload-command", f"gdnsdctl -c {self.folder} reload-zones"]


class Knot(Server):
    name = "knotd"

    def configure(self):
        (self.folder / "db").mkdir()
        module = use = subnets = ""
        if self.steering:
            settings = self.steering.knot_module(self.folder)
            module = f'mod-geoip:\n  - id: steered\n    config-file: "{self.folder}/geo.conf"\n    ttl: 300\n{settings}'
            use, subnets = "    module: mod-geoip/steered\n", "    edns-client-subnet: on\n"
        (self.folder / "knot.conf").write_text(
            f"""\
server:
    rundir: "{self.folder}"
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
{subnets}control:
    listen: "{self.folder}/knot.sock"
log:
  - target: stderr
    any: warning
database:
    storage: "{self.folder}/db"
template:
  - id: default
    storage: "{self.zones}"
    file: "%s.zone"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
{module}zone:
  - domain: example.com
{use}"""
        )

    def zone_lines(self):
        return self.steering.knot_zone() if self.steering else ""

    def command(self):
        return [self.program, "-c", str(self.folder / "knot.conf")]

    def reload_arguments(self):
        # -b returns when the zone is served.
        return ["--reload-command", f"knotc -b -c {self.folder}/knot.conf zone-reload example.com"]


class Nsd(Server):
    name = "nsd"
    steers = False

    def configure(self):
        (self.folder / "nsd.conf").write_text(
            f"""\
server:
    server-count: 1
    ip-address: 127.0.0.1@{self.port}
    do-ip6: no
    username: ""
    zonesdir: "{self.zones}"
    database: ""
    pidfile: "{self.folder}/nsd.pid"
    xfrdfile: "{self.folder}/xfrd.state"
    xfrdir: "{self.folder}"
    zonelistfile: "{self.folder}/zone.list"
    cookie-secret-file: "{self.folder}/cookies"
    receive-buffer-size: {RECEIVE_BUFFER}
    minimal-responses: yes
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    verbosity: 0
remote-control:
    control-enable: yes
    control-interface: {self.folder}/nsd.sock
zone:
    name: example.com
    zonefile: example.com.zone
"""
        )

    def command(self):
        return [self.program, "-d", "-c", str(self.folder / "nsd.conf")]

    def reload_arguments(self):
        # nsd-control returns before anything is loaded, and reports no end: the serial that is answered must do.
        control = f"nsd-control -c {self.folder}/nsd.conf reload example.com"
        asked = f"dig +short +tries=1 +time=1 -p {self.port} @127.0.0.1 example.com SOA"
        return ["--reload-command", f'{control} && until {asked} | grep -q " $GENERATION "; do sleep 0.005; done']


class Bare(Server):
    name = "bare"
    fixed_address = "192.0.2.1"

    def command(self):
        return [self.program, "--listen", f"127.0.0.1:{self.port}"]


class Target:
    """What answers health checks, see `benches/target.rs`. Use as a context manager."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            # A session of its own, so that it can be given another priority than whoever measures.
            start_new_session=True,
            preexec_fn=lambda: prepare_child(None),
        )
        self.port = int(self.process.stdout.readline().split()[1])
        self._counted = 0

    def count(self):
        """Requests answered since this was last asked."""
        self.process.stdin.write("count\n")
        total = int(self.process.stdout.readline().split()[1])
        counted, self._counted = total - self._counted, total
        return counted

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def prepare_child(core):
    """Binds the child to its core, and ends it when we end in whatever way."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if core is not None:
        os.sched_setaffinity(0, {core})


def free_port():
    """A port that is free for UDP and TCP."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
    raise Failed("no port is free for both UDP and TCP")


MARKER_QUERY = struct.pack("!6H", 4711, 0, 1, 0, 0, 0) + b"\x06marker\x07example\x03com\x00\x00\x01\x00\x01"


def marker_generation(port, fixed_address=None, patience=0.05):
    """The generation that `marker` answers; None without a right answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(patience)
        try:
            udp.connect(("127.0.0.1", port))
            udp.send(MARKER_QUERY)
            answer = udp.recv(1500)
        except OSError:
            return None
    start = len(MARKER_QUERY)
    if answer[:2] != MARKER_QUERY[:2] or answer[3] & 15 or answer[6:8] != b"\x00\x01" or len(answer) < start + 16:
        return None
    address = answer[start + 12 : start + 16]
    if fixed_address is not None:
        return 0 if address == socket.inet_aton(fixed_address) else None
    return int.from_bytes(address, "big") & 0xFFFFF if address[0] == 172 else None


PEERS = {"meridian": Meridian, "gdnsd": Gdnsd, "knot": Knot, "nsd": Nsd, "bare": Bare}
