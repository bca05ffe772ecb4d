"""What every storage must do (edgelite/storage.py), for either runtime: each function of CHECKS is one check.

    for check in CHECKS:
        check(storage, again)     # each on an empty storage of its own

`again()` gives a storage on the same files, as the next process finds them.
"""

from edgelite_protocol.errors import MisuseError, PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite.storage import Storage

    Again = Callable[[], Storage]

TRIES = 4


def raises(kind: "type[Exception]", call: "Callable[[], object]") -> str:
    """The text of the error that `call` raises; AssertionError where it raises none of that kind."""
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError("nothing was raised")


def no_files_at_first(storage: "Storage", _again: "Again") -> None:
    assert storage.names() == []


def a_new_file_is_all_zeros_of_its_size(storage: "Storage", _again: "Again") -> None:
    storage.create("a", 8192)
    assert storage.names() == ["a"]
    assert storage.size_bytes("a") == 8192
    assert storage.read("a", 0, 8192) == bytes(8192)


def a_file_cannot_be_made_twice(storage: "Storage", _again: "Again") -> None:
    storage.create("a", 4096)
    storage.write("a", 0, b"kept")
    raises(MisuseError, lambda: storage.create("a", 4096))
    assert storage.read("a", 0, 4) == b"kept"


def what_is_written_is_read(storage: "Storage", _again: "Again") -> None:
    storage.create("a", 4096)
    for data in (b"middle", bytearray(b"Middle"), memoryview(b"MIDDLE")):
        storage.write("a", 4090, data)
        storage.write("a", 0, data[:0])
        assert storage.read("a", 4088, 8) == b"\0\0" + bytes(data)


def reading_stops_at_the_end_of_the_file_and_only_there(storage: "Storage", _again: "Again") -> None:
    storage.create("a", 4096)
    assert len(storage.read("a", 4000, 200)) == 96
    assert storage.read("a", 4096, 10) == b""
    assert storage.read("a", 10, 0) == b""


def writing_never_changes_the_size(storage: "Storage", _again: "Again") -> None:
    storage.create("a", 4096)
    raises(MisuseError, lambda: storage.write("a", 4095, b"ab"))
    raises(MisuseError, lambda: storage.write("a", 4096, b"a"))
    raises(MisuseError, lambda: storage.write("a", -1, b"a"))
    raises(MisuseError, lambda: storage.write("a", 0, bytes(4097)))
    assert storage.size_bytes("a") == 4096
    assert storage.read("a", 0, 4096) == bytes(4096)


def a_file_that_is_not_there_is_an_error_and_never_empty(storage: "Storage", _again: "Again") -> None:
    calls: list[Callable[[], object]] = [
        lambda: storage.read("missing", 0, 1),
        lambda: storage.write("missing", 0, b"a"),
        lambda: storage.size_bytes("missing"),
        lambda: storage.remove("missing"),
        lambda: storage.rename("missing", "other"),
    ]
    for call in calls:
        assert "missing" in raises(PlatformError, call)
    assert storage.names() == []


def rename_takes_the_content_along_and_replaces(storage: "Storage", _again: "Again") -> None:
    storage.create("a", 4096)
    storage.create("b", 8192)
    storage.write("a", 0, b"from a")
    storage.rename("a", "b")
    assert storage.names() == ["b"]
    assert storage.size_bytes("b") == 4096
    storage.write("b", 6, b"!")
    assert storage.read("b", 0, 7) == b"from a!"


def a_removed_file_is_gone_and_its_name_free(storage: "Storage", _again: "Again") -> None:
    storage.create("a", 4096)
    storage.write("a", 0, b"old")
    storage.remove("a")
    assert storage.names() == []
    storage.create("a", 4096)
    assert storage.read("a", 0, 3) == bytes(3)


def making_files_takes_free_space(storage: "Storage", _again: "Again") -> None:
    """Others may use the medium too, and free some at the same moment: so there is more than one try."""
    for number in range(TRIES):
        before = storage.free_bytes()
        assert before > 0
        storage.create("file%d" % number, 65536)
        storage.sync()
        if storage.free_bytes() <= before:
            return
    raise AssertionError("%d files took no space" % TRIES)


def everything_is_there_after_a_sync_and_a_restart(storage: "Storage", again: "Again") -> None:
    for name in ("a", "b", "c"):
        storage.create(name, 4096)
    storage.write("a", 100, b"first")
    storage.sync()
    storage.write("a", 105, b"second")
    storage.rename("b", "d")
    storage.remove("c")
    storage.sync()
    found = again()
    assert sorted(found.names()) == ["a", "d"]
    assert found.read("a", 100, 11) == b"firstsecond"
    assert found.size_bytes("d") == 4096


def a_sync_with_nothing_new_does_no_harm(storage: "Storage", _again: "Again") -> None:
    storage.sync()
    storage.create("a", 4096)
    storage.sync()
    storage.sync()
    assert storage.names() == ["a"]


CHECKS = (
    no_files_at_first,
    a_new_file_is_all_zeros_of_its_size,
    a_file_cannot_be_made_twice,
    what_is_written_is_read,
    reading_stops_at_the_end_of_the_file_and_only_there,
    writing_never_changes_the_size,
    a_file_that_is_not_there_is_an_error_and_never_empty,
    rename_takes_the_content_along_and_replaces,
    a_removed_file_is_gone_and_its_name_free,
    making_files_takes_free_space,
    everything_is_there_after_a_sync_and_a_restart,
    a_sync_with_nothing_new_does_no_harm,
)
