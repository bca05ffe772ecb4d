"""Artifact files: `<directory>/<SHA-256 in hex>`, written once, never changed.

A file is hashed while it is written to a temporary name; it takes its own name after it is synced, so a file that
has its name is whole. Which names and tags mean which digest is the Artifact object's to say (artifact_names.py).
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from edgelite_hub.compiler.artifact_names import DIGEST_PREFIX
from edgelite_hub.model.objects import ARTIFACTS, Object, make_uid, new_object, rfc3339
from edgelite_hub.nodes.feed_values import decode_value
from edgelite_hub.security.private_files import make_private_directory, sync_directory
from edgelite_hub.store.contract import Transaction
from edgelite_protocol import messages as m
from edgelite_protocol.digest import sha256
from edgelite_protocol.errors import EdgeliteError

VERSIONS_MAX = 16  # of one Artifact that stay pullable by digest after their tag moved on
YOUNG_MS = 3_600_000
TEMPORARY_PREFIX = ".upload-"


class ArtifactRefused(EdgeliteError):
    """`reason` is "TooLarge", "DigestMismatch" or "Empty"."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


class Upload:
    """One artifact on its way in: `write` pieces, then `finish`, or `abort`."""

    def __init__(self, directory: Path, name: str, size_bytes_max: int) -> None:
        self._directory = directory
        self._path = directory / name
        self._file: BinaryIO = open(self._path, "xb")  # noqa: SIM115  closed by finish or abort
        self._hash = sha256()
        self._size_bytes_max = size_bytes_max
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        self.size_bytes += len(data)
        if self.size_bytes > self._size_bytes_max:
            raise ArtifactRefused("TooLarge", f"an artifact may have {self._size_bytes_max} bytes")
        self._hash.update(data)
        self._file.write(data)

    def finish(self) -> str:
        """The digest, in hex; the file is durable under that name. Blocks for a sync."""
        if not self.size_bytes:
            raise ArtifactRefused("Empty", "the artifact has no bytes")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        digest = self._hash.digest().hex()
        os.replace(self._path, self._directory / digest)
        sync_directory(self._directory)
        return digest

    def abort(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


class Artifacts(Protocol):
    """What a connection needs of the artifacts."""

    def size_bytes(self, digest: bytes) -> int | None:
        """None where there is no such artifact."""
        ...

    def read(self, digest: bytes, offset_bytes: int, size_bytes: int) -> bytes: ...


class ArtifactFiles:
    """The directory of artifacts. Call from one thread at a time, `Upload` objects each from their own."""

    def __init__(self, directory: Path, size_bytes_max: int, random_bytes: Callable[[int], bytes]) -> None:
        self._directory = directory
        self._size_bytes_max = size_bytes_max
        self._random_bytes = random_bytes
        make_private_directory(directory)
        for left_over in directory.glob(TEMPORARY_PREFIX + "*"):  # of a hub that died meanwhile
            left_over.unlink()

    def upload(self) -> Upload:
        return Upload(self._directory, TEMPORARY_PREFIX + self._random_bytes(8).hex(), self._size_bytes_max)

    def size_bytes(self, digest: bytes) -> int | None:
        """None where there is no such artifact."""
        try:
            return (self._directory / digest.hex()).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, digest: bytes, offset_bytes: int, size_bytes: int) -> bytes:
        """A piece; opened anew each time, so that a node that takes a day holds no descriptor."""
        with open(self._directory / digest.hex(), "rb") as file:
            return os.pread(file.fileno(), size_bytes, offset_bytes)

    def collect(self, wanted: set[str], now_ms: int) -> list[str]:
        """Delete the files whose hex digests are not in `wanted`; which. One that was just written may not have its
        Artifact yet, so the young ones stay."""
        removed = []
        for path in self._directory.iterdir():
            if len(path.name) != 64 or path.name in wanted:
                continue
            if now_ms - path.stat().st_mtime_ns // 1_000_000 > YOUNG_MS:
                path.unlink()
                removed.append(path.name)
        return removed


def note_pushed(
    transaction: Transaction,
    name: str,
    tag: str,
    digest_hex: str,
    size_bytes: int,
    now_ms: int,
    random_bytes: Callable[[int], bytes],
) -> Object:
    """Make or change the Artifact `name` so that `tag` means this digest; the object as stored."""
    digest = DIGEST_PREFIX + digest_hex
    value = transaction.get(ARTIFACTS, "", name)
    changed = copy.deepcopy(value) if value is not None else _new_artifact(name, now_ms, random_bytes)
    status = changed.setdefault("status", {})
    version = {"digest": digest, "sizeBytes": size_bytes, "pushedTime": rfc3339(now_ms)}
    tags = {**(status.get("tags") or {}), tag: {"digest": digest}}
    others = [one for one in status.get("versions") or [] if one["digest"] != digest]
    tagged = {one["digest"] for one in tags.values()}
    # What a tag still means always stays; of the rest the newest.
    loose = [one for one in others if one["digest"] not in tagged][-VERSIONS_MAX:]
    status["versions"] = [one for one in others if one["digest"] in tagged or one in loose] + [version]
    status["tags"] = tags
    status.update({"digest": digest, "sizeBytes": size_bytes})
    if value is None:
        return transaction.create(ARTIFACTS, "", name, changed)
    return transaction.update(ARTIFACTS, "", name, changed)


def wanted_digests(transaction: Transaction, nodes: list[str]) -> set[str]:
    """Hex digests that an Artifact has or that some node's feed still names."""
    wanted = {
        version["digest"].removeprefix(DIGEST_PREFIX)
        for artifact in transaction.list(ARTIFACTS)
        for version in (artifact.get("status") or {}).get("versions") or []
    }
    for node in nodes:
        wanted |= {digest.hex() for digest in digests_of_node(transaction, node)}
    return wanted


def digests_of_node(transaction: Transaction, node: str) -> set[bytes]:
    """The artifacts that a node's own workloads name: all that it may have."""
    found: set[bytes] = set()
    for entry in transaction.feed_snapshot(node):
        if entry.kind == m.KIND_WORKLOAD and entry.value is not None:
            for container in decode_value(entry.value)[m.WORKLOAD_CONTAINERS]:
                found.add(bytes(container.get(m.CONTAINER_DIGEST, b"")))
    found.discard(b"")
    return found


def _new_artifact(name: str, now_ms: int, random_bytes: Callable[[int], bytes]) -> Object:
    return new_object("edgelite.dev/v1", "Artifact", {"name": name}, make_uid(random_bytes), now_ms)
