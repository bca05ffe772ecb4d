"""Simulated Modbus devices from files, read by the real driver in virtual time."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from edgelite.driver import ConfigurationError
from edgelite_drivers import modbus
from edgelite_drivers.modbus import pdu, tcp
from edgelite_sim.devices.joined import Joined
from edgelite_sim.devices.modbus_range import SlaveRange
from edgelite_sim.devices.modbus_source import ModbusSource
from edgelite_sim.devices.shared_line import SharedLine
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


def test_what_stands_in_the_registers_is_what_is_told() -> None:
    """A tank's millimetres, a swapped counter, a bit: by the driver as its documentation has them."""
    source = device_from(DEVICES / "tank.toml", seed=4)
    told: dict[str, object] = {}
    source.on_answered = lambda values, now_ms: told.update(values)
    line = {"serialPort": "/dev/line", "baudRate": 9600}
    level = {"register": "InputRegister", "offset": 0, "type": "uint16", "scale": 0.001}
    tank = Joined(source, modbus, {**line, "slaveID": 11}, {"level": ("FLOAT", level), "pump_speed": ("INT", {
        "register": "HoldingRegister", "offset": 0,
    })})  # fmt: skip
    starts = {"register": "InputRegister", "offset": 0, "type": "uint32", "isRegisterSwap": True}
    pump = Joined(source, modbus, {**line, "slaveID": 12}, {
        "starts": ("INT", starts), "pump_runs": ("BOOLEAN", {"register": "DiscreteInputRegister", "offset": 0}),
    })  # fmt: skip
    for _ in range(30):
        found = {f"11/{name}": one for name, one in tank.read().values.items()}
        found |= {f"12/{name}": one for name, one in pump.read().values.items()}
        assert found == {name: pytest.approx(told[name], rel=1e-6) for name in found} and len(found) == 4
        tank.wait(600_000)
        pump.wait(600_000)
    assert told["12/starts"] == 5 and not tank.write("pump_speed", 750).errors
    assert tank.read("pump_speed").values == {"pump_speed": 750} == {"pump_speed": told["11/pump_speed"]}


LIMITS = """
kind = "modbus"
[[unit]]
number = 1
[[unit.range]]
table = "input"
address = 0
type = "uint16"
value = { formula = "t * 1000 - 5" }
[[unit.range]]
table = "input"
address = 1
type = "uint16"
value = { counter = "reads" }
[[unit.range]]
table = "input"
address = 2
value = { formula = "1 / (t - 100)" }
[[unit.range]]
table = "input"
address = 4
type = "float32"
value = { formula = "10 ** 90" }
"""


def registers(*offsets: int) -> dict[str, tuple[str, object]]:
    return {f"r{one}": ("INT", {"register": "InputRegister", "offset": one, "type": "uint16"}) for one in offsets}


def test_what_a_register_cannot_hold_it_holds_at_its_end() -> None:
    source = device_from(LIMITS)
    joined = Joined(source, modbus, {"ip": "m"}, registers(0))
    assert joined.read().values == {"r0": 0}
    joined.wait(30_000)
    assert joined.read().values["r0"] in range(29_995, 30_005)
    joined.wait(60_000)
    assert joined.read().values == {"r0": 65535}
    assert source.current(0)["input 4"] == float("inf")


def test_a_formula_without_a_value_is_a_failure_of_the_device() -> None:
    joined = Joined(device_from(LIMITS), modbus, {"ip": "m"}, registers(2), now_ms=100_000)
    assert joined.read().errors == {"r2": "Modbus exception 4: server device failure"}
    joined.wait(1000)
    assert joined.read().values == {"r2": 1}


def test_only_answered_reads_are_counted_and_the_counter_begins_anew_at_its_end() -> None:
    source = device_from(LIMITS)
    told: list[int] = []
    source.on_answered = lambda values, now_ms: told.append(int(str(values["input 1"])))
    joined = Joined(source, modbus, {"ip": "m", "timeoutMs": 500}, registers(1))
    assert joined.read().values == {"r1": 1}
    for kind, parameters in (("dead", {}), ("exceptions", {"code": 6}), ("noise", {"chance": 1})):
        source.fail(kind, **parameters)
        assert not joined.read().values
        source.heal()
        joined.wait(30_000)
    last = int(str(joined.read().values["r1"]))
    assert told == list(range(1, last + 1)) and last in (2, 3), "noise harms an answer on its way: it was given"
    assert isinstance(source, ModbusSource)
    counter = source.slaves.map.units[1].ranges[1]
    assert isinstance(counter, SlaveRange)
    counter.reads = 65534
    assert [joined.read().values["r1"] for _ in range(3)] == [65535, 0, 1]


