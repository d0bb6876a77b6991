"""The dashboards: whole, readable, of expressions that promtool can parse and that ask for what exists."""

import json
import re
import subprocess
import tempfile

import promql
import rules
from promql import ROOT

FILES = sorted((ROOT / "dist" / "grafana").glob("*.json"))

PANELS = {"heatmap", "row", "stat", "state-timeline", "table", "timeseries"}
UNITS = {"cps", "none", "ops", "percentunit", "pps", "reqps", "s", "short"}
COLUMNS = 24
# The backgrounds of panels in Grafana's light and dark theme.
BACKGROUNDS = ("#ffffff", "#181b1f")
# WCAG 2.2, 1.4.3 and 1.4.11, level AA: large text and graphics.
CONTRAST_MIN = 3.0
# What stands for Grafana's variables where an expression is only parsed.
PARSED_AS = {"__rate_interval": "5m", "__range": "1h", "__interval": "1m"}


def load():
    """(name, dashboard) of each file."""
    return [(file.name, json.loads(file.read_text())) for file in FILES]


def expressions(dashboard):
    """(where, expression) of all panels and annotations."""
    found = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return found + [(note["name"], note["expr"]) for note in dashboard["annotations"]["list"]]


def filled(expression, values):
    """An expression with Grafana's variables replaced."""
    return re.sub(r"\$\{?(\w+)\}?", lambda match: values[match.group(1)], expression)


def check():
    """Faults of the dashboards, in words."""
    found, metrics, recorded = [], promql.Metrics.documented(), rules.recorded()
    dashboards = load()
    if len({dashboard["uid"] for _, dashboard in dashboards}) != len(dashboards) or len(dashboards) < 3:
        found.append("dashboards share a uid, or are not there")
    for name, dashboard in dashboards:
        faults = faults_of_dashboard(dashboard)
        for where, expression in expressions(dashboard):
            faults += [f"{where}: {fault}" for fault in promql.faults(expression, metrics, recorded)]
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                series, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()
                faults += promql.faults(f'{series}{{{label}=~"$x"}}', metrics, recorded)
        found += [f"{name}: {fault}" for fault in faults]
    return found + unparsed(dashboards)


def faults_of_dashboard(dashboard):
    """What Grafana would stumble over, or a reader."""
    found = []
    panels = dashboard["panels"]
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    for key in ("uid", "title", "description", "schemaVersion", "time", "refresh"):
        if not dashboard.get(key):
            found.append(f"has no {key}")
    if len({panel["id"] for panel in panels}) != len(panels):
        found.append("two panels have one id")
    used = promql.names_after_dollar(json.dumps([panels, dashboard["annotations"]]))
    found += [f"variable `{name}` is not there" for name in used - set(variables)]
    found += [f"variable `{name}` is not used" for name in set(variables) - used]
    found += [f"variable `{name}` has no description" for name in variables if not variables[name].get("description")]
    cells = set()
    for panel in panels:
        faults = faults_of_panel(panel)
        place = panel["gridPos"]
        own = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        if cells & own or place["x"] + place["w"] > COLUMNS:
            faults.append("lies on another, or outside")
        cells |= own
        found += [f"{panel['title']}: {fault}" for fault in faults]
    return found + [f"color {color} has too little contrast" for color in sorted(colors(dashboard)) if faint(color)]


def faults_of_panel(panel):
    """What is missing from one panel."""
    if panel["type"] == "row":
        return []
    found = []
    if panel["type"] not in PANELS:
        found.append(f"type {panel['type']} is not one of those used here")
    if not panel.get("description"):
        found.append("has no description")
    defaults = panel["fieldConfig"]["defaults"]
    units = [defaults.get("unit")] + [
        part["value"] for override in panel["fieldConfig"]["overrides"] for part in override["properties"] if part["id"] == "unit"
    ]
    found += [f"unit {unit} is not one of those used here" for unit in units if unit not in UNITS | {None}]
    if panel["type"] not in ("table", "heatmap") and not defaults.get("unit"):
        found.append("has no unit")
    steps = defaults["thresholds"]["steps"]
    values = [step["value"] for step in steps]
    if values[0] is not None or values[1:] != sorted(values[1:]):
        found.append("its thresholds are not in order")
    # State is never told by color alone: a word or a number stands beside it.
    if panel["type"] == "state-timeline" and panel["options"]["showValue"] != "always":
        found.append("tells states by color alone")
    for target in panel["targets"]:
        if target["datasource"]["uid"] != "${datasource}" or not target["expr"].strip():
            found.append(f"query {target['refId']} has no data source or no expression")
        for name in re.findall(r'=~?"\$\{?(\w+)', target["expr"]):
            if f'=~"${name}"' not in target["expr"].replace("${", "$").replace("}", ""):
                found.append(f"`{name}` may have several values and is compared as one")
    if len({target["refId"] for target in panel["targets"]}) != len(panel["targets"]):
        found.append("two queries have one refId")
    return found


def colors(value):
    """All colors written as such."""
    if isinstance(value, dict):
        return set().union(*map(colors, value.values()), set())
    if isinstance(value, list):
        return set().union(*map(colors, value), set())
    return {value} if isinstance(value, str) and re.fullmatch(r"#[0-9a-f]{6}", value) else set()


def faint(color):
    """True if a color cannot be told from the background of one of the themes."""
    return any(contrast(color, background) < CONTRAST_MIN for background in BACKGROUNDS)


def contrast(one, other):
    """The contrast ratio of WCAG, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color):
    """Relative luminance of WCAG, 0 to 1."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def unparsed(dashboards):
    """What promtool cannot parse."""
    lines = ["groups:", "- name: dashboards", "  rules:"]
    for name, dashboard in dashboards:
        for number, (_, expression) in enumerate(expressions(dashboard)):
            values = {variable["name"]: "x" for variable in dashboard["templating"]["list"]} | PARSED_AS
            record = f"{name.removesuffix('.json')}:{number}"
            lines.append(f"  - {json.dumps({'record': record, 'expr': filled(expression, values)})}")
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        result = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True)
    return [] if result.returncode == 0 else [f"expressions: {result.stdout}{result.stderr}"]


def check_itself():
    """Contrast is what WCAG says, and variables are found."""
    assert round(contrast("#000000", "#ffffff"), 1) == 21.0 and round(contrast("#777777", "#ffffff"), 2) == 4.48
    assert faint("#ffff00") and faint("#000080") and not faint("#0969da")
    assert filled('a{b=~"$b"}[$__rate_interval]', {"b": "c", "__rate_interval": "5m"}) == 'a{b=~"c"}[5m]'
