"""What emulation needs of this machine, and how a program of a Debian tree is started under it."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
from pathlib import Path

from edgelite_sim.qemu import cache

INSTALL_TIMEOUT_S = 600

# A package, and any of the files that show that it is there: commands by name, others by path.
_SIGNS = {
    "qemu-user-static": ("qemu-arm-static", "qemu-arm"),
    "qemu-system-arm": ("qemu-system-arm",),
    "mmdebstrap": ("mmdebstrap",),
    "debian-archive-keyring": ("/usr/share/keyrings/debian-archive-keyring.gpg",),
    "dpkg-dev": ("dpkg-source",),
    "gcc": ("gcc",),
    "make": ("make",),
    "libc6-dev": ("/usr/include/stdio.h",),
    "libmodbus-dev": ("/usr/include/modbus/modbus.h",),
    "gcc-arm-none-eabi": ("arm-none-eabi-gcc",),
    "libnewlib-arm-none-eabi": ("/usr/lib/arm-none-eabi/newlib", "/usr/include/newlib"),
    "gcc-arm-linux-gnueabi": ("arm-linux-gnueabi-gcc",),
    "libc6-dev-armel-cross": ("/usr/arm-linux-gnueabi/include/stdio.h",),
    "gcc-arm-linux-gnueabihf": ("arm-linux-gnueabihf-gcc",),
    "squashfs-tools": ("mksquashfs",),
    "mtd-utils": ("mkfs.ubifs", "/usr/sbin/mkfs.ubifs"),
    "e2fsprogs": ("mkfs.ext4", "/usr/sbin/mkfs.ext4"),
    "cpio": ("cpio",),
    "zstd": ("zstd",),
    "xz-utils": ("xz",),
    "socat": ("socat",),
    "dbus-daemon": ("dbus-daemon",),
    "python3-dbusmock": ("/usr/lib/python3/dist-packages/dbusmock/__init__.py",),
    "mosquitto": ("mosquitto", "/usr/sbin/mosquitto"),
    "mosquitto-clients": ("mosquitto_pub",),
}

_MACHINE_OF = {"amd64": "x86_64", "arm64": "aarch64", "armhf": "arm", "armel": "arm"}  # Debian's names, QEMU's names
_TRIPLET_OF = {
    "amd64": "x86_64-linux-gnu",
    "arm64": "aarch64-linux-gnu",
    "armhf": "arm-linux-gnueabihf",
    "armel": "arm-linux-gnueabi",
}
_LOADER_OF = {"amd64": "lib64/ld-linux-x86-64.so.2", "arm64": "lib/ld-linux-aarch64.so.1"}

ARMV7 = "cortex-a7"  # the Raspberry Pi 2's; QEMU's default would also run what only newer ones know
ARMV6 = "arm1176"  # the Raspberry Pi Zero's


class UnavailableError(Exception):
    """Something that emulation needs is not to be had here; the text says what, why, and what to do."""


def is_here(package: str) -> bool:
    signs = _SIGNS[package]
    return any(os.path.exists(sign) if sign.startswith("/") else shutil.which(sign) for sign in signs)


def require(*packages: str) -> None:
    """Returns with these Debian packages there, installed now where root may; UnavailableError says what to type."""
    missing = [package for package in packages if not is_here(package)]
    if not missing:
        return
    words = " ".join(missing)
    if not shutil.which("apt-get"):
        raise UnavailableError(f"missing: {words} (Debian's names; install them with this system's package manager)")
    if os.geteuid() != 0:
        raise UnavailableError(f"missing: {words} - type: sudo apt-get install {words}")
    cache.tell(f"installing Debian packages: {words}")
    _apt_get("update")
    _apt_get("install", "-y", "--no-install-recommends", *missing)
    still = [package for package in missing if not is_here(package)]
    if still:
        raise UnavailableError(f"apt-get installed {' '.join(still)}, but not what edgelite looks for in it")


def _apt_get(*arguments: str) -> None:
    try:
        done = subprocess.run(
            ["apt-get", "-qq", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"apt-get {arguments[0]} did not end within {INSTALL_TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise UnavailableError(f"apt-get {' '.join(arguments)} failed: {done.stderr.strip()[-500:]}")


def command(tree: Path, architecture: str, program: str, cpu: str = "", name: str = "") -> list[str]:
    """What starts `program` (a path below the tree) of a tree of that Debian architecture on this machine.

    The machine's own architecture runs with the tree's loader and libraries, others under QEMU's user emulation: its
    system calls are this machine's, files are looked for in the tree first. `cpu` is QEMU's, such as ARMV7; `name` is
    what the program finds as its argv[0].
    """
    path = tree / program
    if not path.exists():
        raise UnavailableError(f"{tree} has no {program}: it is not among the packages that the tree was made of")
    machine = _MACHINE_OF[architecture]
    if machine == platform.machine():
        libraries = tree / "usr" / "lib" / _TRIPLET_OF[architecture]
        loader = [str(tree / "usr" / _LOADER_OF[architecture]), "--library-path", str(libraries)]
        return [*loader, *(["--argv0", name] if name else []), str(path)]
    options = [*(["-cpu", cpu] if cpu else []), *(["-0", name] if name else [])]
    return [*_emulator(machine), *options, "-L", str(tree), str(path)]


def static_command(program: Path, cpu: str) -> list[str]:
    """What starts a statically linked 32-bit ARM program."""
    return [*_emulator("arm"), "-cpu", cpu, str(program)]


def _emulator(machine: str) -> list[str]:
    require("qemu-user-static")
    for name in (f"qemu-{machine}-static", f"qemu-{machine}"):
        found = shutil.which(name)
        if found:
            return [found]
    raise UnavailableError(f"the package qemu-user-static here has no emulator for {machine}")


def python(tree: Path, architecture: str, cpu: str = "", version: str = "3.13") -> Path:
    """A program file that is the tree's CPython, for whoever starts children with sys.executable: the emulator stays
    between, without the kernel's binfmt, which only root could set up."""
    words = command(tree, architecture, f"usr/bin/python{version}", cpu, name="NAME")
    # The interpreter takes its own name from argv[0], which is this file, so sys.executable is this file too; and it
    # finds its library beside it.
    start = " ".join('"$0"' if word == "NAME" else shlex.quote(word) for word in words)
    text = f'#!/bin/sh\nexec {start} "$@"\n'

    def make(folder: Path) -> None:
        program = folder / "bin" / f"python{version}"
        program.parent.mkdir()
        program.write_text(text)
        program.chmod(0o755)
        (folder / "lib").symlink_to(tree / "usr" / "lib")

    return cache.build(f"python-{architecture}", (text,), make, "at once") / "bin" / f"python{version}"
