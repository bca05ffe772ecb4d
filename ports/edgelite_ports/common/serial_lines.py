"""Channels on serial lines: ("serial", path, settings) by termios, on Linux under either runtime.

The line is raw, without flow control, and this process's alone while it is open. `edgelite.effects.Open` says what
the settings may be. Figures are those of Linux on ARM and x86: MicroPython's termios names hardly any of them.
"""

from edgelite.effects import Open
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

READABLE = 1  # the numbers of poll(2)
WRITABLE = 4
RECEIVE_BYTES_MAX = 512
# Little stands in the kernel before what comes next, and closing waits for it: 512 bytes are 0.5 s at 9600 baud.
SEND_BYTES_MAX = 512

_EAGAIN = 11
_EIO = 5
_OPEN_FLAGS = 0o2 | 0o400 | 0o4000  # O_RDWR, O_NOCTTY, O_NONBLOCK
_INPUT, _OUTPUT, _CONTROL, _LOCAL, _IN_SPEED, _OUT_SPEED, _CHARACTERS = 0, 1, 2, 3, 4, 5, 6  # what tcgetattr gives
_VTIME, _VMIN = 5, 6
_TCSAFLUSH = 2  # forget what came while nobody listened
_IGNPAR, _INPCK = 0o4, 0o20  # drop a byte whose parity is wrong: what it belongs to then fails its checksum
_CS7, _CS8, _CSTOPB, _CREAD, _PARENB, _PARODD, _CLOCAL = 0o40, 0o60, 0o100, 0o200, 0o400, 0o1000, 0o4000
_PARITY = {"none": 0, "even": _PARENB, "odd": _PARENB | _PARODD}
_DATA_BITS = {7: _CS7, 8: _CS8}
_STOP_BITS = {1: 0, 2: _CSTOPB}
# Speeds have numbers of their own, in two rows without gaps.
_SLOW, _SLOW_FIRST = (300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400), 7
_FAST_FIRST = 0o10001
# fmt: off
_FAST = (57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000,
         1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000)
# fmt: on


class SerialLine:
    """One channel between its Open and its `closed`; an entry among a port's connections. `owner` is those; `system`
    is the port's module of that name."""

    def __init__(self, owner: "Any", effect: Open, system: "Any") -> None:
        self.channel = effect.channel
        self.deadline_ms: int | None = None  # a line has none of its own
        self._owner = owner
        self._system = system
        self._path = str(effect.target[1])
        self._settings: dict[str, Any] = effect.target[2]
        self._descriptor: int | None = None
        self._unsent = b""
        self._events = 0
        self._closed = False

    def start(self) -> None:
        try:
            attributes = control_of(self._settings)
            self._descriptor = self._system.open(self._path, _OPEN_FLAGS)
            if not self._system.lock(self._descriptor):
                raise PlatformError(self._path + " is in use by another program")
            set_raw(self._descriptor, attributes)
        except OSError as error:
            self.finish("cannot use " + self._path + ": " + self._describe(error))
            return
        except PlatformError as error:
            self.finish(error.text)
            return
        self._events = READABLE
        self._owner.loop.register(self._descriptor, READABLE, self.ready)
        self.channel.opened(self._owner.now_ms())

    def ready(self, events: int) -> None:
        try:
            if events & ~WRITABLE:
                self._receive()
            if events & WRITABLE:
                self._pump()
        except OSError as error:
            self.finish("the line is gone: " + self._describe(error))

    def guarded_pump(self) -> None:
        """For the agent's own rounds. Does nothing while the line is known to be full."""
        if self._events & WRITABLE:
            return
        try:
            self._pump()
        except OSError as error:
            self.finish("the line is gone: " + self._describe(error))

    def expire(self, _now_ms: int) -> None:
        return

    def close(self) -> None:
        """The core asked for it: offer what is left once, close."""
        self.guarded_pump()
        self.finish("closed")

    def finish(self, reason: str) -> None:
        """Its channel hears `closed`, once."""
        if self._closed:
            return
        self._closed = True
        if self._descriptor is not None:
            if self._events:
                self._owner.loop.unregister(self._descriptor)
            self._system.close(self._descriptor)
        self._descriptor = None
        self._owner.forget(self)
        self.channel.closed(reason, self._owner.now_ms())

    def _receive(self) -> None:
        if self._descriptor is None:
            return
        try:
            data = self._system.read(self._descriptor, RECEIVE_BYTES_MAX)
        except OSError as error:
            if error.errno == _EAGAIN:
                return
            raise
        if data:
            self.channel.received(data, self._owner.now_ms())
        else:
            self.finish("the line is gone")

    def _pump(self) -> None:
        if self._descriptor is None:
            return
        if not self._unsent:
            self._unsent = self.channel.data_to_send(SEND_BYTES_MAX)
        if not self._unsent:
            self._want(READABLE)
            return
        try:
            self._unsent = self._unsent[self._system.write(self._descriptor, self._unsent) :]
        except OSError as error:
            if error.errno != _EAGAIN:
                raise
        self._want(READABLE | WRITABLE)

    def _want(self, events: int) -> None:
        if self._descriptor is not None and events != self._events:
            self._events = events
            self._owner.loop.modify(self._descriptor, events)

    def _describe(self, error: OSError) -> str:
        return str(self._owner.describe(error.errno or _EIO))


