"""The alert rules: parsed and tested by promtool; each with its severity, words, runbook, test and place in the manual."""

import re
import subprocess

import yaml

import promql
from promql import ROOT

FOLDER = ROOT / "dist" / "prometheus"
FILES = sorted(FOLDER.glob("*.yml"))
TESTS = sorted((FOLDER / "tests").glob("*.yml"))
SEVERITIES = {"critical", "warning"}


def all_rules():
    """Every rule of every file."""
    return [rule for file in FILES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def recorded():
    """Names that rules record."""
    return {rule["record"] for rule in all_rules() if "record" in rule}


def check():
    """Faults of the rules, in words."""
    found = []
    for command in (["check", "rules", *map(str, FILES)], ["test", "rules", *map(str, TESTS)]):
        result = subprocess.run(["promtool", *command], capture_output=True, text=True)
        if result.returncode != 0:
            found.append(f"promtool {command[0]} rules: {result.stdout}{result.stderr}")
    rules, metrics, tests = all_rules(), promql.Metrics.documented(), tested()
    manual = (ROOT / "docs" / "monitoring.md").read_text()
    alerts = [rule for rule in rules if "alert" in rule]
    if len({rule["alert"] for rule in alerts}) != len(alerts):
        found.append("two alerts have one name")
    for rule in rules:
        name = rule.get("alert") or rule["record"]
        faults = promql.faults(rule["expr"], metrics, recorded())
        if "alert" in rule:
            faults += faults_of_alert(rule, manual) + [f"has no test that {what}" for what in missing(tests, name)]
        found += [f"{name}: {fault}" for fault in faults]
    for name in re.findall(r"`(Meridian[A-Z]\w+)`", manual):
        if name not in {rule["alert"] for rule in alerts}:
            found.append(f"docs/monitoring.md names {name}, which is no alert")
    return found


def faults_of_alert(rule, manual):
    """What an alert lacks."""
    found = []
    if rule.get("labels", {}).get("severity") not in SEVERITIES:
        found.append("has no severity")
    annotations = rule.get("annotations", {})
    for key in ("summary", "description", "runbook"):
        if not annotations.get(key):
            found.append(f"has no {key}")
    labels = set(re.findall(r"\$labels\.(\w+)", " ".join(annotations.values())))
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", rule["expr"]))))
    if grouped and not labels <= grouped:
        found.append(f"tells labels that its expression does not keep: {', '.join(sorted(labels - grouped))}")
    if not anchor_exists(annotations.get("runbook", "")):
        found.append(f"its runbook `{annotations.get('runbook')}` is not there")
    if f"`{rule['alert']}`" not in manual:
        found.append("docs/monitoring.md does not explain it")
    return found


def anchor_exists(link):
    """True if FILE#ANCHOR is a heading of a document."""
    file, _, anchor = link.partition("#")
    path = ROOT / file
    if not path.is_file():
        return False
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def tested():
    """For each alert: the numbers of alerts that its tests expect."""
    counts = {}
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for case in test.get("alert_rule_test", []):
                counts.setdefault(case["alertname"], set()).add(len(case.get("exp_alerts") or []))
    return counts


def missing(tests, name):
    """Which of the two tests an alert lacks."""
    counts = tests.get(name, set())
    return [what for what, there in (("it fires", any(counts)), ("it does not", 0 in counts)) if not there]


def check_itself():
    """A poor alert is found out."""
    poor = {
        "alert": "Poor",
        "expr": "sum by (zone) (up) == 0",
        "annotations": {"summary": "{{ $labels.region }}", "runbook": "docs/runbooks.md#no-such-heading"},
    }
    assert faults_of_alert(poor, "") == [
        "has no severity",
        "has no description",
        "tells labels that its expression does not keep: region",
        "its runbook `docs/runbooks.md#no-such-heading` is not there",
        "docs/monitoring.md does not explain it",
    ]
    assert missing({"Poor": {0}}, "Poor") == ["it fires"] and missing({"Poor": {0, 1}}, "Poor") == []
    assert missing({}, "Poor") == ["it fires", "it does not"]
