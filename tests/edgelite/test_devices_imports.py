"""What devices and drivers bring into the agent process, which has a budget."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FORBIDDEN = {
    "typing",
    "dataclasses",
    "enum",
    "re",
    "asyncio",
    "logging",
    "json",
    "socket",
    "ssl",
    "selectors",
    "threading",
    "subprocess",
    "hashlib",
    "tempfile",
    "pathlib",
    "contextlib",
    "functools",
    "traceback",
    "inspect",
    "datetime",
    "random",
    "argparse",
    "collections.abc",
    "shutil",
}


def test_devices_and_the_modbus_driver_import_nothing_dear() -> None:
    script = (
        "import sys; before = set(sys.modules); import edgelite.devices; edgelite.devices.load_driver('modbus'); "
        "print(' '.join(sorted(set(sys.modules) - before)))"
    )
    # -S and -I: what site and its .pth files import in a developer's environment is not the agent's.
    path = f"import sys; sys.path[:0] = {[entry for entry in sys.path if entry]!r}; "
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", path + script], capture_output=True, text=True, timeout=20
    )
    assert result.returncode == 0, result.stderr
    loaded = result.stdout.split()
    assert "edgelite_drivers.modbus" in loaded
    assert sorted(FORBIDDEN.intersection(loaded)) == []


# What only a node with such a driver, bus or server needs.
SELDOM = {
    "edgelite.devices.access",
    "edgelite.devices.hub_loss",
    "edgelite.devices.watch",
    "edgelite.devices.window",
    "edgelite.devices.driver_process",
    "edgelite.devices.listening",
    "edgelite.devices.serving",
    "edgelite_drivers.driver_frames",
    "edgelite_drivers.hearing",
    "edgelite_drivers.process",
    "edgelite_drivers.remote",
    "edgelite_drivers.testing",
    "edgelite_ports.common.driver_half",
    "edgelite_ports.common.error_place",
    "edgelite_ports.common.listener",
    "edgelite_ports.linux.listening",
}

READ_A_METER = """
import sys
sys.path[:0] = %r
import device_fakes as fakes
import edgelite_ports.linux.agent
from edgelite.devices import Devices
from edgelite_protocol import messages as m

recorder = fakes.Recorder()
devices = Devices(recorder.context)
row = fakes.property_row("power", visitor={"register": "HoldingRegister", "offset": 0})
devices.set_desired("default/meter", fakes.device_map([row], "modbus", {"ip": "127.0.0.1", "port": 502}), 0)
devices.step(0)
line = recorder.effects[0].channel
line.opened(1)
question = line.data_to_send(100)
line.received(question[:2] + bytes([0, 0, 0, 5]) + question[6:8] + bytes([2, 0, 7]), 2)
devices.step(3)
assert devices.view("default/meter").twins["power"].value == 7
print(*sorted(sys.modules))
"""


def test_a_node_with_modbus_devices_alone_loads_nothing_for_other_kinds_of_drivers() -> None:
    helpers = str(Path(__file__).parent / "portable")
    paths = [helpers, *(entry for entry in sys.path if entry)]
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", READ_A_METER % paths],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    loaded = set(told.stdout.split())
    assert "edgelite_drivers.modbus.tcp" in loaded
    assert sorted(SELDOM & loaded) == []
