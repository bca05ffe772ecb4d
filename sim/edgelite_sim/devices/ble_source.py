"""Bluetooth peripherals as devices of the world: Bumble's controllers in an asyncio loop whose time is the world's.

A node reaches them at ("driver", "ble"), where its agent has the other half of the driver: radio, central role and all
run here, unmodified, in lockstep with the world. `together` puts the peripherals of several files on one air.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from edgelite_drivers.ble.half import Half
from edgelite_protocol.errors import ProtocolError
from edgelite_sim.devices.ble_air import Air
from edgelite_sim.devices.ble_bumble import BumblePeripheral
from edgelite_sim.devices.ble_file import Peripheral, parse_peripherals
from edgelite_sim.devices.bumble_radio import BumbleRadio
from edgelite_sim.devices.condition import DEAD, RESTART, SLOW, Condition
from edgelite_sim.devices.source import DeviceSource
from edgelite_sim.devices.values import Clock, Values
from edgelite_sim.devices.virtual_loop import VirtualLoop

BLE_FAULTS = (DEAD, SLOW, RESTART)
TURNS_MAX = 1000  # of radio and driver at one moment
TARGET = ("driver", "ble")
Spawn = Callable[[Coroutine[Any, Any, None]], object]


class BleSource(DeviceSource):
    kind = "ble"
    is_serial = False

    def __init__(self, peripherals: list[Peripheral], clock: Clock, seed: int) -> None:
        super().__init__(clock, Condition(BLE_FAULTS, random.Random(seed)))
        self.peripherals = peripherals
        self.seed = seed
        self._peer: BlePeer | None = None

    def make_peer(self, now_ms: int = 0) -> BlePeer:
        self._peer = BlePeer([self], self.seed)
        return self._peer

    def peers(self) -> list[BlePeer]:
        return [] if self._peer is None else [self._peer]

    def joined(self, peer: BlePeer) -> None:
        self._peer = peer

    def tell(self, peripheral: Peripheral, values: dict[str, object], now_ms: int) -> None:
        if self.on_answered is not None:
            prefix = f"{peripheral.name}/" if len(self.peripherals) > 1 else ""
            self.on_answered({prefix + name: value for name, value in values.items()}, now_ms)

    def current(self, now_ms: int) -> dict[str, object]:
        found: dict[str, object] = {}
        for one in self.peripherals:
            prefix = f"{one.name}/" if len(self.peripherals) > 1 else ""
            for _, characteristics in one.services:
                for characteristic in characteristics:
                    characteristic.now(now_ms)
                    found[prefix + characteristic.name] = characteristic.told()
            for name, value in one.advertisement(now_ms)[1].items():
                found.setdefault(prefix + name, value)
        return found


class BlePeer:
    """The far half of the agent's Bluetooth driver, and all that is on its air."""

    on_ready: Callable[[], object] | None = None

    def __init__(self, sources: Iterable[BleSource], seed: int) -> None:
        self.close_reason = ""
        self._sources = list(sources)
        self._random_bytes = random.Random(seed).randbytes
        self._loop = VirtualLoop.begin()
        self._now_ms = 0
        self._half: Half | None = None
        self._around: list[tuple[BleSource, BumblePeripheral]] = []

    def opened(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._loop = VirtualLoop.begin(now_ms)
        with self._loop.entered():
            air = Air()
            for source in self._sources:
                source.joined(self)
            self._around = make_around(air, self._sources, lambda: self._now_ms)
            radio = BumbleRadio(air)
            self._half = Half(radio, self._random_bytes)
            self._half.opened()
        for _, one in self._around:
            self._loop.spawn(one.power_on())
        self._loop.run(now_ms)

    def received(self, data: bytes | memoryview, now_ms: int) -> None:
        self._now_ms = now_ms
        if self._half is None:
            return
        try:
            with self._loop.entered():
                self._half.received(data, now_ms)
        except ProtocolError as error:
            self.close_reason = error.text

    def step(self, now_ms: int) -> int | None:
        if self._half is None:
            return None
        awake_ms = feel(self._around, now_ms, self._loop.spawn)
        loop = self._loop
        for _ in range(TURNS_MAX):
            due_ms = loop.deadline_ms()
            self._now_ms = now_ms if due_ms is None else min(max(due_ms, self._now_ms), now_ms)
            loop_ms = loop.run(self._now_ms)
            with loop.entered():
                half_ms = self._half.step(self._now_ms)
            loop_ms = loop.deadline_ms()
            if self._now_ms >= now_ms and (loop_ms is None or loop_ms > now_ms):
                break
        self._now_ms = now_ms
        return min((one for one in (loop_ms, half_ms, awake_ms) if one is not None), default=None)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        return self._half.data_to_send(size_bytes_max) if self._half is not None else b""

    def closed(self, reason: str, now_ms: int) -> None:
        self._half = None
        self._around.clear()
        self._loop.close()

    def restart(self) -> None:
        self.ready()

    def ready(self) -> None:
        if self.on_ready is not None:
            self.on_ready()


def make_around(
    air: Air, sources: Iterable[BleSource], now_ms: Callable[[], int]
) -> list[tuple[BleSource, BumblePeripheral]]:
    """Their peripherals on this air, not yet powered on."""
    return [(source, _peripheral(air, source, one, now_ms)) for source in sources for one in source.peripherals]


def _peripheral(air: Air, source: BleSource, model: Peripheral, now_ms: Callable[[], int]) -> BumblePeripheral:
    made = BumblePeripheral(
        air,
        model,
        now_ms,
        lambda values: source.tell(model, values, now_ms()),
        lambda: 0 if source.condition.is_well else source.condition.delay_ms(),
    )
    made.restarts = source.condition.restarts
    return made


def feel(around: list[tuple[BleSource, BumblePeripheral]], now_ms: int, spawn: Spawn) -> int | None:
    """Let the peripherals be as their condition is; when it changes by itself."""
    deadlines = []
    for source, one in around:
        condition = source.condition
        is_silent = not condition.is_well and condition.is_silent(now_ms)
        if one.restarts != condition.restarts:
            one.restarts = condition.restarts
            spawn(one.drop())
        if is_silent != one.is_away:
            one.is_away = is_silent
            spawn(one.go_away() if is_silent else one.come_back())
        if is_silent and condition.awake_ms is not None and condition.awake_ms > now_ms:
            deadlines.append(condition.awake_ms)
    return min(deadlines, default=None)


class _Together(DeviceSource):
    """What `together` gives: one end for several files."""

    kind = "ble"
    is_serial = False

    def __init__(self, sources: list[BleSource]) -> None:
        super().__init__(sources[0].clock, sources[0].condition)
        self._sources = sources

    def make_peer(self, now_ms: int = 0) -> BlePeer:
        return BlePeer(self._sources, self._sources[0].seed)

    def peers(self) -> list[BlePeer]:
        return self._sources[0].peers()

    def current(self, now_ms: int) -> dict[str, object]:
        return {name: value for one in self._sources for name, value in one.current(now_ms).items()}


def together(sources: Iterable[BleSource]) -> DeviceSource:
    """One air for what one node has around it. Each source keeps its own condition and its own `on_answered`."""
    return _Together(list(sources))


def make_ble(document: dict[str, Any], values: Values, seed: int | None) -> BleSource:
    peripherals = parse_peripherals(document, values, seed)
    return BleSource(peripherals, values.clock, values.seed)
