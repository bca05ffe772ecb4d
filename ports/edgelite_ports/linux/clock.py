"""The platform's clock and the identity of this boot."""

import os
import time

from edgelite_protocol.errors import PlatformError

BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id"


def monotonic_ms() -> int:
    """Milliseconds since boot, time in suspend included: samples must not shift when a device has slept."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def boot_id(path: str = BOOT_ID_PATH) -> bytes:
    """The kernel's random identity of this boot, 16 bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise PlatformError("cannot read " + path + ": " + str(error.strerror), "mount /proc") from error
    try:
        text = os.read(descriptor, 64)
    finally:
        os.close(descriptor)
    return bytes.fromhex(text.decode("ascii").strip().replace("-", ""))
