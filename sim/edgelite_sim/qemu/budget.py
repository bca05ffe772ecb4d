"""What an agent costs in an emulated machine: the figures of the published budget, and the conditions they hold for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from edgelite_sim.proxy import REFUSED
from edgelite_sim.qemu.guest import HOST
from edgelite_sim.qemu.guest_node import GuestNode
from edgelite_sim.qemu.machine import Hardware
from edgelite_sim.site import Site

PORT_OF = {"cpython": "linux", "micropython": "micropython-linux"}
LINK_UP = "the hub answered"  # what both agents say of a hub's welcome
SETTLE_S = 10
IDLE_S = 250  # one keepalive is in it
PROCESSES = 10
DEVICES = 20
BACKLOG_BYTES = 1 << 20
SETTINGS = "backoff_base_ms = 500\nbackoff_cap_ms = 1000\n"
SETTINGS_PRINTF = SETTINGS.replace("\n", "\\n")
PODS = "/api/v1/namespaces/default/pods"

FILL = """set -e
touch /run/no-agent
pid=$(cat /run/agent.pid)
kill $pid
tries=0
while [ -d /proc/$pid ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || kill -9 $pid
    usleep 100000
done
PYTHONPATH=/opt/edgelite/lib python3.13 -S /run/job/fill.py /data/edgelite/journal %d
rm /run/no-agent
while [ "$(cat /run/agent.pid)" = $pid ]; do usleep 100000; done
"""

MODEL = """apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: counter}
spec:
  protocol: modbus
  properties: [{name: power, type: FLOAT, accessMode: ReadOnly}]
"""
DEVICE = """---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: meter-%d}
spec:
  deviceModelRef: {name: counter}
  nodeName: "%s"
  protocol: {protocolName: modbus, configData: {ip: %s, port: %d, slaveID: 1}}
  properties:
  - name: power
    collectCycle: 5000
    reportToCloud: true
    visitors:
      protocolName: modbus
      configData: {register: InputRegister, offset: 0x0034, limit: 2}
