"""Figures to Markdown."""

import statistics


def rounds_table(workload, rounds, subject):
    """One row per server: medians over the rounds, and the subject's ratio to it in the same round."""
    lines = [
        f"### {workload}",
        "",
        "| server | max qps | server µs/query | of it user | min–max | load | client load | p50 / p99 µs (steady)"
        " | lost | wrong"
        f" | answer octets | {subject} ÷ it: µs/query | {subject} ÷ it: qps | disturbed |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in servers_of(rounds):
        runs = [round_[name] for round_ in rounds if name in round_]
        calm = [run for run in runs if not run["disturbed"]] or runs
        cost = [run["server"]["us_per_query"] for run in calm]
        steady = [run["steady"] for run in calm if "steady" in run]
        latency = "-"
        if steady:
            latency = " / ".join(f"{median(run['latency_us'][key] for run in steady):.0f}" for key in ("p50", "p99"))
        bound = "≥ " if 2 * sum(run["client_bound"] for run in calm) > len(calm) else ""
        lines.append(
            f"| {name} | {bound}{median(run['qps'] for run in calm):,.0f} | {median(cost):.2f}"
            f" | {median(run['server']['user_us_per_query'] for run in calm):.2f} | {min(cost):.2f}–{max(cost):.2f}"
            f" | {median(run['server']['load'] for run in calm):.2f} | {median(run['client']['load'] for run in calm):.2f}"
            f" | {latency} | {total(runs, 'lost')} | {total(runs, 'wrong')}"
            f" | {median(run['answer_octets'] for run in calm):.0f}"
            f" | {ratio(rounds, subject, name, lambda run: run['server']['us_per_query'])}"
            f" | {ratio(rounds, subject, name, lambda run: run['qps'])}"
            f" | {sum(run['disturbed'] for run in runs)}/{len(runs)} |"
        )
    return "\n".join(lines) + "\n"


def total(runs, what):
    """Over all runs, the steady ones too."""
    return sum(run[what] + run.get("steady", {}).get(what, 0) for run in runs)


def ratio(rounds, subject, peer, figure):
    """Median and range of the subject's figure over the peer's, round by round; `~` where the rounds were disturbed."""
    if subject == peer:
        return "-"
    pairs = [(round_[subject], round_[peer]) for round_ in rounds if subject in round_ and peer in round_]
    calm = [pair for pair in pairs if not (pair[0]["disturbed"] or pair[1]["disturbed"])]
    mark = "" if len(calm) >= max(1, len(pairs) // 2) else "~"
    ratios = [figure(ours) / max(figure(theirs), 1e-9) for ours, theirs in (calm if not mark else pairs)]
    if not ratios:
        return "-"
    return f"{mark}{median(ratios):.3f} ({min(ratios):.3f}–{max(ratios):.3f})"


def changes_table(names, repeats):
    """Start, memory and the change of one record in a large zone."""
    lines = [
        f"### Start, memory, one changed record: {names:,} names",
        "",
        "| server | start s | resident MB | peak while starting MB | changed record answered ms | reload reported done ms"
        " | peak while reloading MB | lost | wrong | p99 / max µs meanwhile |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in servers_of(repeats):
        runs = [repeat[name] for repeat in repeats if name in repeat]
        changes = [run["change"] for run in runs if run.get("change")]
        cells = [
            name,
            spread((run["start_s"] for run in runs), 2),
            spread((run["resident_mb"] for run in runs), 0),
            spread((run["start_peak_mb"] for run in runs), 0),
        ]
        if changes:
            loads = [change["load"] for change in changes]
            cells += [
                spread((change["reloads"]["first_answer_ms_median"] for change in changes), 0),
                spread((change["reloads"]["done_ms_median"] for change in changes), 0),
                spread((change["peak_mb"] for change in changes), 0),
                str(sum(load["lost"] for load in loads)),
                str(sum(load["wrong"] for load in loads)),
                f"{median(load['latency_us']['p99'] for load in loads):.0f} /"
                f" {max(load['latency_us']['max'] for load in loads):.0f}",
            ]
        else:
            cells += ["-"] * 6
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def servers_of(rounds):
    """The servers in the order in which they first appear."""
    return list(dict.fromkeys(name for round_ in rounds for name in round_))


def median(figures):
    return statistics.median(list(figures) or [float("nan")])


def spread(figures, digits):
    """The median, and the range if there is one."""
    figures = list(figures)
    middle = f"{median(figures):.{digits}f}"
    if len(figures) < 2:
        return middle
    return f"{middle} ({min(figures):.{digits}f}–{max(figures):.{digits}f})"
