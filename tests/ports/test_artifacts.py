"""The artifact store: resumable receiving, digests, unpacking of good and hostile archives."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelite.ustar import UstarError
from edgelite_ports.posix import system
from edgelite_ports.posix.artifacts import ArtifactStore
from edgelite_ports.posix.unpack import unpack
from edgelite_protocol.errors import PlatformError

Member = tuple[str, bytes, bytes | str, int]  # name, tarfile type, content or target, mode


def pack(members: list[Member], archive_format: int = tarfile.USTAR_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=archive_format) as archive:
        for name, kind, content, mode in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, mode
            if isinstance(content, str):
                info.linkname = content
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return target.getvalue()


GOOD = pack([
    ("bin", tarfile.DIRTYPE, b"", 0o755),
    ("bin/run.sh", tarfile.REGTYPE, b"#!/bin/sh\n" + b"x" * 100_000, 0o755),
    ("data/deep/er/file", tarfile.REGTYPE, b"", 0o600),
    ("link", tarfile.SYMTYPE, "bin/run.sh", 0o777),
])  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(str(tmp_path / "artifacts"))


def receive(store: ArtifactStore, archive: bytes, piece_bytes: int = 2048) -> bytes:
    digest = hashlib.sha256(archive).digest()
    while (offset := store.offset_bytes(digest)) < len(archive):
        store.append(digest, offset, archive[offset : offset + piece_bytes])
    return digest


def install(store: ArtifactStore, archive: bytes) -> Path:
    digest = receive(store, archive, 65536)
    store.install(digest)
    return Path(str(store.root(digest)))


def test_an_artifact_arrives_in_pieces_and_is_unpacked(store: ArtifactStore, tmp_path: Path) -> None:
    digest = receive(store, GOOD, 777)
    assert store.root(digest) is None
    store.install(digest)
    root = Path(str(store.root(digest)))
    assert (root / "bin/run.sh").read_bytes() == b"#!/bin/sh\n" + b"x" * 100_000
    assert (root / "bin/run.sh").stat().st_mode & 0o777 == 0o755
    assert (root / "link").readlink() == Path("bin/run.sh")
    assert sorted(path.name for path in tmp_path.glob("artifacts/*")) == [digest.hex(), digest.hex() + ".size"]


def test_an_installed_artifact_counts_as_received_also_for_the_next_agent(store: ArtifactStore, tmp_path: Path) -> None:
    digest = receive(store, GOOD)
    store.install(digest)
    again = ArtifactStore(str(tmp_path / "artifacts"))
    assert again.offset_bytes(digest) == len(GOOD)
    again.install(digest)


def test_a_fetch_goes_on_where_the_last_agent_stopped(store: ArtifactStore, tmp_path: Path) -> None:
    digest = hashlib.sha256(GOOD).digest()
    store.append(digest, 0, GOOD[:5000])
    again = ArtifactStore(str(tmp_path / "artifacts"))
    assert again.offset_bytes(digest) == 5000
    receive(again, GOOD)
    again.install(digest)


def test_a_piece_for_another_place_is_refused(store: ArtifactStore) -> None:
    digest = hashlib.sha256(GOOD).digest()
    store.append(digest, 0, GOOD[:100])
    for offset in (0, 99, 101):
        with pytest.raises(PlatformError):
            store.append(digest, offset, b"x")
    assert store.offset_bytes(digest) == 100


def test_a_wrong_digest_installs_nothing(store: ArtifactStore) -> None:
    digest = hashlib.sha256(b"something else").digest()
    store.append(digest, 0, GOOD)
    with pytest.raises(PlatformError, match=hashlib.sha256(GOOD).hexdigest()):
        store.install(digest)
    assert store.root(digest) is None
    store.discard(digest)
    store.discard(digest)
    assert store.offset_bytes(digest) == 0


def test_a_full_disk_says_so(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: memoryview, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(system, "pwrite", full)
    with pytest.raises(PlatformError, match="the disk is full: make room"):
        store.append(b"d" * 32, 0, b"x")


def test_a_full_disk_while_unpacking_costs_no_second_fetch(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    digest = receive(store, GOOD)
    with monkeypatch.context() as patched:
        patched.setattr("edgelite_ports.posix.unpack.system.symlink", full)
        with pytest.raises(PlatformError, match="the disk is full"):
            store.install(digest)
    store.discard(digest)
    assert store.offset_bytes(digest) == len(GOOD)
    store.install(digest)
    assert store.root(digest) is not None


def test_a_received_archive_that_a_power_cut_damaged_is_fetched_again(store: ArtifactStore, tmp_path: Path) -> None:
    digest = receive(store, GOOD)
    damaged = tmp_path / "artifacts" / (digest.hex() + ".tar")
    (tmp_path / "artifacts" / (digest.hex() + ".part")).rename(damaged)
    damaged.write_bytes(bytes(len(GOOD)))
    with pytest.raises(PlatformError, match="the digest of what arrived"):
        store.install(digest)
    assert store.offset_bytes(digest) == 0


def test_an_archive_that_is_refused_is_not_fetched_again_and_again(store: ArtifactStore) -> None:
    archive = pack([("../x", tarfile.REGTYPE, b"x", 0o644)])
    digest = receive(store, archive)
    for _ in range(2):
        with pytest.raises(UstarError):
            store.install(digest)
        store.discard(digest)
        assert store.offset_bytes(digest) == len(archive)
    assert store.collect_garbage([]) == [digest.hex() + ".tar"]


def test_a_power_cut_while_unpacking_leaves_nothing_that_counts(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = receive(store, GOOD)

    def cut(source: str, target: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("edgelite_ports.posix.artifacts.system.rename", cut)
        with pytest.raises(KeyboardInterrupt):
            store.install(digest)
    assert store.root(digest) is None
    store.install(digest)
    assert store.root(digest) is not None


def test_garbage_is_what_no_workload_names(store: ArtifactStore, tmp_path: Path) -> None:
    kept = receive(store, GOOD)
    store.install(kept)
    gone = receive(store, pack([("a/b", tarfile.REGTYPE, b"x", 0o644)]))
    store.install(gone)
    partial = b"p" * 32
    store.append(partial, 0, b"x")
    removed = store.collect_garbage([kept])
    assert removed == sorted([gone.hex(), gone.hex() + ".size", partial.hex() + ".part"])
    assert store.root(kept) is not None and store.root(gone) is None


HOSTILE: list[tuple[str, list[Member], str]] = [
    ("absolute", [("/tmp/x", tarfile.REGTYPE, b"x", 0o644)], "ustar_path"),
    ("upwards", [("../x", tarfile.REGTYPE, b"x", 0o644)], "ustar_path"),
    ("upwards within", [("a/../../x", tarfile.REGTYPE, b"x", 0o644)], "ustar_path"),
    ("absolute link", [("l", tarfile.SYMTYPE, "/etc", 0o777)], "ustar_link"),
    ("link upwards", [("l", tarfile.SYMTYPE, "../..", 0o777)], "ustar_link"),
    (
        "through a link",
        [("d", tarfile.DIRTYPE, b"", 0o755), ("l", tarfile.SYMTYPE, "d", 0o777), ("l/x", tarfile.REGTYPE, b"x", 0o644)],
        "ustar_path",
    ),
    ("over a link", [("l", tarfile.SYMTYPE, "d", 0o777), ("l", tarfile.REGTYPE, b"x", 0o644)], "ustar_path"),
    ("directory over a link", [("l", tarfile.SYMTYPE, "d", 0o777), ("l", tarfile.DIRTYPE, b"", 0o755)], "ustar_path"),
    ("twice", [("x", tarfile.REGTYPE, b"1", 0o644), ("x", tarfile.REGTYPE, b"2", 0o644)], "ustar_path"),
    ("under a file", [("x", tarfile.REGTYPE, b"1", 0o644), ("x/y", tarfile.REGTYPE, b"2", 0o644)], "ustar_path"),
    ("hard link", [("h", tarfile.LNKTYPE, "etc/passwd", 0o644)], "ustar_type"),
    ("FIFO", [("f", tarfile.FIFOTYPE, b"", 0o644)], "ustar_type"),
    ("character device", [("c", tarfile.CHRTYPE, b"", 0o644)], "ustar_type"),
    ("block device", [("b", tarfile.BLKTYPE, b"", 0o644)], "ustar_type"),
]


@pytest.mark.parametrize(("name", "members", "code"), HOSTILE, ids=[row[0] for row in HOSTILE])
def test_a_hostile_archive_writes_nothing_outside_and_installs_nothing(
    store: ArtifactStore, tmp_path: Path, name: str, members: list[Member], code: str
) -> None:
    before = sorted(path for path in tmp_path.rglob("*") if "artifacts" not in path.parts)
    with pytest.raises(UstarError) as caught:
        install(store, pack(members))
    assert caught.value.code == code
    assert not list(tmp_path.glob("artifacts/*.new"))
    assert sorted(path for path in tmp_path.rglob("*") if "artifacts" not in path.parts) == before


@pytest.mark.parametrize(
    ("archive", "code"),
    [
        (b"", "ustar_truncated"),
        (b"x" * 512, "ustar_magic"),
        (GOOD[:512], "ustar_truncated"),
        (GOOD[:1000], "ustar_truncated"),
        (GOOD[:2048], "ustar_truncated"),
        (GOOD + b"x" * 512, "ustar_padding"),
        (pack([("x" * 300, tarfile.REGTYPE, b"x", 0o644)], tarfile.GNU_FORMAT), "ustar_magic"),
        (pack([("x" * 300, tarfile.REGTYPE, b"x", 0o644)], tarfile.PAX_FORMAT), "ustar_type"),
    ],
)
def test_what_is_no_whole_ustar_archive_is_refused(store: ArtifactStore, archive: bytes, code: str) -> None:
    digest = hashlib.sha256(archive).digest()
    store.append(digest, 0, archive)
    with pytest.raises(UstarError) as caught:
        store.install(digest)
    assert caught.value.code == code


def test_setuid_and_writing_by_others_are_taken_away(store: ArtifactStore) -> None:
    root = install(store, pack([("x", tarfile.REGTYPE, b"", 0o6777), ("d", tarfile.DIRTYPE, b"", 0o000)]))
    assert stat.S_IMODE((root / "x").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o755


PART = st.text("abcXYZ09._- äé", min_size=1, max_size=12).filter(lambda part: part not in (".", ".."))
TREE = st.dictionaries(
    st.lists(PART, min_size=1, max_size=4).map("/".join), st.binary(max_size=1500), min_size=1, max_size=12
)


def without_conflicts(tree: dict[str, bytes]) -> dict[str, bytes]:
    """No path that is also the directory of another one."""
    return {p: c for p, c in tree.items() if not any(other.startswith(p + "/") for other in tree)}


@settings(max_examples=60, deadline=None)
@given(TREE)
def test_a_valid_archive_becomes_what_tarfile_says_is_in_it(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, bytes]
) -> None:
    archive = pack([(path, tarfile.REGTYPE, content, 0o644) for path, content in without_conflicts(tree).items()])
    directory = tmp_path_factory.mktemp("tree")
    unpack_bytes(archive, directory)
    with tarfile.open(fileobj=io.BytesIO(archive)) as oracle:
        expected = {member.name: oracle.extractfile(member).read() for member in oracle}  # type: ignore[union-attr]
    found = {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }
    assert found == expected


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_changed_archive_is_unpacked_inside_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    archive = bytearray(GOOD)
    for offset, value in changes:
        archive[offset] = value
    base = tmp_path_factory.mktemp("changed")
    (base / "inside").mkdir()
    try:
        unpack_bytes(bytes(archive), base / "inside")
    except UstarError:
        pass
    assert [path.name for path in base.iterdir()] == ["inside"]


def unpack_bytes(archive: bytes, directory: Path) -> None:
    path = directory.with_name(directory.name + ".tar")
    path.write_bytes(archive)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        unpack(descriptor, str(directory))
    finally:
        os.close(descriptor)
        path.unlink()