"""

Tell = Callable[[dict[str, float]], None]


class Measurement:
    """Of one runtime, on one machine; `figures` fills as the steps are called, in their order."""

    def __init__(self, node: GuestNode, runtime: str) -> None:
        self.node = node
        self.site = node.site
        self.runtime = runtime
        self.figures: dict[str, float] = {}

    async def first_boot(self) -> None:
        """From power-on to a joined node, a key and a data partition made on the way."""
        started_s = asyncio.get_running_loop().time()
        await self.node.boot()
        await self.node.wait_for(LINK_UP)
        self.figures["power-on to joined, first boot, s"] = asyncio.get_running_loop().time() - started_s
        image, port = self.node.guest.image, PORT_OF[self.runtime]
        self.figures["bundle, unpacked, bytes"] = image.bundle_bytes(port)
        self.figures["installed with byte code, bytes"] = image.installed_bytes(port)

    async def idle_memory(self, boots: int) -> None:
        """The link up and nothing to do, the median of several boots; the journal is the one of the boot before."""
        found, times = [], []
        for _ in range(boots):
            await asyncio.to_thread(self.node.guest.shutdown)
            started_s = asyncio.get_running_loop().time()
            await self.node.boot()
            await self.node.wait_for(LINK_UP)
            times.append(asyncio.get_running_loop().time() - started_s)
            await asyncio.sleep(SETTLE_S)
            found.append(await self.node.memory_kb())
        for name in ("Rss", "Pss", "Private_Dirty"):
            values = [one[name] for one in found]
            self.figures[f"idle {name} kB"] = median(values)
            self.figures[f"idle {name} spread kB"] = max(values) - min(values)
        self.figures["power-on to link up, s"] = median(times)

    async def idle_own_tls(self) -> None:
        """The same where the kernel has no TLS, as a machine without its module would have it."""
        await self.node.run("echo 'tls_in_kernel = no' >>/data/edgelite/agent.conf; sync")
        await asyncio.to_thread(self.node.guest.shutdown)
        await self.node.boot()
        await self.node.wait_for(LINK_UP)
        await asyncio.sleep(SETTLE_S)
        self._note("idle, TLS its own,", await self.node.memory_kb())
        await self.node.run("sed -i '/^tls_in_kernel/d' /data/edgelite/agent.conf; sync")

    async def idle_cpu(self) -> None:
        before = await self._cpu_ns()
        await asyncio.sleep(IDLE_S)
        self.figures["CPU in an idle minute, ms"] = (await self._cpu_ns() - before) / 1e6 * 60 / IDLE_S

    async def loaded(self) -> None:
        """Ten processes, twenty devices, and 1 MiB that waits for the hub: at rest without a link, then while all
        of it is handed over."""
        for number in range(PROCESSES):
            await self._start_process(number)
        text = MODEL + "".join(
            DEVICE % (number, self.node.name, HOST, self.site.meter_port) for number in range(DEVICES)
        )
        await self.site.apply(f"devices-{self.node.name}.yaml", text)
        await self.site.until("the processes run", lambda: self._running() == PROCESSES, 90)
        await self.node.proxy.cut(REFUSED)
        await self._refill(BACKLOG_BYTES)
        await asyncio.sleep(SETTLE_S)
        self._note("loaded, without a link,", await self.node.memory_kb())
        await self.node.proxy.heal()
        await self.node.wait_for(LINK_UP, 60)
        await asyncio.sleep(SETTLE_S)
        self._note("loaded, handing over,", await self.node.memory_kb())

    async def recovery(self) -> None:
        """The most that it ever took, from its start until it rests, with every file of a 4 MiB journal in use."""
        await self.node.proxy.cut(REFUSED)
        await self._refill(0)
        await asyncio.sleep(SETTLE_S)
        self.figures["recovering 4 MiB VmHWM kB"] = (await self.node.memory_kb())["VmHWM"]
        await asyncio.to_thread(self.node.guest.shutdown)

    async def instructions(self) -> None:
        """Of the agent's process, from its start until it waits, without a network to try: CPU time where one
        instruction takes one nanosecond."""
        guest = self.node.guest
        await self.node.run("sed -i '/^backoff_/d' /data/edgelite/agent.conf; sync")  # it tries seldom
        await asyncio.to_thread(guest.shutdown)
        hardware = guest.hardware
        guest.hardware = replace(hardware, counted=True, network=False)
        try:
            await self.node.boot(180)
            self.figures["instructions to start, millions"] = await self._settled_ns() / 1e6
            await self.node.run(f"printf '{SETTINGS_PRINTF}' >>/data/edgelite/agent.conf; sync")
            await asyncio.to_thread(guest.power_cut)
        finally:
            guest.hardware = hardware
        await self.node.boot()
        await self.node.wait_for(LINK_UP)

    async def _settled_ns(self) -> float:
        """The process' time once it is asleep in its loop: what is seen twice, a second apart."""
        for _ in range(60):
            before = await self._cpu_ns()
            await asyncio.sleep(1)
            if before and await self._cpu_ns() - before < before * 0.002:
                return before
        raise RuntimeError("the agent does not come to rest")

    async def _cpu_ns(self) -> float:
        result = await asyncio.to_thread(self.node.guest.run, "cat /proc/$(cat /run/agent.pid)/task/*/schedstat")
        return float(sum(int(line.split()[0]) for line in result.output.splitlines() if line[:1].isdigit()))

    async def _refill(self, size_bytes: int) -> None:
        """Stop the agent, put a backlog into its journal, start it again."""
        script = FILL % size_bytes
        told = await asyncio.to_thread(self.node.guest.check, script, 120)
        if size_bytes:
            self.figures["reports in the backlog"] = int(told.split("reports=")[1].split()[0])

    async def _start_process(self, number: int) -> None:
        container = {"name": "main", "image": "host", "command": ["sleep", str(1000 + number)]}
        spec = {"nodeName": self.node.name, "runtimeClassName": "process", "containers": [container]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{self.node.name}-{number}"}, "spec": spec}
        await asyncio.to_thread(self.site.client.request, "POST", PODS, None, body)

    def _running(self) -> int:
        items: list[dict[str, Any]] = self.site.get(PODS)["items"]
        return sum(
            item["spec"]["nodeName"] == self.node.name and item.get("status", {}).get("phase") == "Running"
            for item in items
        )

    def _note(self, what: str, memory_kb: dict[str, int]) -> None:
        for name in ("Rss", "Pss", "Private_Dirty", "VmHWM"):
            self.figures[f"{what} {name} kB"] = memory_kb[name]


async def measure(site: Site, runtime: str, fill: str, boots: int, is_short: bool, tell: Tell) -> dict[str, float]:
    """The figures of one runtime on a hub of its own; `is_short` leaves all but idle memory and size out. `tell` is
    called with what there is so far after each step."""
    job = {"fill.py": fill}
    node = await GuestNode.make(site, f"guest-{runtime}", SETTINGS, runtime, Hardware(128), job=job)
    measurement = Measurement(node, runtime)
    steps: list[Callable[[], Awaitable[None]]] = [measurement.first_boot, partial(measurement.idle_memory, boots)]
    if not is_short and runtime == "cpython":
        steps.append(measurement.idle_own_tls)
    if not is_short:
        steps += [measurement.idle_cpu, measurement.instructions, measurement.loaded, measurement.recovery]
    try:
        for step in steps:
            await step()
            tell(measurement.figures)
    finally:
        await node.stop()
    return measurement.figures


def read(path: Path) -> dict[str, Any]:
    """The published budget; ValueError where the file is no such thing."""
    budget = json.loads(path.read_text())
    if not isinstance(budget, dict) or "runtimes" not in budget:
        raise ValueError(f"{path} holds no budget; ./dev bench-guest writes one")
    return budget
