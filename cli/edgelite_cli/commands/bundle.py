"""`edgelite bundle --port PORT`: what a device needs to be a node, and nothing else: one archive, or for a board a
folder to copy onto it."""

from __future__ import annotations

import gzip
import importlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgelite import __version__
from edgelite_cli import installed_drivers, options, output
from edgelite_cli.compact import compact
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.installed_drivers import Driver

# What a node needs, as the dotted names of packages; "!" leaves a part of one out. The command line is there for
# `join` and `agent` alone.
PORTS: dict[str, tuple[str, ...]] = {
    "linux": ("edgelite_protocol", "edgelite", "edgelite_drivers", "edgelite_ports", "edgelite_cli"),
}
LEFT_OUT = {
    "linux": (
        "edgelite_ports/testing",
        "edgelite_ports/micropython",
        "edgelite_drivers/testing",
        "edgelite_protocol/hub_session",
        "edgelite_protocol/feed_rules",
        "edgelite_cli/",
    ),
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
            "installed_drivers.py",
            "commands/__init__.py",
            "commands/join.py",
            "commands/version.py",
        )
    ),
}
VENDORED = ("vendored/umqtt.py", "vendored/umqtt.LICENSE")  # fetched, so a checkout may lack them
SUFFIXES = (".py", ".sh", ".service", ".LICENSE")
# Of pyserial, what opens a line on Linux, with its licence, which its package does not have.
PYSERIAL = ("__init__.py", "serialutil.py", "serialposix.py", "rs485.py")
PYSERIAL_LICENCE = "pyserial.LICENSE"
BUNDLED = "edgelite-bundled-drivers"  # a distribution that only a bundle has
ALL_PORTS = ("esp32", "linux", "micropython-linux", "qemu-cortex-m3", "rp2")

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


def require_vendored(root: Path) -> None:
    """A bundle without them would be one that cannot do what it should. `root` is the folder of edgelite."""
    for name in VENDORED:
        if not (root / name).is_file():
            raise Failure(f"{root / name} is missing: in a checkout, ./dev setup fetches it")


def wanted(port: str, name: str) -> bool:
    return name in KEPT[port] or not name.startswith(LEFT_OUT[port])


def package_files(port: str) -> Iterator[tuple[str, bytes]]:
    """(name below lib/, content) of each file."""
    for package in PORTS[port]:
        root = package_root(package)
        for file in sorted(root.rglob("*")):
            name = f"{package}/{file.relative_to(root).as_posix()}"
            if file.suffix in SUFFIXES and wanted(port, name):
                yield name, content_of(file)


def content_of(file: Path) -> bytes:
    return compact(file.read_bytes()) if file.suffix == ".py" else file.read_bytes()


def pyserial_files() -> list[tuple[str, bytes]]:
    """None where it is not installed: the device then has no serial lines."""
    try:
        root = package_root("serial")
    except ModuleNotFoundError:
        return []
    files = [(f"serial/{name}", content_of(root / name)) for name in PYSERIAL]
    licence = (package_root("edgelite_cli") / PYSERIAL_LICENCE).read_bytes()
    return [*files, ("serial/LICENSE", licence)]


def add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    archive.addfile(info, io.BytesIO(content))


def driver_files(drivers: list[Driver]) -> list[tuple[str, bytes]]:
    """Drivers of others, and what lets the device's own `edgelite join` find them."""
    if not drivers:
        return []
    files = [(name, path.read_bytes()) for driver in drivers for name, path in driver.files()]
    points = "".join(f"{driver.name} = {driver.module}\n" for driver in drivers)
    metadata = f"Metadata-Version: 2.1\nName: {BUNDLED}\nVersion: {__version__}\n"
    folder = f"{BUNDLED.replace('-', '_')}-{__version__}.dist-info"
    return [
        *dict(files).items(),
        (f"{folder}/METADATA", metadata.encode()),
        (f"{folder}/entry_points.txt", f"[{installed_drivers.GROUP}]\n{points}".encode()),
    ]


