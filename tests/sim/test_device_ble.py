"""Simulated Bluetooth in the world's time: the real driver's both halves on Bumble's controllers, always the same."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgelite_drivers import ble
from edgelite_sim.devices.ble_air import Air
from edgelite_sim.devices.ble_source import BleSource, together
from edgelite_sim.devices.joined import Joined
from edgelite_sim.devices.source import device_from
from edgelite_sim.devices.virtual_loop import VirtualLoop

ROOT = Path(__file__).parents[2]
FILE = ROOT / "sim" / "devices" / "ble-thermometer.toml"
THERMOMETER = {"macAddress": "C4:11:22:33:44:55"}
CELLAR = {"macAddress": "C4:11:22:33:44:66"}
TEMPERATURE = ("FLOAT", {"characteristicUUID": "2A6E", "type": "int16", "scale": 0.01})
LIVE = ("FLOAT", {"characteristicUUID": "2A6E", "type": "int16", "scale": 0.01, "notify": True})
PERIOD = ("INT", {"characteristicUUID": "2A21", "type": "uint16"})
BROADCAST = {
    "temperature": ("FLOAT", {"advertisement": "BTHome", "object": "temperature"}),
    "humidity": ("FLOAT", {"advertisement": "BTHome", "object": "humidity"}),
}


class Told:
    """What the devices have said, and when."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, object]]] = []

    def __call__(self, values: dict[str, object], now_ms: int) -> None:
        self.rows.append((now_ms, values))

    def of(self, name: str) -> list[object]:
        return [values[name] for _, values in self.rows if name in values]


def joined(protocol: object, properties: Any) -> tuple[Joined, Told]:
    source = device_from(FILE, seed=5)
    source.on_answered = told = Told()
    return Joined(source, ble, protocol, properties), told


def test_a_thermometer_is_found_connected_to_and_read() -> None:
    line, told = joined(THERMOMETER, {"temperature": TEMPERATURE, "period": PERIOD})
    first = line.read()
    assert first.values == {"temperature": 21.5, "period": 60} and line.now_ms < 10_000
    line.wait(3_600_000)
    second = line.read("temperature")
    assert second.values["temperature"] == pytest.approx(22.54)
    assert told.of("Thermometer/temperature") == [21.5, second.values["temperature"]]
    assert not line.write("period", 300).errors
    assert line.read("period").values == {"period": 300}


def test_what_it_notifies_and_what_it_broadcasts() -> None:
    line, told = joined(THERMOMETER, {"temperature": LIVE})
    line.listen()
    line.wait(120_000)
    said = told.of("Thermometer/temperature")
    heard = [one.values["temperature"] for one in line.results if one.values]
    assert len(said) >= 3 and heard == said, "one each half a minute, once it is subscribed to"

    line, told = joined(CELLAR, BROADCAST)
    line.listen()
    line.wait(600_000)
    rows = [one.values for one in line.results if one.values]
    assert {row["temperature"] for row in rows if "temperature" in row} <= set(told.of("Cellar/temperature"))
    assert len({row["temperature"] for row in rows if "temperature" in row}) > 3, "it walks"


def test_faults_of_a_peripheral() -> None:
    line, told = joined(THERMOMETER, {"temperature": TEMPERATURE})
    assert line.read().answered
    line.source.fail("dead")
    line.wait(1000)
    assert not line.read().answered and len(told.of("Thermometer/temperature")) == 1
    line.source.heal()
    line.wait(60_000)
    assert line.read().answered
    line.source.fail("slow", delay_ms=1500)
    before_ms = line.now_ms
    assert line.read().answered and line.now_ms - before_ms >= 1500
    line.source.heal("slow")
    line.source.fail("restart", boot_ms=5000)
    before_ms = line.now_ms
    line.wait(1000)
    assert line.read().answered and line.now_ms - before_ms >= 5000, "found again when it is back"


COUNTING = """
kind = "ble"
[[peripheral]]
name = "Counter"
address = "C4:11:22:33:44:77"
[[peripheral.service]]
uuid = "181A"
[[peripheral.service.characteristic]]
uuid = "2A6E"
name = "count"
type = "uint8"
value = { counter = "reads" }
"""


def test_a_characteristic_counts_its_reads() -> None:
    count = ("INT", {"characteristicUUID": "2A6E", "type": "uint8"})
    line = Joined(device_from(COUNTING), ble, {"macAddress": "C4:11:22:33:44:77"}, {"count": count})
    assert [line.read().values for _ in range(3)] == [{"count": 1}, {"count": 2}, {"count": 3}]


def test_two_files_are_on_one_air() -> None:
    sources = [device_from(COUNTING), device_from(FILE)]
    air = together([one for one in sources if isinstance(one, BleSource)])
    count = ("INT", {"characteristicUUID": "2A6E", "type": "uint8"})
    assert Joined(air, ble, {"macAddress": "C4:11:22:33:44:77"}, {"count": count}).read().values == {"count": 1}
    assert Joined(air, ble, THERMOMETER, {"temperature": TEMPERATURE}).read().values == {"temperature": 21.5}


def test_the_loops_time_is_only_what_its_owner_says() -> None:
    loop = VirtualLoop.begin(1000)
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        for _ in range(2):
            await asyncio.sleep(seconds)
            seen.append((name, asyncio.get_running_loop().time()))

    async def impatient() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(99), 0.5)
        seen.append(("gave up", asyncio.get_running_loop().time()))

    loop.spawn(sleeper("a", 0.25))
    loop.spawn(sleeper("b", 0.25))
    loop.spawn(impatient())
    assert loop.run(1249) == 1250 and seen == []
    assert loop.run(1250) == 1500 and seen == [("a", 1.25), ("b", 1.25)]
    assert loop.run(60_000) is None
    assert seen[2:] == [("gave up", 1.5), ("a", 1.5), ("b", 1.5)] and loop.errors == []


def test_a_loop_that_does_not_come_to_rest_is_an_error() -> None:
    loop = VirtualLoop.begin(0)

    async def restless() -> None:
        while True:
            await asyncio.sleep(0)

    loop.spawn(restless())
    with pytest.raises(RuntimeError, match="no rest after"):
        loop.run(0)


def test_an_air_knows_its_controllers_in_the_order_in_which_they_came() -> None:
    async def names() -> list[str]:
        air = Air()
        for number in range(50):
            air.device(f"device {number}", f"C4:00:00:00:00:{number:02X}")
        return [one.name for one in air.link.controllers]

    assert asyncio.run(names()) == [f"device {number}" for number in range(50)]


HASHED = """
import hashlib, sys
sys.path[:0] = {path!r}
from test_device_ble import trace
print(hashlib.sha256(trace().encode()).hexdigest())
"""


def trace() -> str:
    """An hour with a fault in it, every value with its time."""
    line, told = joined(THERMOMETER, {"temperature": TEMPERATURE, "live": LIVE})
    line.listen("live")
    for minute in range(20):
        line.read("temperature")
        if minute == 7:
            line.source.fail("restart", boot_ms=3000)
        line.wait(60_000)
    rows = [(one.number, one.time_ms, sorted(one.values.items()), sorted(one.errors)) for one in line.results]
    return repr((line.now_ms, told.rows, rows))


def test_another_process_sees_the_same_to_the_millisecond() -> None:
    """Addresses of objects and the order of sets differ between the two; nothing that can be seen may."""
    path = [str(Path(__file__).parent), *[one for one in sys.path if one.startswith(str(ROOT))]]
    code = HASHED.format(path=path)
    told = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": "77"}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert told.stdout.strip() == hashlib.sha256(trace().encode()).hexdigest(), told.stderr
