"""The topology of docker-compose.yml as plain processes on loopback: the same commands and the same files, with addresses,
ports and paths of this machine in place of the containers', and with shorter times.

Every replacement has to find what it replaces: a file that changes its shape fails here and is not passed over.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import compose
from promql import ROOT

NETWORK = "172.30.53."
NAME_SERVERS = ("ns1", "ns2")
CENTERS = ("fra", "iad", "sin")
# Where the image has its program and its data.
PROGRAM = "/usr/bin/meridian"
GEOIP = "/usr/share/meridian/geoip"
# Its country database takes a debug build long to read; the clients of this test are known without.
NETWORKS = """[networks]
"88.198.0.0/16" = { country = "DE" }
"4.4.0.0/16" = { country = "US" }
"203.116.0.0/16" = { country = "SG" }
"""


class Topology:
    """All processes; they end with the context."""

    def __init__(self, folder, meridian):
        self.folder, self.meridian = folder, meridian
        self.services = compose.load()["services"]
        # Addresses of their own, so that several runs and other servers of this machine do not meet.
        pid = os.getpid()
        self.network = f"127.{100 + pid % 100}.{pid // 100 % 250}."
        self.ports = {port: self.free_port() for port in ("53", "8053", "8080", "9090", "9093")}
        self.processes = {}

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.kill()
            process.wait()

    def start(self):
        """Starts everything, in the order that the compose file wants."""
        tokens = [str(self.folder / name) for name in ("tokens", "scrape")]
        for path in tokens:
            os.mkdir(path)
        subprocess.run(["sh", str(ROOT / "dist" / "compose" / "tokens.sh"), *tokens], check=True)
        for name in CENTERS:
            command = [self.meridian, *self.services[name]["command"]]
            self.spawn(name, self.listening(name, command, "0.0.0.0:8080", "8080"))
        (self.folder / "geoip").mkdir()
        (self.folder / "geoip" / "networks.toml").write_text(NETWORKS)
        for name in NAME_SERVERS:
            self.write_name_server(name)
            self.spawn(name, [self.meridian, "serve", "--config", self.config(name)])
        self.write_watchers()
        for name, program, port in (("prometheus", "prometheus", "9090"), ("alertmanager", "prometheus-alertmanager", "9093")):
            command = [program, *self.services[name]["command"], f"--web.listen-address={self.address(name, port)}"]
            os.mkdir(self.folder / f"{name}-data")
            self.spawn(name, [self.mapped_path(name, part) for part in command])

    def spawn(self, name, command):
        """Starts a process; what it says goes to a file."""
        log = open(self.folder / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def stop(self, name):
        """Ends a process as its container would be stopped; its exit code."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=30)

    def write_name_server(self, name):
        """The files of a name server: those of the compose file, with the addresses of this one."""
        source, target = ROOT / "dist" / "compose" / "meridian", self.folder / name
        shutil.copytree(source, target)
        (self.folder / f"{name}-state").mkdir()
        replace(
            target / "meridian.toml",
            ("0.0.0.0:53", self.address(name, "53")),
            ("0.0.0.0:8053", self.address(name, "8053")),
            (GEOIP, f"{self.folder}/geoip"),
            ("/run/meridian/", f"{self.folder}/tokens/"),
            ("/var/lib/meridian", f"{self.folder}/{name}-state"),
        )
        replace(target / "zones" / "example.com.zone", (NETWORK, self.network))
        replace(target / "zones" / "regions.toml", (NETWORK, self.network), ("port = 8080", f"port = {self.ports['8080']}"))

    def write_watchers(self):
        """Configuration and rules of Prometheus and Alertmanager, with times of seconds in place of minutes."""
        (self.folder / "rules").mkdir()
        for file in (ROOT / "dist" / "prometheus").glob("*.yml"):
            text = re.sub(r"\[\d+[mhd]\]", "[10s]", file.read_text())
            (self.folder / "rules" / file.name).write_text(re.sub(r"\bfor: \d+[smhd]\b", "for: 1s", text))
        config = self.folder / "prometheus.yml"
        shutil.copy(ROOT / "dist" / "compose" / "prometheus.yml", config)
        replace(
            config,
            ("scrape_interval: 5s", "scrape_interval: 1s"),
            ("evaluation_interval: 5s", "evaluation_interval: 1s"),
            ("/etc/prometheus/rules", f"{self.folder}/rules"),
            ("/run/scrape", f"{self.folder}/scrape"),
            ("127.0.0.1:9090", self.address("prometheus", "9090")),
            ("alertmanager:9093", self.address("alertmanager", "9093")),
            *((f"{name}:8053", self.address(name, "8053")) for name in NAME_SERVERS),
        )
        shutil.copy(ROOT / "dist" / "compose" / "alertmanager.yml", self.folder / "alertmanager.yml")

    def mapped_path(self, name, part):
        """A command's part, with folders of the container replaced by those of this run."""
        part = part.replace(f"/etc/{name}/{name}.yml", f"{self.folder}/{name}.yml")
        return part.replace(f"path=/{name}", f"path={self.folder}/{name}-data")

    def listening(self, name, command, listen, port):
        """A command with its listening address replaced."""
        if listen not in command:
            raise AssertionError(f"{shlex.join(command)} does not listen on {listen}")
        return [self.address(name, port) if part == listen else part for part in command]

    def healthy(self, name):
        """The health check of a container: its exit code."""
        test = self.services[name]["healthcheck"]["test"]
        assert test[0] == "CMD", test
        if name in CENTERS:
            # The image's program stands there as its entry point.
            command = self.listening(name, test[1:], "127.0.0.1:8080", "8080")
        else:
            command = [part.replace("/etc/meridian/meridian.toml", self.config(name)) for part in test[1:]]
        assert command[0] == PROGRAM, command
        return subprocess.run([self.meridian, *command[1:]], timeout=60).returncode

    def run(self, name, *arguments):
        """A command of an operator beside a name server, in the image's folder, as `docker compose exec` would run it."""
        folder = self.folder / name
        return subprocess.run([self.meridian, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)

    def config(self, name):
        """The configuration file of a name server."""
        return str(self.folder / name / "meridian.toml")

    def host(self, name):
        """A container's address, on loopback."""
        return self.services[name]["networks"]["world"]["ipv4_address"].replace(NETWORK, self.network)

    def address(self, name, port):
        """A container's address and port, on loopback."""
        return f"{self.host(name)}:{self.ports[port]}"

    def free_port(self):
        """A port that nobody listens on, on any address."""
        while True:
            with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                tcp.bind(("", 0))
                try:
                    udp.bind(tcp.getsockname())
                except OSError:
                    continue
                return tcp.getsockname()[1]

    def get(self, name, port, path, headers=None, data=None):
        """(status, text) of a request over HTTP."""
        request = urllib.request.Request(f"http://{self.address(name, port)}{path}", data=data, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def query(self, expression):
        """The vector of an expression of PromQL: (labels, value) of each series."""
        data = urllib.parse.urlencode({"query": expression}).encode()
        status, text = self.get("prometheus", "9090", "/api/v1/query", data=data)
        body = json.loads(text)
        if body["status"] != "success":
            raise AssertionError(f"{status} {body.get('error')}: {expression}")
        result = body["data"]["result"]
        if body["data"]["resultType"] == "scalar":
            return [({}, float(result[1]))]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def logs(self):
        """The last lines of what every process has said."""
        tails = []
        for file in sorted(self.folder.glob("*.log")):
            tails.append(f"--- {file.stem}\n" + "\n".join(file.read_text(errors="replace").splitlines()[-15:]))
        return "\n".join(tails)


def replace(file, *pairs):
    """Replaces in a file; each pair must find something."""
    text = file.read_text()
    for old, new in pairs:
        assert old in text, f"{file.name} has no `{old}` to replace"
        text = text.replace(old, new)
    file.write_text(text)


def wait_until(what, look, seconds):
    """Looks until what is seen is true; returns it. `look` gives (true or not, what is seen)."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            well, seen = look()
        except (OSError, ValueError) as error:
            well, seen = False, error
        if well:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s; it stays {seen}")
        time.sleep(0.1)
