"""A real agent, the driver's real process that it starts, and devices on virtual Bluetooth: read, written, notified,
heard; and the process crashed."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelite_protocol import messages as m
from edgelite_sim.devices import ble_peripheral as peripheral

sys.path.insert(0, str(Path(__file__).parent))
from agent_site import AgentSite, is_running, wait_until
from hub_peer import HubPeer
from micropython_site import ROOMS, ROOT, MicroPythonSite

SITES: dict[str, type[AgentSite]] = {"cpython": AgentSite, "micropython": MicroPythonSite}
UID = "edgelite-driver-ble"
PATIENCE_S = 60.0


class Site:
    def __init__(self, agent: AgentSite, hub: HubPeer, folder: Path) -> None:
        self.agent = agent
        self.hub = hub
        self.control = folder / "control"
        self.down = folder / "down"

    def put(self, name: str, address: str, *properties: dict[int, object]) -> None:
        device: dict[int, object] = {
            m.DEVICE_UID: "uid-" + name,
            m.DEVICE_NAMESPACE: "default",
            m.DEVICE_NAME: name,
            m.DEVICE_DRIVER: "ble",
            m.DEVICE_PROTOCOL: {"macAddress": address, "scanTimeoutMs": 3000},
            m.DEVICE_PROPERTIES: list(properties),
            m.DEVICE_GENERATION: 1,
        }
        self.hub.put(m.KIND_DEVICE, "default/" + name, device)

    def do(self, command: str) -> None:
        """To the simulated thermometer, or the process."""
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.sendto(command.encode(), str(self.control))
        sender.close()

    def values(self, device: str, name: str) -> list[object]:
        """What telemetry told, in its order."""
        found = []
        for body in self.bodies(m.REPORT_TELEMETRY):
            values = body[m.TELEMETRY_VALUES]
            if body[m.TELEMETRY_DEVICE] == "default/" + device and isinstance(values, dict) and name in values:
                found.append(values[name])
        return found

    def states(self, device: str) -> list[object]:
        rows = [body for body in self.bodies(m.REPORT_DEVICE) if body[m.TELEMETRY_DEVICE] == "default/" + device]
        return [body[m.DEVICE_STATE] for body in rows]

    def bodies(self, kind: int) -> list[dict[int, object]]:
        return [body for _, _, _, body in list(self.hub.reports) if body[m.REPORT] == kind]

    def pid(self) -> int:
        for child in self.agent.runtime().glob(f"*/{UID}/ble/child"):
            words = child.read_text().split()
            if words and is_running(int(words[0])):
                return int(words[0])
        return 0

    def until(self, done: object) -> None:
        assert callable(done)
        wait_until(done, PATIENCE_S, lambda: f"{self.states('roof')} {self.agent.log()[-3000:]}")


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """The interpreter for drivers is a script that runs the process on simulated Bluetooth, not the real one."""
    hub = HubPeer(tmp_path / "hub")
    made = Site(SITES[request.param](tmp_path / "node"), hub, tmp_path)
    python = tmp_path / "python"
    rooms = ":".join(str(ROOT / room) for room in (*ROOMS, "sim"))
    python.write_text(
        f'#!/bin/sh\n[ -e {made.down} ] && exit 7\n[ "$*" = "-m edgelite_ports.linux.ble.main" ] || exit 9\n'
        f'export EDGELITE_BLE_CONTROL={made.control} PYTHONPATH="{rooms}"\n'
        f"exec {sys.executable} -m edgelite_sim.devices.ble_process\n"
    )
    python.chmod(0o755)
    made.agent.make_node(hub, driver_python=python)
    made.agent.start()
    yield made
    made.agent.end()
    hub.cut()


def property(name: str, kind: str, **config: object) -> dict[int, object]:
    return {
        m.PROPERTY_NAME: name,
        m.PROPERTY_TYPE: kind,
        m.PROPERTY_WRITABLE: False,
        m.PROPERTY_VISITOR: config,
        m.PROPERTY_COLLECT_MS: 300,
        m.PROPERTY_REPORT_MS: 0,
        m.PROPERTY_REPORT_TO_CLOUD: True,
    }


def test_a_thermometer_and_a_sensor_under_a_real_agent(site: Site) -> None:
    code: dict[str, object] = {"characteristicUUID": peripheral.TEMPERATURE, "type": "int16", "scale": 0.01}
    period = property("period", "INT", characteristicUUID=peripheral.PERIOD, type="uint16")
    period.update({m.PROPERTY_WRITABLE: True, m.PROPERTY_DESIRED: "300", m.PROPERTY_DESIRED_VERSION: 1})
    site.put(
        "roof",
        peripheral.THERMOMETER_ADDRESS,
        property("temperature", "FLOAT", **code),
        property("live", "FLOAT", notify=True, **code),
        period,
    )
    heard = property("temperature", "FLOAT", advertisement="BTHome", object="temperature")
    site.put("cellar", peripheral.SENSOR_ADDRESS, heard)
    site.until(lambda: 21.5 in site.values("roof", "temperature") and 21.5 in site.values("roof", "live"))
    site.until(lambda: 25.0 in site.values("cellar", "temperature"))
    site.until(lambda: 300 in site.values("roof", "period"))  # written, and read back
    site.do("temperature 30")
    site.until(lambda: 30.0 in site.values("roof", "live") and 30.0 in site.values("roof", "temperature"))
    pid = site.pid()
    site.down.touch()
    site.do("crash")
    site.until(lambda: site.states("roof")[-1:] == ["offline"] and site.states("cellar")[-1:] == ["offline"])
    site.down.unlink()
    site.until(lambda: site.pid() not in (0, pid))
    site.until(lambda: site.values("roof", "temperature")[-1:] == [21.5])  # of a new thermometer
    site.until(lambda: "driver ble is back" in site.agent.log())
    assert not os.path.exists(f"/proc/{pid}/exe")
