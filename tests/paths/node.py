"""A Meridian that steers by latency, and the agents that tell it: their files, how they are started, what they are asked.

What may still change with the program, its settings and flags, stands in this file alone.
"""

import dataclasses
import json
import pathlib
import secrets
from typing import Any

import web
from world import FOLDER, World

NODE, NAME, ADMIN_PORT = "node", "www.example.com", 8053
TOKENS = FOLDER / "tokens"

# Shorter than in service, so that a move takes a minute and not an hour.
SETTINGS = """[dns]
listen = ["{address}:53"]
zones = "zones"
threads = 1

[geoip]
folder = "geoip"

[admin]
listen = "{address}:{port}"
token_file = "tokens"

[state]
folder = "state"

[latency]
every = "1s"
half_life = "1m"
"""
ZONE = """$TTL 1h
@    SOA  ns1 hostmaster 1 2h 30m 14d 5m
     NS   ns1
ns1  A    {address}
"""
REGIONS = """[regions.fra]
location = {{ lat = 50.11, lon = 8.68 }}
[regions.iad]
location = {{ lat = 38.95, lon = -77.45 }}

[checks.web]
http = {{ path = "/healthz", port = {port}, body = "ok" }}
interval = "1s"

[services.web]
names = ["www.example.com"]
policy = "latency"
check = "web"
ttl = {{ min = 1, max = 5 }}
[services.web.endpoints]
fra = ["{fra}"]
iad = ["{iad}"]
"""
# How `explain` begins to say that measurements ranked the regions, and not the distance in their place.
MEASURED = "latency, as measured"
# How often an agent tells.
EVERY = "2s"


@dataclasses.dataclass(frozen=True)
class Explained:
    """What `meridian explain` says of a client: where it goes, what ranked the regions, and all of it for people."""

    region: str
    ranked_by: str
    text: str

    @property
    def is_measured(self) -> bool:
        """If measurements decided."""
        return self.ranked_by.startswith(MEASURED)


class Node:
    """The server in its place. `clients` are the places of clients, all of them in one country."""

    def __init__(self, world: World, meridian: pathlib.Path, clients: list[str], country: str) -> None:
        self.world, self.meridian = world, str(meridian)
        self.address = world.places[NODE].address
        self.regions = {world.places[region].address: region for region in ("fra", "iad")}
        operator, feeder = secrets.token_hex(16), secrets.token_hex(16)
        own = {region: address for address, region in self.regions.items()}
        networks = [f'"{world.places[client].network}" = {{ country = "{country}" }}' for client in clients]
        for file, text in {
            "meridian.toml": SETTINGS.format(address=self.address, port=ADMIN_PORT),
            "zones/example.com.zone": ZONE.format(address=self.address),
            "zones/regions.toml": REGIONS.format(port=web.PORT, **own),
            "geoip/networks.toml": "\n".join(["[networks]", *networks, ""]),
            "tokens": f"operator operate {operator}\nedges feed {feeder}\n",
            "edges.token": feeder + "\n",
        }.items():
            (FOLDER / file).parent.mkdir(exist_ok=True)
            (FOLDER / file).write_text(text)
            (FOLDER / file).chmod(0o600)

    def start(self) -> None:
        """Starts the server."""
        self.world.spawn(NODE, NODE, [self.meridian, "serve", "--config", "meridian.toml"])

    def start_agent(self, region: str) -> None:
        """Starts an agent beside the web server of a region."""
        # No other machine is on the way, so tokens may go in clear.
        to = ["--to", f"http://{self.address}:{ADMIN_PORT}", "--clear", "--token-file", "edges.token", "--every", EVERY]
        self.world.spawn(region, f"agent-{region}", [*self.agent(region), *to])

    def agent(self, region: str) -> list[str]:
        """The command of an agent, but for whom it tells."""
        # The node is no client; it makes the health checks.
        ours = self.world.places[NODE].network
        return [self.meridian, "agent", "--region", region, "--port", str(web.PORT), "--ignore", ours]

    def answered(self, place: str) -> str | None:
        """The region whose address a client of a place gets; None if it gets none."""
        asked = self.world.run(place, ["dig", "+short", "+retry=0", "+time=2", f"@{self.address}", NAME, "A"])
        return self.regions.get(asked.stdout.strip())

    def explained(self, place: str) -> Explained:
        """What is told of a client of a place."""
        client = self.world.places[place].address
        command = [self.meridian, "explain", NAME, "--client", client, "--config", "meridian.toml"]
        for_people, for_programs = self.run(NODE, command), self.run(NODE, [*command, "--json"])
        step = json.loads(for_programs)["steps"][0]
        return Explained(step["chosen"], step["place"]["ranked_by"], for_people)

    def seen_by_agent(self, region: str) -> dict[str, float]:
        """The round trip to the place of each client, in milliseconds, as an agent in a region would tell it now."""
        return times_of_places(self.world, json.loads(self.run(region, [*self.agent(region), "--once", "--json"])))

    def run(self, place: str, command: list[str]) -> str:
        """What a command says that has to succeed."""
        done = self.world.run(place, command)
        if done.returncode != 0:
            raise ValueError(f"{command[1]} ends with {done.returncode}: {done.stderr.strip()}")
        return done.stdout


def times_of_places(world: World, rows: list[dict[str, Any]]) -> dict[str, float]:
    """The milliseconds of each network that an agent tells, by place."""
    names = {place.network: name for name, place in world.places.items()}
    return {names[row["network"]]: row["ms"] for row in rows}
