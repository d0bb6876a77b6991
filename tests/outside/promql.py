"""What an expression of PromQL names: metrics, labels and values, compared with docs/metrics.md.

promtool says whether an expression can be parsed; this says whether what it asks for exists.
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# Labels that Prometheus gives to everything it scrapes.
OF_THE_SCRAPE = {"instance", "job"}
# What is there without Meridian.
OF_PROMETHEUS = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity", "service", "region", "instance"}}

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
SELECTOR = re.compile(rf"({NAME})\s*(\{{[^}}]*\}})?")
MATCHER = re.compile(rf'({NAME})\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")')
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")


class Metrics:
    """The metrics of docs/metrics.md, with their labels, and all that stands there in backticks."""

    def __init__(self, text):
        self.labels, self.kinds = {}, {}
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) >= 6 and re.fullmatch(r"`meridian_\w+`", cells[1]):
                name = cells[1].strip("`")
                self.kinds[name] = cells[2]
                self.labels[name] = set(re.findall(r"`(\w+)`", cells[3]))
        self.words = set(re.findall(r"`([^`]+)`", text))

    @classmethod
    def documented(cls):
        """Those of the manual."""
        metrics = cls((ROOT / "docs" / "metrics.md").read_text())
        assert len(metrics.labels) > 20, "the table of docs/metrics.md was not found"
        return metrics

    def labels_of(self, name, recorded):
        """Labels of what an expression names; None if there is no such thing. `recorded`: names that rules record."""
        if name in OF_PROMETHEUS:
            return OF_PROMETHEUS[name]
        if name in recorded:
            return set()
        if name in self.labels:
            # A histogram has no series of its own name.
            return None if self.kinds[name] == "histogram" else self.labels[name]
        for end, more in (("_bucket", {"le"}), ("_sum", set()), ("_count", set())):
            base = name.removesuffix(end)
            if base != name and self.kinds.get(base) == "histogram":
                return self.labels[base] | more
        return None


def faults(expression, metrics, recorded=()):
    """What is wrong with the names of an expression, in words."""
    found, known = [], set(OF_THE_SCRAPE)
    plain = STRING.sub('""', expression)
    for match in SELECTOR.finditer(plain):
        name, braces = match.group(1), match.group(2)
        if not (braces or name.startswith(("meridian_", "meridian:")) or name in OF_PROMETHEUS):
            continue
        labels = metrics.labels_of(name, recorded)
        if labels is None:
            found.append(f"there is no metric `{name}`")
            continue
        known |= labels
    for match in re.finditer(rf"({NAME})\s*\{{((?:[^}}\"]|{STRING.pattern})*)\}}", expression):
        labels = metrics.labels_of(match.group(1), recorded)
        for label, operator, value in MATCHER.findall(match.group(2)):
            if labels is not None and label not in labels | OF_THE_SCRAPE:
                found.append(f"`{match.group(1)}` has no label `{label}`")
            elif match.group(1) not in OF_PROMETHEUS:
                found += unknown_values(label, operator, value.strip('"'), metrics)
    for match in GROUPING.finditer(plain):
        for label in filter(None, (part.strip() for part in match.group(1).split(","))):
            if label not in known:
                found.append(f"nothing here has the label `{label}`")
    return found


def unknown_values(label, operator, value, metrics):
    """Values written out must be among those that the manual names."""
    if "$" in value or label in OF_THE_SCRAPE:
        return []
    values = value.split("|") if operator in ("=~", "!~") else [value]
    return [f"no value `{value}` of `{label}` is documented" for value in values if value not in metrics.words]


def names_after_dollar(text):
    """Variables of Grafana in a text: `$name`, `${name}`, not those that Grafana has itself."""
    return {name for name in re.findall(r"\$\{?(\w+)", text) if not name.startswith("__")}


def check_itself():
    """The faults above are found, and nothing else is."""
    metrics = Metrics(
        "| `meridian_a_total` | counter | `reason` | As `late`. |\n| `meridian_b_seconds` | histogram | `check` | B. |\n"
    )
    good = [
        'sum by (instance, reason) (rate(meridian_a_total{reason="late",job="x"}[5m])) > 0',
        'histogram_quantile(0.9, sum by (le, check) (rate(meridian_b_seconds_bucket{check=~"$check"}[5m])))',
        'count(ALERTS{alertstate="firing"}) or vector(0)',
        "meridian:c:ratio > 1",
    ]
    bad = {
        "meridian_z_total": "there is no metric `meridian_z_total`",
        "rate(meridian_b_seconds[5m])": "there is no metric `meridian_b_seconds`",
        'meridian_a_total{zone="late"}': "`meridian_a_total` has no label `zone`",
        'meridian_a_total{reason=~"late|early"}': "no value `early` of `reason` is documented",
        "sum by (zone) (meridian_a_total)": "nothing here has the label `zone`",
        "meridian:d:ratio": "there is no metric `meridian:d:ratio`",
    }
    for expression in good:
        assert faults(expression, metrics, {"meridian:c:ratio"}) == [], expression
    for expression, fault in bad.items():
        assert faults(expression, metrics, {"meridian:c:ratio"}) == [fault], expression
