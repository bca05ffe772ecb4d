"""The artifact files of a simulated hub, in memory: they outlive its process, as files do."""

from __future__ import annotations

from edgelite_hub.artifacts import YOUNG_MS
from edgelite_protocol.digest import sha256


class SimArtifacts:
    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, int]] = {}  # digest in hex: (bytes, when written)

    def put(self, data: bytes, now_ms: int) -> str:
        """The digest, in hex."""
        digest: str = sha256(data).digest().hex()
        self._files[digest] = (data, now_ms)
        return digest

    def size_bytes(self, digest: bytes) -> int | None:
        """None where there is no such artifact."""
        found = self._files.get(digest.hex())
        return None if found is None else len(found[0])

    def read(self, digest: bytes, offset_bytes: int, size_bytes: int) -> bytes:
        return self._files[digest.hex()][0][offset_bytes : offset_bytes + size_bytes]

    def collect(self, wanted: set[str], now_ms: int) -> list[str]:
        """Delete what is not in `wanted` and not young; which."""
        surplus = [
            digest
            for digest, (_, time_ms) in self._files.items()
            if digest not in wanted and now_ms - time_ms > YOUNG_MS
        ]
        for digest in surplus:
            del self._files[digest]
        return surplus

    def copy(self) -> SimArtifacts:
        made = SimArtifacts()
        made._files = dict(self._files)
        return made
