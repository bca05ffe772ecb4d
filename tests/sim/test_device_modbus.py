"""Simulated Modbus devices from files, read by the real driver: in memory in virtual time, over TCP and a pty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgelite_drivers import modbus
from edgelite_sim.devices.joined import Joined
from edgelite_sim.devices.source import DeviceSource, device_from

DEVICES = Path(__file__).parents[2] / "sim" / "devices"
METER = {
    "power": ("FLOAT", {"register": "InputRegister", "offset": 0x34, "limit": 2}),
    "reads": ("INT", {"register": "InputRegister", "offset": 0x200, "limit": 2, "type": "uint32"}),
}


def meter(**parameters: Any) -> DeviceSource:
    return device_from(DEVICES / "energy-meter.toml", **parameters)


def test_a_meter_is_read_in_virtual_time() -> None:
    source = meter(unix_ms=19 * 3_600_000)
    told: list[dict[str, object]] = []
    source.on_answered = lambda values, now_ms: told.append(values)
    joined = Joined(source, modbus, {"ip": "meter"}, METER)
    evening = joined.read()
    assert evening.values["power"] == pytest.approx(2100, rel=1e-3) and evening.values["reads"] == 1
    joined.wait(8 * 3_600_000)
    night = joined.read()
    assert night.values["power"] == pytest.approx(300, abs=5) and night.values["reads"] == 2
    assert {**told[0], **told[1]} == evening.values and {**told[2], **told[3]} == night.values
