"""Modbus under the devices of an agent: what only both together show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "drivers" / "portable"))
sys.path.insert(0, str(Path(__file__).parents[1] / "edgelite" / "portable"))

from device_fakes import Recorder, device_map, property_row
from modbus_peer import RtuPeer, Unit

from edgelite.devices import Devices
from edgelite.effects import Close, Open
from edgelite_protocol import messages

LINE = {"serialPort": "/dev/serial/by-id/usb-1", "baudRate": 19200, "timeoutMs": 200}


class Node:
    """Devices on one serial line in memory, with a clock that jumps from deadline to deadline."""

    def __init__(self, units: dict[int, Unit]) -> None:
        self.recorder = Recorder()
        self.devices = Devices(self.recorder.context)
        self.peer: Any = RtuPeer(units)
        self.channel: Any = None
        self.is_plugged = True
        self.is_open = False
        self.opened = 0
        self.now_ms = 0

    def set(self, name: str, rows: list[Any], **config: Any) -> None:
        device = device_map(rows, "modbus", {**LINE, **config}, uid=name)
        self.devices.set_desired("default/" + name, device, self.now_ms)

    def run(self, for_ms: int) -> None:
        end_ms = self.now_ms + for_ms
        while self.now_ms < end_ms:
            deadline_ms = self.devices.step(self.now_ms)
            if self.carry_out():
                continue
            next_ms = end_ms if deadline_ms is None else min(deadline_ms, end_ms)
            self.now_ms = max(next_ms, self.now_ms + 1)

    def carry_out(self) -> bool:
        effects, self.recorder.effects[:] = list(self.recorder.effects), []
        for effect in effects:
            if isinstance(effect, Open):
                self.opened += 1
                self.channel = effect.channel
                self.is_open = self.is_plugged
                if self.is_plugged:
                    self.channel.opened(self.now_ms)
                else:
                    self.channel.closed("cannot use %s: No such file or directory" % effect.target[1], self.now_ms)
            elif isinstance(effect, Close) and self.is_open:
                self.is_open = False
                self.channel.closed("closed", self.now_ms)
        sent = self.channel.data_to_send(4096) if self.is_open else b""
        if sent:
            answer = self.peer.answer(sent)
            if answer:
                self.channel.received(answer, self.now_ms)
        return bool(effects or sent)

    def unplug(self) -> None:
        self.is_plugged = self.is_open = False
        self.channel.closed("the line is gone: Input/output error", self.now_ms)

    def states(self) -> dict[str, str]:
        found = {}
        for body in self.recorder.take(messages.REPORT_DEVICE):
            found[body[messages.DEVICE_STATE_DEVICE]] = body[messages.DEVICE_STATE]
        return found


def row(name: str, offset: int, **options: Any) -> Any:
    return property_row(
        name, "INT", visitor={"register": "HoldingRegister", "offset": offset}, collect_ms=1000, **options
    )


def test_a_desired_value_for_everybody_is_sent_once() -> None:
    units = {1: Unit(holding={5: 9}), 2: Unit(holding={5: 9})}
    node = Node(units)
    node.set("everybody", [row("level", 5, writable=True, desired="0")], slaveID=0)
    node.run(10_000)
    assert [unit.holding[5] for unit in units.values()] == [0, 0]
    assert [unit for unit, _ in node.peer.requests] == [0]
    node.set("everybody", [row("level", 5, writable=True, desired="4", desired_version=2)], slaveID=0)
    node.run(10_000)
    assert [unit.holding[5] for unit in units.values()] == [4, 4]
    assert len(node.peer.requests) == 2


def test_an_adapter_that_is_pulled_out_and_put_back_is_taken_up_again() -> None:
    node = Node({1: Unit(holding={5: 9})})
    node.set("one", [row("level", 5)], slaveID=1)
    node.run(3000)
    assert node.states() == {"default/one": "online"}
    node.unplug()
    node.run(60_000)
    assert node.states() == {"default/one": "offline"}
    assert 3 <= node.opened <= 10, "it was looked for less and less often"
    node.is_plugged = True
    node.run(60_000)
    assert node.states() == {"default/one": "online"}
    assert node.recorder.telemetry()[-1] == {"level": 9}


def test_a_device_whose_writers_share_registers_is_unhealthy_with_the_path() -> None:
    node = Node({1: Unit(holding={5: 9, 6: 9})})
    wide = property_row(
        "wide",
        "INT",
        visitor={"register": "HoldingRegister", "offset": 5, "limit": 2},
        collect_ms=1000,
        writable=True,
    )
    node.set("one", [row("level", 6, writable=True), wide], slaveID=1)
    node.set("two", [row("level", 6)], slaveID=1)
    node.run(3000)
    bodies = {body[messages.DEVICE_STATE_DEVICE]: body for body in node.recorder.take(messages.REPORT_DEVICE)}
    assert bodies["default/one"][messages.DEVICE_STATE] == "unhealthy"
    reason = bodies["default/one"][messages.DEVICE_STATE_REASON]
    assert reason.startswith("properties[1].visitors.configData.offset: level and wide are writable")
    assert bodies["default/two"][messages.DEVICE_STATE] == "online"


def test_a_node_with_tcp_alone_loads_no_other_framing() -> None:
    script = (
        "import sys; import edgelite_drivers.modbus as m; p = m.check_protocol({'ip': 'meter'}); "
        "m.make_bus(m.target(p), lambda count: bytes(count)); print(*sorted(sys.modules))"
    )
    path = f"import sys; sys.path[:0] = {[entry for entry in sys.path if entry]!r}; "
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", path + script], capture_output=True, text=True, timeout=20, check=True
    )
    loaded = {name.rpartition(".")[2] for name in told.stdout.split() if name.startswith("edgelite_drivers")}
    assert "tcp" in loaded
    assert not loaded & {
        "rtu",
        "ascii",
        "echo",
        "lines",
        "line_settings",
        "diagnosis",
        "client",
        "broadcast",
        "write",
        "bits",
    }
