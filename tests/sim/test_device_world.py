"""A node of the deterministic world with a device of every medium: what they said is what the hub has stored."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgelite_sim.devices.source import device_from
from edgelite_sim.world.observer import Observer
from edgelite_sim.world.world import World

ROOT = Path(__file__).parents[2]
MINUTE = 60_000
# file of the device, example that reads it, where it is
ROWS: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
    ("energy-meter", "meter", ("tcp", "127.0.0.1", 5020)),
    ("scale", "scale", ("serial", "/dev/scale")),
    ("meter62056", "electricity-meter", ("serial", "/dev/electricity-meter")),
    ("ble-thermometer", "ble-thermometer", ("driver", "ble")),
)


class Truth(Observer):
    def __init__(self) -> None:
        self.told: dict[str, list[dict[str, object]]] = {}

    def answered(self, node: str, device: str, values: dict[str, object], now_ms: int) -> None:
        self.told.setdefault(device, []).append(values)


def example(name: str) -> list[dict[str, Any]]:
    """As it is documented, on the lines of this world, and reported to the hub."""
    found = list(yaml.safe_load_all((ROOT / "examples" / f"{name}.yaml").read_text()))
    for document in found:
        if document["kind"] == "Device":
            config = document["spec"]["protocol"]["configData"]
            if "serialPort" in config:
                config["serialPort"] = f"/dev/{name}"
            for one in document["spec"]["properties"]:
                one["reportToCloud"] = True
    return found


def float32(value: Any) -> bytes:
    """What both are where a 32-bit float was on the way."""
    return struct.pack(">f", value)


@pytest.fixture(scope="module")
def story() -> tuple[World, Truth]:
    return play()


def play() -> tuple[World, Truth]:
    truth = Truth()
    world = World(3, observers=[truth])
    hub = world.add_hub()
    world.add_node("node-1")
    for file, name, target in ROWS:
        source = device_from(ROOT / "sim" / "devices" / f"{file}.toml", unix_ms=world.start_unix_ms)
        world.add_device("node-1", f"default/{name}", source, target)
        for document in example(name):
            hub.apply(document)
    world.run(10 * MINUTE)
    world.end()
    return world, truth


@pytest.mark.parametrize(
    ("device", "told_as", "property", "told"),
    [
        ("meter", "meter", "power", "power"),
        ("scale", "scale", "weight", "weight"),
        ("electricity-meter", "electricity-meter", "energy_import", "energy_import"),
        ("greenhouse", "ble-thermometer", "temperature", "Thermometer/temperature"),
        ("cellar", "ble-thermometer", "humidity", "Cellar/humidity"),
    ],
)
def test_what_is_stored_is_what_was_said(
    story: tuple[World, Truth], device: str, told_as: str, property: str, told: str
) -> None:
    world, truth = story
    said = {float32(row[told]) for row in truth.told[f"default/{told_as}"] if told in row}
    samples = world.hubs["hub"].samples(f"default/{device}", property)
    assert samples and {float32(one.value) for one in samples} <= said


def test_another_process_has_the_same_trace(story: tuple[World, Truth]) -> None:
    world, _ = story
    path = [str(Path(__file__).parent), *(one for one in sys.path if one.startswith(str(ROOT)))]
    code = f"import sys; sys.path[:0] = {path!r}; import test_device_world as t; print(t.play()[0].trace.digest)"
    environment = {**os.environ, "PYTHONHASHSEED": "5"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert told.stdout.strip() == world.trace.digest, told.stderr
