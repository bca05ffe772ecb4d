"""`./dev bench-sim`: how long simulated time takes. A quiet gateway for a year, and a fleet of a thousand for an hour.

    --days N      of the gateway, 365 if nothing is said
    --nodes N     of the fleet, 1000 if nothing is said; 0 leaves it out
    --seed N

A quiet gateway has one Modbus TCP device with one value, which is read each minute, changes each hour and is reported
on change, and one workload that runs. Hub, agent, journal, codec and driver are the real ones, and no poll is left out:
the device counts them. Time is CPU time of this process, on one core. A busy machine makes that longer as well, so what
an addition takes is measured beside it: compare runs by the ratio.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # the root first, or tests/edgelite would be taken for the package
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.figures import machine
from edgelite_sim.devices.modbus_map import parse_map
from edgelite_sim.devices.modbus_source import ModbusSource
from edgelite_sim.world.world import World

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
YEAR_GOAL_S, FLEET_GOAL_S = 60, 300
BOOT_POLLS = 2  # what the boot may cost at the beginning, and the last minute at the end
ADDITIONS = 3_000_000

REGISTERS = """
[[unit]]
number = 1
[[unit.range]]
name = "power"
table = "holding"
address = 0
type = "uint16"
value = {formula = "1000 + floor(t / 3600) % 24"}
"""
MODEL = """
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: meter, namespace: default}
spec:
  protocol: modbus
  properties:
  - {name: power, type: INT, accessMode: ReadOnly}
"""
GATEWAY = """
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: NODE, namespace: default}
spec:
  deviceModelRef: {name: meter}
  nodeName: NODE
  protocol: {protocolName: modbus, configData: {ip: meter, port: 502, slaveID: 1}}
  properties:
  - name: power
    collectCycle: 60000
    deadband: 0
    visitors: {protocolName: modbus, configData: {register: HoldingRegister, offset: 0, limit: 1}}
---
apiVersion: v1
kind: Pod
metadata: {name: NODE, namespace: default}
spec:
  nodeName: NODE
  runtimeClassName: process
  containers: [{name: main, image: host, command: [sim, runs]}]
"""


class QuietFleet:
    """Quiet gateways and their hub; `world.run` lets time pass."""

    def __init__(self, nodes: int = 1, seed: int = 1) -> None:
        self.world = World(seed)
        hub = self.world.add_hub()
        self._sources: list[ModbusSource] = []
        names = [f"gateway-{number}" for number in range(1, nodes + 1)]
        for name in names:
            self.world.add_node(name)
            source = ModbusSource(parse_map(REGISTERS), "tcp")
            self._sources.append(source)
            self.world.add_device(name, f"default/{name}", source, ("tcp", "meter", 502))
        hub.apply(MODEL + "".join(GATEWAY.replace("NODE", name) for name in names))

    def polls(self) -> list[int]:
        """Of each device, as it has answered them."""
        return [source.slaves.map.units[1].ranges[0].reads for source in self._sources]

    def missed(self) -> int:
        """Cycles that agents have skipped."""
        return sum(cycle.missed for cycle in self._cycles())

    def samples(self) -> int:
        return sum(len(self.world.hubs["hub"].samples(name)) for _, name in self.world.devices)

    def _cycles(self) -> Iterator[Any]:
        for node, name in self.world.devices:
            device: Any = self.world.nodes[node].node.devices.view(name)
            yield from device._cycles


def additions_s() -> float:
    """What this machine has to say about itself at the moment."""
    began_s, total = time.process_time(), 0
    for number in range(ADDITIONS):
        total += number
    return time.process_time() - began_s


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def measure(title: str, nodes: int, duration_ms: int, goal_s: float, goal_ms: int, seed: int) -> bool:
    """Run, tell, judge: True where all goals hold. What is shorter than the goal's time has a part of its seconds."""
    fleet = QuietFleet(nodes, seed)
    gc.collect()
    gc.freeze()  # as `edgelite sim run` does: what was there before the run is no garbage, and is not looked at again
    before_s, began_s = additions_s(), time.process_time()
    fleet.world.run(duration_ms)
    took_s = time.process_time() - began_s
    pace_s = (before_s + additions_s()) / 2
    due, polls = duration_ms // MINUTE_MS, fleet.polls()
    is_complete = min(polls) >= due - BOOT_POLLS and max(polls) <= due + 1 and fleet.missed() == 0
    whole_s = took_s * goal_ms / duration_ms
    is_fast = whole_s < goal_s
    world = fleet.world
    tell(title)
    tell(f"  polls          {sum(polls):,} at the devices, {due * nodes:,} due, {fleet.missed()} missed")
    tell(f"  samples        {fleet.samples():,} at the hub")
    tell(f"  events         {world.queue.happened:,}, trace {world.trace.digest}")
    tell(f"  CPU            {took_s:.1f} s, {took_s / sum(polls) * 1e6:.0f} us a poll with all that is between two")
    tell(f"  pace           {took_s / pace_s:,.1f} times {ADDITIONS:,} additions, which took {pace_s * 1e3:.0f} ms")
    tell(f"  every poll     {'PASS' if is_complete else 'FAIL'}")
    tell(f"  goal           {'PASS' if is_fast else 'FAIL'}: {whole_s:.1f} s, less than {goal_s:.0f} s")
    return is_complete and is_fast


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench-sim", description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    about = machine()
    tell(f"commit {about['commit']}{' and changes' if about['uncommitted_changes'] else ''}, {about['processor']}")
    tell(f"Python {sys.version.split()[0]}")
    year = f"one quiet gateway, {options.days} days (goal: of a year)"
    passed = measure(year, 1, options.days * DAY_MS, YEAR_GOAL_S, 365 * DAY_MS, options.seed)
    if options.nodes:
        fleet = f"{options.nodes} quiet gateways, one hour (goal: of 1000)"
        goal_s = FLEET_GOAL_S * options.nodes / 1000
        passed = measure(fleet, options.nodes, HOUR_MS, goal_s, HOUR_MS, options.seed) and passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
