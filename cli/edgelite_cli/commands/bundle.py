"""`edgelite bundle --port linux`: one archive with what a device needs to be a node, and nothing else."""

from __future__ import annotations

import gzip
import importlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from edgelite import __version__
from edgelite_cli import options, output
from edgelite_cli.failure import Failure, reporting

# What a node needs, as the dotted names of packages; "!" leaves a part of one out. The command line is there for
# `join` and `agent` alone.
PORTS: dict[str, tuple[str, ...]] = {
    "linux": ("edgelite_protocol", "edgelite", "edgelite_drivers", "edgelite_ports", "edgelite_cli"),
}
LEFT_OUT = {
    "linux": ("edgelite_ports/testing", "edgelite_ports/micropython", "edgelite_drivers/testing", "edgelite_cli/"),
}
KEPT = {
    "linux": tuple(
        "edgelite_cli/" + name
        for name in (
            "__init__.py",
            "__main__.py",
            "main.py",
            "failure.py",
            "options.py",
            "client.py",
            "kubeconfig.py",
            "commands/__init__.py",
            "commands/join.py",
            "commands/version.py",
        )
    ),
}
SUFFIXES = (".py", ".sh", ".service")

LAUNCHER = """#!/bin/sh
# edgelite on this device: `edgelite join HUB --token TOKEN`, then `edgelite agent`.
here=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")/../lib" && pwd) || exit 1
PYTHONPATH="$here" exec "${PYTHON:-python3}" -m edgelite_cli "$@"
"""

INSTALL = """#!/bin/sh
# Installs this bundle into /opt/edgelite (or the folder named) and, where systemd runs, its unit.
set -eu
target=${1:-/opt/edgelite}
cd -- "$(dirname -- "$0")"
mkdir -p -- "$target"
cp -R bin lib -- "$target"
"${PYTHON:-python3}" -m compileall -q "$target/lib"
if [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ]; then
    ln -sf "$target/bin/edgelite" /usr/local/bin/edgelite
    cp edgelite-agent.service /etc/systemd/system/
    systemctl daemon-reload
    echo "next: edgelite join HUB --token TOKEN && systemctl enable --now edgelite-agent"
else
    echo "next: $target/bin/edgelite join HUB --token TOKEN && $target/bin/edgelite agent"
fi
"""


def package_root(name: str) -> Path:
    file = importlib.import_module(name).__file__
    if file is None:
        raise Failure(f"the package {name} has no folder; install edgelite as files, not as one archive")
    return Path(file).parent


def wanted(port: str, name: str) -> bool:
    return name in KEPT[port] or not name.startswith(LEFT_OUT[port])


def package_files(port: str) -> Iterator[tuple[str, bytes]]:
    """(name below lib/, content) of each file."""
    for package in PORTS[port]:
        root = package_root(package)
        for file in sorted(root.rglob("*")):
            name = f"{package}/{file.relative_to(root).as_posix()}"
            if file.suffix in SUFFIXES and wanted(port, name):
                yield name, file.read_bytes()


def add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    archive.addfile(info, io.BytesIO(content))


def pack(port: str, target: Path) -> int:
    """Write the archive, the same bytes for the same files; how many files it holds."""
    top = f"edgelite-{port}-{__version__}"
    unit = (package_root("edgelite_ports") / port / "edgelite-agent.service").read_bytes()
    count = 0
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, 0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        add(archive, f"{top}/bin/edgelite", LAUNCHER.encode(), 0o755)
        add(archive, f"{top}/install.sh", INSTALL.encode(), 0o755)
        add(archive, f"{top}/edgelite-agent.service", unit, 0o644)
        for name, content in package_files(port):
            add(archive, f"{top}/lib/{name}", content, 0o755 if name.endswith(".sh") else 0o644)
            count += 1
    return count


@reporting
def main(arguments: list[str]) -> int:
    made = options.parser("bundle", "Pack what goes onto a device, without hub and simulator.")
    made.add_argument("--port", choices=sorted(PORTS), required=True, help="the platform that the device runs")
    made.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="the archive (default: edgelite-PORT-VERSION.tar.gz)"
    )
    given = made.parse_args(arguments)
    target = given.out or Path(f"edgelite-{given.port}-{__version__}.tar.gz")
    try:
        count = pack(given.port, target)
    except OSError as error:
        raise Failure(f"cannot write {target}: {error.strerror}") from error
    print_size = output.size(target.stat().st_size)
    output.say(f"{target}: {print_size}, {count} files\nOn the device: tar xf {target.name}, then its install.sh\n")
    return 0
