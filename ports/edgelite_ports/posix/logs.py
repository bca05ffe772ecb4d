"""Workloads' output: bounded files that the workloads write by themselves, rotated and read by the agent.

A workload's standard output and error are one file, opened for appending; no pipe, nothing that hangs or breaks
when the agent is away. Of each container there are at most

    <container>.log            what the running instance writes
    <container>.log.1          what the same instance wrote before that
    <container>.log.previous   what the instance before it wrote in the end (its two files together)

Rotation is copy and truncate, because the writer cannot be asked to open another file: the file's last SEGMENT_BYTES
are copied to `.log.1`, then what came meanwhile, and when nothing more comes the file is cut at once. What is written
between that last look and the cut is lost, a run of neighbouring lines: mostly none at some thousand lines a second; a
writer that does nothing but write (250,000 lines a second) holds the file's lock against the cut for up to 4 ms.

Nothing is looked at more often than it grows: each second while a log grows fast, each ten seconds at rest. So a log
that starts to grow from rest at R bytes a second may reach 10 * R before it is cut, and while no agent runs nothing
cuts it; the first look after that does, keeping the last SEGMENT_BYTES. A full disk cuts without keeping.
"""

from edgelite.logstream import LogStore as LogStoreContract
from edgelite_ports.posix import system
from edgelite_ports.posix.files import EDQUOT, ENOSPC, exists, join, names, reason
from edgelite_ports.posix.files import size_bytes as size_of
from edgelite_ports.posix.log_reader import LogReader, Track
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SEGMENT_BYTES = 256 * 1024  # four of them a container, 1 MiB: running, before, and up to two of the previous instance
LOOK_MS_MIN = 1000
LOOK_MS_MAX = 10000  # what a burst from rest may write unseen: a card has room for seconds of it, not for a minute
START_MS_MAX = 15000  # longer than a start may take, so that no log is forgotten before it is there
RETRY_MS = 60000  # of a rotation that failed: what failed it lasts, and each time is a line in the agent's output
_COPY_BYTES = 65536
_SEEK_END = 2
_COPY_SEGMENTS_MAX = 4  # a writer that outruns the copy this far loses what the cut takes


