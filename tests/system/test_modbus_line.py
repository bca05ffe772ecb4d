"""The documented RS-485 line (examples/modbus-rtu.yaml), with simulated slaves on a pseudo terminal, by the agent of
either runtime and a hub: read, written, everybody reached; one slave comes late, and the adapter is pulled out."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from edgelite_drivers.modbus_server.framings import RtuRequests
from edgelite_drivers.modbus_server.server import Server
from edgelite_drivers.modbus_server.table_unit import Range, TableUnit
from edgelite_drivers.modbus_server.unit import Unit, Units
from edgelite_sim.devices.instruments import Instrument, SimulatedLine
from edgelite_sim.site import Site

NODE = "node-1"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "modbus-rtu.yaml"
DEVICES = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices"
Scene = Callable[[Site], Any]


class Slaves(Instrument):
    """What the example describes."""

    def __init__(self) -> None:
        super().__init__()
        self.drive = Range(3, 100, struct.pack(">H", 0x0301))
        self.settings = Range(3, 200, struct.pack(">3H", 0, 0x0F0F, 2500), writable=True)
        self.nights = [Range(1, 8, b"\1", writable=True) for _ in range(2)]
        meter = [Range(4, 12, struct.pack(">f", 1500.0)[2:] + struct.pack(">f", 1500.0)[:2])]
        meter.append(Range(4, 72, struct.pack(">I", 123456)))
        rooms = [TableUnit([Range(4, 0, struct.pack(">2H", 615, 640)), night]) for night in self.nights]
        units: dict[int, Unit] = {
            1: TableUnit(meter),
            2: TableUnit([self.drive, self.settings], one_range_only=True),
            3: rooms[0],
            4: rooms[1],
        }
        self.units = Units(units, True)
        mine: dict[int, object] = dict(units)
        self.server = Server(RtuRequests(mine), self.units)

    def receive(self, data: bytes) -> None:
        self.server.received(data, time.monotonic_ns() // 1_000_000)
        self.write(self.server.data_to_send(4096))


def example(path: Path) -> str:
    """As it is documented, but for the line's name and quicker cycles."""
    documents = list(yaml.safe_load_all(EXAMPLE.read_text()))
    for document in documents:
        if document["kind"] == "DeviceModel":
            document["spec"]["protocolConfigData"]["serialPort"] = str(path)
        else:
            for one in document["spec"]["properties"]:
                one["collectCycle"] = min(one["collectCycle"], 1000)
    return str(yaml.safe_dump_all(documents))


def reported(site: Site, device: str) -> dict[str, str]:
    status = site.get(f"{DEVICES}/{device}").get("status") or {}
    return {
        one["propertyName"]: one["reported"]["value"]
        for one in status.get("twins") or []
        if (one.get("reported") or {}).get("value")
    }


def state(site: Site, device: str) -> str:
    return str((site.get(f"{DEVICES}/{device}").get("status") or {}).get("state"))


def test_the_documented_line(play_on_both: Callable[[Scene], None], tmp_path: Path) -> None:
    slaves = Slaves()

    async def scene(site: Site) -> None:
        await site.apply("line.yaml", example(tmp_path / "line"))
        await site.until("a room is read", lambda: len(reported(site, "room-3")) == 2)
        assert reported(site, "room-3") == {"temperature": "21.5", "co2": "640"}
        await site.until("the other is dead", lambda: state(site, "room-4") == "offline")
        slaves.units.units[4] = late
        await site.until("the meter is read", lambda: len(reported(site, "ventilation-meter")) == 2)
        assert reported(site, "ventilation-meter") == {"power": "1500.0", "energy": "1234.56"}
        await site.until("the mode is set", lambda: reported(site, "supply-fan").get("mode") == "auto")
        assert slaves.settings.data == struct.pack(">3H", 2, 0x0F0F, 2500), "nothing else was touched"
        fan = {
            "running": "true",
            "fault": "false",
            "step": "3",
            "mode": "auto",
            "alarm-output": "false",
            "speed": "25.0",
        }
        await site.until("the drive is read", lambda: reported(site, "supply-fan") == fan)
        await site.until("everybody hears", lambda: slaves.nights[0].data == b"\0")

        line.unplug()
        await asyncio.sleep(0.5)  # it tries in vain
        slaves.settings.data[4:] = struct.pack(">H", 4000)
        line.plug()
        await site.until(
            "the adapter is back", lambda: reported(site, "supply-fan").get("speed") == "40.0", timeout_s=60
        )
        await site.until("the dead one lives", lambda: len(reported(site, "room-4")) == 2, timeout_s=60)

    late = slaves.units.units.pop(4)
    with SimulatedLine(slaves, tmp_path / "line") as line:
        play_on_both(scene)
