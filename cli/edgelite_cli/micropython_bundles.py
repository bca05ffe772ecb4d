"""What `edgelite bundle` packs for devices with MicroPython: compiled modules, and what starts them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgelite import __version__
from edgelite_cli.mpy_files import Manifest, Source, compile_all, find_compiler

FOLDER = "micropython"  # below edgelite_ports
START = "edgelite_start.py"
LICENCE_SUFFIX = ".LICENSE"  # of the text beside a third-party source; it goes along, and no board needs it

LAUNCHER = """#!/bin/sh
# The agent of this bundle under MicroPython. $MICROPYTHON names another interpreter, $EDGELITE_HEAP its heap's size.
here=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")/../lib" && pwd) || exit 1
interpreter=${MICROPYTHON:-micropython}
if ! command -v "$interpreter" >/dev/null; then
    echo "edgelite: there is no $interpreter here: install the package micropython, or name one by MICROPYTHON=PATH" >&2
    exit 2
fi
MICROPYPATH="$here:.frozen" exec "$interpreter" -X heapsize="${EDGELITE_HEAP:-1400k}" "$here/edgelite_agent.py" "$@"
"""

INSTALL = """#!/bin/sh
# Installs this bundle into /opt/edgelite (or the folder named) and, where systemd runs, its unit.
set -eu
target=${1:-/opt/edgelite}
cd -- "$(dirname -- "$0")"
mkdir -p -- "$target"
cp -R bin lib -- "$target"
if [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ]; then
    sed "s|^ExecStart=.*|ExecStart=$target/bin/edgelite-agent|" edgelite-agent.service \\
        >/etc/systemd/system/edgelite-agent.service
    systemctl daemon-reload
    echo "next: put what edgelite provision made into /var/lib/edgelite, then systemctl enable --now edgelite-agent"
else
    echo "next: $target/bin/edgelite-agent --state DIR, where DIR is what edgelite provision made"
fi
"""


@dataclass(frozen=True, slots=True)
class Port:
    """`folder` is below edgelite_ports/micropython and has manifest.py; `files` of it go along as they are."""

    folder: str
    files: tuple[str, ...] = ()
    architecture: str = ""  # mpy-cross's, where native code goes along
    is_linux: bool = False
    is_frozen: bool = False  # into a firmware: the device has no files to load modules from


PORTS = {
    "micropython-linux": Port("unix", is_linux=True),
    "esp32": Port("boards/esp32", ("boot.py", "main.py", "README.md")),
    "rp2": Port("boards/rp2", ("boot.py", "main.py", "README.md")),
    "qemu-cortex-m3": Port("boards/qemu_cortex_m3", ("main.py",), architecture="armv7m", is_frozen=True),
}


DRIVER_OPTIMISATION = 3  # without assertions and lines' numbers, as the rest


def contents(
    name: str, ports_root: Path, mpy_cross: str | None, drivers: Sequence[tuple[str, Path]] = ()
) -> Iterator[tuple[str, bytes, int]]:
    """(path in the bundle, content, mode), the same for the same files and compiler. `ports_root` is the folder of
    edgelite_ports; `drivers` are the modules of drivers of others: (target, file)."""
    port = PORTS[name]
    folder = ports_root / FOLDER / port.folder
    manifest = Manifest(folder / "manifest.py")
    sources = [source for source in manifest.sources if not port.is_frozen or source.target not in port.files]
    sources += [Source(path, target, DRIVER_OPTIMISATION) for target, path in drivers]
    compiled = list(compile_all(sources, find_compiler(mpy_cross), port.architecture))
    for target, content in compiled:
        yield f"lib/{target}", content, 0o644
    yield from _licences(sources)
    start = (ports_root / FOLDER / START).read_bytes()
    if port.is_linux:
        yield f"lib/{START}", start, 0o644
        yield "lib/edgelite_agent.py", (folder / "edgelite_agent.py").read_bytes(), 0o644
        yield "bin/edgelite-agent", LAUNCHER.encode(), 0o755
        yield "install.sh", INSTALL.encode(), 0o755
        unit = ports_root / "linux" / "edgelite-agent.service"
        yield "edgelite-agent.service", unit.read_bytes(), 0o644
        return
    for file in port.files:
        yield file, (folder / file).read_bytes(), 0o644
    if port.is_frozen:
        yield "manifest.py", _frozen_manifest(port).encode(), 0o644
        return
    yield START, start, 0o644
    yield "package.json", _package(compiled), 0o644


def _licences(sources: list[Source]) -> Iterator[tuple[str, bytes, int]]:
    for source in sources:
        licence = source.path.with_suffix(LICENCE_SUFFIX)
        if licence.is_file():
            yield "lib/" + source.target.removesuffix(".py") + LICENCE_SUFFIX, licence.read_bytes(), 0o644


def _frozen_manifest(port: Port) -> str:
    """For MicroPython's build: FROZEN_MANIFEST=/path/of/the/bundle/manifest.py"""
    modules = "".join(f'freeze(".", "{file}", opt=3)\n' for file in port.files)
    return f'# edgelite {__version__}, compiled already.\nfreeze_mpy("lib")\n{modules}'


def _package(compiled: list[tuple[str, bytes]]) -> bytes:
    """package.json as `mip` reads it: the modules go below the device's /lib. Their starters are copied by hand, since
    boot.py and main.py are the device's own."""
    urls = [[target, f"lib/{target}"] for target, _ in compiled]
    urls.append([START, START])
    return (json.dumps({"version": __version__, "urls": urls, "deps": []}, indent=1) + "\n").encode()
