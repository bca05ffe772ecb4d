"""The journal on files as MicroPython keeps it: the contract, a journal over restarts, and media that fail."""

import os

from edgelite.effects import Sync
from edgelite.journal import Journal, JournalLimits
from edgelite.storage import StorageFullError
from edgelite_ports.micropython import files
from edgelite_ports.micropython.file_storage import FileStorage
from edgelite_ports.testing.storage_contract import CHECKS, raises
from edgelite_protocol.errors import MisuseError, PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Folder:
    """A directory that is gone afterwards."""

    def __init__(self) -> None:
        self.path = "/tmp/edgelite-" + os.urandom(8).hex()
        self.storages: list[FileStorage] = []

    def __enter__(self) -> "Folder":
        return self

    def open(self) -> FileStorage:
        self.storages.append(FileStorage(self.path))
        return self.storages[-1]

    def again(self) -> FileStorage:
        self.storages[-1].close()
        return self.open()

    def __exit__(self, *_: object) -> None:
        for storage in self.storages:
            storage.close()
        for name in os.listdir(self.path):
            os.remove(self.path + "/" + name)
        os.rmdir(self.path)


class Failing:
    """A file whose calls of one name fail."""

    def __init__(self, file: "Any", name: str, number: int) -> None:
        self._file = file
        self._name = name
        self._number = number

    def _call(self, name: str, *arguments: "Any") -> "Any":
        if name == self._name:
            raise OSError(self._number, "")
        return getattr(self._file, name)(*arguments)

    def seek(self, *arguments: "Any") -> "Any":
        return self._call("seek", *arguments)

    def read(self, *arguments: "Any") -> "Any":
        return self._call("read", *arguments)

    def write(self, *arguments: "Any") -> "Any":
        return self._call("write", *arguments)

    def flush(self) -> "Any":
        return self._call("flush")

    def close(self) -> None:
        self._file.close()


def test_contract() -> None:
    for check in CHECKS:
        with Folder() as folder:
            check(folder.open(), folder.again)


def test_names_stay_inside_the_directory() -> None:
    with Folder() as folder:
        storage = folder.open()
        for name in ("", ".", "..", "a/b", "/etc/passwd", "a" * 65):
            raises(MisuseError, lambda name=name: storage.create(name, 10))  # type: ignore[misc]


def test_a_file_where_the_directory_should_be() -> None:
    path = "/tmp/edgelite-" + os.urandom(8).hex()
    with open(path, "wb") as file:
        file.write(b"")
    try:
        assert path in raises(PlatformError, lambda: FileStorage(path))
    finally:
        os.remove(path)


def with_failing(name: str, number: int, call: "Callable[[FileStorage], object]") -> PlatformError:
    """What comes of `call` where a file's `name` fails."""
    with Folder() as folder:
        storage = folder.open()
        storage.create("a", 4096)
        storage.sync()
        storage._dirty.add("a")
        storage._files["a"] = Failing(storage._files["a"], name, number)
        try:
            call(storage)
        except PlatformError as error:
            return error
        raise AssertionError("nothing was raised")


def test_a_medium_that_fails_is_told_and_never_empty() -> None:
    for error in (
        with_failing("read", 5, lambda storage: storage.read("a", 0, 10)),
        with_failing("seek", 5, lambda storage: storage.size_bytes("a")),
        with_failing("write", 5, lambda storage: storage.write("a", 0, b"x")),
        with_failing("flush", 5, lambda storage: storage.sync()),
    ):
        assert "/a: input/output error" in error.text
        assert "the medium fails" in error.advice
    assert isinstance(with_failing("write", 28, lambda storage: storage.write("a", 0, b"x")), StorageFullError)
    assert "must own" in with_failing("write", 30, lambda storage: storage.write("a", 0, b"x")).advice


def test_what_a_failed_sync_did_not_bring_stays_to_be_brought() -> None:
    with Folder() as folder:
        storage = folder.open()
        storage.create("a", 4096)
        good = storage._files["a"]
        storage._files["a"] = Failing(good, "flush", 5)
        raises(PlatformError, storage.sync)
        flushed: list[str] = []
        storage._files["a"] = Failing(good, "nothing", 5)
        storage._sync_directory = flushed.append
        storage.sync()
        assert flushed == [folder.path]
        assert storage._dirty == set()
        storage.sync()
        assert flushed == [folder.path]  # no name changed since


def test_a_journal_over_restarts() -> None:
    with Folder() as folder:
        kept: list[str] = []
        for number in range(3):
            storage = folder.open() if not folder.storages else folder.again()
            effects: list[object] = []
            journal = Journal(storage, JournalLimits(16384, 131072, 65536), os.urandom, effects.append)
            recovery = journal.open(0)
            assert recovery.fresh == (number == 0)
            assert recovery.damaged == []
            for key in kept:
                assert journal.get(0, key) == key.encode()
            kept.append("key%d" % number)
            journal.write([("put", 0, kept[-1], kept[-1].encode())])
            for now_ms in range(0, 5000, 500):
                journal.step(now_ms)
                while effects:
                    effect = effects.pop(0)
                    assert isinstance(effect, Sync)
                    storage.sync()
                    journal.synced(effect.token, now_ms)
            assert journal.durable_position == journal.position


def test_small_files_are_old_or_new() -> None:
    path = "/tmp/edgelite-" + os.urandom(8).hex()
    synced: list[str] = []
    assert files.is_missing(path)
    files.write_atomically(path, b"one", synced.append)
    files.write_atomically(path, b"two", synced.append)
    try:
        assert files.read_bytes(path, 10) == b"two"
        assert "more than 2 bytes" in raises(PlatformError, lambda: files.read_bytes(path, 2))
        assert synced == ["/tmp", "/tmp"]
        assert not files.is_missing(path)
        assert files.is_missing(path + ".new")
        assert files.is_missing(path + "/below")
    finally:
        os.remove(path)
    assert raises(PlatformError, lambda: files.read_bytes(path, 10)).startswith("cannot read " + path + ": no such")
    assert "no such" in raises(PlatformError, lambda: files.write_atomically("/nonexistent/a", b"x"))


def test_the_directory_of_a_path() -> None:
    assert [files.parent(path) for path in ("/a/b", "/a", "a/b", "a", "/", "/a/")] == ["/a", "/", "a", "", "/", "/"]