def pack(port: str, target: Path, drivers: list[Driver] | None = None) -> int:
    """Write the archive, the same bytes for the same files; how many files of ours it holds."""
    require_vendored(package_root("edgelite"))
    unit = (package_root("edgelite_ports") / port / "edgelite-agent.service").read_bytes()
    rows = [
        ("bin/edgelite", LAUNCHER.encode(), 0o755),
        ("install.sh", INSTALL.encode(), 0o755),
        ("edgelite-agent.service", unit, 0o644),
    ]
    files = [
        (f"lib/{name}", content, 0o755 if name.endswith(".sh") else 0o644)
        for name, content in [*package_files(port), *pyserial_files(), *driver_files(drivers or [])]
    ]
    write_archive(port, target, [*rows, *files])
    return len(files)


def write_archive(port: str, target: Path, rows: Iterable[tuple[str, bytes, int]]) -> None:
    top = f"edgelite-{port}-{__version__}"
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, 0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content, mode in rows:
            add(archive, f"{top}/{name}", content, mode)


def write_folder(target: Path, rows: Iterable[tuple[str, bytes, int]]) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Failure(f"{target} is there already and not empty: name another by --out, or remove it")
    for name, content, mode in rows:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)


def pack_micropython(
    port: str, target: Path, mpy_cross: str | None, drivers: list[Driver] | None = None
) -> tuple[int, int]:
    """An archive where the name says so, else a folder; (files, their bytes)."""
    require_vendored(package_root("edgelite"))
    from edgelite_cli import micropython_bundles  # no other port needs a compiler

    modules = [row for driver in drivers or [] for row in driver.files()]
    rows = list(micropython_bundles.contents(port, package_root("edgelite_ports"), mpy_cross, modules))
    if is_archive(target):
        write_archive(port, target, rows)
    else:
        write_folder(target, rows)
    return len(rows), sum(len(content) for _, content, _ in rows)


def is_archive(target: Path) -> bool:
    return target.name.endswith((".tar.gz", ".tgz"))


def default_target(port: str) -> Path:
    """What runs on Linux is unpacked there; a board's files are copied one by one."""
    return Path(f"edgelite-{port}-{__version__}" + (".tar.gz" if port.endswith("linux") else ""))


@reporting
def main(arguments: list[str]) -> int:
    made = options.parser("bundle", "Pack what goes onto a device, without hub and simulator.")
    made.add_argument("--port", choices=ALL_PORTS, required=True, help="the platform that the device runs")
    made.add_argument(
        *("-o", "--out"),
        type=Path,
        metavar="FILE_OR_DIR",
        help="where to: an archive where it ends in .tar.gz, as for Linux in any case, else a folder "
        "(default: edgelite-PORT-VERSION)",
    )
    made.add_argument("--mpy-cross", metavar="PATH", help="MicroPython's compiler (default: whichever is installed)")
    made.add_argument(
        *("--driver", "-d"),
        action="append",
        default=[],
        metavar="NAME",
        help="take along a driver of others that is installed here (edgelite driver list); may be given again",
    )
    given = made.parse_args(arguments)
    drivers = installed_drivers.chosen(given.driver) if given.driver else []
    target = given.out or default_target(given.port)
    try:
        if given.port in PORTS:
            count, size_bytes = pack(given.port, target, drivers), 0
        else:
            count, size_bytes = pack_micropython(given.port, target, given.mpy_cross, drivers)
    except OSError as error:
        raise Failure(f"cannot write {target}: {error.strerror}") from error
    _tell(given.port, target, count, size_bytes)
    if drivers and given.port not in PORTS:
        words = " ".join(f"--driver {driver.name}:{driver.module}" for driver in drivers)
        output.say(f"Its agent.conf must name them: edgelite provision ... {words}\n")
    return 0


def _tell(port: str, target: Path, count: int, size_bytes: int) -> None:
    if target.is_file():
        unpacked = f" ({output.size(size_bytes)} unpacked)" if size_bytes else ""
        output.say(f"{target}: {output.size(target.stat().st_size)}{unpacked}, {count} files\n")
        if port in PORTS and not pyserial_files():
            output.say("Serial lines are left out: pyserial is not installed here (pip install 'edgelite[serial]')\n")
        output.say(f"On the device: tar xf {target.name}, then its install.sh\n")
        return
    output.say(f"{target}: {output.size(size_bytes)}, {count} files\n")
    if (target / "manifest.py").is_file():
        output.say(f"Build the firmware with FROZEN_MANIFEST={(target / 'manifest.py').resolve()}\n")
    else:
        output.say(f"Next: edgelite provision {port}, then copy both onto the board; {target / 'README.md'} says how\n")
