"""docs/drivers.md shows drivers and how to check them: they are run as they stand there."""

from __future__ import annotations

import re
import socket
import sys
import threading
import types
from pathlib import Path

import yaml

from edgelite_drivers import modbus
from edgelite_drivers.testing import Subject, check_driver
from edgelite_drivers.testing_process import Program
from edgelite_protocol import messages

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "drivers.md").read_text(), re.DOTALL)


def run(source: str, name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    exec(compile(source, "docs/drivers.md", "exec"), module.__dict__)
    return module


def test_the_driver_of_the_documentation_passes_the_check_of_the_documentation() -> None:
    source, check = blocks()[:2]
    assert source == (HERE / "portable" / "example_driver.py").read_text()
    assert source.count("\n") < 60
    exec(compile(check, "docs/drivers.md", "exec"), {"thermometer": run(source, "thermometer")})


def test_the_driver_that_listens_is_the_one_that_the_suite_checks() -> None:
    source = blocks()[2]
    assert source == (HERE / "portable" / "hearing_driver.py").read_text()
    assert source.count("\n") < 60


def scale_device(listener: socket.socket) -> None:
    """Until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            if connection.recv(100) == b"weigh\n":
                connection.sendall(b"12.5\n")


def test_the_driver_with_a_process_keeps_the_contract(tmp_path: Path) -> None:
    half, program = blocks()[3:]
    assert half == (HERE / "documented" / "scale.py").read_text()
    assert program == (HERE / "documented" / "scale_process.py").read_text()
    assert half.count("\n") + program.count("\n") < 60
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=scale_device, args=(listener,), daemon=True).start()
        subject = Subject(
            run(half, "scale"),
            {"ip": "127.0.0.1", "port": listener.getsockname()[1]},
            {"weight": ({}, {messages.PROPERTY_TYPE: "FLOAT"})},
            {"weight": 12.5},
            lambda: running.peer(),
            (({"ip": "127.0.0.1"}, "protocol.configData.port"),),
        )
        command = [sys.executable, str(HERE / "documented" / "scale_process.py")]
        with Program(command, "scale", str(tmp_path)) as running:
            check_driver(subject)
        listener.shutdown(socket.SHUT_RDWR)


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
