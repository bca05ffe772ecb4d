"""fsync that does not wait: the kernel's asynchronous I/O (io_submit(2), Linux 4.18), told of by an eventfd.

A kernel or a container without it (ENOSYS, EPERM) is told by OSError of `FsyncQueue()`.
"""

import struct

import uctypes  # type: ignore[import-not-found]

from edgelite_ports.micropython.unix import libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EVENTS_MAX = 8  # at once; a sync of the journal has two or three files
# Of the system calls io_setup, io_getevents, io_submit; by the size of a pointer and the kernel's machine, which may be
# a wider one.
_ARM = (243, 245, 246)
_NUMBERS = {
    (8, "x86_64"): (206, 208, 209),
    (8, "aarch64"): (0, 4, 2),
    (4, "aarch64"): _ARM,
    (4, "armv8l"): _ARM,
    (4, "armv7l"): _ARM,
    (4, "armv6l"): _ARM,
}
_EIO, _ENOSYS = 5, 38
_FSYNC, _FDSYNC = 2, 3
_FLAG_RESFD = 1
_CONTROL_BYTES, _EVENT_BYTES = 64, 32  # struct iocb, struct io_event


class FsyncQueue:
    """`submit` begins to bring files to the medium; `completed` gives what has come of them. `descriptor` is
    readable when something has."""

    def __init__(self) -> None:
        numbers = _NUMBERS.get((struct.calcsize("P"), libc.system_names()[1]))
        if numbers is None:
            raise OSError(_ENOSYS)
        setup, self._get_events, self._submit = numbers
        call: Any = libc.function("l", "syscall", "lLLLLL")
        self._call = call
        context = bytearray(8)  # an aio_context_t is a pointer
        libc.check(self._call(setup, EVENTS_MAX, uctypes.addressof(context), 0, 0, 0))
        self._context = struct.unpack_from("L", context, 0)[0]
        self.descriptor = libc.event_descriptor()

    def submit(self, descriptors: "list[int]", data_only: bool) -> "tuple[int, int]":
        """(how many of them the kernel took, the errno of why not the next one). Each that it took completes."""
        control = bytearray(_CONTROL_BYTES)
        pointer = struct.pack("P", uctypes.addressof(control))
        for number, descriptor in enumerate(descriptors):
            operation = _FDSYNC if data_only else _FSYNC
            struct.pack_into("<QIIHhI", control, 0, descriptor, 0, 0, operation, 0, descriptor)
            struct.pack_into("<II", control, 56, _FLAG_RESFD, self.descriptor)
            try:
                libc.check(self._call(self._submit, self._context, 1, uctypes.addressof(pointer), 0, 0))
            except OSError as error:
                return number, error.errno or _EIO
        return len(descriptors), 0

    def completed(self) -> "list[int]":
        """For each that is done, 0 or the errno of why not."""
        libc.read_event(self.descriptor)
        events = bytearray(_EVENT_BYTES * EVENTS_MAX)
        count = libc.check(self._call(self._get_events, self._context, 0, EVENTS_MAX, uctypes.addressof(events), 0))
        return [-struct.unpack_from("<q", events, at * _EVENT_BYTES + 16)[0] for at in range(count)]
