"""A hub and three real agents, measured from outside: memory, CPU, wire, flash and latencies."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench import process
from bench.figures import Figure
from edgelite_sim.proxy import Proxy, Traffic
from edgelite_sim.site import Site

RESUMED = "the hub answered"  # what the agent says of a welcome
HERE = Path(__file__).parent
NODE = "node-1"
OTHERS = ("node-2", "node-3")
DAY_MIN = 24 * 60
STARTS, RESTARTS = 15, 7
PODS = "/api/v1/namespaces/default/pods"
SAMPLES_S = 20

QUIET_POD = """apiVersion: v1
kind: Pod
metadata: {name: quiet}
spec:
  nodeName: node-1
  runtimeClassName: process
  containers: [{name: main, image: host, command: ["sleep", "100000"]}]
"""


class Rig:
    """The site with one node behind a proxy that counts what the link carries."""

    def __init__(self, folder: Path) -> None:
        self.site = Site(folder)
        self.folder = folder
        self.proxy: Proxy | None = None

    @property
    def link(self) -> Proxy:
        assert self.proxy is not None
        return self.proxy

    @property
    def agent(self) -> int:
        return self.site.processes[NODE].pid

    async def start(self) -> None:
        site = self.site
        await asyncio.gather(site.start_hub(), site.start_meter())
        self.proxy = Proxy("127.0.0.1", site.node_port)
        await self.proxy.start()
        token = await site.token()
        await site.join(NODE, token, self.proxy.port)
        await site.start_agent(NODE)
        for node in OTHERS:
            await site.join(node, token, site.node_port)
            await site.start_agent(node)
        await self.all_ready()

    async def all_ready(self) -> None:
        await self.site.until(
            "three nodes are Ready", lambda: sum(map(is_ready, self.site.get("/api/v1/nodes")["items"])) == 3
        )

    async def apply_idle_load(self) -> None:
        """One workload and one device polled each minute whose value stays within its deadband."""
        await self.site.apply("quiet.yaml", QUIET_POD)
        text = (HERE / "idle-meter.yaml").read_text()
        await self.site.apply("idle.yaml", text.replace("@PORT@", str(self.site.meter_port)))
        pod = PODS + "/quiet"
        await self.site.until(
            "the workload runs", lambda: self.site.get(pod).get("status", {}).get("phase") == "Running"
        )

    async def stop(self) -> None:
        await self.site.command("delete", "pod", "quiet", "--ignore-not-found", "--timeout", "5")
        await self.site.stop()
        await self.link.stop()


def is_ready(node: dict) -> bool:  # type: ignore[type-arg]
    return any(found["type"] == "Ready" and found["status"] == "True" for found in node["status"].get("conditions", []))


def now_counts(rig: Rig) -> tuple[float, int, Traffic]:
    return process.cpu_s(rig.agent), process.written_bytes(rig.agent), rig.link.traffic()


async def idle(rig: Rig, minutes: float, tell: Callable[[str], None]) -> list[Figure]:
    """What a node at rest costs, over so many minutes after one of settling."""
    await rig.apply_idle_load()
    tell("letting the node settle for a minute")
    await asyncio.sleep(60)
    cpu, written, traffic = now_counts(rig)
    for minute in range(int(minutes)):
        tell(f"idle minute {minute + 1} of {int(minutes)}")
        await asyncio.sleep(60)
    cpu_after, written_after, traffic_after = now_counts(rig)
    wire = (traffic_after - traffic).wire_bytes / minutes
    flash = (written_after - written) / minutes
    found = process.memory(rig.agent)
    return [
        Figure("agent idle", "PSS, no other Python sharing", found.alone / 1024, "MB", 16, "KubeEdge 100.2 (+45.6)"),
        Figure("agent idle", "private dirty", found.private_dirty / 1024, "MB", 8, "Greengrass lite 12.4 PSS"),
        Figure("agent idle", "RSS", found.rss / 1024, "MB"),
        Figure("agent idle", "CPU per minute", (cpu_after - cpu) / minutes, "s", 0.02, "KubeEdge 0.77"),
        Figure("agent idle", "wire per minute, headers included", wire, "B", None, "KubeEdge 18,700"),
        Figure("agent idle", "wire per day", wire * DAY_MIN / 1000, "KB", 100, "KubeEdge 27,000"),
        Figure("agent idle", "flash per day", flash * DAY_MIN / 1000, "KB", 200, "KubeEdge 446,000 to 592,000"),
    ]


def hub_memory(rig: Rig) -> list[Figure]:
    found = process.memory(rig.site.processes["hub"].pid)
    beside = "cloudcore 86 + apiserver 284 + etcd 51 + ..."
    return [
        Figure("hub", "PSS with three nodes, alone", found.alone / 1024, "MB", 60, beside),
        Figure("hub", "private dirty", found.private_dirty / 1024, "MB"),
    ]


async def samples(rig: Rig) -> list[Figure]:
    """Wire and flash of one reported sample: two readings a second, each reported."""
    text = (HERE / "busy-meter.yaml").read_text()
    await rig.site.apply("busy.yaml", text.replace("@PORT@", str(rig.site.meter_port)))
    await asyncio.sleep(5)
    _, written, traffic = now_counts(rig)
    first = answered(rig)
    await asyncio.sleep(SAMPLES_S)
    _, written_after, traffic_after = now_counts(rig)
    count = answered(rig) - first
    await rig.site.command("delete", "-f", str(rig.folder / "busy.yaml"))
    wire = (traffic_after - traffic).wire_bytes / count
    return [
        Figure("one sample", "wire, headers included, 2 a second", wire, "B"),
        Figure("one sample", "flash, 2 a second", (written_after - written) / count, "B"),
    ]


def answered(rig: Rig) -> int:
    return rig.site.meter_log.read_text().count("\n")


async def start_latency(rig: Rig) -> list[Figure]:
    """From the API's 201 to the time that the workload itself writes first."""
    times = []
    for number in range(STARTS):
        path = rig.folder / f"first-{number}"
        script = f"date +%s%N > {path}.tmp && mv {path}.tmp {path} && exec sleep 1000"
        await asyncio.to_thread(
            rig.site.client.request, "POST", "/api/v1/namespaces/default/pods", None, pod(number, script)
        )
        created_ns = time.time_ns()
        await rig.site.until("the workload started", path.exists, pause_s=0.005)
        times.append((int(path.read_text()) - created_ns) / 1e6)
        await rig.site.command("delete", "pod", f"start-{number}", "--now")
    return [Figure("latency", "API's 201 to running, median", median(times), "ms", 100, "KubeEdge 390, image present")]


