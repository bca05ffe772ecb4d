"""MicroPython from the pinned source package of Debian: the cross compiler, firmware for an emulated Cortex-M3.

Built things are kept in the cache by source, options, our own C files, frozen modules and the compiler's version.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgelite_sim.qemu import cache, debian
from edgelite_sim.qemu.emulators import require

VERSION = (1, 25, 0)
_DEBIAN_VERSION = "1.25.0+ds-1"
_SHA256_OF_FILES = {
    "micropython_1.25.0+ds-1.dsc": "8c7c406be88a6f3bc19e694eb0bbc5841112243fdf2b5a296e000d8fdc5f3c34",
    "micropython_1.25.0+ds.orig.tar.xz": "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea",
    "micropython_1.25.0+ds-1.debian.tar.xz": "87cd89f7900c86b963885dabe25acf3e5348815993f1500278ad8f6464465af4",
}
_RECIPE = "1"  # of this file; another one builds everything anew
_BOARD_FILES = Path(__file__).parent / "cortex_m3"
_JOBS = "2"

CORTEX_M3_HEAP_BYTES = 112 * 1024


def source() -> Path:
    """MicroPython's source, unpacked; not to be written to."""
    return debian.source("micropython", _DEBIAN_VERSION, _SHA256_OF_FILES)


def mpy_cross() -> Path:
    """The program mpy-cross for this machine: compiles FILE.py to FILE.mpy of this version."""

    def make(folder: Path) -> None:
        require("gcc", "libc6-dev", "make")
        copy = _copy_of_source(folder)
        _make(copy / "mpy-cross", "mpy-cross", ())
        shutil.copy(copy / "mpy-cross" / "build" / "mpy-cross", folder / "mpy-cross")
        shutil.rmtree(copy)

    recipe = (_RECIPE, _DEBIAN_VERSION, _version_of("gcc"))
    return cache.build("mpy-cross", recipe, make, "about 15 s") / "mpy-cross"


def cortex_m3(
    manifest: Path | None = None,
    frozen: Sequence[Path] = (),
    options: Mapping[str, str] | None = None,
    heap_bytes: int = CORTEX_M3_HEAP_BYTES,
) -> Path:
    """firmware.elf for QEMU's mps2-an385; start it with `cortex_m3_command`.

    `manifest` is a MicroPython manifest.py of what is frozen in, and `frozen` are the files and folders that it names
    (they are part of the recipe). A frozen `main.py` runs at the start; without one there is the REPL on UART 0.
    `options` are MicroPython's own macros, such as {"MICROPY_PY_SELECT": "1"}. What the firmware has beyond the
    defaults is in `cortex_m3/config.h`; the module `_board` is described in `cortex_m3/board.c`.
    """
    wanted = dict(options or {})
    compiler = mpy_cross()

    def make(folder: Path) -> None:
        require("gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "make")
        copy = _copy_of_source(folder)
        port = copy / "ports" / "qemu"
        _put_board(copy, {**wanted, "EDGELITE_FROZEN_MAIN": "1" if _freezes_main(manifest) else "0"})
        settings = [
            "BOARD=MPS2_AN385",
            f"USER_C_MODULES={copy / 'edgelite_modules'}",
            f"FROZEN_MANIFEST={manifest or ''}",
            f"MICROPY_HEAP_SIZE={heap_bytes}",
            f"MICROPY_MPYCROSS={compiler}",
            f"MICROPY_MPYCROSS_DEPENDENCY={compiler}",
            f"CFLAGS_EXTRA=-I{copy / 'edgelite_modules'}",
        ]
        _make(port, "the Cortex-M3 firmware", settings)
        shutil.copy(port / "build-MPS2_AN385" / "firmware.elf", folder / "firmware.elf")
        shutil.rmtree(copy)

    recipe = [_RECIPE, _DEBIAN_VERSION, str(heap_bytes), cache.digest_of(_BOARD_FILES), str(compiler)]
    recipe += [f"{name}={wanted[name]}" for name in sorted(wanted)]
    recipe += [cache.digest_of(path) for path in ([manifest] if manifest else []) + list(frozen)]
    recipe.append(_version_of("arm-none-eabi-gcc"))
    return cache.build("firmware-cortex-m3", recipe, make, "about 15 s") / "firmware.elf"


def cortex_m3_command(firmware: Path, console: str = "stdio", uart1: str = "null") -> list[str]:
    """What runs a firmware. `console` and `uart1` are QEMU's names of where UART 0 and 1 lead, such as
    "unix:PATH,server=on,wait=off"; the working folder may hold `flash.bin`. The guest's clock keeps real time."""
    require("qemu-system-arm")
    machine = ["qemu-system-arm", "-machine", "mps2-an385", "-display", "none", "-monitor", "none"]
    serial_lines = ["-serial", console, "-serial", uart1]
    return [*machine, *serial_lines, "-semihosting", "-kernel", str(firmware)]


def _freezes_main(manifest: Path | None) -> bool:
    return manifest is not None and "main.py" in manifest.read_text()


def _put_board(copy: Path, options: Mapping[str, str]) -> None:
    """Our files into a copy of the source: the start, the configuration, a user module, the AES that cryptolib uses."""
    modules = copy / "edgelite_modules" / "edgelite"
    shutil.copytree(_BOARD_FILES, modules, ignore=shutil.ignore_patterns("__pycache__"))
    port = copy / "ports" / "qemu"
    shutil.move(modules / "main.c", port / "main.c")
    (port / "mpconfigport.h").rename(port / "mpconfigport_qemu.h")
    ours = (modules / "config.h").read_text()
    lines = [f"#undef {name}\n#define {name} {options[name]}\n" for name in sorted(options)]
    (port / "mpconfigport.h").write_text(ours + "".join(lines))
    library = copy / "lib" / "axtls" / "crypto"
    library.mkdir(parents=True, exist_ok=True)
    shutil.move(modules / "crypto.h", library / "crypto.h")


def _copy_of_source(folder: Path) -> Path:
    # The build writes below its source; documentation and other ports' libraries stay behind, to be quicker.
    left_out = shutil.ignore_patterns("docs", "tests", "logo", "stm32*", "nrfx", "esp32", "cyw43-driver", "tinyusb")
    copy = folder / "source"
    shutil.copytree(source(), copy, symlinks=True, ignore=left_out)
    return copy


def _make(folder: Path, what: str, settings: Sequence[str]) -> None:
    # The time of a build is in the banner; what is built from the same recipe should be the same.
    environment = {"SOURCE_DATE_EPOCH": "1745000000"}
    debian.run(["make", f"-j{_JOBS}", *settings], what=f"building {what}", folder=folder, environment=environment)


def _version_of(compiler: str) -> str:
    found = shutil.which(compiler)
    if not found:
        return ""  # `require` will say so, and where it installs one, the next call knows its version
    told = subprocess.run([found, "-dumpfullversion"], capture_output=True, text=True, check=False)
    return told.stdout.strip()
