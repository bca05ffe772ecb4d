"""Artifacts: equal trees give equal bytes, and what cannot be packed is named."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from edgelite_cli.commands.push import pack
from edgelite_cli.failure import Failure


def packed(path: Path) -> bytes:
    target = io.BytesIO()
    pack(path, target)
    return target.getvalue()


def tree(folder: Path, time_s: int) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "data.txt").write_text("data")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o700)
    os.utime(folder / "run.sh", (time_s, time_s))
    return folder


def test_equal_trees_have_equal_bytes_whatever_their_times(tmp_path: Path) -> None:
    assert packed(tree(tmp_path / "a", 1000)) == packed(tree(tmp_path / "b", 2000))


def test_only_content_and_the_executable_bit_are_kept(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed(tree(tmp_path / "a", 1000)))) as archive:
        found = {member.name: (member.mode, member.mtime, member.uid) for member in archive.getmembers()}
    assert found == {"run.sh": (0o755, 0, 0), "sub": (0o755, 0, 0), "sub/data.txt": (0o644, 0, 0)}


def test_one_file_is_an_artifact_too(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("x")
    with tarfile.open(fileobj=io.BytesIO(packed(tmp_path / "one"))) as archive:
        assert archive.getnames() == ["one"]


def test_a_symbolic_link_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(Failure, match="link is a symbolic link"):
        packed(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="is an empty folder"):
        packed(tmp_path)


def test_a_name_too_long_for_the_format_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 120) / ("b" * 120) / ("c" * 120)
    folder.mkdir(parents=True)
    with pytest.raises(Failure, match="255 bytes at most"):
        packed(tmp_path)
