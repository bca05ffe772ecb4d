"""The demo's stage: a site with a link that can be cut, and what the demo sees there apart from the agent's word."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable
from importlib import resources
from pathlib import Path
from typing import Any

from edgelite_sim.proxy import Proxy
from edgelite_sim.site import Site, SiteError, until

NODES = ("node-1", "node-2", "node-3")
TROUBLED = NODES[0]  # the node whose link goes through the proxy and that reads the meter

# The demo shows outages of 20 seconds in under two minutes, so a node may not rest for the five minutes that it
# would at the most otherwise.
AGENT_SETTINGS = "backoff_cap_ms = 4000\n"


class Stage(Site):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.heartbeats = folder / "heartbeats"
        self.dead: list[tuple[int, int]] = []  # spans (unix ms) in which the troubled node had no agent
        self.proxy: Proxy | None = None

    async def start(self) -> None:
        await self.start_hub()
        self.proxy = Proxy("127.0.0.1", self.node_port)
        await self.proxy.start()

    async def join_all(self, token: str) -> None:
        ports = {node: self.link.port if node == TROUBLED else self.node_port for node in NODES}
        await asyncio.gather(*(self.join(node, token, port, AGENT_SETTINGS) for node, port in ports.items()))

    @property
    def link(self) -> Proxy:
        if self.proxy is None:
            raise SiteError("the link is not there before the hub has started")
        return self.proxy

    # ---- what the demo applies

    async def apply_workload(self) -> None:
        self.heartbeats.mkdir()
        files = resources.files("edgelite_sim.demo") / "files"
        with resources.as_file(files / "blink.sh") as program:
            await self.command("push", "blink:1.0", str(program))
        await self.apply(
            "blink.yaml", (files / "blink.yaml").read_text().replace("@HEARTBEAT_DIR@", str(self.heartbeats))
        )

    async def apply_meter(self) -> None:
        text = (resources.files("edgelite_sim.demo") / "files" / "meter.yaml").read_text()
        await self.apply("meter.yaml", text.replace("@NODE@", TROUBLED).replace("@PORT@", str(self.meter_port)))

    # ---- what the demo looks at, apart from the agent's word

    def heartbeat(self, node: str) -> tuple[int, int] | None:
        """(process id, unix ms) of the workload's newest sign of life, as it wrote it itself."""
        beats = self.beats(node)
        return beats[-1] if beats else None

    def beats(self, node: str) -> list[tuple[int, int]]:
        path = self.heartbeats / node
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [(int(pid), int(time_ms)) for pid, time_ms in map(str.split, lines)]

    def answered(self) -> str:
        return self.meter_log.read_text() if self.meter_log.exists() else ""

    # ---- trouble

    async def kill_workload(self) -> int:
        """SIGKILL to the workload of the troubled node; its process id."""
        found = self.heartbeat(TROUBLED)
        if found is None:
            raise SiteError(f"the workload of {TROUBLED} has not shown a sign of life")
        os.kill(found[0], signal.SIGKILL)
        return found[0]

    async def kill_agent(self) -> None:
        killed_ms = now_ms()
        await self.processes[TROUBLED].end(signal.SIGKILL)
        self.dead.append((killed_ms, 0))

    async def restart_agent(self) -> None:
        await self.start_agent(TROUBLED)

    def agent_read_again(self, time_ms: int) -> None:
        """The agent is back since the first read that the meter answered it."""
        self.dead[-1] = (self.dead[-1][0], time_ms)

    # ---- the end

    async def stop(self) -> None:
        """End every process that we started, the workloads through their agents first."""
        await self.quietly(self.command("delete", "daemonset", "blink", "--ignore-not-found", "--timeout", "8"))
        await self.quietly(self.stop_workloads())
        await super().stop()
        if self.proxy is not None:
            await self.proxy.stop()

    async def stop_workloads(self) -> None:
        await until("the workloads end", lambda: not self.living(), timeout_s=6)

    def living(self) -> list[str]:
        recent = now_ms() - 1500
        return [node for node in NODES if (self.heartbeat(node) or (0, 0))[1] > recent]

    async def quietly(self, work: Awaitable[Any]) -> None:
        """The end goes on whatever one step of it meets; what is left over is named."""
        try:
            await work
        except (SiteError, OSError) as error:
            sys.stderr.write(f"while cleaning up: {error}\n")


def now_ms() -> int:
    return time.time_ns() // 1_000_000
