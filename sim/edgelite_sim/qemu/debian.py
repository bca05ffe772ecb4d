"""Trees of Debian packages for another architecture, and pinned source packages, from the mirror that this machine's
own apt is set up with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgelite_sim.qemu import cache
from edgelite_sim.qemu.emulators import UnavailableError, require

SUITE = "trixie"
TIMEOUT_S = 600
MANIFEST = "packages.txt"  # below a tree's folder: one line a package, "name version"
_RECIPE = "1"  # of this file; another one makes every tree anew
_ARCHIVES = "archives.txt"  # an extracted tree has no other record of what is in it
_LIST = f'ls "$1/var/cache/apt/archives" >"$1/{_ARCHIVES}"'
_TOP_LINKS = ("bin", "lib", "lib64", "sbin")  # base-files makes them, and an extracted tree may lack it


def mirror() -> str:
    """The mirror of Debian's packages; $EDGELITE_DEBIAN_MIRROR, or the one of apt. UnavailableError where none is."""
    named = os.environ.get("EDGELITE_DEBIAN_MIRROR")
    if named:
        return named.rstrip("/")
    told = _run_or_nothing(["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(SITE)"])
    for line in told.splitlines():
        origin, codename, site = line.split(" ", 2)
        if origin == "Debian" and "-" not in codename:
            return site.rstrip("/")
    raise UnavailableError(
        "this machine's apt knows no mirror of Debian: run apt-get update, or where this is no Debian, name one by "
        "EDGELITE_DEBIAN_MIRROR=http://HOST/debian"
    )


def tree(architecture: str, packages: Sequence[str], variant: str = "extract", suite: str = SUITE) -> Path:
    """A root folder with these packages and what they depend on; the folder must not be written to.

    With the variant "extract" nothing of the packages is run, so every architecture works, and their set-up scripts
    have not run either. The versions are those of the day of the build, in `versions(tree)`.
    """
    recipe = (_RECIPE, architecture, suite, variant, *sorted(packages))

    def make(folder: Path) -> None:
        require("mmdebstrap", "debian-archive-keyring")
        _bootstrap(folder, architecture, packages, variant, suite)

    takes = "about 10 s" if variant == "extract" else "about 2 minutes"
    return cache.build(f"debian-{suite}-{architecture}", recipe, make, takes) / "root"


def versions(tree: Path) -> dict[str, str]:
    """The packages of a tree and their versions."""
    lines = (tree.parent / MANIFEST).read_text().splitlines()
    return dict(line.split(" ", 1) for line in lines)


def _bootstrap(folder: Path, architecture: str, packages: Sequence[str], variant: str, suite: str) -> None:
    # By way of an archive: mmdebstrap without root makes a folder only for another user's numbers.
    archive = folder / "root.tar"
    command = ["mmdebstrap", "--quiet", f"--architectures={architecture}", f"--variant={variant}"]
    command += [f"--include={','.join(packages)}", f"--extract-hook={_LIST}", suite, str(archive), mirror()]
    run(command, what=f"making the {architecture} tree")
    root = folder / "root"
    root.mkdir()
    run(["tar", "-C", str(root), "-xf", str(archive), "--no-same-owner", "--exclude=./dev/*"], what="unpacking it")
    archive.unlink()
    for name in _TOP_LINKS:
        if not os.path.lexists(root / name) and (root / "usr" / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    archives = (root / _ARCHIVES).read_text()
    (root / _ARCHIVES).unlink()
    if variant != "extract":
        archives = run(["dpkg-query", f"--root={root}", "-W", "-f", "${Package}_${Version}_.deb\\n"], what="listing it")
    names = [line.split("_") for line in archives.splitlines() if line.endswith(".deb")]
    (folder / MANIFEST).write_text("".join(f"{name} {version}\n" for name, version, _ in names).replace("%3a", ":"))


def source(package: str, version: str, sha256_of_files: Mapping[str, str]) -> Path:
    """A source package, unpacked and with Debian's patches; `sha256_of_files` has its .dsc and every archive of it.

    Fetched by name, and refused where a hash differs: the pins are the version.
    """
    recipe = (_RECIPE, package, version, *(f"{name} {sha256_of_files[name]}" for name in sorted(sha256_of_files)))

    def make(folder: Path) -> None:
        require("dpkg-dev")
        initial = package[:4] if package.startswith("lib") else package[0]
        for name, sha256 in sha256_of_files.items():
            fetch(f"{mirror()}/pool/main/{initial}/{package}/{name}", folder / name, sha256)
        description = next(name for name in sha256_of_files if name.endswith(".dsc"))
        command = ["dpkg-source", "--no-check", "-x", description, "source"]  # our pins say more than a signature
        run(command, what=f"unpacking {package}", folder=folder)
        for name in sha256_of_files:
            (folder / name).unlink()

    return cache.build(f"source-{package}-{version}", recipe, make, "about 5 s") / "source"


def fetch(address: str, path: Path, sha256: str) -> None:
    """One file by apt's own ways (its proxy, its certificates); UnavailableError where it is not what was pinned."""
    run(
        ["/usr/lib/apt/apt-helper", "download-file", address, str(path), f"SHA256:{sha256}"],
        what=f"fetching {path.name}",
    )


def run(
    command: Sequence[str], what: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """The standard output of a command; UnavailableError with the end of what it said where it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=None if environment is None else {**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise UnavailableError(f"{what} needs {command[0]}, which is not here") from None
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{what} did not end within {TIMEOUT_S} s") from None
    if done.returncode != 0:
        tail = "\n  ".join((done.stdout + done.stderr).splitlines()[-12:])
        raise UnavailableError(f"{what} failed (`{' '.join(command)[:200]}`):\n  {tail}")
    return done.stdout


def _run_or_nothing(command: Sequence[str]) -> str:
    try:
        return run(command, what="asking apt")
    except UnavailableError:
        return ""
