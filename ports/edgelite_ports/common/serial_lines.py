"""Channels on serial lines: ("serial", path, settings), on Linux under either runtime.

The line is raw, without flow control, and this process's alone while it is open. `edgelite.effects.Open` says what
the settings may be. Who opens and sets it is the port's own (`open_line` of its module `system`): pyserial under
CPython, termios under MicroPython. A line that vanishes (a USB adapter unplugged) is closed; it is opened by its name
again, so one of /dev/serial/by-id/ finds the same adapter wherever it was plugged in.
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

# After the last byte of a line that changes its settings is written: an adapter on USB has it a little later.
SETTLE_MS = 10

DATA_BITS = (7, 8)
PARITIES = ("even", "none", "odd")
STOP_BITS = (1, 2)
DELAY_MS_MAX = 1000
NAMES = ("baud", "data_bits", "parity", "stop_bits", "rs485")

_EAGAIN = 11
_EIO = 5
_HANGUP = 0o10 | 0o20  # POLLERR, POLLHUP


class SerialLine:
    """One channel between its Open and its `closed`; an entry among a port's connections. `owner` is those; `system`
    is the port's module of that name."""

    def __init__(self, owner: "Any", effect: Open, system: "Any") -> None:
        self.channel = effect.channel
        self.deadline_ms: int | None = None  # a line has none of its own
        self._owner = owner
        self._system = system
        self._path = str(effect.target[1])
        self._given: dict[str, Any] = effect.target[2]
        self._settings: Any = None
        self._line: Any = None  # the port's own, once it is open
        self._descriptor: int | None = None
        self._next: Any = None  # settings that wait until what was sent has left the line
        self._quiet_at_ms = 0  # when that will be so
        self._unsent = b""
        self._events = 0
        self._closed = False

    def start(self) -> None:
        try:
            self._settings = Settings(self._given)
            self._line = self._system.open_line(self._path, self._settings)
        except OSError as error:
            self.finish("cannot use " + self._path + ": " + self._describe(error))
            return
        except PlatformError as error:
            self.finish(error.text)
            return
        self._descriptor = self._line.descriptor
        self._events = READABLE
        self._owner.loop.register(self._descriptor, READABLE, self.ready)
        self.channel.opened(self._owner.now_ms())

    def configure(self, settings: "dict[str, Any]") -> None:
        """Take what the channel has to send, let it leave the line, then set it: without waiting in here."""
        try:
            if "rs485" not in settings and "rs485" in self._given:
                settings = dict(settings)
                settings["rs485"] = self._given["rs485"]
            self._next = Settings(settings)
            piece = self.channel.data_to_send(SEND_BYTES_MAX)
            while piece:
                self._unsent += piece
                piece = self.channel.data_to_send(SEND_BYTES_MAX)
            self._pump()
        except OSError as error:
            self.finish("the line is gone: " + self._describe(error))
        except PlatformError as error:
            self.finish(error.text)

    def ready(self, events: int) -> None:
        try:
            if events & READABLE:
                self._receive()
            elif events & _HANGUP:
                self.finish("the line is gone")
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

    def expire(self, now_ms: int) -> None:
        """The settings that wait hold, once all has been sent."""
        if self.deadline_ms is None or now_ms < self.deadline_ms or self._line is None:
            return
        self.deadline_ms = None
        settings, self._next = self._next, None
        try:
            self._line.configure(settings)
            self._settings = settings
            self._pump()
        except OSError as error:
            self.finish("cannot set " + self._path + ": " + self._describe(error))
        except PlatformError as error:
            self.finish(error.text)

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
            self._line.close()
        self._descriptor = None
        self._line = None
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
        if not self._unsent and self._next is None:
            self._unsent = self.channel.data_to_send(SEND_BYTES_MAX)
        if not self._unsent:
            if self._next is not None and self.deadline_ms is None:
                self.deadline_ms = max(self._quiet_at_ms, self._owner.now_ms()) + SETTLE_MS
            self._want(READABLE)
            return
        try:
            count = self._system.write(self._descriptor, self._unsent)
            self._unsent = self._unsent[count:]
            self._quiet_at_ms = max(self._quiet_at_ms, self._owner.now_ms()) + self._settings.duration_ms(count)
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


class Settings:
    """What `effects.Open` says of settings, checked. PlatformError names what is wrong."""

    def __init__(self, given: "dict[str, Any]") -> None:
        for name in given:
            if name not in NAMES:
                raise PlatformError("a serial line has no setting " + str(name))
        baud = given.get("baud")
        if isinstance(baud, bool) or not isinstance(baud, int) or baud <= 0:
            raise PlatformError("%s baud is no rate of a serial line here" % (baud,))
        self.baud: int = baud
        self.data_bits = _chosen(given, "data_bits", 8, DATA_BITS)
        self.parity = _chosen(given, "parity", "none", PARITIES)
        self.stop_bits = _chosen(given, "stop_bits", 1, STOP_BITS)
        self.rs485 = Rs485(given["rs485"]) if given.get("rs485") is not None else None

    def duration_ms(self, count: int) -> int:
        """How long so many bytes take on the line, rounded up."""
        bits = 1 + self.data_bits + (self.parity != "none") + self.stop_bits
        return int((count * bits * 1000 + self.baud - 1) // self.baud)


class Rs485:
    def __init__(self, given: "Any") -> None:
        if not isinstance(given, dict):
            raise PlatformError("rs485 of a serial line is a map")
        self.rts_on_send = True
        self.rts_after_send = False
        self.receive_while_sending = False
        self.delay_before_send_ms = 0
        self.delay_after_send_ms = 0
        for name in given:
            value = given[name]
            if not hasattr(self, str(name)):
                raise PlatformError("rs485 of a serial line has no setting " + str(name))
            if name.endswith("_ms"):
                good = not isinstance(value, bool) and isinstance(value, int) and 0 <= value <= DELAY_MS_MAX
            else:
                good = value is True or value is False
            if not good:
                what = "milliseconds from 0 to %d" % DELAY_MS_MAX if name.endswith("_ms") else "true or false"
                raise PlatformError("rs485 of a serial line: %s is %s" % (name, what))
            setattr(self, name, value)


def _chosen(given: "dict[str, Any]", name: str, default: "Any", values: "tuple[Any, ...]") -> "Any":
    value = given.get(name, default)
    if value not in values:
        raise PlatformError("%s of a serial line is one of %s" % (name, ", ".join([str(one) for one in values])))
    return value