def control_of(settings: "dict[str, Any]") -> "tuple[int, int, int]":
    """(input flags, control flags, speed) as termios has them. PlatformError names what is wrong."""
    for name in settings:
        if name not in ("baud", "data_bits", "parity", "stop_bits"):
            raise PlatformError("a serial line has no setting " + str(name))
    data_bits = _chosen(settings, "data_bits", 8, _DATA_BITS)
    parity = _chosen(settings, "parity", "none", _PARITY)
    stop_bits = _chosen(settings, "stop_bits", 1, _STOP_BITS)
    input_flags = _INPCK | _IGNPAR if parity else 0
    return input_flags, data_bits | parity | stop_bits | _CREAD | _CLOCAL, _speed(settings.get("baud"))


def _chosen(settings: "dict[str, Any]", name: str, default: "Any", values: "dict[Any, int]") -> int:
    value = settings.get(name, default)
    if value not in values:
        raise PlatformError(
            "%s of a serial line is one of %s" % (name, ", ".join([str(one) for one in sorted(values)]))
        )
    return values[value]


def _speed(baud: object) -> int:
    for rates, first in ((_SLOW, _SLOW_FIRST), (_FAST, _FAST_FIRST)):
        if baud in rates:
            return first + rates.index(baud)
    raise PlatformError("%s baud is no rate of a serial line here" % (baud,))


def set_raw(descriptor: int, flags: "tuple[int, int, int]") -> None:
    """`flags` as of `control_of`. OSError or PlatformError where the line cannot."""
    import termios  # a node without serial lines need not hold it

    failure: Any = getattr(termios, "error", OSError)  # CPython's own is no OSError
    try:
        _set_raw(termios, descriptor, flags)
    except failure as error:
        raise OSError(error.args[0], "termios")


def _set_raw(termios: "Any", descriptor: int, flags: "tuple[int, int, int]") -> None:
    attributes = termios.tcgetattr(descriptor)
    attributes[_INPUT], attributes[_CONTROL], attributes[_IN_SPEED] = flags
    attributes[_OUT_SPEED] = attributes[_IN_SPEED]
    attributes[_OUTPUT] = attributes[_LOCAL] = 0
    characters: Any = attributes[_CHARACTERS]
    characters[_VMIN], characters[_VTIME] = 1, 0
    termios.tcsetattr(descriptor, _TCSAFLUSH, attributes)
    if termios.tcgetattr(descriptor)[_OUT_SPEED] != attributes[_OUT_SPEED]:
        raise PlatformError("this serial line cannot be as fast or as slow as it is set")
