"""The bus of a Modbus server: a port that is listened on, or a serial line, and the units that are served there.

The driver contract the other way round: what a device "sends by itself" are the values that its registers show, so the
agent listens to all of its properties, and that tells which registers there are. Every MIRROR_MS they have a result.
"""

from edgelite.driver import Bus, ConfigurationError, Request, Result
from edgelite.effects import Acceptor, Channel, Close, Listen
from edgelite_drivers.backoff import Backoff
from edgelite_drivers.modbus.values import ValueRefused, decode
from edgelite_drivers.modbus_server.framings import QUIET_MS, AsciiRequests, RtuRequests, TcpRequests
from edgelite_drivers.modbus_server.own_echo import OwnEcho
from edgelite_drivers.modbus_server.server import Server
from edgelite_drivers.modbus_server.twin_unit import TwinUnit
from edgelite_drivers.modbus_server.unit import Units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.devices import Devices
    from edgelite_drivers.modbus_server.config import Protocol, Served

ABSENT_EXCEPTION = 11  # a unit that is not served here, over TCP
CLIENTS_MAX = 8  # connections at a time; one more ends the one that has been quiet longest
MIRROR_MS = 10_000
AGAIN_MS_MIN = 1_000
AGAIN_MS_MAX = 30_000
QUIET_TCP_MS = 500  # RTU through TCP: a packet may be sent again in the middle of a frame


class Door(Acceptor):
    """Lets the clients in."""

    def __init__(self, bus: "ServerBus") -> None:
        self._bus = bus

    def accept(self, peer_address: str, now_ms: int) -> "Channel | None":
        return self._bus.accept(peer_address, now_ms)

    def closed(self, reason: str, now_ms: int) -> None:
        self._bus.door_closed(self, reason, now_ms)


class Client(Server):
    """One connection."""

    def __init__(self, bus: "ServerBus", framing: "Any", units: Units) -> None:
        Server.__init__(self, framing, units)
        self._bus = bus

    def closed(self, reason: str, now_ms: int) -> None:
        Server.closed(self, reason, now_ms)
        self._bus.client_closed(self)


