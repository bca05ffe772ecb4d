"""One serial line with the devices of several files on it: each hears all that is sent, and speaks when it is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgelite.driver import ConfigurationError
from edgelite_sim.devices.source import DeviceSource, Peer


class SharedLine(DeviceSource):
    """Modbus slaves of several maps, by RTU or ASCII alike. Each source keeps its own condition and its own
    `on_answered`; `fail` and `heal` are for all of them."""

    kind = "modbus"

    def __init__(self, sources: Sequence[DeviceSource]) -> None:
        framings = sorted({one.framing for one in sources})
        if not sources or framings not in (["rtu"], ["ascii"]):
            raise ConfigurationError(
                "line", f"needs Modbus devices of one framing, rtu or ascii; these have {framings}"
            )
        super().__init__(sources[0].clock, sources[0].condition)
        self.framing = framings[0]
        self.sources = list(sources)

    def make_peer(self, now_ms: int = 0) -> SharedPeer:
        return SharedPeer([one.make_peer(now_ms) for one in self.sources])

    def peers(self) -> list[Any]:
        return [peer for one in self.sources for peer in one.peers()]

    def current(self, now_ms: int) -> dict[str, object]:
        found: dict[str, object] = {}
        for index, one in enumerate(self.sources):
            found.update({f"{index}/{name}": value for name, value in one.current(now_ms).items()})
        return found

    def fail(self, kind: str, **parameters: object) -> None:
        for one in self.sources:
            one.fail(kind, **parameters)

    def heal(self, kind: str = "") -> None:
        for one in self.sources:
            one.heal(kind)


class SharedPeer:
    close_reason = ""

    def __init__(self, peers: list[Peer]) -> None:
        self._peers = peers

    @property
    def on_ready(self) -> Callable[[], object] | None:
        return self._peers[0].on_ready

    @on_ready.setter
    def on_ready(self, call: Callable[[], object] | None) -> None:
        for one in self._peers:
            one.on_ready = call

    def opened(self, now_ms: int) -> None:
        for one in self._peers:
            one.opened(now_ms)

    def received(self, data: bytes, now_ms: int) -> None:
        for one in self._peers:
            one.received(data, now_ms)

    def step(self, now_ms: int) -> int | None:
        deadlines = [one.step(now_ms) for one in self._peers]
        return min((one for one in deadlines if one is not None), default=None)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        for one in self._peers:
            data = one.data_to_send(size_bytes_max)
            if data:
                return data
        return b""

    def closed(self, reason: str, now_ms: int) -> None:
        for one in self._peers:
            one.closed(reason, now_ms)