class LogStore(LogStoreContract):
    """`directory` holds <uid>/<container>.log. `warn(text)` is told of a log that cannot be rotated, once a minute."""

    def __init__(self, directory: str, warn: "Callable[[str], None]", segment_bytes: int = SEGMENT_BYTES) -> None:
        self._directory = directory
        self._warn = warn
        self._segment_bytes = segment_bytes
        self._tracks: dict[str, Track] | None = None  # by path; None until the first look finds what there is
        self._look_ms = 0

    def open(self, uid: str, container: str, tail_lines: int, previous: bool, since_ms: int) -> LogReader:
        """The last `tail_lines` lines and what follows, all there is for -1. Output carries no times, so `since_ms`
        is not heeded. PlatformError where there is no such log."""
        if "/" in uid or "/" in container or uid.startswith(".") or container.startswith("."):
            raise PlatformError("there is no log of %s/%s" % (uid, container))
        path = join(self._directory, uid, container + ".log")
        if previous:
            return LogReader(Track(path + ".previous"), tail_lines)
        return LogReader(self._track(path), tail_lines)

    def begin(self, path: str, now_ms: int) -> None:
        """A new instance is about to write to `path`, and nobody else does: what is there becomes the previous
        instance's. OSError where the disk fails."""
        track = self._track(path)
        size_bytes = size_of(path)
        if size_bytes and size_of(path + ".1"):
            _append(path, path + ".1")
            system.rename(path + ".1", path + ".previous")
            system.unlink(path)
        elif size_bytes:
            system.rename(path, path + ".previous")
        track.base_bytes += size_bytes
        track.size_bytes, track.looked_ms = 0, now_ms
        self._look_ms = min(self._look_ms, now_ms + LOOK_MS_MIN)

    def step(self, now_ms: int) -> "int | None":
        """Rotate what has grown; when to look again, None while there is no log."""
        tracks = self._known()
        if now_ms >= self._look_ms and tracks:
            intervals_ms = [self._try_look(tracks[path], now_ms) for path in sorted(tracks)]
            self._look_ms = now_ms + min(intervals_ms)
        return self._look_ms if tracks else None

    # ---- inside

    def _known(self) -> "dict[str, Track]":
        """The logs there are; found on the first call, then told by `begin`."""
        if self._tracks is None:
            self._tracks = {}
            for uid in names(self._directory):
                for name in names(join(self._directory, uid)):
                    self._find(join(self._directory, uid, name))
        return self._tracks

    def _find(self, path: str) -> None:
        if path.endswith(".log"):
            self._track(path)
        elif path.endswith(".log.new"):
            self._finish_rotation(path[: -len(".new")])

    def _track(self, path: str) -> Track:
        tracks = self._known()
        if path not in tracks:
            tracks[path] = Track(path)
        return tracks[path]

    def _try_look(self, track: Track, now_ms: int) -> int:
        """A log that cannot be rotated is no reason to stop supervising."""
        try:
            return self._look(track, now_ms)
        except OSError as error:
            self._warn("cannot rotate %s: %s" % (track.path, reason(error)))
            return RETRY_MS

    def _look(self, track: Track, now_ms: int) -> int:
        """Rotate one log if it is time; in how many milliseconds to look at it again."""
        size_bytes = size_of(track.path)
        if size_bytes == 0 and not exists(track.path):
            if track.looked_ms is not None and now_ms - track.looked_ms < START_MS_MAX:
                return LOOK_MS_MIN  # its instance has begun and not yet opened it
            self._known().pop(track.path)  # its workload was removed, or never wrote
            return LOOK_MS_MAX
        grown_bytes = size_bytes - track.size_bytes
        if size_bytes >= self._segment_bytes:
            self._rotate(track, size_bytes)
            size_bytes = 0
        track.size_bytes = size_bytes
        before_ms, track.looked_ms = track.looked_ms, now_ms
        if grown_bytes <= 0:
            return LOOK_MS_MAX
        if before_ms is None:
            return LOOK_MS_MIN  # in which time it grew nobody saw: not since the machine started, as 0 would say
        passed_ms = max(1, now_ms - before_ms)
        fills_ms = (self._segment_bytes - size_bytes) * passed_ms // grown_bytes
        return min(max(fills_ms // 2, LOOK_MS_MIN), LOOK_MS_MAX)

    def _rotate(self, track: Track, size_bytes: int) -> None:
        source = system.open(track.path, system.O_RDWR | system.O_CLOEXEC)
        try:
            start_bytes = max(0, size_bytes - self._segment_bytes)
            try:
                track.base_bytes += _cut(source, start_bytes, track.path + ".new", self._segment_bytes)
                system.rename(track.path + ".new", track.path + ".1")  # after the cut: it may wait for the disk
            except OSError as error:
                if error.errno not in (ENOSPC, EDQUOT):
                    raise
                system.ftruncate(source, 0)
                track.base_bytes += size_bytes
        finally:
            system.close(source)

    def _finish_rotation(self, path: str) -> None:
        """An agent that died while rotating left a copy: whole if the log was cut after it, worthless if not."""
        try:
            if size_of(path) < self._segment_bytes:
                system.rename(path + ".new", path + ".1")
            else:
                system.unlink(path + ".new")
        except OSError as error:
            self._warn("cannot finish the rotation of %s: %s" % (path, reason(error)))


def _cut(source: int, offset_bytes: int, path: str, segment_bytes: int) -> int:
    """Copy to a new file from that offset to the end, wherever the end moves meanwhile, and truncate at once; where
    the end was."""
    target = system.open(path, system.O_WRONLY | system.O_CREAT | system.O_TRUNC | system.O_CLOEXEC, 0o600)
    try:
        limit_bytes = offset_bytes + _COPY_SEGMENTS_MAX * segment_bytes
        while offset_bytes < limit_bytes:
            copied_bytes = system.sendfile(target, source, offset_bytes, _COPY_BYTES)
            if not copied_bytes:
                break
            offset_bytes += copied_bytes
        system.ftruncate(source, 0)
        return offset_bytes
    except OSError:
        system.unlink(path)
        raise
    finally:
        system.close(target)


def _append(path: str, to_path: str) -> None:
    source = system.open(path, system.O_RDONLY | system.O_CLOEXEC)
    target = system.open(to_path, system.O_WRONLY | system.O_CLOEXEC)
    try:
        system.lseek(target, 0, _SEEK_END)
        offset_bytes = 0
        while copied_bytes := system.sendfile(target, source, offset_bytes, _COPY_BYTES):
            offset_bytes += copied_bytes
    finally:
        system.close(source)
        system.close(target)