class ServerBus(Bus):
    """`target` is that of config.Protocol."""

    def __init__(
        self,
        target: "tuple[Any, ...]",
        random_bytes: "Callable[[int], bytes]",
        devices: "Devices",
        emit: "Callable[[object], None]",
    ) -> None:
        self._target = target
        self._devices = devices
        self._emit = emit
        self._again = Backoff(AGAIN_MS_MIN, AGAIN_MS_MAX, random_bytes)
        self._is_serial = target[0] == "serial"
        self._units = Units({}, target[3] != "tcp", ABSENT_EXCEPTION if target[3] == "tcp" else 0)
        self._numbers: dict[int, int] = {}  # of the listening request: the unit
        self._results: list[Result] = []
        self._door: Door | None = None
        self._clients: list[Client] = []
        self._line: Server | None = None  # while a serial line is open
        self._open_ms = 0  # not before this
        self._tell_ms: int | None = None

    # ---- the agent's side

    def submit(self, request: Request, now_ms: int) -> None:
        errors = dict.fromkeys(request.visitors, "shows another device's twin: desire the value there")
        self._results.append(Result(request.number, {}, errors, True, now_ms))

    def listen(self, request: Request, now_ms: int) -> None:
        protocol: Protocol = request.protocol  # type: ignore[assignment]
        if protocol.unit in self._units.units:
            self._refuse(request.number, request.visitors, "unit %d is served there already" % protocol.unit, now_ms)
            return
        served: dict[str, Served] = request.visitors  # type: ignore[assignment]
        self._units.units[protocol.unit] = TwinUnit(self._devices, served, protocol.fills_gaps)
        self._numbers[request.number] = protocol.unit
        if self._is_up():
            self._tell_ms = now_ms

    def ignore(self, number: int, now_ms: int) -> None:
        unit = self._numbers.pop(number, None)
        if unit is None:
            return
        del self._units.units[unit]
        if self._numbers:
            return
        for client in self._clients:
            self._emit(Close(client))
        if self._door is not None:
            self._emit(Close(self._door))
        self._door = None

    def next_result(self) -> "Result | None":
        return self._results.pop(0) if self._results else None

    def step(self, now_ms: int) -> "int | None":
        if not self._numbers:
            return None
        if not self._is_up() and now_ms < self._open_ms:
            return self._open_ms
        if not self._is_serial:
            self._look_after_clients()
            if self._door is None:
                self._listen_at(now_ms)
        deadline_ms = self._line.step(now_ms) if self._line is not None else None
        if self._tell_ms is not None and now_ms >= self._tell_ms:
            self._tell_ms = now_ms + MIRROR_MS
            self._again.reset()
            self._tell_all(now_ms)
        if deadline_ms is None or (self._tell_ms is not None and self._tell_ms < deadline_ms):
            return self._tell_ms
        return deadline_ms

    def wants_open(self, now_ms: int) -> bool:
        return self._is_serial and self._line is None and len(self._numbers) > 0 and now_ms >= self._open_ms

    # ---- a serial line: the bus is its channel

    def opened(self, now_ms: int) -> None:
        silence_ms = _silence_ms(self._target[2]["baud"]) if self._target[3] == "rtu" else 0
        self._line = Server(self._framing(QUIET_MS), self._units, silence_ms, OwnEcho())
        self._tell_ms = now_ms

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        if self._line is not None:
            self._line.received(data, now_ms)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        return self._line.data_to_send(size_bytes_max) if self._line is not None else b""

    def closed(self, reason: str, now_ms: int) -> None:
        self._line = None
        self._lost(reason, now_ms)

    # ---- a port that is listened on

    def accept(self, peer_address: str, now_ms: int) -> "Channel | None":
        allowed = self._target[4]
        if not self._numbers or (allowed and peer_address not in allowed):
            return None
        if len(self._clients) >= CLIENTS_MAX:
            quiet = min(self._clients, key=lambda client: client.heard_ms)
            self._clients.remove(quiet)
            self._emit(Close(quiet))
        client = Client(self, self._framing(QUIET_TCP_MS), self._units)
        self._clients.append(client)
        return client

    def client_closed(self, client: Client) -> None:
        if client in self._clients:
            self._clients.remove(client)

    def door_closed(self, door: Door, reason: str, now_ms: int) -> None:
        if door is self._door:  # else it was asked for
            self._door = None
            self._lost(reason, now_ms)

    def _listen_at(self, now_ms: int) -> None:
        self._door = Door(self)
        self._emit(Listen(self._door, ("tcp", self._target[1], self._target[2])))
        self._tell_ms = now_ms + AGAIN_MS_MIN  # by then it would have been told that it cannot be

    def _look_after_clients(self) -> None:
        for client in list(self._clients):
            if client.close_reason:
                self._clients.remove(client)
                self._emit(Close(client))

    def _framing(self, quiet_ms: int) -> "TcpRequests | RtuRequests | AsciiRequests":
        if self._target[3] == "tcp":
            return TcpRequests()
        if self._target[3] == "ascii":
            return AsciiRequests()
        mine: dict[int, Any] = self._units.units
        return RtuRequests(mine, quiet_ms)

    # ---- what the agent is told

    def _is_up(self) -> bool:
        return self._door is not None or self._line is not None

    def _lost(self, reason: str, now_ms: int) -> None:
        self._open_ms = now_ms + self._again.pause_ms()
        self._tell_ms = None
        for number in self._numbers:
            unit: Any = self._units.units[self._numbers[number]]
            self._refuse(number, unit.served, reason, now_ms)

    def _refuse(self, number: int, names: "dict[str, Any]", reason: str, now_ms: int) -> None:
        self._results.append(Result(number, {}, dict.fromkeys(names, reason), False, now_ms))

    def _tell_all(self, now_ms: int) -> None:
        for number in self._numbers:
            unit: Any = self._units.units[self._numbers[number]]
            values: dict[str, int | float | str | bool | bytes] = {}
            errors: dict[str, str] = {}
            for name, one in unit.served.items():
                data = unit.current(one)
                try:
                    if data is not None:
                        values[name] = decode(one.place, data)
                        continue
                except (ValueRefused, ConfigurationError):
                    pass
                errors[name] = "%s of %s has no value that can be shown" % (one.name, one.key)
            self._results.append(Result(number, values, errors, True, now_ms))


def _silence_ms(baud: int) -> int:
    """3.5 characters of 11 bits (Modbus over Serial Line V1.02, section 2.5.1.1)."""
    return 2 if baud > 19200 else 38_500 // baud + 1
