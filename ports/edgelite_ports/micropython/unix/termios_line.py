"""A serial line by termios: how MicroPython on Linux opens and sets one.

Figures are those of Linux on ARM and x86: MicroPython's termios names hardly any of them.
"""

import struct

from edgelite_ports.micropython.unix import system
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite_ports.common.serial_lines import Settings

_OPEN_FLAGS = 0o2 | 0o400 | 0o4000  # O_RDWR, O_NOCTTY, O_NONBLOCK
_INPUT, _OUTPUT, _CONTROL, _LOCAL, _IN_SPEED, _OUT_SPEED, _CHARACTERS = 0, 1, 2, 3, 4, 5, 6  # what tcgetattr gives
_VTIME, _VMIN = 5, 6
_NOW, _FORGET_INPUT = 0, 2  # TCSANOW; TCSAFLUSH: forget what came while nobody listened
_IGNPAR, _INPCK = 0o4, 0o20  # drop a byte whose parity is wrong: what it belongs to then fails its checksum
_CS7, _CS8, _CSTOPB, _CREAD, _PARENB, _PARODD, _CLOCAL = 0o40, 0o60, 0o100, 0o200, 0o400, 0o1000, 0o4000
_PARITY = {"none": 0, "even": _PARENB, "odd": _PARENB | _PARODD}
# Speeds have numbers of their own, in two rows without gaps.
_SLOW, _SLOW_FIRST = (300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400), 7
_FAST_FIRST = 0o10001
# fmt: off
_FAST = (57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000,
         1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000)
# fmt: on
_SET_RS485 = 0x542F  # TIOCSRS485
_RS485_BYTES = 32  # struct serial_rs485: flags, delay before, delay after, padding
_ENABLED, _RTS_ON_SEND, _RTS_AFTER_SEND, _RX_DURING_TX = 1, 2, 4, 16


class TermiosLine:
    """Opened and this process's alone. OSError, or PlatformError where the line cannot be as it is set."""

    def __init__(self, path: str, settings: "Settings") -> None:
        _speed(settings.baud)
        self.descriptor = system.open(path, _OPEN_FLAGS)
        try:
            if not system.lock(self.descriptor):
                raise PlatformError(path + " is in use by another program")
            self._set(settings, _FORGET_INPUT)
        except (OSError, PlatformError):
            system.close(self.descriptor)
            raise

    def configure(self, settings: "Settings") -> None:
        self._set(settings, _NOW)

    def close(self) -> None:
        system.close(self.descriptor)

    def _set(self, settings: "Settings", when: int) -> None:
        import termios  # a node without serial lines need not hold it

        calls: Any = termios
        attributes = calls.tcgetattr(self.descriptor)
        attributes[_INPUT] = _INPCK | _IGNPAR if settings.parity != "none" else 0
        attributes[_CONTROL] = _control(settings)
        attributes[_IN_SPEED] = attributes[_OUT_SPEED] = _speed(settings.baud)
        attributes[_OUTPUT] = attributes[_LOCAL] = 0
        characters: Any = attributes[_CHARACTERS]
        characters[_VMIN], characters[_VTIME] = 1, 0
        calls.tcsetattr(self.descriptor, when, attributes)
        if calls.tcgetattr(self.descriptor)[_OUT_SPEED] != attributes[_OUT_SPEED]:
            raise PlatformError("this serial line cannot be as fast or as slow as it is set")
        if settings.rs485 is not None:
            self._set_rs485(settings.rs485)

    def _set_rs485(self, rs485: "Any") -> None:
        flags = _ENABLED | _RTS_ON_SEND * rs485.rts_on_send | _RTS_AFTER_SEND * rs485.rts_after_send
        flags |= _RX_DURING_TX * rs485.receive_while_sending
        delays = rs485.delay_before_send_ms, rs485.delay_after_send_ms
        wanted = bytearray(struct.pack("<III", flags, delays[0], delays[1]) + bytes(_RS485_BYTES - 12))
        try:
            system.ioctl(self.descriptor, _SET_RS485, wanted)
        except OSError as error:
            raise PlatformError("this serial line has no RS-485 mode: " + system.strerror(error.errno or 5))


def _control(settings: "Settings") -> int:
    data_bits = _CS7 if settings.data_bits == 7 else _CS8
    stop_bits = _CSTOPB if settings.stop_bits == 2 else 0
    return data_bits | _PARITY[settings.parity] | stop_bits | _CREAD | _CLOCAL


def _speed(baud: int) -> int:
    for rates, first in ((_SLOW, _SLOW_FIRST), (_FAST, _FAST_FIRST)):
        if baud in rates:
            return first + rates.index(baud)
    raise PlatformError("%d baud is no rate of a serial line here" % baud)
