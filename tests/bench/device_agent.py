"""The agent's core on its Linux loop, with devices that it reads as fast as it goes, in a process of its own:

    python device_agent.py JOURNAL_FOLDER DEVICES quiet|reported tcp PORT
    python device_agent.py JOURNAL_FOLDER DEVICES quiet|reported rtu PATH

Each device has 10 registers, read every 10 ms, the shortest cycle that there is; so many devices that they keep the bus
busy. "quiet": they are reported on change, and never change; "reported": each reading is a report in the journal. There
is no hub. Each line "MILLISECONDS" is a round; it prints "READS CPU_MICROSECONDS" for it.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from edgelite.config import Config
from edgelite.node import Node, Platform, earliest
from edgelite_ports.common.dispatch import Dispatcher
from edgelite_ports.linux import clock
from edgelite_ports.linux.connections import Connections
from edgelite_ports.linux.loop import READABLE, Loop
from edgelite_ports.linux.storage import FileStorage
from edgelite_ports.linux.worker import Worker
from edgelite_protocol import messages

REGISTERS = 10
CYCLE_MS = 10
BAUD = 115200


class Nothing:
    """In place of what this agent has no use for: artifacts, logs."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_arguments: None


class DeviceAgent:
    def __init__(self, folder: str) -> None:
        self.loop = Loop()
        self._worker = Worker()
        self._loop_handlers()
        self.connections = Connections(self.loop, self._worker, Nothing())
        storage = FileStorage(folder)
        nothing: Any = Nothing()
        platform = Platform(storage, nothing, nothing, clock.boot_id(), os.urandom, {})
        self.node = Node(Config("bench", [("127.0.0.1", 1)]), platform)
        self._dispatcher = Dispatcher(
            *(self.node, storage, nothing, nothing, {}, self.connections, self._worker, lambda *_: None),
            clock.monotonic_ms,
        )
        self.node.open(clock.monotonic_ms())

    def _loop_handlers(self) -> None:
        self.loop.register(self._worker.descriptor, READABLE, lambda _events: self._worker.run_completions())

    def run(self, milliseconds: int) -> None:
        end_ms = clock.monotonic_ms() + milliseconds
        while True:
            now_ms = clock.monotonic_ms()
            if now_ms >= end_ms:
                return
            deadline_ms = self.node.step(now_ms)
            if self._dispatcher.run_effects():
                continue
            self.loop.wait(earliest([deadline_ms, self.connections.step(now_ms), end_ms]))

    def exchanges(self) -> int:
        return sum(getattr(bus, "exchanges", 0) for bus in self.node.devices.buses())


def device(index: int, is_reported: bool, medium: str, address: str) -> dict[int, Any]:
    place = {"ip": "127.0.0.1", "port": int(address)} if medium == "tcp" else {"serialPort": address, "baudRate": BAUD}
    # A pseudo terminal needs no silence between frames, and libmodbus keeps none.
    # Between rounds this process stands still, and what comes then must not count as too late.
    more: dict[str, Any] = {"timeoutMs": 60_000} if medium == "tcp" else {"timeoutMs": 60_000, "idleMs": 0}
    unit = 1 + index if medium == "tcp" else 1  # libmodbus answers for every unit, over TCP
    rows = []
    for offset in range(REGISTERS):
        row = {
            messages.PROPERTY_NAME: f"p{offset}",
            messages.PROPERTY_TYPE: "INT",
            messages.PROPERTY_VISITOR: {"register": "HoldingRegister", "offset": offset, "type": "uint16"},
            messages.PROPERTY_COLLECT_MS: CYCLE_MS,
        }
        if not is_reported:
            row[messages.PROPERTY_DEADBAND] = 0
        rows.append(row)
    return {
        messages.DEVICE_UID: f"u-{index}",
        messages.DEVICE_NAMESPACE: "default",
        messages.DEVICE_NAME: f"d{index}",
        messages.DEVICE_DRIVER: "modbus",
        messages.DEVICE_PROTOCOL: {**place, **more, "slaveID": unit},
        messages.DEVICE_PROPERTIES: rows,
        messages.DEVICE_GENERATION: 1,
    }


def main() -> None:
    folder, count, mode, medium, address = sys.argv[1:]
    agent = DeviceAgent(folder)
    for index in range(int(count)):
        wanted = device(index, mode == "reported", medium, address)
        agent.node.devices.set_desired(f"default/d{index}", wanted, clock.monotonic_ms())
    agent.run(300)  # until the connection is there and each was read once
    for line in sys.stdin:
        begun, begun_s = agent.exchanges(), time.process_time()
        agent.run(int(line))
        sys.stdout.write(f"{agent.exchanges() - begun} {round((time.process_time() - begun_s) * 1e6)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