def test_slow_restarting_and_refusing_devices() -> None:
    source = meter()
    joined = Joined(source, modbus, {"ip": "meter"}, METER)
    joined.read()
    source.fail("slow", delay_ms=400)
    before_ms = joined.now_ms
    joined.read("reads")
    assert joined.now_ms - before_ms == 400
    source.fail("exceptions", code=6)
    assert joined.read("reads").errors == {"reads": "Modbus exception 6: server device busy"}
    source.heal("exceptions")
    assert joined.read("reads").values and source.condition.active, "it is still slow"
    source.heal()
    source.fail("restart", boot_ms=10_000)
    assert not joined.read("reads").answered
    joined.wait(60_000)
    assert joined.read("reads").values == {"reads": 4}


def test_connections_that_are_over_are_forgotten() -> None:
    source = meter()
    for _ in range(3):
        peer = source.make_peer(0)
        peer.opened(0)
        peer.closed("closed", 1)
    assert source.peers() == []
    for _ in range(3):
        peer = source.make_peer(2)
        peer.opened(2)
        source.fail("restart")
        assert peer.close_reason == "the device restarts" and source.peers() == [peer]


def test_whoever_carries_a_connection_hears_that_the_device_has_changed() -> None:
    source = meter()
    peer = source.make_peer(0)
    peer.opened(0)
    heard: list[str] = []
    peer.on_ready = lambda: heard.append("ready")
    source.fail("slow", delay_ms=5)
    source.heal()
    assert heard == ["ready", "ready"]


def test_a_condition_of_one_slave_is_not_that_of_the_others() -> None:
    source = device_from(DEVICES / "tank.toml")
    starts = {"register": "InputRegister", "offset": 0}
    line = {"serialPort": "/dev/line", "baudRate": 9600, "timeoutMs": 300}
    units = [Joined(source, modbus, {**line, "slaveID": one}, {"x": ("INT", starts)}) for one in (11, 12)]
    source.fail("dead", unit=12)
    assert [one.read().answered for one in units] == [True, False]


@pytest.mark.parametrize(
    ("kind", "parameters", "told"),
    [
        ("melted", {}, "'melted' is none of dead, slow, noise, restart, exceptions"),
        ("slow", {}, "fault.slow.delay_ms: is required"),
        ("slow", {"delay_ms": 0}, "fault.slow.delay_ms: must be an integer from 1"),
        ("dead", {"code": 1}, "fault.dead.code: unknown field; known are unit"),
        ("noise", {"chance": 2}, "fault.noise.chance: must be a number from 0 to 1"),
    ],
)
def test_a_fault_that_it_cannot_have(kind: str, parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        meter().fail(kind, **parameters)


def test_maps_share_one_line() -> None:
    maps = [
        f"kind='modbus'\nframing='rtu'\n[[unit]]\nnumber={unit}\nrange=[{{table='input', address=0, values=[{unit}]}}]"
        for unit in (4, 5)
    ]
    shared = SharedLine([device_from(text) for text in maps])
    for unit in (4, 5, 4):
        protocol = {"serialPort": "/dev/line", "baudRate": 9600, "slaveID": unit}
        joined = Joined(shared, modbus, protocol, {"x": ("INT", {"register": "InputRegister", "offset": 0})})
        assert joined.read().values == {"x": unit}
    with pytest.raises(ConfigurationError, match="one framing, rtu or ascii"):
        SharedLine([meter()])


def test_a_years_polls_cost_little() -> None:
    """A simulated node-year has 525,600: a request and its answer take some 7 us where nothing else runs."""
    source = meter()
    source.on_answered = lambda values, now_ms: None
    peer = source.make_peer(0)
    peer.opened(0)
    request = tcp.seal(1, 1, pdu.read_request(4, 0x34, 2))
    begun_s = time.process_time()
    for minute in range(10_000):
        peer.received(request, minute * 60_000)
        peer.step(minute * 60_000)
        assert len(peer.data_to_send(4096)) == 13
    assert time.process_time() - begun_s < 10_000 * 100e-6


def test_two_files_of_one_seed_are_alike() -> None:
    def course(seed: int) -> list[object]:
        source = device_from(DEVICES / "tank.toml", seed=seed)
        return [source.current(minute * 60_000)["11/level"] for minute in range(50)]

    assert course(1) == course(1) != course(2)
