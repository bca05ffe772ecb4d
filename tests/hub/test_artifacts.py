"""Artifact files: whole or not there; what an Artifact object remembers."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from edgelite_hub import artifacts
from edgelite_hub.artifacts import ArtifactFiles, ArtifactRefused
from edgelite_hub.compiler.artifact_names import ImageReference, parse_image
from tests.hub.hub_world import World


@pytest.fixture
def files(tmp_path: Path) -> ArtifactFiles:
    return ArtifactFiles(tmp_path / "artifacts", 1000, os.urandom)


def test_an_upload_is_named_by_its_digest(files: ArtifactFiles, tmp_path: Path) -> None:
    upload = files.upload()
    upload.write(b"one ")
    upload.write(b"two")
    digest = upload.finish()
    assert digest == hashlib.sha256(b"one two").hexdigest()
    assert os.listdir(tmp_path / "artifacts") == [digest]
    assert files.size_bytes(bytes.fromhex(digest)) == 7
    assert files.read(bytes.fromhex(digest), 4, 100) == b"two"
    assert stat.S_IMODE((tmp_path / "artifacts").stat().st_mode) == 0o700


def test_what_is_too_large_or_empty_leaves_nothing(files: ArtifactFiles, tmp_path: Path) -> None:
    upload = files.upload()
    upload.write(b"x" * 1000)
    with pytest.raises(ArtifactRefused) as caught:
        upload.write(b"x")
    assert caught.value.reason == "TooLarge"
    upload.abort()
    empty = files.upload()
    with pytest.raises(ArtifactRefused) as caught:
        empty.finish()
    assert caught.value.reason == "Empty"
    empty.abort()
    assert os.listdir(tmp_path / "artifacts") == []


def test_what_a_dead_hub_left_half_written_is_cleared_at_the_next_start(files: ArtifactFiles, tmp_path: Path) -> None:
    files.upload().write(b"half")
    assert len(os.listdir(tmp_path / "artifacts")) == 1
    ArtifactFiles(tmp_path / "artifacts", 1000, os.urandom)
    assert os.listdir(tmp_path / "artifacts") == []


def test_unwanted_files_go_when_they_are_old_enough(files: ArtifactFiles) -> None:
    digests = []
    for data in (b"kept", b"unwanted"):
        upload = files.upload()
        upload.write(data)
        digests.append(upload.finish())
    now_ms = os.stat(files._directory / digests[0]).st_mtime_ns // 1_000_000
    assert files.collect({digests[0]}, now_ms + 1_000) == [], "it may be about to get its Artifact"
    assert files.collect({digests[0]}, now_ms + 2 * artifacts.YOUNG_MS) == [digests[1]]
    assert files.size_bytes(bytes.fromhex(digests[0])) == 4


def test_tags_move_and_versions_stay_within_a_bound(tmp_path: Path) -> None:
    world = World(tmp_path)
    first = world.push("app", "stable", b"stable one")
    pushed = [world.push("app", "latest", f"version {number}".encode()) for number in range(40)]
    status = world.get("artifacts.edgelite.dev", "app")["status"]
    assert status["tags"]["latest"]["digest"] == "sha256:" + pushed[-1] == status["digest"]
    kept = [version["digest"].removeprefix("sha256:") for version in status["versions"]]
    assert first in kept and kept[-1] == pushed[-1]
    assert len(kept) <= artifacts.VERSIONS_MAX + 2
    wanted = world.store.read(lambda tx: artifacts.wanted_digests(tx, []))
    assert wanted == set(kept)


def test_pushing_the_same_bytes_again_is_one_version(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.push("app", "v1", b"same") == world.push("app", "v2", b"same")
    status = world.get("artifacts.edgelite.dev", "app")["status"]
    assert len(status["versions"]) == 1 and set(status["tags"]) == {"v1", "v2"}


DIGEST = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("app", ImageReference("app", "latest", "")),
        ("app:v1.2_x-3", ImageReference("app", "v1.2_x-3", "")),
        (f"app@{DIGEST}", ImageReference("app", "", DIGEST)),
        ("", None),
        ("app:", None),
        ("App", None),
        ("a/b:1", None),
        ("app:v 1", None),
        ("app:v1:v2", None),
        ("app@sha256:12", None),
        (f"app@{DIGEST.upper()}", None),
        (f"app@{DIGEST}@{DIGEST}", None),
        ("../etc:1", None),
        ("app:\u00fc", None),
        ("app:" + "x" * 129, None),
    ],
)
def test_image_references(text: str, wanted: ImageReference | None) -> None:
    assert parse_image(text) == wanted
