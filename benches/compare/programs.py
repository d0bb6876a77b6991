"""The programs that benchmarks are made of: bench targets of this crate."""

import json
import subprocess


def built(root, given):
    """Paths of the programs by the names of their bench targets, built unless they are given."""
    tools = dict(given)
    if None in tools.values():
        command = ["cargo", "bench", "--no-run", "--message-format", "json"]
        command += [word for name in tools for word in ("--bench", name)]
        found = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
        for message in map(json.loads, found.stdout.splitlines()):
            name = message.get("target", {}).get("name")
            if message.get("executable") and name in tools:
                tools[name] = tools[name] or message["executable"]
    return tools
