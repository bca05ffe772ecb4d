"""What is desired, over an outage, with real processes: hub, agent of either runtime, and a Modbus slave."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from edgelite_ports.linux.state import State
from edgelite_sim.proxy import REFUSED, Proxy
from edgelite_sim.site import Site

sys.path.insert(0, str(Path(__file__).parents[1] / "ports"))
import micropython_site

NODE = "node-1"
DEVICE = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices/drive"
TELEMETRY = "/apis/edgelite.dev/v1/namespaces/default/devices/drive/telemetry"
SETTINGS = "backoff_base_ms = 200\nbackoff_cap_ms = 500\nbus = yes\n"
SPEED_REGISTER, VALVE_REGISTER = 0x0002, 0x000A  # two settings of the simulated meter
MODEL = {
    "apiVersion": "devices.kubeedge.io/v1beta1",
    "kind": "DeviceModel",
    "metadata": {"name": "drive"},
    "spec": {
        "properties": [
            {"name": "speed", "type": "FLOAT", "accessMode": "ReadWrite", "maximum": "60"},
            {"name": "valve", "type": "FLOAT", "accessMode": "ReadWrite"},
        ]
    },
}


def device(port: int, speed: dict[str, Any], valve: dict[str, Any]) -> str:
    def one(name: str, register: int, desired: dict[str, Any], **more: Any) -> dict[str, Any]:
        config = {"register": "HoldingRegister", "offset": register, "limit": 2}
        return {
            "name": name,
            "collectCycle": 200,
            "deadband": 0,
            "visitors": {"configData": config},
            **({"desired": desired} if desired else {}),
            **more,
        }

    spec = {
        "deviceModelRef": {"name": "drive"},
        "nodeName": NODE,
        "protocol": {"protocolName": "modbus", "configData": {"ip": "127.0.0.1", "port": port}},
        "properties": [
            one("speed", SPEED_REGISTER, speed, failSafe={"value": "10", "afterMs": 1500}),
            one("valve", VALVE_REGISTER, valve),
        ],
    }
    head = {"apiVersion": "devices.kubeedge.io/v1beta1", "kind": "Device", "metadata": {"name": "drive"}}
    return "\n---\n".join([json.dumps(MODEL), json.dumps({**head, "spec": spec})])


def held(port: int, register: int) -> float:
    """What the slave itself holds, asked beside the agent."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, register, 2))
        answer = b""
        while len(answer) < 13:
            answer += line.recv(64) or b"\0" * 13
    return float(struct.unpack(">f", answer[9:13])[0])


def told(site: Site, name: str) -> list[float]:
    return [item["value"] for item in site.get(TELEMETRY, property=name, limit=100)["items"]]


def twin(site: Site, name: str) -> dict[str, Any]:
    twins = site.get(DEVICE).get("status", {}).get("twins", [])
    return next((dict(one) for one in twins if one["propertyName"] == name), {})


async def played(folder: Path, runtime: str) -> None:
    site = Site(folder)
    if runtime == "micropython":
        site.agent_words = micropython_site.agent_words()
    proxy: Proxy | None = None
    try:
        await site.start_hub()
        proxy = Proxy("127.0.0.1", site.node_port)
        await proxy.start()
        await site.join(NODE, await site.token(), proxy.port, SETTINGS)
        await site.start_agent(NODE)
        await site.start_meter()
        await _scene(site, proxy, site.meter_port)
        await _local_scene(site, site.meter_port)
    finally:
        await site.stop()
        if proxy is not None:
            await proxy.stop()


async def _scene(site: Site, proxy: Proxy, port: int) -> None:
    valve_before = held(port, VALVE_REGISTER)
    await site.apply("drive.yaml", device(port, {"value": "30"}, {}))
    await site.until("the wish is settled", lambda: twin(site, "speed").get("observedDesired", {}).get("value") == "30")
    assert held(port, SPEED_REGISTER) == 30.0

    await proxy.cut(REFUSED)
    await site.until("the hub is lost", lambda: held(port, SPEED_REGISTER) == 10.0)
    late = {"value": "7", "metadata": {"expiresAfterMs": 100}}
    await site.apply("drive.yaml", device(port, {"value": "45"}, late))
    await asyncio.sleep(0.5)
    await proxy.heal()

    await site.until("what was desired meanwhile counts", lambda: held(port, SPEED_REGISTER) == 45.0)
    await site.until("the hub knows", lambda: told(site, "speed")[-1:] == [45.0])
    assert told(site, "speed") == [60.0, 30.0, 10.0, 45.0], "each change, those of the outage too, in their order"
    await site.until("the late wish is told", lambda: "error" in _observed(site, "valve")["metadata"])
    assert "it expired" in _observed(site, "valve")["metadata"]["error"]
    assert held(port, VALVE_REGISTER) == valve_before
    await site.until("it is settled", lambda: _observed(site, "speed")["value"] == "45")
    assert "origin" not in _observed(site, "speed")["metadata"]


async def _local_scene(site: Site, port: int) -> None:
    """A person at the node, then the hub again; the node is killed in between."""
    bus = os.path.join(State(str(site.folder / NODE)).runtime_path(NODE), "sockets", "bus.sock")
    said = await site.command("device", "set", "drive", "speed=50", "--socket", bus)
    assert "ok" in said and held(port, SPEED_REGISTER) == 50.0
    await site.until("whose word it is", lambda: _observed(site, "speed")["metadata"].get("origin") == "local")
    await site.processes[NODE].end(signal.SIGKILL)
    await site.start_agent(NODE)
    await site.until("it reads again", lambda: site.get(DEVICE)["status"]["state"] == "online")
    await site.apply("drive.yaml", device(port, {"value": "45"}, {}))
    await asyncio.sleep(1)
    assert held(port, SPEED_REGISTER) == 50.0, "the hub's old wish is no new one"
    said = await site.command("device", "set", "drive", "speed=45")
    assert "ok" in said and held(port, SPEED_REGISTER) == 45.0, "the same value, but a new wish"


def _observed(site: Site, name: str) -> dict[str, Any]:
    return twin(site, name).get("observedDesired") or {"value": "", "metadata": {}}


@pytest.mark.parametrize("runtime", ["cpython", "micropython"])
def test_wishes_over_an_outage(tmp_path: Path, runtime: str) -> None:
    asyncio.run(played(tmp_path, runtime))
