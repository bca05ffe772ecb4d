"""The artifact store of a node on Linux: what is being received, what is unpacked.

    <hex>.part     the bytes that have arrived, from the start; its size is where a fetch goes on
    <hex>.tar      all of them, and the digest is right: nothing is gained by fetching them again
    <hex>/         unpacked; appears by rename when all of it is durable
    <hex>.size     how many bytes the archive had, so that what is unpacked counts as received
    <hex>.new/     being unpacked; removed at the next try

An archive is removed once it is unpacked. Where it cannot be, for want of room or because no artifact may be like it,
it stays, and the next try costs the link nothing. A power cut may leave a `.part` whose end is not what arrived; its
digest does not match then, and the fetch starts again.
"""

import binascii

from edgelite.fetch import ArtifactStore as ArtifactStoreContract
from edgelite_ports.posix import files, system
from edgelite_ports.posix.files import join, remove_tree
from edgelite_protocol.digest import sha256
from edgelite_protocol.errors import MisuseError, PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE_BYTES_MAX = 1 << 30  # of one artifact: larger than any device's memory card should be asked to hold
_READ_BYTES = 16384
_DIGEST_BYTES = 32
_SEEK_SET, _SEEK_CUR = 0, 1


class ArtifactStore(ArtifactStoreContract):
    def __init__(self, directory: str) -> None:
        self._directory = directory
        try:
            files.make_directories(directory)
        except OSError as error:
            raise _failure("cannot make", directory, error) from error

    # ---- receiving

    def offset_bytes(self, digest: bytes) -> int:
        """How much of the artifact is there, from its start; all of it where it is unpacked already."""
        if self.root(digest) is not None:
            return _number(self._path(digest, ".size"))
        path = self._received(digest)
        try:
            return files.size_bytes(path)
        except OSError as error:
            raise _failure("cannot read", path, error) from error

    def append(self, digest: bytes, offset_bytes: int, data: bytes) -> None:
        """`offset_bytes` is where the last piece ended."""
        path = self._path(digest, ".part")
        if offset_bytes + len(data) > SIZE_BYTES_MAX:
            raise PlatformError("an artifact may have %d bytes, no more" % SIZE_BYTES_MAX)
        try:
            descriptor = system.open(path, system.O_WRONLY | system.O_CREAT | system.O_CLOEXEC, 0o600)
            try:
                self._append(descriptor, offset_bytes, data)
            finally:
                system.close(descriptor)
        except OSError as error:
            raise _failure("cannot write", path, error) from error

    def _append(self, descriptor: int, offset_bytes: int, data: bytes) -> None:
        size_bytes = system.fstat(descriptor).st_size
        if offset_bytes != size_bytes:
            # Not misuse: it may have been discarded as garbage while its last pieces were on their way.
            raise PlatformError("artifact data for offset %d, but %d bytes are there" % (offset_bytes, size_bytes))
        view = memoryview(data)
        while len(view):
            written = system.pwrite(descriptor, view, offset_bytes)
            offset_bytes += written
            view = view[written:]

    def discard(self, digest: bytes) -> None:
        """Forget what has arrived, unless its digest is right."""
        path = self._path(digest, ".part")
        try:
            files.unlink_if_there(path)
        except OSError as error:
            raise _failure("cannot remove", path, error) from error

    # ---- installing: may block, runs on the worker

    def install(self, digest: bytes) -> object:
        """Check the digest of what was received and unpack it; at once where that was done before. PlatformError,
        or UstarError for an archive that no artifact may be."""
        for _ in self.install_steps(digest):
            pass
        return None

    def install_steps(self, digest: bytes) -> "Iterator[None]":
        """The same, a few kilobytes a step, for a port that has no threads."""
        if self.root(digest) is not None:
            return
        path = self._received(digest)
        try:
            descriptor = system.open(path, system.O_RDONLY | system.O_CLOEXEC)
            try:
                yield from self._check(descriptor, digest, path)
                archive = self._path(digest, ".tar")
                system.rename(path, archive)
                yield from self._unpack(descriptor, digest)
            finally:
                system.close(descriptor)
            system.unlink(archive)
        except OSError as error:
            raise _failure("cannot unpack", path, error) from error

    def _check(self, descriptor: int, digest: bytes, path: str) -> "Iterator[None]":
        found = sha256()
        while data := system.read(descriptor, _READ_BYTES):
            found.update(data)
            yield
        found_digest = found.digest()  # once: under MicroPython it ends the hash
        if found_digest != digest:
            system.unlink(path)  # also one that was right once: a power cut may have come before it was durable
            raise PlatformError("the digest of what arrived is %s" % _hex(found_digest))

    def _unpack(self, descriptor: int, digest: bytes) -> "Iterator[None]":
        from edgelite_ports.posix.unpack import unpack_steps  # an agent that fetches nothing need not hold it

        new = self._path(digest, ".new")
        remove_tree(new)
        system.mkdir(new, 0o755)
        size_bytes = system.lseek(descriptor, 0, _SEEK_CUR)
        system.lseek(descriptor, 0, _SEEK_SET)
        try:
            yield from unpack_steps(descriptor, new)
        except Exception:
            remove_tree(new)  # an artifact that fails must not fill the disk as well
            raise
        files.write_durably(self._path(digest, ".size"), b"%d\n" % size_bytes)
        system.sync()  # one for all files of it; each with an fsync of its own would take minutes on a card
        system.rename(new, self._path(digest, ""))
        files.sync_directory(self._directory)

    # ---- using

    def root(self, digest: bytes) -> "str | None":
        """The directory of the unpacked artifact; None where it is not here."""
        path = self._path(digest, "")
        return path if files.is_directory(path) else None

    def collect_garbage(self, named: "list[bytes]") -> "list[str]":
        """Remove what belongs to no digest of `named`; the names of what was removed. May block."""
        kept = {_hex(digest) for digest in named}
        removed = []
        try:
            for name in sorted(system.listdir(self._directory)):
                if name.partition(".")[0] not in kept:
                    path = join(self._directory, name)
                    remove_tree(path) if files.is_directory(path) else system.unlink(path)
                    removed.append(name)
        except OSError as error:
            raise _failure("cannot clean", self._directory, error) from error
        return removed

    def _received(self, digest: bytes) -> str:
        archive = self._path(digest, ".tar")
        return archive if files.exists(archive) else self._path(digest, ".part")

    def _path(self, digest: bytes, suffix: str) -> str:
        if len(digest) != _DIGEST_BYTES:
            raise MisuseError("a digest has %d bytes" % _DIGEST_BYTES)
        return join(self._directory, _hex(digest) + suffix)


def _hex(digest: bytes) -> str:
    return binascii.hexlify(digest).decode()


def _number(path: str) -> int:
    try:
        text = files.read_small(path, 32)
    except OSError as error:
        raise _failure("cannot read", path, error) from error
    if not text.strip().isdigit():
        raise PlatformError(path + " holds no number", "remove the artifact's directory: it is fetched again")
    return int(text)


def _failure(what: str, path: str, error: OSError) -> PlatformError:
    advice = ""
    if error.errno in (files.ENOSPC, files.EDQUOT):
        advice = "the disk is full: make room on it, or remove workloads whose artifacts it holds"
    return PlatformError("%s %s: %s" % (what, path, files.reason(error)), advice)
