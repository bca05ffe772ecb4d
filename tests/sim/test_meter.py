"""The simulated meter, as a process of its own, read by pymodbus' client."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymodbus.client import ModbusTcpClient

ROOT = Path(__file__).parents[2]
COUNTER = 0x0200
DATATYPES: Any = ModbusTcpClient.DATATYPE


class Meter:
    def __init__(self, log: Path) -> None:
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgelite_sim.meter", "--listen", "127.0.0.1:0", "--log", str(log)],
            stdout=subprocess.PIPE,
            cwd=ROOT / "sim",
            text=True,
        )
        assert self.process.stdout is not None
        word, port = self.process.stdout.readline().split()
        assert word == "ready"
        self.client: Any = ModbusTcpClient("127.0.0.1", port=int(port), timeout=5)
        assert self.client.connect()

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def lines(self) -> list[list[int]]:
        return [[int(word) for word in line.split()] for line in self.log.read_text().splitlines()]

    def floats(self, address: int, count: int = 1) -> list[float]:
        answer = self.client.read_input_registers(address, count=2 * count)
        assert not answer.isError()
        found = self.client.convert_from_registers(answer.registers, DATATYPES.FLOAT32)
        return found if isinstance(found, list) else [found]

    def counter(self) -> int:
        answer = self.client.read_input_registers(COUNTER, count=2)
        return int(self.client.convert_from_registers(answer.registers, DATATYPES.UINT32))


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    meter = Meter(tmp_path / "meter.log")
    yield meter
    meter.stop()


def test_the_published_registers_hold_plausible_values(meter: Meter) -> None:
    voltages = meter.floats(0x0000, 3)
    powers = meter.floats(0x000C, 3)
    assert all(225 < voltage < 235 for voltage in voltages)
    assert all(300 < power < 500 for power in powers)
    assert sum(powers) == pytest.approx(meter.floats(0x0034)[0], rel=0.05)
    assert 49.9 < meter.floats(0x0046)[0] < 50.1
    assert meter.floats(0x0156)[0] >= 1234.5


def test_values_change(meter: Meter) -> None:
    assert len({tuple(meter.floats(0x0000, 3)) for _ in range(5)}) == 5


def test_each_answered_read_of_the_counter_is_in_the_log_once(meter: Meter) -> None:
    counts = [meter.counter() for _ in range(5)]
    assert counts == [1, 2, 3, 4, 5]
    assert [count for count, _ in meter.lines()] == counts
    assert all(1_600_000_000_000 < unix_ms < 10_000_000_000_000 for _, unix_ms in meter.lines())
    meter.client.read_input_registers(0x0000, count=10)
    meter.client.read_input_registers(COUNTER, count=4)
    assert len(meter.lines()) == 5, "a read of other registers, or one that was refused, was counted"


def test_a_meter_that_starts_again_counts_on(tmp_path: Path) -> None:
    for first in (1, 3):
        meter = Meter(tmp_path / "meter.log")
        assert [meter.counter(), meter.counter()] == [first, first + 1]
        meter.stop()
    assert [count for count, _ in meter.lines()] == [1, 2, 3, 4]


@pytest.mark.parametrize(("unit", "address", "exception"), [(1, 0x0202, 2), (1, 0x1000, 2), (2, 0x0000, 11)])
def test_refusals(meter: Meter, unit: int, address: int, exception: int) -> None:
    answer = meter.client.read_input_registers(address, count=2, device_id=unit)
    assert answer.isError() and answer.exception_code == exception


def test_settings_can_be_written(meter: Meter) -> None:
    registers = meter.client.convert_to_registers(30.0, DATATYPES.FLOAT32)
    assert not meter.client.write_registers(0x0002, registers).isError()
    answer = meter.client.read_holding_registers(0x0002, count=2)
    assert meter.client.convert_from_registers(answer.registers, DATATYPES.FLOAT32) == 30.0


def test_the_example_reads_only_registers_that_the_meter_has(meter: Meter) -> None:
    documents = list(yaml.safe_load_all((ROOT / "examples" / "meter.yaml").read_text()))
    model, device = documents
    assert (model["kind"], device["kind"]) == ("DeviceModel", "Device")
    names = [row["name"] for row in model["spec"]["properties"]]
    assert [row["name"] for row in device["spec"]["properties"]] == names
    for row in device["spec"]["properties"]:
        visitor = row["visitors"]["configData"]
        is_input = visitor["register"] == "InputRegister"
        read = meter.client.read_input_registers if is_input else meter.client.read_holding_registers
        assert not read(visitor["offset"], count=visitor["limit"]).isError(), row["name"]
