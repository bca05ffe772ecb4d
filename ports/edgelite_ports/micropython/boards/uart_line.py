"""Channels on a board's UARTs: ("serial", "uart1", settings). Everything else goes to its sockets, where it has any.

The board opens a UART as machine.UART is: `read(size)` (None or b"" for nothing), `write(data)` (how many bytes it
took, None for none) and `deinit()`; the board's loop can wait for it.
"""

from edgelite.effects import Acceptor, Channel, Listen, Open

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

READABLE = 1
WRITABLE = 4
RECEIVE_BYTES_MAX = 256
RECEIVES_MAX = 8  # pieces of one readiness; the rest is read in the next round
BITS_MAX = 12  # of a byte on the line: start, 8, parity, 2 stop
SETTLE_MS = 2
SEND_BYTES_MAX = 256  # no more waits in the UART's own buffer before what the core sends next


class UartLine:
    """One channel between its Open and its `closed`."""

    def __init__(self, owner: "Lines", effect: Open) -> None:
        self.channel = effect.channel
        self._owner = owner
        self._path = str(effect.target[1])
        self._settings = effect.target[2]
        self._uart: Any = None
        self._unsent: bytes | memoryview = b""
        self._events = 0
        self._next: Any = None  # settings that wait until what was sent has left the line
        self._quiet_at_ms = 0  # when that will be so
        self.deadline_ms: int | None = None

    def start(self) -> None:
        try:
            if self._settings.get("rs485") is not None:
                raise ValueError("a board's lines have no RS-485 mode")
            self._uart = self._owner.open_uart(self._path, self._settings)
        except (OSError, ValueError, TypeError) as error:
            self._owner.finish(self, "cannot use %s: %s" % (self._path, error))
            return
        self._events = READABLE
        self._owner.loop.register(self._uart, READABLE, self._ready)
        if self._next is None:
            self.channel.opened(self._owner.now_ms())

    def configure(self, settings: "dict[str, Any]") -> None:
        """Take what the channel has to send, let it leave the line, then make the UART anew."""
        piece = self.channel.data_to_send(SEND_BYTES_MAX)
        while piece:
            self._unsent = bytes(self._unsent) + piece
            piece = self.channel.data_to_send(SEND_BYTES_MAX)
        self._next = settings
        self.pump()

    def expire(self, now_ms: int) -> None:
        """The settings that wait hold, once all has been sent."""
        if self.deadline_ms is None or now_ms < self.deadline_ms or self._uart is None:
            return
        self.deadline_ms = None
        self._settings = self._next
        self.release()
        self.start()
        self._next = None

    def pump(self) -> None:
        """Send what there is, as far as the UART takes it; ask for more room where it does not."""
        while self._uart is not None:
            if not len(self._unsent) and self._next is None:
                self._unsent = self.channel.data_to_send(SEND_BYTES_MAX)
            if not len(self._unsent):
                if self._next is not None and self.deadline_ms is None:
                    self.deadline_ms = max(self._quiet_at_ms, self._owner.now_ms()) + SETTLE_MS
                self._want(READABLE)
                return
            taken = self._uart.write(self._unsent) or 0
            sent_ms = taken * BITS_MAX * 1000 // self._settings["baud"]
            self._quiet_at_ms = max(self._quiet_at_ms, self._owner.now_ms()) + sent_ms
            if taken < len(self._unsent):
                self._unsent = memoryview(self._unsent)[taken:]
                self._want(READABLE | WRITABLE)
                return
            self._unsent = b""

    def close(self) -> None:
        self.pump()
        self._owner.finish(self, "closed")

    def release(self) -> None:
        if self._uart is not None:
            self._owner.loop.unregister(self._uart)
            self._uart.deinit()
        self._uart = None

    def _ready(self, events: int) -> None:
        if events & WRITABLE:
            self.pump()
        for _ in range(RECEIVES_MAX):
            data = self._uart.read(RECEIVE_BYTES_MAX) if self._uart is not None else None
            if not data:
                return
            self.channel.received(data, self._owner.now_ms())

    def _want(self, events: int) -> None:
        if self._uart is not None and events != self._events:
            self._events = events
            self._owner.loop.modify(self._uart, events)


class Lines:
    """What the dispatcher calls connections. `open_uart(path, settings)` is the board's; `sockets` are the connections
    of its network, None where it has none."""

    def __init__(
        self,
        loop: "Any",
        open_uart: "Callable[[str, dict[str, Any]], Any]",
        now_ms: "Callable[[], int]",
        sockets: "Any" = None,
    ) -> None:
        self.loop = loop
        self.open_uart = open_uart
        self.now_ms = now_ms
        self._sockets = sockets
        self._lines: list[UartLine] = []
        self._halves: Any = None  # of drivers whose other half is in this firmware
        self._ended = False

    def open(self, effect: Open) -> None:
        if effect.target[0] == "serial":
            line = UartLine(self, effect)
            self._lines.append(line)
            line.start()
        elif self._sockets is not None:
            self._sockets.open(effect)
        elif effect.target[0] == "driver":
            if self._halves is None:
                from edgelite_ports.common.driver_half import Halves  # most boards have none

                self._halves = Halves(self.now_ms)
            self._halves.open(effect)
        else:
            effect.channel.closed("this board has no network", self.now_ms())

    def listen(self, effect: Listen) -> None:
        if self._sockets is not None:
            self._sockets.listen(effect)
        else:
            effect.acceptor.closed("this board has no network", self.now_ms())

    def close(self, channel: "Channel | Acceptor") -> None:
        for line in list(self._lines):
            if line.channel is channel:
                line.close()
                return
        if self._sockets is not None:
            self._sockets.close(channel)
        if self._halves is not None:
            self._halves.close(channel)

    def configure(self, channel: Channel, settings: "dict[str, Any]") -> None:
        for line in list(self._lines):
            if line.channel is channel:
                line.configure(settings)

    def finish(self, line: UartLine, reason: str) -> None:
        if line not in self._lines:
            return
        self._lines.remove(line)
        line.release()
        self._ended = True
        line.channel.closed(reason, self.now_ms())

    def step(self, now_ms: int) -> "int | None":
        """Send what the core has; now where a channel was closed."""
        self._ended = False
        deadline_ms: int | None = None
        for line in list(self._lines):
            line.expire(now_ms)
            line.pump()
            if line.deadline_ms is not None:
                deadline_ms = line.deadline_ms if deadline_ms is None else min(deadline_ms, line.deadline_ms)
        other = self._sockets or self._halves
        other_ms = other.step(now_ms) if other is not None else None
        if other_ms is not None and (deadline_ms is None or other_ms < deadline_ms):
            deadline_ms = other_ms
        return now_ms if self._ended else deadline_ms
