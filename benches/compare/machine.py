"""What the machine did meanwhile: memory of process trees, processor time that went elsewhere."""

import os
import pathlib
import threading

TICK = 1.0 / os.sysconf("SC_CLK_TCK")


def tree(pid):
    """The process and all that descend from it."""
    found, waiting = [], [pid]
    while waiting:
        pid = waiting.pop()
        if pid in found:
            continue
        found.append(pid)
        for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                waiting += [int(child) for child in children.read_text().split()]
            except OSError:
                pass
    return found


def _field_kb(path, key):
    try:
        for line in pathlib.Path(path).read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def resident_mb(pid):
    """Memory of the tree in MB (10^6 bytes), pages shared between its processes counted once."""
    pids = tree(pid)
    if len(pids) == 1:
        return _field_kb(f"/proc/{pid}/status", "VmRSS:") * 1024 / 1e6
    return sum(_field_kb(f"/proc/{one}/smaps_rollup", "Pss:") for one in pids) * 1024 / 1e6


def peak_mb(pid):
    """The most that the largest process of the tree has ever held, MB."""
    return max(_field_kb(f"/proc/{one}/status", "VmHWM:") for one in tree(pid)) * 1024 / 1e6


class Peak:
    """The most memory a tree holds while the block runs: exact for one process (the kernel's high-water mark), sampled
    for several."""

    def __init__(self, pid):
        self.pid = pid
        self.mb = 0.0
        self._end = threading.Event()
        self._sampler = None

    def __enter__(self):
        if len(tree(self.pid)) == 1:
            pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        else:
            self._sampler = threading.Thread(target=self._sample)
            self._sampler.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        if self._sampler:
            self._sampler.join()
        else:
            self.mb = peak_mb(self.pid)

    def _sample(self):
        while not self._end.wait(0.1):
            self.mb = max(self.mb, resident_mb(self.pid))


class Core:
    """How busy a core was while the block ran, in seconds, and how much of it the hypervisor took."""

    def __init__(self, number):
        self.number = number
        self.busy = self.stolen = 0.0

    def __enter__(self):
        self._before = self._read()
        return self

    def __exit__(self, *_):
        busy, stolen = self._read()
        self.busy, self.stolen = busy - self._before[0], stolen - self._before[1]

    def _read(self):
        for line in pathlib.Path("/proc/stat").read_text().splitlines():
            if line.startswith(f"cpu{self.number} "):
                user, nice, system, _idle, _wait, irq, softirq, stolen = map(int, line.split()[1:9])
                return (user + nice + system + irq + softirq) * TICK, stolen * TICK
        return 0.0, 0.0


def describe():
    """One line about the machine, for the report."""
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    buffer = pathlib.Path("/proc/sys/net/core/rmem_default").read_text().strip()
    return f"{model}, {os.cpu_count()} cores, kernel {os.uname().release}, net.core.rmem_default {buffer}"
