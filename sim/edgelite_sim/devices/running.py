"""A simulated device as a real endpoint: on a TCP port or a pseudo terminal.

with RunningDevice(device_from(Path("meter.toml")), "tcp:127.0.0.1:0") as device:
    ... device.address ...
    device.fail("slow", delay_ms=1500)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

from edgelite_sim.devices.serving import Serving, monotonic_ms, parse_listen, unix_ms_at_zero
from edgelite_sim.devices.source import DeviceSource, Peer, device_from


class RunningDevice(Serving):
    """`on_turn(now_ms)` is called in each round and says when it wants to be called next."""

    def __init__(
        self, source: DeviceSource, listen: str, on_turn: Callable[[int], int | None] | None = None, link: str = ""
    ) -> None:
        self.source = source
        self._on_turn = on_turn
        self._calls: deque[Callable[[], object]] = deque()
        self._link: Path | None = None
        super().__init__(parse_listen(listen), self._peer)
        if self._terminal is not None:
            self._look_at_baud(self._terminal[0])
            if link:
                Path(link).symlink_to(self.address)
                self._link = Path(link)

    def __enter__(self) -> RunningDevice:
        super().__enter__()
        return self

    def fail(self, kind: str, **parameters: object) -> None:
        """From any thread; ConfigurationError at once, the fault in the next round."""
        self.source.condition.check(kind, parameters)
        self.call(lambda: self.source.fail(kind, **parameters))

    def heal(self, kind: str = "") -> None:
        self.call(lambda: self.source.heal(kind))

    def call(self, call: Callable[[], object]) -> None:
        """Between two rounds, in the thread that serves."""
        self._calls.append(call)
        self.wake()

    def _peer(self) -> Peer:
        peer = self.source.make_peer(monotonic_ms())
        peer.on_ready = self.wake
        return peer

    def _look_at_baud(self, descriptor: int) -> None:
        from edgelite_sim.devices.pty_line import speed_of

        for endpoint in self._endpoints.values():
            if hasattr(endpoint.channel, "line_baud"):
                endpoint.channel.line_baud = lambda: speed_of(descriptor)

    def _step_all(self) -> int | None:
        while self._calls:
            self._calls.popleft()()
        due_ms = self._on_turn(monotonic_ms()) if self._on_turn is not None else None
        deadline_ms = super()._step_all()
        return min((one for one in (due_ms, deadline_ms) if one is not None), default=None)

    def _close_all(self) -> None:
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        super()._close_all()


def real_device(device: Path | str, seed: int | None = None, framing: str = "") -> DeviceSource:
    """Of a file or a text, whose time is this machine's: it begins now."""
    return device_from(device, seed=seed, started_ms=monotonic_ms(), unix_ms=unix_ms_at_zero(), framing=framing)
