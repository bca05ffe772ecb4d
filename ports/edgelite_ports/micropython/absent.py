"""What a port hands to the core for what it cannot do: each answers with an error that says so."""

from edgelite.fetch import ArtifactStore
from edgelite.logstream import LogReader, LogStore
from edgelite_protocol.errors import PlatformError


class NoArtifacts(ArtifactStore):
    def offset_bytes(self, _digest: bytes) -> int:
        return 0

    def append(self, _digest: bytes, _offset_bytes: int, _data: bytes) -> None:
        raise PlatformError("this node keeps no artifacts")

    def discard(self, _digest: bytes) -> None:
        return

    def install(self, _digest: bytes) -> None:
        raise PlatformError("this node keeps no artifacts")

    def collect_garbage(self, _named: "list[bytes]") -> "list[str]":
        return []


class NoLogs(LogStore):
    def open(self, _uid: str, _container: str, _tail_lines: int, _previous: bool, _since_ms: int) -> LogReader:
        raise PlatformError("this node keeps no output of containers")
