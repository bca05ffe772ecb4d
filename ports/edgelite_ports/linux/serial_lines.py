"""Channels on serial lines: carries out `effects.Open` for ("serial", path, {"baud": 115200, ...}) with termios.

The line is raw, eight bits, no flow control, and this process's alone while it is open. Further settings: "parity"
("none", "even", "odd") and "stop_bits" (1, 2).
"""

import errno
import fcntl
import os
import termios

from edgelite.effects import Open
from edgelite_ports.linux.clock import monotonic_ms
from edgelite_ports.linux.loop import READABLE, WRITABLE, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

RECEIVE_BYTES_MAX = 4096
SEND_BYTES_MAX = 512  # two packets of a link: little stands in the kernel before what comes next
_INPUT, _OUTPUT, _CONTROL, _LOCAL, _IN_SPEED, _OUT_SPEED, _CHARACTERS = range(7)  # what tcgetattr gives
_PARITY = {"none": 0, "even": termios.PARENB, "odd": termios.PARENB | termios.PARODD}


class SerialConnection:
    """One channel between its Open and its `closed`."""

    def __init__(self, loop: Loop, forget: "Callable[[Any], None]", effect: Open) -> None:
        self.channel = effect.channel
        self.deadline_ms: int | None = None  # a line has none of its own
        self._path = str(effect.target[1])
        self._settings: dict[str, Any] = effect.target[2]
        self._loop = loop
        self._forget = forget
        self._descriptor: int | None = None
        self._unsent = b""
        self._events = 0

    def start(self) -> None:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            set_raw(self._descriptor, self._settings)
        except (OSError, termios.error) as error:
            self.finish("cannot use it: " + _reason(error))
            return
        except ValueError as error:
            self.finish(str(error))
            return
        self._events = READABLE
        self._loop.register(self._descriptor, READABLE, self._ready)
        self.channel.opened(monotonic_ms())

    def guarded_pump(self) -> None:
        """For the agent's own rounds. Does nothing while the line is known to be full."""
        if not self._events & WRITABLE:
            self._pump()

    def expire(self, _now_ms: int) -> None:
        pass

    def close(self) -> None:
        self._pump()
        self.finish("closed")

    def finish(self, reason: str) -> None:
        """Its channel hears `closed`, once."""
        if self._forget is None:
            return
        forget, self._forget = self._forget, None  # type: ignore[assignment]
        if self._descriptor is not None:
            if self._events:
                self._loop.unregister(self._descriptor)
            os.close(self._descriptor)
        self._descriptor = None
        forget(self)
        self.channel.closed(reason, monotonic_ms())

    def _ready(self, events: int) -> None:
        try:
            if events & ~WRITABLE and self._descriptor is not None:
                data = os.read(self._descriptor, RECEIVE_BYTES_MAX)
                if not data:
                    self.finish("the line is gone")
                    return
                self.channel.received(data, monotonic_ms())
        except BlockingIOError:
            pass
        except OSError as error:
            self.finish("the line is gone: " + _reason(error))
            return
        if events & WRITABLE:
            self._pump()

    def _pump(self) -> None:
        if self._descriptor is None:
            return
        if not self._unsent:
            self._unsent = self.channel.data_to_send(SEND_BYTES_MAX)
        if not self._unsent:
            self._want(READABLE)
            return
        try:
            self._unsent = self._unsent[os.write(self._descriptor, self._unsent) :]
        except BlockingIOError:
            pass
        except OSError as error:
            self.finish("the line is gone: " + _reason(error))
            return
        self._want(READABLE | WRITABLE)

    def _want(self, events: int) -> None:
        if self._descriptor is not None and events != self._events:
            self._events = events
            self._loop.modify(self._descriptor, events)


def set_raw(descriptor: int, settings: "dict[str, Any]") -> None:
    """ValueError names what the settings have wrong; OSError and termios.error what the line cannot."""
    speed = getattr(termios, "B%d" % settings["baud"], None)
    if speed is None:
        raise ValueError("%s baud is no rate of a serial line here" % settings["baud"])
    if settings.get("parity", "none") not in _PARITY or settings.get("stop_bits", 1) not in (1, 2):
        raise ValueError("parity is none, even or odd, stop_bits 1 or 2")
    attributes = termios.tcgetattr(descriptor)
    attributes[_INPUT] = attributes[_OUTPUT] = attributes[_LOCAL] = 0
    attributes[_CONTROL] = termios.CS8 | termios.CREAD | termios.CLOCAL | _PARITY[settings.get("parity", "none")]
    if settings.get("stop_bits", 1) == 2:
        attributes[_CONTROL] |= termios.CSTOPB
    attributes[_IN_SPEED] = attributes[_OUT_SPEED] = speed
    characters: Any = attributes[_CHARACTERS]
    characters[termios.VMIN] = 1
    characters[termios.VTIME] = 0
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    termios.tcflush(descriptor, termios.TCIOFLUSH)  # what came while nobody listened


def _reason(error: BaseException) -> str:
    number = error.args[0] if error.args else errno.EIO
    if number in (errno.EWOULDBLOCK, errno.EAGAIN):
        return "another process uses it"
    return os.strerror(number).lower() if isinstance(number, int) else str(error)