def pod(number: int, script: str) -> dict:  # type: ignore[type-arg]
    container = {"name": "main", "image": "host", "command": ["sh", "-c", script]}
    spec = {
        "nodeName": NODE,
        "runtimeClassName": "process",
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"start-{number}"}, "spec": spec}


async def restart_once(rig: Rig) -> float:
    """Milliseconds from the start of the agent's program, after SIGKILL, to the hub's welcome as the agent tells it."""
    agent = rig.site.processes[NODE]
    await agent.end(signal.SIGKILL)
    size_bytes = agent.log.stat().st_size
    started = time.monotonic()
    await rig.site.start_agent(NODE)
    await rig.site.until("the link is back", lambda: RESUMED in agent.log.read_text()[size_bytes:], pause_s=0.002)
    return (time.monotonic() - started) * 1000


async def restart_latency(rig: Rig) -> list[Figure]:
    times = []
    for _ in range(RESTARTS):
        times.append(await restart_once(rig))
        await asyncio.sleep(1)
    return [Figure("latency", "agent restart to session resumed", median(times), "ms", 150, "KubeEdge 160 to link up")]


async def measure(folder: Path, idle_minutes: float, tell: Callable[[str], None]) -> list[Figure]:
    rig = Rig(folder)
    tell("starting a hub and three nodes")
    try:
        await rig.start()
        figures = await idle(rig, idle_minutes, tell)
        figures += hub_memory(rig)
        tell("the cost of a sample")
        figures += await samples(rig)
        tell("start latency")
        figures += await start_latency(rig)
        tell("restart latency")
        figures += await restart_latency(rig)
    finally:
        await rig.stop()
    return figures
