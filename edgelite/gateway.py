"""The gateway: carries the bytes of nodes on serial lines to the hub, each in a connection of its own.

    node -- line --> GatewayLine -- one Attached for each address --> TLS connection of this node's --> hub

What it carries is sealed end to end: it can neither read nor forge it, only refuse to carry. All that it holds is
bounded: nodes for each line, messages for each node in each direction; the hub sends no more than it has credit for,
and a node is told to wait.
"""

from edgelite.backoff import Backoff
from edgelite.effects import Channel, Close, Log, Open
from edgelite_protocol import line, relay
from edgelite_protocol.cobs import PacketReader
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite.config import Config, SerialSettings
    from edgelite.context import Context

NODES_MAX = 16  # on one line
UPWARD_MAX = 4  # messages that wait for the hub's connection; then the node is told to wait
OPEN_BASE_MS = 1_000
OPEN_CAP_MS = 60_000  # a line that is plugged in again is served within a minute
NO_HUB = "the gateway has no link to the hub"
NO_CONNECTION = "the gateway knows no such connection"


def credit_of(baud: int) -> int:
    """Messages that may be under way to one node: about half a second of the line, so that what is urgent at the hub
    waits no longer for what was sent before."""
    return max(2, min(relay.CREDIT_MAX, baud // 10 // 2 // line.LINE_BYTES_MAX))


class Attached(Channel):
    """One node on a line, from its OPEN to its end. The channel is its connection to the hub."""

    def __init__(self, end: line.LineEnd, credit: int, emit: "Callable[[object], None]") -> None:
        self.end = end
        self._emit = emit
        self._reader = relay.RelayReader()
        self._credit = credit
        self._owed = 0  # messages that the node has and no credit was given for
        self._upward = relay.begin(credit)
        self._upward_count = 0
        self._downward: list[bytes] = []
        self._is_open = False
        self._is_closed = False
        self._close_asked = False
        self._reason = ""

    @property
    def over(self) -> bool:
        """Nothing is left of it."""
        return self._is_closed and self.end.state == line.ENDED

    # ---- Channel: the hub's side

    def opened(self, now_ms: int) -> None:
        self._is_open = True

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        if self._close_asked:
            return
        try:
            for kind, payload in self._reader.frames(data):
                self._take(kind, payload)
        except ProtocolError as error:
            self._hang_up("the hub breaks the relay's protocol: " + error.text)

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == relay.END:
            self._hang_up(relay.end_text(payload))
        elif kind != relay.MESSAGE or len(self._downward) >= self._credit or not payload:
            raise ProtocolError("flow_control", "more than it has credit for, or what a hub never sends")
        else:
            self._downward.append(payload)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        if not self._is_open:
            return b""
        piece = self._upward[:size_bytes_max]
        self._upward = self._upward[size_bytes_max:]
        if not self._upward:
            self._upward_count = 0
        return piece

    def closed(self, reason: str, now_ms: int) -> None:
        self._is_closed = True
        if not self._reason:
            self._reason = reason if self._is_open else NO_HUB + " (" + reason + ")"

    # ---- the line's side

    def step(self, now_ms: int) -> "int | None":
        self._carry_up()
        while self._downward and self.end.can_send():
            self.end.send(self._downward.pop(0))
            self._owed += 1
        if self._owed * 2 >= self._credit or (self._owed and self.end.is_idle):
            self._upward += relay.credit(self._owed)
            self._owed = 0
        if self._is_closed and not self._downward:
            self.end.close(self._reason, now_ms)  # behind the hub's last words
        deadline_ms = self.end.step(now_ms)
        if self.end.state == line.ENDED:
            self._hang_up(self.end.ended)
        return deadline_ms

    def _carry_up(self) -> None:
        while self._upward_count < UPWARD_MAX and not self._close_asked:
            message = self.end.next_message()
            if message is None:
                return
            self._upward += relay.message(message)
            self._upward_count += 1

    def _hang_up(self, reason: str) -> None:
        if not self._close_asked and not self._is_closed:
            self._close_asked = True
            self._reason = reason
            self._emit(Close(self))


class GatewayLine(Channel):
    """One serial line and the nodes on it."""

    def __init__(self, settings: "SerialSettings", owner: "Gateway") -> None:
        self.settings = settings
        self._owner = owner
        self._reader = PacketReader(line.PACKET_BYTES_MAX)
        self._attached: dict[int, Attached] = {}
        self._leaving: list[Attached] = []  # their line has ended, their connection not yet
        self._answers: list[bytes] = []
        self._unsent = b""
        self._turn = 0
        self._is_open = False
        self._open_ms: int | None = 0
        self._trouble = ""
        self._backoff = Backoff(OPEN_BASE_MS, OPEN_CAP_MS, owner.random_bytes)

    # ---- Channel: the port's side

    def opened(self, now_ms: int) -> None:
        self._is_open = True
        self._reader = PacketReader(line.PACKET_BYTES_MAX)
        self._backoff.reset()
        self._tell("")

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        self._reader.feed(data)
        packet = self._reader.next_packet()
        while packet is not None:
            self._take(packet, now_ms)
            packet = self._reader.next_packet()

    def data_to_send(self, size_bytes_max: int) -> bytes:
        if not self._unsent:
            self._unsent = self._next_packet()
        piece = self._unsent[:size_bytes_max]
        self._unsent = self._unsent[size_bytes_max:]
        return piece

    def closed(self, reason: str, now_ms: int) -> None:
        self._is_open = False
        self._unsent = b""
        self._answers = []
        self._open_ms = None if self._owner.stopping else now_ms + self._backoff.next_ms()
        self._tell(reason)
        for one in self._all():
            one.end.close(reason, now_ms)

    # ---- the gateway's side

    @property
    def idle(self) -> bool:
        return not self._is_open and not self._all()

    def step(self, now_ms: int) -> "int | None":
        deadlines = [one.step(now_ms) for one in self._all()]
        self._sweep()
        if self._open_ms is not None and now_ms >= self._open_ms:
            self._open_ms = None
            self._owner.emit(Open(self, ("serial", self.settings.path, {"baud": self.settings.baud})))
        deadlines.append(self._open_ms)
        due = [deadline_ms for deadline_ms in deadlines if deadline_ms is not None]
        return min(due) if due else None

    def stop(self, now_ms: int) -> None:
        self._open_ms = None
        for one in self._all():
            one.end.close("the gateway stops", now_ms)

    def hang_up(self) -> None:
        if self._is_open:
            self._owner.emit(Close(self))

    # ---- inside

    def _all(self) -> "list[Attached]":
        return list(self._attached.values()) + self._leaving

    def _sweep(self) -> None:
        for address, one in list(self._attached.items()):
            if one.end.state == line.ENDED:
                self._answers += _drained(one.end)
                del self._attached[address]
                self._leaving.append(one)
        self._leaving = [one for one in self._leaving if not one.over]

    def _take(self, packet: bytes, now_ms: int) -> None:
        parts = line.decode(packet)
        if parts is None:
            return
        address, kind, incarnation = parts[0], parts[1] & ~line.BUSY, parts[2]
        one = self._attached.get(address)
        if one is None or one.end.incarnation != incarnation:
            if kind == line.OPEN:
                self._attach(address, incarnation, parts[5], now_ms)
            elif kind in (line.DATA, line.ACKNOWLEDGE) and one is None:
                self._answer(line.encode_close(address, incarnation, NO_CONNECTION))
            return
        one.end.receive(parts[1], incarnation, parts[3], parts[4], parts[5], now_ms)

    def _attach(self, address: int, incarnation: int, data: bytes, now_ms: int) -> None:
        """A node says OPEN: it has started anew, or is new here."""
        earlier = self._attached.pop(address, None)
        if earlier is not None:
            earlier.end.close("replaced", now_ms)
            self._leaving.append(earlier)
        refusal = self._refusal(data)
        if refusal:
            self._answer(line.encode_close(address, incarnation, refusal))
            return
        end = line.LineEnd(False, address, incarnation, self.settings.baud, now_ms)
        one = Attached(end, credit_of(self.settings.baud), self._owner.emit)
        self._attached[address] = one
        self._owner.connect(one)

    def _refusal(self, data: bytes) -> str:
        if data[:1] != bytes([line.VERSION]):
            return "the gateway speaks version %d of the line's protocol" % line.VERSION
        if len(self._all()) >= NODES_MAX:
            return "the gateway carries %d nodes on this line and no more" % NODES_MAX
        return "" if self._owner.has_hub() and not self._owner.stopping else NO_HUB

    def _answer(self, packet: bytes) -> None:
        if len(self._answers) < NODES_MAX:
            self._answers.append(packet)

    def _next_packet(self) -> bytes:
        """By turns, so that no node keeps another one from the line."""
        if self._answers:
            return self._answers.pop(0)
        ones = list(self._attached.values())
        for step in range(len(ones)):
            packet = ones[(self._turn + step) % len(ones)].end.next_packet()
            if packet is not None:
                self._turn += step + 1
                return packet
        return b""

    def _tell(self, trouble: str) -> None:
        """One line for each change."""
        if trouble != self._trouble:
            self._owner.emit(Log("warning" if trouble else "info", self.settings.path + ": " + (trouble or "open")))
        self._trouble = trouble


class Gateway:
    """`hub()` is where the hub was found last; `has_hub()` whether this node's own session is live."""

    def __init__(
        self,
        config: "Config",
        context: "Context",
        hub: "Callable[[], tuple[str, int]]",
        has_hub: "Callable[[], bool]",
    ) -> None:
        self.emit = context.emit
        self.random_bytes = context.random_bytes
        self.has_hub = has_hub
        self.stopping = False
        self._hub = hub
        self._lines = [GatewayLine(settings, self) for settings in config.gateway]

    def step(self, now_ms: int) -> "int | None":
        due = [deadline_ms for deadline_ms in [one.step(now_ms) for one in self._lines] if deadline_ms is not None]
        return min(due) if due else None

    def stop(self, now_ms: int) -> None:
        """Tell the nodes; their next connection finds another gateway, or this one again."""
        self.stopping = True
        for one in self._lines:
            one.stop(now_ms)

    def connect(self, one: Attached) -> None:
        host, port = self._hub()
        self.emit(Open(one, ("tls", host, port)))


def _drained(end: line.LineEnd) -> "list[bytes]":
    """The packets that an ended connection still has: its CLOSE."""
    packets = []
    packet = end.next_packet()
    while packet is not None:
        packets.append(packet)
        packet = end.next_packet()
    return packets
