"""libmodbus' server and client as processes, compiled here from the C programs beside this file."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgelite_sim.qemu import cache
from edgelite_sim.qemu.emulators import require

HERE = Path(__file__).parent
PROGRAMS = ("libmodbus_server", "libmodbus_client")
BAUD = 115200
END_S = 10


def programs() -> Path:
    """The folder that has them."""
    require("gcc", "libc6-dev", "libmodbus-dev")
    sources = [HERE / f"{name}.c" for name in PROGRAMS]
    header = Path("/usr/include/modbus/modbus-version.h").read_text()

    def make(folder: Path) -> None:
        for source in sources:
            output = folder / source.stem
            command = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-I/usr/include/modbus", "-o", str(output)]
            subprocess.run([*command, str(source), "-lmodbus"], check=True)

    return cache.build("libmodbus-peers", (cache.digest_of(*sources), header), make, "about 1 s")


@contextmanager
def server(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """("tcp", "0") or ("rtu", path, baud, unit); `address_of` it is what clients open."""
    process = subprocess.Popen(
        [str(programs() / "libmodbus_server"), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with _ended(process):
        yield process


def address_of(process: subprocess.Popen[str]) -> str:
    """The port or the path, once it listens."""
    assert process.stdout is not None
    word, address = process.stdout.readline().split()
    assert word == "ready"
    return address


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Its standard input ends, and so does it."""
    assert process.stdin is not None and process.stdout is not None
    try:
        yield
    finally:
        process.stdin.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class Client:
    """libmodbus' client; `ask` gives the values, or its words for what went wrong."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.pid = process.pid
        self._process = process

    def ask(self, function: int | str, *numbers: int) -> list[int] | str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(" ".join([str(function), *map(str, numbers)]) + "\n")
        self._process.stdin.flush()
        words = self._process.stdout.readline().split()
        if words[:1] == ["ok"]:
            return [int(word) for word in words[1:]]
        return " ".join(words[1:])


@contextmanager
def client(*arguments: str) -> Iterator[Client]:
    """("tcp", port, unit) or ("rtu", path, baud, unit)."""
    process = subprocess.Popen(
        [str(programs() / "libmodbus_client"), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with _ended(process):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Client(process)
