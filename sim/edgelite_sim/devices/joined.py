"""A driver's bus and a simulated device, joined in memory and in virtual time: what tests of either stand on.

joined = Joined(device_from(Path("meter.toml")), modbus, {"ip": "meter"}, {
    "power": ("FLOAT", {"register": "InputRegister", "offset": 52, "limit": 2}),
})
joined.read().values                   {"power": 431.2}
joined.wait(60_000)                    a minute passes
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from edgelite.driver import Bus, Request, Result
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE
from edgelite_sim.devices.source import DeviceSource

PIECE_BYTES = 4096
PATIENCE_MS = 120_000
SPINS_MAX = 10_000  # of bytes to and fro at one moment


class Joined:
    """`properties`: name to (type, visitor's configData); every one may be written where the driver can. `driver` is
    the driver's module, `protocol` the device's configData."""

    def __init__(
        self,
        source: DeviceSource,
        driver: Any,
        protocol: object,
        properties: Mapping[str, tuple[str, object]],
        now_ms: int = 0,
        seed: int = 1,
    ) -> None:
        self.source = source
        self.now_ms = now_ms
        self.results: list[Result] = []
        self._protocol = driver.check_protocol(protocol)
        self._visitors: dict[str, tuple[str, object]] = dict(properties)
        self._driver = driver
        self._target = driver.target(self._protocol)
        self.bus: Bus = driver.make_bus(self._target, random.Random(seed).randbytes)
        self._peer: Any = None
        self._number = 0

    def visitor(self, name: str, is_writable: bool = False) -> object:
        kind, config = self._visitors[name]
        return self._driver.check_visitor(config, {PROPERTY_TYPE: kind, PROPERTY_WRITABLE: is_writable})

    def read(self, *names: str) -> Result:
        """Of these properties, or of all."""
        request = Request(self._next(), self._protocol, {one: self.visitor(one) for one in names or self._visitors})
        self.bus.submit(request, self.now_ms)
        return self.result(request.number)

    def write(self, name: str, value: int | float | str | bool | bytes) -> Result:
        request = Request(self._next(), self._protocol, {name: self.visitor(name, True)}, value)
        self.bus.submit(request, self.now_ms)
        return self.result(request.number)

    def listen(self, *names: str) -> int:
        """The number that results of what the device says by itself will have."""
        request = Request(self._next(), self._protocol, {one: self.visitor(one) for one in names or self._visitors})
        self.bus.listen(request, self.now_ms)
        self.exchange()
        return request.number

    def result(self, number: int) -> Result:
        """The next with this number. AssertionError where none comes within two minutes."""
        self.until(lambda: any(one.number == number for one in self.results), PATIENCE_MS)
        (found, *_) = [one for one in self.results if one.number == number]
        self.results.remove(found)
        return found

    def until(self, condition: Callable[[], bool], patience_ms: int) -> None:
        end_ms = self.now_ms + patience_ms
        self.exchange()
        while not condition():
            if self.now_ms >= end_ms:
                raise AssertionError(f"nothing within {patience_ms} ms")
            self._go_on(end_ms)

    def wait(self, duration_ms: int) -> None:
        """Let so much time pass, and everything happen that is due in it."""
        end_ms = self.now_ms + duration_ms
        self.exchange()
        while self.now_ms < end_ms:
            self._go_on(end_ms)

    def exchange(self) -> int | None:
        """Carry everything that is to be carried now; the next deadline of either end."""
        for _ in range(SPINS_MAX):
            deadlines = [self.bus.step(self.now_ms)]
            self._open_or_close()
            moved = False
            if self._peer is not None:
                deadlines.append(self._peer.step(self.now_ms))
                moved = self._carry()
            self._gather()
            if not moved:
                return min((one for one in deadlines if one is not None), default=None)
        raise AssertionError(f"no end of bytes at {self.now_ms} ms")

    def _go_on(self, end_ms: int) -> None:
        deadline_ms = self.exchange()
        self.now_ms = end_ms if deadline_ms is None else min(end_ms, max(deadline_ms, self.now_ms + 1))
        self.exchange()

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _open_or_close(self) -> None:
        if self._peer is None and self.bus.wants_open(self.now_ms):
            self._peer = self.source.make_peer(self.now_ms)
            self._peer.opened(self.now_ms)
            if self._target[0] == "serial" and hasattr(self._peer, "configured"):
                self._peer.configured(self._target[2], self.now_ms)
            self.bus.opened(self.now_ms)
        elif self._peer is not None and (self._peer.close_reason or self.bus.wants_close(self.now_ms)):
            reason = self._peer.close_reason or "closed"
            peer, self._peer = self._peer, None
            peer.closed(reason, self.now_ms)
            self.bus.closed(reason, self.now_ms)

    def _carry(self) -> bool:
        sent = self.bus.data_to_send(PIECE_BYTES)
        if sent:
            self._peer.received(sent, self.now_ms)
        settings = self.bus.wants_settings(self.now_ms)
        if settings is not None:
            self._peer.configured(settings, self.now_ms)
        self._peer.step(self.now_ms)
        answer = self._peer.data_to_send(PIECE_BYTES)
        if answer:
            self.bus.received(answer, self.now_ms)
        return bool(sent or answer or settings)

    def _gather(self) -> None:
        result = self.bus.next_result()
        while result is not None:
            self.results.append(result)
            result = self.bus.next_result()
