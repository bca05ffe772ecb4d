"""The acceptors and connections of a driver that serves: guarded, as a bus is in lines.py. What one of them raises ends
that one, with a line in the log."""

from edgelite.devices.guard import FAULTS, fault_text, shown
from edgelite.effects import Acceptor, Channel, Close, Listen, Log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Serving:
    """Its `emit` is what such a driver is given."""

    def __init__(self, name: str, emit: "Callable[[object], None]") -> None:
        self._name = name
        self._emit = emit
        self._guards: list[Any] = []  # what the port knows in place of the driver's own

    def emit(self, effect: object) -> None:
        if isinstance(effect, Listen):
            self._guards.append(GuardedAcceptor(self, effect.acceptor))
            self._emit(Listen(self._guards[-1], effect.target))
        elif isinstance(effect, Close):
            for guard in list(self._guards):
                if guard.inner is effect.channel:
                    self._emit(Close(guard))
        else:
            self._emit(effect)

    def connection(self, channel: Channel) -> "GuardedChannel":
        self._guards.append(GuardedChannel(self, channel))
        return self._guards[-1]  # type: ignore[no-any-return]

    def forget(self, guard: "Any") -> None:
        if guard in self._guards:
            self._guards.remove(guard)

    def fail(self, guard: "Any", method: str, error: BaseException) -> None:
        self._emit(Log("error", fault_text(self._name, method, error) + "; that connection is closed", error))
        guard.is_broken = True
        self._emit(Close(guard))


class GuardedChannel(Channel):
    is_broken = False

    def __init__(self, serving: Serving, inner: Channel) -> None:
        self.inner = inner
        self._serving = serving

    def opened(self, now_ms: int) -> None:
        self.inner.peer_address = self.peer_address
        self._call("opened", now_ms)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        self._call("received", data, now_ms)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        data = self._call("data_to_send", size_bytes_max)
        if data is None:
            return b""
        if not isinstance(data, (bytes, bytearray)) or len(data) > size_bytes_max:
            self._serving.fail(self, "data_to_send", TypeError("gave " + shown(data)))
            return b""
        return bytes(data)

    def closed(self, reason: str, now_ms: int) -> None:
        self._serving.forget(self)
        self.is_broken = False  # whatever it did wrong, it hears of its end
        self._call("closed", reason, now_ms)

    def _call(self, method: str, *arguments: object) -> "Any":
        if self.is_broken:
            return None
        try:
            return getattr(self.inner, method)(*arguments)
        except FAULTS as error:
            self._serving.fail(self, method, error)
            return None


class GuardedAcceptor(Acceptor):
    is_broken = False

    def __init__(self, serving: Serving, inner: Acceptor) -> None:
        self.inner = inner
        self._serving = serving

    def accept(self, peer_address: str, now_ms: int) -> "Channel | None":
        if self.is_broken:
            return None
        try:
            channel = self.inner.accept(peer_address, now_ms)
        except FAULTS as error:
            self._serving.fail(self, "accept", error)
            return None
        return None if channel is None else self._serving.connection(channel)

    def closed(self, reason: str, now_ms: int) -> None:
        self._serving.forget(self)
        try:
            self.inner.closed(reason, now_ms)
        except FAULTS as error:
            self._serving.fail(self, "closed", error)
