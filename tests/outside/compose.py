"""The compose file and the image: valid, pinned, confined, and built from files that are there."""

import pathlib
import re
import shutil
import subprocess
import tempfile

import yaml

from promql import ROOT

# The one that prepares volumes: root without capabilities, which ends before the others start.
ONCE = "tokens"
CAPABILITIES = {"ALL"}
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+(-[\w.-]+)?")
NOBODY = re.compile(r"[1-9]\d*:\d+")


def load():
    """The compose file, as it is."""
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def check():
    """Faults of the compose file, the image and its context, in words."""
    found = []
    for command in (
        ["docker-compose", "--file", str(ROOT / "docker-compose.yml"), "config", "--quiet"],
        ["amtool", "check-config", str(ROOT / "dist" / "compose" / "alertmanager.yml")],
    ):
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            found.append(f"{' '.join(command)}: {result.stdout}{result.stderr}")
    compose = load()
    for name, service in compose["services"].items():
        faults = faults_of_service(name, service)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            there = (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"]
            faults += [] if there else [f"volume {source} is not there"]
        found += [f"{name}: {fault}" for fault in faults]
    return found + faults_of_image() + faults_of_context()


def faults_of_service(name, service):
    """What makes a service less than pinned, confined and watched."""
    checks = {
        "its image is not pinned": PINNED.fullmatch(service["image"]),
        "it may write to its image": service.get("read_only") is True,
        "it has capabilities": set(service.get("cap_drop", [])) == CAPABILITIES and not service.get("cap_add"),
        "it may gain privileges": "no-new-privileges:true" in service.get("security_opt", []),
        "it is not limited": {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])
        and service.get("pids_limit"),
        "it runs as root": NOBODY.fullmatch(service.get("user", "")) or name == ONCE,
        "it has no health check": "test" in service.get("healthcheck", {}) or name == ONCE,
        "it is published to everybody": all(port.startswith("127.0.0.1:") for port in service.get("ports", [])),
        "it writes where others do": all(
            volume.endswith(":ro") for volume in service.get("volumes", []) if volume.startswith(".")
        ),
    }
    return [fault for fault, well in checks.items() if not well]


def faults_of_image():
    """The Dockerfile's bases are pinned, and it ends as nobody, with a health check."""
    text = (ROOT / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    last = text[text.rindex("\nFROM ") :]
    found = [f"Dockerfile: {base} is not pinned" for base in bases if base != "scratch" and not PINNED.fullmatch(base)]
    for wanted in (r"^USER [1-9]\d*:", r"^HEALTHCHECK ", r"^ENTRYPOINT \["):
        if not re.search(wanted, last, re.MULTILINE):
            found.append(f"Dockerfile: its last stage has nothing like {wanted}")
    rust = re.search(r'^rust-version = "([\d.]+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
    built = re.search(r"^FROM rust:(\d+)\.(\d+)", text, re.MULTILINE).groups()
    if tuple(map(int, built)) < tuple(map(int, rust.split(".")[:2])):
        found.append(f"Dockerfile: Rust {'.'.join(built)} is older than Cargo.toml wants")
    return found


def faults_of_context():
    """What `.dockerignore` lets through is all that the build and the image need."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    found = []
    with tempfile.TemporaryDirectory(prefix="outside-context-") as folder:
        folder = pathlib.Path(folder)
        for pattern in allowed:
            for path in ROOT.glob(pattern):
                target = folder / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copytree(path, target) if path.is_dir() else shutil.copy(path, target)
        command = ["cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if result.returncode != 0:
            found.append(f".dockerignore keeps back what cargo needs: {result.stderr}")
        for source in folder.glob("src/**/*.rs"):
            if source.name == "tests.rs":
                continue
            code = source.read_text().split("#[cfg(test)]")[0]
            for name in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', code):
                if not (source.parent / name).exists():
                    found.append(f".dockerignore keeps back {name}, which {source.relative_to(folder)} includes")
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
            for name in line.split():
                if not (folder / name).exists():
                    found.append(f".dockerignore keeps back {name}, which the Dockerfile copies")
    return found


def check_itself():
    """A careless service is found out, in every way."""
    careless = {"image": "meridian:latest", "user": "0", "ports": ["53:53"], "volumes": ["./dist:/dist"]}
    careless["deploy"] = {"resources": {"limits": {"cpus": "1.0"}}}
    assert len(faults_of_service("careless", careless)) == 9
    assert PINNED.fullmatch("rust:1.95.0-slim-bookworm") and not PINNED.fullmatch("rust:1") and not PINNED.fullmatch("rust")
