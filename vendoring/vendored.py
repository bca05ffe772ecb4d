"""Fetches the third-party sources that vendored.toml names, by exact version and hash, and puts them in their places.

    python vendoring/vendored.py            fetch what is missing or not as it should be
    python vendoring/vendored.py --check    only say what that is; exit code 1 where there is something

The package index is pip's, as this machine is configured for it. What was fetched once is kept by its hash, in
$EDGELITE_CACHE, $XDG_CACHE_HOME/edgelite or ~/.cache/edgelite, so that a second checkout needs no network. No code of
a package is run: pip unpacks the archive after it has checked its hash, finds no project in it and stops there. (An
archive that is a project can be a dependency like any other, and is refused here.)
"""

from __future__ import annotations

import email.parser
import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_name("vendored.toml")
FETCH_TIMEOUT_S = 300
PIP_LINES = 5  # the end of what pip said: why it found nothing

MIT = """\
The MIT License

Copyright (c) {author}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


class VendoringError(Exception):
    """A source cannot be had, or is not what it should be; the text says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the archive: its path there, the sha256 of its content."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Package:
    project: str
    version: str
    sha256: str
    folder: str
    files: tuple[tuple[Source, str], ...]  # and its name in `folder`
    licence: Source
    licence_name: str
    licence_is_metadata: bool

    @property
    def sources(self) -> list[Source]:
        return [*(source for source, _ in self.files), self.licence]

    def __str__(self) -> str:
        return f"{self.project} {self.version}"


def packages(file: Path = LIST) -> list[Package]:
    return [_package(table) for table in tomllib.loads(file.read_text()).values()]


def _package(table: dict[str, Any]) -> Package:
    licence = table["licence"]
    return Package(
        *(table["project"], table["version"], table["sha256"], table["folder"]),
        files=tuple((Source(path, one["sha256"]), one["name"]) for path, one in table["files"].items()),
        licence=Source(licence.get("metadata") or licence["text"], licence["sha256"]),
        licence_name=licence["name"],
        licence_is_metadata="metadata" in licence,
    )


def missing(root: Path = ROOT, file: Path = LIST) -> list[Package]:
    """Those whose files are not there, or not as they should be."""
    return [one for one in packages(file) if not _is_in_place(one, root / one.folder)]


def _is_in_place(package: Package, folder: Path) -> bool:
    rows = [(folder / name, source.sha256) for source, name in package.files]
    return (folder / package.licence_name).is_file() and all(_is(path, sha256) for path, sha256 in rows)


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def is_kept(package: Package) -> bool:
    """Whether it can be put in its place without a network."""
    kept = _kept_folder(package)
    return all(_is(kept / source.path, source.sha256) for source in package.sources)


def put_in_place(root: Path = ROOT, file: Path = LIST) -> list[Package]:
    """Fetch what is missing; which ones that were. VendoringError."""
    done = missing(root, file)
    for package in done:
        if not is_kept(package):
            _fetch(package)
        _place(package, root / package.folder)
    return done


def _place(package: Package, folder: Path) -> None:
    kept = _kept_folder(package)
    for source, name in package.files:
        _write(folder / name, (kept / source.path).read_bytes())
    text = (kept / package.licence.path).read_text()
    _write(folder / package.licence_name, (_licence(package, text) if package.licence_is_metadata else text).encode())


def _licence(package: Package, metadata: str) -> str:
    """Its text, from what the package says about itself: written here, since the archive has none."""
    said = email.parser.HeaderParser().parsestr(metadata)
    if said["License"] != "MIT" or not said["Author"]:
        raise VendoringError(f"{package} says that its licence is {said['License']}, and only MIT's text is known here")
    origin = f"{package}, {said['Home-page']}; its archive names the licence and the author without this text.\n\n"
    return origin + MIT.format(author=said["Author"])


def _kept_folder(package: Package) -> Path:
    named = os.environ.get("EDGELITE_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return (Path(named) if named else Path(home) / "edgelite") / f"vendored-{package.sha256[:16]}"


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, whoever else writes the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as unfinished:
        unfinished.write(content)
    Path(unfinished.name).chmod(0o644)
    Path(unfinished.name).replace(path)


# ---- from the package index


def _fetch(package: Package) -> None:
    with tempfile.TemporaryDirectory(prefix="edgelite-vendored-") as folder:
        told = _unpack(package, Path(folder))
        for source in package.sources:
            content = _found(package, Path(folder), source, told)
            if hashlib.sha256(content).hexdigest() != source.sha256:
                raise VendoringError(f"{package}: {source.path} has another sha256 than vendored.toml names; not used")
            _write(_kept_folder(package) / source.path, content)


def _unpack(package: Package, folder: Path) -> str:
    """pip fetches the archive, checks its hash and unpacks it below `folder`; what pip said. It fails after that, for
    want of a project to build: `--no-clean` keeps what it has unpacked."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{package.project}=={package.version} --hash=sha256:{package.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-clean"]
    command += ["--no-deps", "--no-binary", ":all:", "--require-hashes", "-r", str(wanted), "-d", str(folder / "built")]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise VendoringError(f"pip did not fetch {package} within {FETCH_TIMEOUT_S} s: check the network") from None
    if done.returncode == 0:
        raise VendoringError(f"{package} is a project that pip can build: make it a dependency instead")
    return (done.stdout + done.stderr).strip()


def _found(package: Package, folder: Path, source: Source, told: str) -> bytes:
    found = [path for path in folder.rglob(source.path.rpartition("/")[2]) if path.as_posix().endswith(source.path)]
    if len(found) == 1 and found[0].resolve().is_relative_to(folder.resolve()):
        return found[0].read_bytes()
    why = "\n".join(told.splitlines()[-PIP_LINES:])
    if "DO NOT MATCH THE HASHES" in told:
        raise VendoringError(f"{package}: the archive has another sha256 than vendored.toml names; not used:\n{why}")
    raise VendoringError(f"{package} cannot be fetched; pip says:\n{why}")


def main(arguments: list[str]) -> int:
    try:
        if arguments == ["--check"]:
            gone = missing()
            sys.stdout.write("".join(f"missing: {one}\n" for one in gone))
            return 1 if gone else 0
        sys.stdout.write("".join(f"fetched {one}\n" for one in put_in_place()))
    except VendoringError as error:
        sys.stderr.write(f"vendored.py: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
