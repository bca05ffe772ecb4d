"""Modbus slaves of one register map as a device of the world."""

from __future__ import annotations

from typing import Any

from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus.pdu import ExceptionAnswer
from edgelite_sim.devices.modbus_map import FRAMINGS, SlaveMap, SlaveRange, read_map
from edgelite_sim.devices.modbus_range import LiveRange
from edgelite_sim.devices.modbus_slave import SlaveChannel, Slaves
from edgelite_sim.devices.source import DeviceSource, Told
from edgelite_sim.devices.values import Counter, Values


class ModbusSource(DeviceSource):
    kind = "modbus"

    def __init__(self, slave_map: SlaveMap, framing: str) -> None:
        self.slaves = Slaves(slave_map, framing, requests_kept=0)
        self.framing = framing
        self.is_serial = framing != "tcp"
        super().__init__(slave_map.clock, self.slaves.condition)

    def make_peer(self, now_ms: int = 0) -> SlaveChannel:
        return self.slaves.channel()

    @property
    def on_answered(self) -> Told | None:
        return self.slaves.on_answered

    @on_answered.setter
    def on_answered(self, told: Told | None) -> None:
        self.slaves.on_answered = told

    def peers(self) -> list[SlaveChannel]:
        return self.slaves.channels

    def current(self, now_ms: int) -> dict[str, object]:
        found: dict[str, object] = {}
        units = self.slaves.map.units
        for number, unit in units.items():
            prefix = f"{number}/" if len(units) > 1 else ""
            for one in unit.ranges:
                if isinstance(one, SlaveRange):
                    found[prefix + one.name] = _now(one, now_ms)
        return found


def _now(one: SlaveRange, now_ms: int) -> object:
    if isinstance(one, LiveRange) and isinstance(one.value, Counter):
        return one.reads
    try:
        one.refresh(now_ms)
    except ExceptionAnswer as error:
        return str(error)
    return one.told()


def make_modbus(document: dict[str, Any], values: Values, seed: int | None, framing: str) -> ModbusSource:
    if framing and framing not in FRAMINGS:
        raise ConfigurationError("framing", f"must be one of {', '.join(FRAMINGS)}")
    slave_map = read_map(document, values, seed)
    return ModbusSource(slave_map, framing or slave_map.framing or "tcp")
