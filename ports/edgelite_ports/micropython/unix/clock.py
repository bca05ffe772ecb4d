"""The platform's clock and the identity of this boot."""

from edgelite_ports.micropython import files
from edgelite_ports.micropython.unix import libc
from edgelite_protocol.errors import PlatformError

BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id"

monotonic_ms = libc.boot_time_ms  # time in suspend included: samples must not shift when a device has slept


def boot_id(path: str = BOOT_ID_PATH) -> bytes:
    """The kernel's random identity of this boot, 16 bytes."""
    try:
        text = files.read_bytes(path, 64)
    except PlatformError as error:
        raise PlatformError(error.text, "mount /proc")
    return bytes.fromhex(text.decode().strip().replace("-", ""))
