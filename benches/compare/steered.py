"""Steered names: the same decision in the words of each server.

Sites, W2: 100 names, each client sent to one of four sites by its country, which the servers find by the client subnet.
Weighted, W3: 100 names, one of four addresses by weight, health checked over HTTP where the server can.

A name's address at a site is 127.SITE.0.NUMBER, sites counted from 1: the load knows the right answer to every query,
and health checks reach every address.
"""

import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tests/geo"))

import mmdb

NAMES = 100
SITES = ["fra", "iad", "gru", "sin"]
PLACES = {"fra": (50.11, 8.68), "iad": (38.95, -77.45), "gru": (-23.43, -46.47), "sin": (1.35, 103.99)}
# The nearest first; the first of CONTINENT_SITES is what is answered while all are up.
CONTINENT_SITES = {
    "AF": ["fra", "gru", "iad", "sin"],
    "AN": ["gru", "sin", "iad", "fra"],
    "AS": ["sin", "fra", "iad", "gru"],
    "EU": ["fra", "iad", "gru", "sin"],
    "NA": ["iad", "gru", "fra", "sin"],
    "OC": ["sin", "iad", "gru", "fra"],
    "SA": ["gru", "iad", "fra", "sin"],
}
# Other than their continent, or on a continent that tables do not agree on.
COUNTRY_SITES = {
    "iad": "AW BQ CW FK GB GS PA SX TT UM",
    "fra": "AM AZ CY EG GE IN KZ RU SH TR",
    "sin": "AQ BV CC CX HM IO TF TL",
}
CONTINENTS = {
    "AF": "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EH ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML MR MU MW MZ NA NE"
    " NG RE RW SC SD SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW",
    "AS": "AE AF BD BH BN BT CN HK ID IL IQ IR JO JP KG KH KP KR KW LA LB LK MM MN MO MV MY NP OM PH PK PS QA SA SG SY"
    " TH TJ TM TW UZ VN YE",
    "EU": "AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT"
    " NL NO PL PT RO RS SE SI SJ SK SM UA VA XK",
    "NA": "AG AI BB BL BM BS BZ CA CR CU DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PM PR SV TC US VC VG VI",
    "OC": "AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV VU WF WS",
    "SA": "AR BO BR CL CO EC GF GY PE PY SR UY VE",
}
# Clients that nobody can locate.
DEFAULT = "fra"
WEIGHTS = {"fra": 1, "iad": 2, "gru": 3, "sin": 4}


def country_sites():
    """Country code → site."""
    found = {code: CONTINENT_SITES[continent][0] for continent, codes in CONTINENTS.items() for code in codes.split()}
    found |= {code: site for site, codes in COUNTRY_SITES.items() for code in codes.split()}
    return found


def order_of(site):
    """All sites, this one first."""
    return [site] + [other for other in SITES if other != site]


def address(site, number):
    return f"127.{SITES.index(site) + 1}.{number >> 8}.{number & 255}"


def host(number):
    return f"h{number:07}"


def toml_list(items):
    return "[" + ", ".join(f'"{item}"' for item in items) + "]"


class Steering:
    """What both have in common."""

    def meridian_regions(self):
        lines = []
        for site, (lat, lon) in PLACES.items():
            lines += [f"[regions.{site}]", f"location = {{ lat = {lat}, lon = {lon} }}"]
        return lines

    def meridian_service(self, number, keys):
        lines = [f"[services.{host(number)}]", f'names = ["{host(number)}.example.com"]', *keys]
        endpoints = [f'{site} = ["{address(site, number)}"]' for site in SITES]
        return [*lines, f"[services.{host(number)}.endpoints]", *endpoints]

    def prepare_meridian(self, _server):
        """Further files in the server's folder."""

    def knot_zone(self):
        """What the module does not answer; with it the names exist."""
        return "".join(f"{host(number)} A {address(DEFAULT, number)}\n" for number in range(NAMES))


