"""What every storage must do (edgelite/storage.py). A test class of each implementation inherits these, and has a
fixture `storage` and one `again` that opens the same files anew, as after a restart of the process."""

from collections.abc import Callable

import pytest

from edgelite.storage import Storage
from edgelite_protocol.errors import MisuseError, PlatformError


class StorageContract:
    def test_there_are_no_files_at_first(self, storage: Storage) -> None:
        assert storage.names() == []

    def test_a_new_file_is_all_zeros_of_its_size(self, storage: Storage) -> None:
        storage.create("a", 8192)
        assert storage.names() == ["a"]
        assert storage.size_bytes("a") == 8192
        assert storage.read("a", 0, 8192) == bytes(8192)

    def test_a_file_cannot_be_made_twice(self, storage: Storage) -> None:
        storage.create("a", 4096)
        storage.write("a", 0, b"kept")
        with pytest.raises(MisuseError):
            storage.create("a", 4096)
        assert storage.read("a", 0, 4) == b"kept"

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_what_is_written_is_read(self, storage: Storage, kind: Callable[[bytes], bytes]) -> None:
        storage.create("a", 4096)
        storage.write("a", 4090, kind(b"middle"))
        storage.write("a", 0, kind(b""))
        assert storage.read("a", 4088, 8) == b"\0\0middle"

    def test_reading_stops_at_the_end_of_the_file_and_only_there(self, storage: Storage) -> None:
        storage.create("a", 4096)
        assert len(storage.read("a", 4000, 200)) == 96
        assert storage.read("a", 4096, 10) == b""
        assert storage.read("a", 10, 0) == b""

    def test_writing_never_changes_the_size(self, storage: Storage) -> None:
        storage.create("a", 4096)
        for offset, data in ((4095, b"ab"), (4096, b"a"), (-1, b"a"), (0, bytes(4097))):
            with pytest.raises(MisuseError):
                storage.write("a", offset, data)
        assert storage.size_bytes("a") == 4096
        assert storage.read("a", 0, 4096) == bytes(4096)

    def test_a_file_that_is_not_there_is_an_error_and_never_empty(self, storage: Storage) -> None:
        with pytest.raises(PlatformError, match="missing"):
            storage.read("missing", 0, 1)
        with pytest.raises(PlatformError, match="missing"):
            storage.write("missing", 0, b"a")
        with pytest.raises(PlatformError, match="missing"):
            storage.size_bytes("missing")
        with pytest.raises(PlatformError, match="missing"):
            storage.remove("missing")
        with pytest.raises(PlatformError, match="missing"):
            storage.rename("missing", "other")
        assert storage.names() == []

    def test_rename_takes_the_content_along_and_replaces(self, storage: Storage) -> None:
        storage.create("a", 4096)
        storage.create("b", 8192)
        storage.write("a", 0, b"from a")
        storage.rename("a", "b")
        assert storage.names() == ["b"]
        assert storage.size_bytes("b") == 4096
        storage.write("b", 6, b"!")
        assert storage.read("b", 0, 7) == b"from a!"

    def test_a_removed_file_is_gone_and_its_name_free(self, storage: Storage) -> None:
        storage.create("a", 4096)
        storage.write("a", 0, b"old")
        storage.remove("a")
        assert storage.names() == []
        storage.create("a", 4096)
        assert storage.read("a", 0, 3) == bytes(3)

    def test_making_files_takes_free_space(self, storage: Storage) -> None:
        before = storage.free_bytes()
        assert before > 0
        storage.create("a", 1 << 20)
        storage.sync()
        assert storage.free_bytes() <= before

    def test_everything_is_there_after_a_sync_and_a_restart(
        self, storage: Storage, again: Callable[[], Storage]
    ) -> None:
        storage.create("a", 4096)
        storage.create("b", 4096)
        storage.create("c", 4096)
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

    def test_a_sync_with_nothing_new_does_no_harm(self, storage: Storage) -> None:
        storage.sync()
        storage.create("a", 4096)
        storage.sync()
        storage.sync()
        assert storage.names() == ["a"]
