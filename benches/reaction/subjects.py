"""What is measured: servers with a hundred names of two checked addresses each, in several settings."""

import dataclasses
import struct

import servers

# Two octets number the trials, in the id and in the address.
TRIALS_MAX = 1_000


@dataclasses.dataclass(frozen=True)
class Case:
    """A server and its settings."""

    server: type
    settings: str
    # From one check to the next, while it passes.
    interval_s: float
    # The same while it fails.
    retry_s: float
    # Failures to go down.
    fall: int

    @property
    def floor_s(self):
        """From the first failure to the last that is needed."""
        return (self.fall - 1) * self.retry_s


def address(site, trial):
    return f"127.{site}.{trial >> 8}.{trial & 255}"


def label(trial):
    return f"t{trial:04}"


def query(trial):
    """A question of type A without EDNS; its id is the trial."""
    return struct.pack("!6H", trial, 0, 1, 0, 0, 0) + b"\x05" + label(trial).encode() + b"\x07example\x03com\0\0\1\0\1"


def site_of(message, query_length):
    """1 or 2 by the address in the answer; None without one."""
    octets = message[query_length + 12 : query_length + 16]
    if len(octets) < 4 or message[3] & 15 or message[6:8] == b"\0\0" or octets[0] != 127:
        return None
    return octets[1] if octets[1] in (1, 2) else None


ZONE = """\
$ORIGIN example.com.
$TTL 60
@ IN SOA ns1 hostmaster 1 3600 600 604800 60
@ IN NS ns1
ns1 IN A 192.0.2.1
marker IN A 172.16.0.1
"""


class Subject:
    """What the servers have in common; goes before a class of `servers`."""

    # On any core: what is measured is time, not cost.
    def __init__(self, folder, program, case, trials, target_port):
        super().__init__(folder, program, None, *self.more())
        self.case, self.trials, self.target_port = case, trials, target_port

    def more(self):
        return []

    def configure(self):
        super().configure()
        self.zone_path().write_text(ZONE + "".join(self.zone_line(trial) for trial in range(self.trials)))

    def zone_line(self, _trial):
        return ""


class Meridian(Subject, servers.Meridian):
    def more(self):
        return [None, ""]

    def configure(self):
        super().configure()
        case = self.case
        text = [
            "[regions.a]",
            "[regions.b]",
            "[checks.web]",
            f'http = {{ path = "/", port = {self.target_port} }}',
            f'interval = "{milliseconds(case.interval_s)}"',
            f'timeout = "{milliseconds(min(2.0, case.interval_s / 2))}"',
            f"fall = {case.fall}",
        ]
        if case.retry_s < case.interval_s:
            text.append(f'retry = "{milliseconds(case.retry_s)}"')
        for trial in range(self.trials):
            text += [
                f"[services.{label(trial)}]",
                f'names = ["{label(trial)}.example.com"]',
                'policy = "failover"',
                'check = "web"',
                'order = ["a", "b"]',
                f"[services.{label(trial)}.endpoints]",
                f'a = ["{address(1, trial)}"]',
                f'b = ["{address(2, trial)}"]',
            ]
        (self.zones / "regions.toml").write_text("\n".join(text) + "\n")


class Gdnsd(Subject, servers.Gdnsd):
    def configure(self):
        super().configure()
        case, config = self.case, self.folder / "config"
        resources = "".join(
            f"    {label(trial)} => {{ primary => {address(1, trial)}, secondary => {address(2, trial)} }}\n"
            for trial in range(self.trials)
        )
        config.write_text(
            config.read_text()
            + f"""\
service_types => {{
  web => {{
    plugin => http_status, port => {self.target_port}, url_path => /
    interval => {case.interval_s:.0f}, timeout => 1, down_thresh => {case.fall}
  }}
}}
plugins => {{
  simplefo => {{
    service_types = web
{resources}  }}
}}
"""
        )

    def zone_line(self, trial):
        return f"{label(trial)} DYNA simplefo!{label(trial)}\n"


class Pdns(Subject, servers.Server):
    """Its Lua records; a check begins with the first query of its name."""

    name = "pdns_server"

    def configure(self):
        super().configure()
        (self.folder / "named.conf").write_text(
            f'zone "example.com" {{ type master; file "{self.zone_path()}"; }};\n'
        )
        (self.folder / "pdns.conf").write_text(
            f"""\
launch=bind
bind-config={self.folder}/named.conf
local-address=127.0.0.1
local-port={self.port}
socket-dir={self.folder}
enable-lua-records=shared
lua-health-checks-interval={self.case.interval_s:.0f}
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
receiver-threads=1
distributor-threads=1
guardian=no
daemon=no
security-poll-suffix=
"""
        )

    def command(self):
        return [self.program, f"--config-dir={self.folder}"]

    def zone_line(self, trial):
        url = f"http://{label(trial)}.example.com:{self.target_port}/"
        addresses = f"{{{{'{address(1, trial)}'}},{{'{address(2, trial)}'}}}}"
        return f"{label(trial)} 1 IN LUA A \"ifurlup('{url}', {addresses}, {{timeout=1}})\"\n"


def milliseconds(seconds):
    return f"{seconds * 1e3:.0f}ms"


CASES = {
    "meridian-5s": Case(Meridian, "interval 5 s, retry 1 s, fall 3", 5.0, 1.0, 3),
    "meridian-100ms": Case(Meridian, "interval 100 ms, retry 100 ms, fall 3", 0.1, 0.1, 3),
    "meridian-1s-1": Case(Meridian, "interval 1 s, fall 1", 1.0, 1.0, 1),
    "gdnsd": Case(Gdnsd, "interval 2 s (its least), down_thresh 3", 2.0, 2.0, 3),
    "gdnsd-1": Case(Gdnsd, "interval 2 s (its least), down_thresh 1", 2.0, 2.0, 1),
    "pdns": Case(Pdns, "ifurlup, lua-health-checks-interval 1 (its least)", 1.0, 1.0, 1),
}