class Sites(Steering):
    """By country."""

    def __init__(self, folder, database):
        self.database = pathlib.Path(database).resolve()
        self.sites = country_sites()
        self.networks = pathlib.Path(folder) / "networks"
        self.nets = pathlib.Path(folder) / "nets"
        self.write_networks(mmdb.Database(self.database))

    def load_arguments(self):
        return ["--workload", "subnets", "--networks", str(self.networks), "--names", str(NAMES)]

    def write_networks(self, database):
        """For the load, all networks of at most 24 bits with their sites. For gdnsd, which reads another data model, all
        of them, neighbors with the same site merged."""
        ranges, lines = [], []
        for start, length, record in database.networks(4):
            if not record:
                continue
            country = record.get("country_code") or record.get("country", {}).get("iso_code")
            site = self.sites.get(country, DEFAULT)
            end = start + (1 << (32 - length))
            if ranges and ranges[-1][1:] == [start, site]:
                ranges[-1][1] = end
            else:
                ranges.append([start, end, site])
            if length <= 24:
                lines.append(f"{dotted(start)}/{length} {SITES.index(site) + 1}\n")
        self.networks.write_text("".join(lines))
        with open(self.nets, "w") as out:
            for start, end, site in ranges:
                for begin, length in prefixes(start, end):
                    out.write(f"{dotted(begin)}/{length} => [ {', '.join(order_of(site))} ]\n")

    def prepare_meridian(self, server):
        folder = server.folder / "geoip"
        folder.mkdir()
        shutil.copy(self.database, folder / "country.mmdb")

    def meridian(self):
        by_country = {code: site for site, codes in COUNTRY_SITES.items() for code in codes.split()}
        countries = ", ".join(f"{code} = {toml_list(order_of(site))}" for code, site in sorted(by_country.items()))
        continents = ", ".join(f"{code} = {toml_list(sites)}" for code, sites in CONTINENT_SITES.items())
        lines = self.meridian_regions()
        lines += ["[policies.nearest]", 'mode = "active-active"', 'prefer = "geo"', 'geomap = "world"']
        lines += ["[geomaps.world]", f"countries = {{ {countries} }}", f"continents = {{ {continents} }}"]
        lines.append(f"default = {toml_list(order_of(DEFAULT))}")
        for number in range(NAMES):
            lines += self.meridian_service(number, ['policy = "nearest"', f"order = {toml_list(order_of(DEFAULT))}"])
        return "\n".join(lines) + "\n"

    def gdnsd(self):
        resources = "".join(
            f"      {host(number)} => {{ map => world, dcmap => {{ "
            + ", ".join(f"{site} => {address(site, number)}" for site in SITES)
            + " } }\n"
            for number in range(NAMES)
        )
        return f"""\
plugins => {{
  geoip => {{
    maps => {{ world => {{ datacenters => [ {", ".join(order_of(DEFAULT))} ], nets => {self.nets} }} }}
    resources => {{
{resources}    }}
  }}
}}
"""

    def gdnsd_zone(self):
        return "".join(f"{host(number)} DYNA geoip!{host(number)}\n" for number in range(NAMES))

    def knot_module(self, folder):
        text = []
        for number in range(NAMES):
            text.append(f"{host(number)}.example.com:\n")
            entries = [*self.sites.items(), ("*", DEFAULT)]
            text += [f'  - geo: "{code}"\n    A: {address(site, number)}\n' for code, site in entries]
        (folder / "geo.conf").write_text("".join(text))
        return f"""\
    mode: geodb
    geodb-file: "{self.database}"
    geodb-key: country_code
"""


class Weighted(Steering):
    """By weight; `port` is that of the health checks' target."""

    def __init__(self, port):
        self.port = port

    def load_arguments(self):
        return ["--names", str(NAMES)]

    def meridian(self):
        lines = self.meridian_regions()
        lines += ["[checks.web]", f'http = {{ path = "/", port = {self.port} }}', 'interval = "10s"']
        weights = ", ".join(f"{site} = {weight}" for site, weight in WEIGHTS.items())
        keys = ['policy = "weighted"', 'check = "web"', f"weights = {{ {weights} }}"]
        for number in range(NAMES):
            lines += self.meridian_service(number, keys)
        return "\n".join(lines) + "\n"

    def gdnsd(self):
        resources = "".join(
            f"    {host(number)} => {{ "
            + ", ".join(f"{site} = [ {address(site, number)}, {WEIGHTS[site]} ]" for site in SITES)
            + " }\n"
            for number in range(NAMES)
        )
        return f"""\
service_types => {{
  web => {{ plugin => http_status, port => {self.port}, url_path => /, interval => 10, timeout => 5 }}
}}
plugins => {{
  weighted => {{
    service_types = web
{resources}  }}
}}
"""

    def gdnsd_zone(self):
        return "".join(f"{host(number)} DYNA weighted!{host(number)}\n" for number in range(NAMES))

    def knot_module(self, folder):
        text = []
        for number in range(NAMES):
            text.append(f"{host(number)}.example.com:\n")
            text += [f"  - weight: {WEIGHTS[site]}\n    A: {address(site, number)}\n" for site in SITES]
        (folder / "geo.conf").write_text("".join(text))
        return "    mode: weighted\n"


def dotted(number):
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def prefixes(start, end):
    """The fewest prefixes that cover a range, end not included."""
    while start < end:
        size = start & -start or 1 << 32
        while size > end - start:
            size >>= 1
        yield start, 33 - size.bit_length()
        start += size
