"""The journal's files on Linux: synced by the kernel while the loop goes on, where the kernel can."""

from edgelite_ports.micropython.file_storage import FileStorage
from edgelite_ports.micropython.loop import READABLE
from edgelite_ports.micropython.os_errors import EINVAL
from edgelite_ports.micropython.unix import libc
from edgelite_protocol.errors import MisuseError, PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite_ports.micropython.unix.aio import FsyncQueue

    Done = Callable[[object, BaseException | None], None]


class LinuxStorage(FileStorage):
    """`sync_later(done)` is `sync` that does not wait: `done(None, error)` comes on the loop. One at a time, as the
    core asks for it. What is written meanwhile belongs to the next one."""

    def __init__(self, directory: str, loop: "Any") -> None:
        super().__init__(directory, libc.sync_directory)
        self._queue = _queue_or_none()
        self._directory_descriptor = libc.open_descriptor(directory, libc.O_RDONLY)
        self._done: Done | None = None
        self._batch: list[Any] = []  # the files that are being synced
        self._names_batch = False  # and the directory, behind them
        self._open_count = 0
        self._failure_number = 0
        if self._queue is not None:
            loop.register(self._queue.descriptor, READABLE, self._ready)

    def close(self) -> None:
        super().close()
        libc.close(self._directory_descriptor)

    def sync_later(self, done: "Done") -> None:
        if self._done is not None:
            raise MisuseError("a sync is going on")
        if self._queue is None:
            self._sync_now(done)
            return
        self._done = done
        self._batch = [self._files[name] for name in sorted(self._dirty)]
        self._dirty.clear()
        self._names_batch, self._names_dirty = self._names_dirty, False
        self._failure_number = 0
        self._submit([file.fileno() for file in self._batch], True)

    def _sync_now(self, done: "Done") -> None:
        failure = None
        try:
            self.sync()
        except PlatformError as error:
            failure = error
        done(None, failure)

    def _submit(self, descriptors: "list[int]", data_only: bool) -> None:
        assert self._queue is not None
        self._open_count, number = self._queue.submit(descriptors, data_only)
        self._failure_number = self._failure_number or number
        if self._open_count == 0:
            self._step_done()

    def _ready(self, _events: int) -> None:
        assert self._queue is not None
        for number in self._queue.completed():
            self._open_count -= 1
            self._failure_number = self._failure_number or number
        if self._open_count <= 0 and self._done is not None:
            self._step_done()

    def _step_done(self) -> None:
        """The files are on the medium, or one is not; then the directory; then it is told."""
        if self._names_batch and not self._failure_number:
            self._names_batch = False
            self._submit([self._directory_descriptor], False)
            return
        done, self._done = self._done, None
        assert done is not None
        failure = None
        if self._failure_number == EINVAL:  # a file system that has no such thing: from now on as everywhere
            self._queue = None
        if self._failure_number:
            self._names_dirty = True
            self._dirty.update([name for name, file in self._files.items() if file in self._batch])
            failure = self._failure("", OSError(self._failure_number))
        self._batch = []
        self._names_batch = False
        if self._queue is None:
            self._sync_now(done)
        else:
            done(None, failure)


def _queue_or_none() -> "FsyncQueue | None":
    from edgelite_ports.micropython.unix.aio import FsyncQueue

    try:
        return FsyncQueue()
    except OSError:
        return None
