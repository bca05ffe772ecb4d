"""Earlier releases as peers: their own code, taken from this repository's history.

A release is named by its whole commit id, as a clone may come without tags.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from edgelite_sim.qemu import cache

ROOT = Path(__file__).resolve().parents[2]

COMMIT_OF = {
    "v0.1.0": "a6642a8e6ef2ca7ffd19ba65d3f58dfe9806d938",
}
TODAY = "today"
RELEASES = tuple(COMMIT_OF)


def checkout(release: str) -> Path:
    """The folder with that release's code; TODAY is this checkout. Where the history is not here, skips, but in CI
    fails."""
    if release == TODAY:
        return ROOT
    commit = COMMIT_OF[release]
    if not _is_here(commit):
        missing = f"the commit of {release} ({commit}) is not here: this is no full clone; type: git fetch --unshallow"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)

    def make(folder: Path) -> None:
        told = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(told.stdout)) as archive:
            archive.extractall(folder, filter="data")

    return cache.build(f"release-{release}", (commit,), make, "about 1 s")


def _is_here(commit: str) -> bool:
    look = ["git", "cat-file", "-e", commit]
    try:
        return subprocess.run(look, cwd=ROOT, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False  # an unpacked archive, on a machine without git
