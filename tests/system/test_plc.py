"""The documented path from a device through a node to a PLC: a hub, an agent of either runtime, a simulated pump, and
libmodbus as the PLC."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from edgelite_sim.devices.modbus_slave import RunningSlaves
from edgelite_sim.site import Site

sys.path.append(str(Path(__file__).resolve().parents[1]))
from peers import libmodbus

ROOT = Path(__file__).resolve().parents[2]
NODE = "node-1"
Play = Callable[[Callable[[Site], Any]], None]
DEVICES = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices"
PUMP = """
[[unit]]
number = 3
range = [
    {table = "input", address = 0, type = "float32", values = [1500.0, 2.5, 1.75]},
    {table = "holding", address = 0, values = [1200]},
    {table = "coils", address = 0, count = 1},
]
"""
FAILURE = "Slave device or server failure"


def documents(name: str, **settings: object) -> str:
    """An example, but for these settings of its protocol, and with quick cycles."""
    found = list(yaml.safe_load_all((ROOT / "examples" / name).read_text()))
    spec = found[-1]["spec"]
    spec["protocol"]["configData"].update(settings)
    for one in spec["properties"]:
        if "collectCycle" in one:
            one["collectCycle"] = 200
            one.pop("aggregate", None)
            one.pop("reportCycle", None)
    return str(yaml.safe_dump_all(found))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def state(site: Site, device: str) -> str:
    return str((site.get(f"{DEVICES}/{device}").get("status") or {}).get("state"))


def test_a_plc_reads_and_commands_a_pump_through_the_node(
    play_on_both: Play,
) -> None:
    port = free_port()
    with ExitStack() as stack:
        slaves = stack.enter_context(RunningSlaves(PUMP, "tcp:127.0.0.1:0"))
        pump = slaves.slaves.map.units[3]

        def speed() -> int:
            return int(struct.unpack(">H", pump.read_registers(3, 0, 1))[0])

        async def scene(site: Site) -> None:
            await site.apply("pump.yaml", documents("pump-station.yaml", port=slaves.port))
            await site.apply("face.yaml", documents("plc-face.yaml", listen=f"127.0.0.1:{port}"))
            await site.until(
                "both are there", lambda: (state(site, "pump"), state(site, "plc-face")) == ("online",) * 2
            )
            plc = stack.enter_context(libmodbus.client("tcp", str(port), "1"))
            await site.until("the pump is read", lambda: plc.ask(3, 2, 3) == [175, 0, 1200])
            assert plc.ask(3, 0, 2) == FAILURE, "the meter is not on this node"
            assert plc.ask(6, 4, 1501) == "Illegal data value"
            assert plc.ask(6, 4, 900) == []
            await site.until("the pump has it", lambda: speed() == 900)
            await site.until("and the PLC sees it", lambda: plc.ask(3, 4, 1) == [900])
            slaves.slaves.map.units[3].is_dead = True
            await site.until("it is silent", lambda: plc.ask(3, 2, 1) == [65535], timeout_s=30)
            assert plc.ask(3, 4, 1) == FAILURE

        play_on_both(scene)
