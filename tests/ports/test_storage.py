"""Files as the journal's storage: the contract, permissions, the lock, and what a person is told when it fails."""

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgelite.storage import Storage, StorageFullError
from edgelite_ports.linux import storage as linux_storage
from edgelite_ports.linux.storage import FileStorage
from edgelite_protocol.errors import MisuseError, PlatformError

sys.path.insert(0, str(Path(__file__).parents[1] / "edgelite"))
from storage_contract import StorageContract


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[FileStorage]:
    made = FileStorage(str(tmp_path / "journal"))
    yield made
    made.close()


class TestFileStorage(StorageContract):
    @pytest.fixture
    def again(self, storage: FileStorage, tmp_path: Path) -> Iterator[Callable[[], Storage]]:
        opened = []

        def reopen() -> Storage:
            storage.close()
            opened.append(FileStorage(str(tmp_path / "journal")))
            return opened[-1]

        yield reopen
        for other in opened:
            other.close()


def failing(code: int) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise OSError(code, os.strerror(code))

    return fail


def test_files_and_directory_are_the_owners_alone(storage: FileStorage, tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        storage.create("a", 4096)
        other = FileStorage(str(tmp_path / "other"))
        other.close()
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "journal" / "a").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "other").stat().st_mode) == 0o700


def test_a_new_file_has_its_blocks(storage: FileStorage, tmp_path: Path) -> None:
    storage.create("a", 262144)
    storage.sync()
    assert (tmp_path / "journal" / "a").stat().st_blocks * 512 >= 262144, "it is sparse: writing would need metadata"


def test_two_agents_never_hold_one_journal(storage: FileStorage, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="in use by another agent") as caught:
        FileStorage(str(tmp_path / "journal"))
    assert str(tmp_path / "journal") in caught.value.text
    storage.close()
    FileStorage(str(tmp_path / "journal")).close()


def test_a_directory_that_cannot_be_made_says_which_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PlatformError, match="Not a directory") as caught:
        FileStorage(str(tmp_path / "file" / "journal"))
    assert str(tmp_path / "file") in caught.value.text


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_an_unwritable_directory_says_which_and_what_to_do(
    storage: FileStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(linux_storage.os, "open", failing(code))
    with pytest.raises(PlatformError) as caught:
        storage.create("a", 4096)
    assert str(tmp_path / "journal" / "a") in caught.value.text
    assert "must own this directory" in caught.value.advice


def test_a_full_file_system_leaves_no_half_made_file(
    storage: FileStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def write_once(descriptor: int, data: bytes, offset: int) -> int:
        calls.append(offset)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "full")
        return os.write(descriptor, data)

    with monkeypatch.context() as patched:
        patched.setattr(linux_storage.os, "pwrite", write_once)
        with pytest.raises(StorageFullError, match="No space left") as caught:
            storage.create("a", 262144)
    assert "nothing that was stored is lost" in caught.value.advice
    assert storage.names() == []
    storage.create("a", 4096)
    storage.sync()


def test_a_file_system_that_is_really_full(tmp_path: Path) -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("there is no /dev/full here")
    storage = FileStorage(str(tmp_path))
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(PlatformError, match="full"):
        storage.read("full", 0, 1)  # a link is not followed: a journal's file is a file
    storage.close()


@pytest.mark.parametrize("method", ["pread", "pwrite", "fdatasync"])
def test_a_failing_medium_names_the_file(
    storage: FileStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    storage.create("a", 4096)
    storage.write("a", 0, b"x")
    actions = {
        "pread": lambda: storage.read("a", 0, 1),
        "pwrite": lambda: storage.write("a", 0, b"x"),
        "fdatasync": storage.sync,
    }
    with monkeypatch.context() as patched:
        patched.setattr(linux_storage.os, method, failing(errno.EIO))
        with pytest.raises(PlatformError, match="Input/output error") as caught:
            actions[method]()
    assert str(tmp_path / "journal" / "a") in caught.value.text
    assert "replace it" in caught.value.advice


def test_a_failed_sync_is_owed_again(storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.create("a", 4096)
    with monkeypatch.context() as patched:
        patched.setattr(linux_storage.os, "fdatasync", failing(errno.EIO))
        with pytest.raises(PlatformError):
            storage.sync()
    synced: list[int] = []
    monkeypatch.setattr(linux_storage.os, "fdatasync", synced.append)
    monkeypatch.setattr(linux_storage.os, "fsync", synced.append)
    storage.sync()
    assert len(synced) == 2, "the file and the directory"
    storage.sync()
    assert len(synced) == 2, "nothing is dirty any more"


def test_short_writes_are_carried_on(storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.create("a", 4096)
    real = os.pwrite
    monkeypatch.setattr(linux_storage.os, "pwrite", lambda fd, data, offset: real(fd, bytes(data)[:3], offset))
    storage.write("a", 7, b"ten bytes!")
    assert storage.read("a", 7, 10) == b"ten bytes!"


@pytest.mark.parametrize("name", ["", ".", "..", "../out", "a/b"])
def test_only_plain_names(storage: FileStorage, name: str) -> None:
    with pytest.raises(MisuseError):
        storage.create(name, 4096)


def test_writing_goes_on_while_a_sync_takes_its_time(storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        storage.create(name, 4096)
    real = os.fdatasync
    synced: list[int] = []

    def slow(descriptor: int) -> None:
        if not synced:  # meanwhile in the other thread
            storage.write("a", 0, b"during")
            storage.rename("b", "d")
            storage.remove("c")
        synced.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(linux_storage.os, "fdatasync", slow)
    storage.sync()
    assert len(synced) == 3, "a file was closed while it was being synced"
    storage.sync()
    assert len(synced) == 4, "what was written during a sync is owed to the next"
    assert storage.read("a", 0, 6) == b"during"
    assert sorted(storage.names()) == ["a", "d"]
