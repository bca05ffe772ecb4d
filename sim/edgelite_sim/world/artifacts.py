"""The artifacts of a simulated node: what is being received, what is unpacked. Nothing is really unpacked: what counts
is that it arrived whole."""

from __future__ import annotations

import hashlib

from edgelite.fetch import ArtifactStore as ArtifactStoreContract
from edgelite.storage import StorageFullError
from edgelite_protocol.errors import MisuseError, PlatformError

DIGEST_BYTES = 32
SIZE_BYTES_MAX = 32 * 1024 * 1024  # of all together
SYNC_BYTES = 64 * 1024  # what has arrived since the last such border is what a power cut may take


class ArtifactStore(ArtifactStoreContract):
    def __init__(self, size_bytes_max: int = SIZE_BYTES_MAX) -> None:
        self._size_bytes_max = size_bytes_max
        self._parts: dict[bytes, bytearray] = {}
        self._unpacked: dict[bytes, int] = {}  # how many bytes each archive had
        self.bytes_received = 0

    # ---- the contract

    def offset_bytes(self, digest: bytes) -> int:
        """All of it where it is unpacked already."""
        _check(digest)
        unpacked = self._unpacked.get(digest)
        return len(self._parts.get(digest, b"")) if unpacked is None else unpacked

    def append(self, digest: bytes, offset_bytes: int, data: bytes) -> None:
        _check(digest)
        there = len(self._parts.get(digest, b""))
        if offset_bytes != there:
            # Not misuse: it may have been discarded as garbage while its last pieces were on their way.
            raise PlatformError(f"artifact data for offset {offset_bytes}, but {there} bytes are there")
        if self.used_bytes() + len(data) > self._size_bytes_max:
            raise StorageFullError("no room for the artifact", "remove workloads whose artifacts the node holds")
        self._parts.setdefault(digest, bytearray()).extend(data)
        self.bytes_received += len(data)

    def discard(self, digest: bytes) -> None:
        self._parts.pop(digest, None)

    # ---- what the dispatcher and the runtimes need

    def install(self, digest: bytes) -> object:
        """Check the digest of what was received; at once where that was done before. PlatformError where it is
        another, and what was received is gone then."""
        _check(digest)
        if digest in self._unpacked:
            return None
        data = self._parts.pop(digest, bytearray())
        found = hashlib.sha256(data).digest()
        if found != digest:
            raise PlatformError("the digest of what arrived is " + found.hex())
        self._unpacked[digest] = len(data)
        return None

    def root(self, digest: bytes) -> str | None:
        """Where it is unpacked; None where it is not here."""
        return "/artifacts/" + digest.hex() if digest in self._unpacked else None

    def collect_garbage(self, named: list[bytes]) -> list[str]:
        """Remove what belongs to no digest of `named`; the names of what was removed."""
        removed = []
        for store in (self._parts, self._unpacked):
            for digest in sorted(store):
                if digest not in named:
                    del store[digest]
                    removed.append(digest.hex())
        return removed

    # ---- from outside

    def used_bytes(self) -> int:
        return sum(len(part) for part in self._parts.values()) + sum(self._unpacked.values())

    def lose_power(self) -> None:
        """What is unpacked was synced; of what is being received the unfinished tail is gone."""
        for digest in list(self._parts):
            part = self._parts[digest]
            del part[len(part) // SYNC_BYTES * SYNC_BYTES :]


def _check(digest: bytes) -> None:
    if len(digest) != DIGEST_BYTES:
        raise MisuseError(f"a digest has {DIGEST_BYTES} bytes")
