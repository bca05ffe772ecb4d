"""What an agent loads for its BLE devices: the configuration, and of the formats only those that a device names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from edgelite_drivers import ble
from edgelite_protocol.messages import PROPERTY_TYPE
ble.check_protocol({"macAddress": "A4:C1:38:00:11:22"})
ble.check_visitor({"characteristicUUID": "2A6E", "type": "int16"}, {PROPERTY_TYPE: "INT"})
if "bthome" in sys.argv:
    ble.check_visitor({"advertisement": "BTHome", "object": "temperature"}, {PROPERTY_TYPE: "FLOAT"})
ble.make_bus(("driver", "ble"), lambda count: bytes(count))
print(" ".join(sorted(sys.modules)))
"""


def loaded(*words: str) -> set[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ("", "protocol", "drivers")),
    }
    command = [sys.executable, "-S", "-c", PROGRAM, *words]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return set(told.stdout.split())


def test_an_agent_loads_the_configuration_and_no_logic() -> None:
    of_driver = {name.rpartition(".")[2] for name in loaded() if name.startswith("edgelite_drivers.ble.")}
    assert of_driver == {"config", "data_converter", "uuids", "values"}
    assert not loaded() & {"bleak", "asyncio", "typing", "enum", "dataclasses", "re", "json"}


def test_a_format_is_loaded_by_the_device_that_names_it() -> None:
    assert "edgelite_drivers.ble.bthome" in loaded("bthome")
    assert "edgelite_drivers.ble.central" not in loaded("bthome")
