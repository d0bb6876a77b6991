"""Starts NSD, Knot DNS and BIND from the distribution's packages on loopback, each in a folder of its own.

The settings bring the three as near to Meridian's policy as they go: short positive answers, no transfers,
no rate limits, no version told.
"""

import os
import pathlib
import shutil
import socket
import struct
import subprocess
import time

import wire

START_S = 5.0
PACKAGES = {"nsd": ("nsd", "nsd"), "knot": ("knotd", "knot"), "bind": ("named", "bind9")}


def ensure_installed(peers):
    """Installs what is missing when we are root; else ends with the packages' names."""
    missing = [PACKAGES[peer][1] for peer in peers if find(peer) is None]
    if not missing:
        return
    if os.geteuid() != 0:
        raise SystemExit(f"missing packages: {' '.join(missing)} (apt-get install --no-install-recommends)")
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
        subprocess.run(
            ["apt-get", "-q", *arguments], check=True, env=environment, timeout=600, stdout=subprocess.DEVNULL)


def find(peer):
    """The path of a peer's daemon."""
    return shutil.which(PACKAGES[peer][0], path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def version(peer):
    """What the daemon calls itself."""
    flag = {"nsd": "-v", "knot": "-V", "bind": "-v"}[peer]
    told = subprocess.run([find(peer), flag], capture_output=True, text=True, timeout=10, check=False)
    return (told.stdout or told.stderr).split("\n")[0].split(" (Extended")[0]


def free_port():
    """A port that is free for UDP and TCP now."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue


def nsd_config(folder, port, zones):
    """nsd.conf"""
    text = f"""server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  xfrdir: "{folder}"
  zonelistfile: "{folder}/zone.list"
  hide-version: yes
  hide-identity: yes
  rrl-ratelimit: 0
  tcp-count: 100
  minimal-responses: no
remote-control:
  control-enable: no
"""
    for origin, path in zones:
        text += f'zone:\n  name: "{origin}"\n  zonefile: "{path}"\n'
    return text


def knot_config(folder, port, zones):
    """knot.conf"""
    text = f"""server:
    listen: 127.0.0.1@{port}
    rundir: "{folder}"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    version: ""
    identity: ""
    nsid: ""
database:
    storage: "{folder}"
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: "{folder}"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: soft
zone:
"""
    for origin, path in zones:
        text += f'  - domain: "{origin}"\n    file: "{path}"\n'
    return text


def bind_config(folder, port, zones):
    """named.conf"""
    text = f"""options {{
  directory "{folder}";
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  pid-file none;
  session-keyfile none;
  managed-keys-directory "{folder}";
  recursion no;
  allow-query {{ any; }};
  allow-transfer {{ none; }};
  allow-update {{ none; }};
  notify no;
  check-names primary ignore;
  check-integrity no;
  minimal-responses no-auth;
  minimal-any yes;
  empty-zones-enable no;
  dnssec-validation no;
  version none;
  hostname none;
  server-id none;
  answer-cookie no;
}};
controls {{ }};
logging {{ channel err {{ stderr; severity error; }}; category default {{ err; }}; }};
"""
    for origin, path in zones:
        text += f'zone "{origin}" {{ type primary; file "{path}"; masterfile-format text; }};\n'
    return text


CONFIGS = {"nsd": nsd_config, "knot": knot_config, "bind": bind_config}


class Server:
    """A peer that runs as long as the `with` block."""

    def __init__(self, peer, zones, folder):
        self.peer, self.zones, self.folder, self.process = peer, zones, pathlib.Path(folder), None

    def __enter__(self):
        port = free_port()
        self.address = ("127.0.0.1", port)
        path = self.folder / f"{self.peer}.conf"
        path.write_text(CONFIGS[self.peer](self.folder, port, self.zones))
        arguments = {
            "nsd": ["-d", "-c", str(path)],
            "knot": ["-c", str(path)],
            "bind": ["-g", "-n", "1", "-c", str(path)],
        }[self.peer]
        self.log = open(self.folder / f"{self.peer}.log", "wb")
        self.process = subprocess.Popen(
            [find(self.peer), *arguments], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        try:
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def wait_until_ready(self):
        """Every zone answers its SOA with AA over UDP, within a bound; `refused` are the zones that never do."""
        self.refused = []
        deadline = time.monotonic() + START_S
        for origin, _ in self.zones:
            query = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + wire.name_to_wire(wire.name_from_text(origin)) + b"\0\6\0\1"
            while not self.answers(query):
                if self.process.poll() is not None:
                    log = (self.folder / f"{self.peer}.log").read_text(errors="replace")
                    raise SystemExit(f"{self.peer} ended:\n{log[-4000:]}")
                if time.monotonic() > deadline:
                    self.refused.append(origin)
                    break
                time.sleep(0.02)

    def answers(self, query):
        """True once the answer has AA."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(0.2)
            udp.connect(self.address)
            try:
                udp.send(query)
                answer = udp.recv(4096)
                return len(answer) > 3 and answer[2] & 4 == 4 and answer[3] & 15 == 0
            except OSError:
                return False
