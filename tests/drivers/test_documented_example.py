"""docs/devices.md shows a driver and how to check it: both are run as they stand there."""

from __future__ import annotations

import re
import types
from pathlib import Path

import yaml

from edgelite_drivers import modbus
from edgelite_protocol import messages

ROOT = Path(__file__).parents[2]


def test_the_driver_of_the_documentation_passes_the_check_of_the_documentation() -> None:
    text = (ROOT / "docs" / "devices.md").read_text()
    source, check = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert source == (ROOT / "tests" / "drivers" / "portable" / "example_driver.py").read_text()
    assert source.count("\n") < 60
    thermometer = types.ModuleType("thermometer")
    exec(compile(source, "docs/devices.md", "exec"), thermometer.__dict__)
    exec(compile(check, "docs/devices.md", "exec"), {"thermometer": thermometer})


def test_the_example_s_configuration_is_taken_by_the_driver() -> None:
    model, device = yaml.safe_load_all((ROOT / "examples" / "meter.yaml").read_text())
    defined = {row["name"]: row for row in model["spec"]["properties"]}
    modbus.check_protocol(device["spec"]["protocol"]["configData"])
    for row in device["spec"]["properties"]:
        definition = defined[row["name"]]
        compact = {
            messages.PROPERTY_TYPE: definition["type"],
            messages.PROPERTY_WRITABLE: definition["accessMode"] == "ReadWrite",
        }
        modbus.check_visitor(row["visitors"]["configData"], compact)
