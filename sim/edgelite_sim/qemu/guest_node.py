"""A guest that is a node: it joins a site's hub by token when it first boots, and its link passes through a proxy.

site = Site(folder)
await site.start_hub()
node = await GuestNode.make(site, "guest-1")
try:
    await node.boot()
    await node.ready()
    ...
finally:
    await node.stop()
    await site.stop()
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Self

from edgelite_sim.proxy import Proxy
from edgelite_sim.qemu.guest import HOST, Guest
from edgelite_sim.qemu.image import Image
from edgelite_sim.qemu.machine import GuestError, Hardware
from edgelite_sim.site import Site, SiteError

READY_TIMEOUT_S = 90
GAVE_UP = "edgelite: could not join"  # says run-agent
MEASURED = ("Rss", "Pss", "Private_Dirty", "Private_Clean")


class GuestNode:
    """Make it with `make`. `guest` and `proxy` are there to be used directly; calls of the guest block."""

    def __init__(self, site: Site, name: str, guest: Guest, proxy: Proxy) -> None:
        self.site = site
        self.name = name
        self.guest = guest
        self.proxy = proxy

    @classmethod
    async def make(
        cls,
        site: Site,
        name: str,
        settings: str = "",
        runtime: str = "cpython",
        hardware: Hardware | None = None,
        image: Image | None = None,
        data_mb: int = 64,
        job: Mapping[str, str | bytes] | None = None,
    ) -> Self:
        """`settings` are further lines of agent.conf, `runtime` is cpython or micropython. Nothing is started yet."""
        proxy = Proxy("127.0.0.1", site.node_port)
        await proxy.start()
        files = {
            "join": f"{HOST}:{proxy.port} {await site.token()} {name}\n",
            "agent.conf": settings,
            "runtime": runtime + "\n",
        }
        made = await asyncio.to_thread(Guest, site.folder / name, image, hardware, data_mb, {**files, **(job or {})})
        return cls(site, name, made, proxy)

    async def boot(self, timeout_s: float = READY_TIMEOUT_S) -> float:
        return await asyncio.to_thread(self.guest.boot, timeout_s)

    async def run(self, script: str) -> str:
        """The output of a script that has to succeed in the guest."""
        return await asyncio.to_thread(self.guest.check, script)

    async def wait_for(self, text: str, timeout_s: float = READY_TIMEOUT_S) -> float:
        return await asyncio.to_thread(self.guest.wait_for, text, timeout_s)

    async def ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Until the hub calls the node Ready."""

        def is_ready() -> bool:
            if not self.guest.is_running() or GAVE_UP in self.guest.console():
                raise GuestError(f"{self.name} will not be a node")
            return condition(self.site, self.name, "Ready") == "True"

        await self.until(f"{self.name} is Ready", is_ready, timeout_s)

    async def until(self, what: str, probe: Callable[[], Any], timeout_s: float = READY_TIMEOUT_S) -> Any:
        """The site's `until`; GuestError with the end of the console where it fails."""
        try:
            return await self.site.until(what, probe, timeout_s)
        except (GuestError, SiteError) as error:
            raise GuestError(f"{error}; {self.guest.tail()}") from error

    async def memory_kb(self) -> dict[str, int]:
        """Of the agent's process: Rss, Pss, Private_Dirty, Private_Clean, and VmHWM, the most it ever had."""
        text = await self.run("p=/proc/$(cat /run/agent.pid); cat $p/smaps_rollup; grep VmHWM $p/status")
        found = {name: int(size) for name, size in re.findall(r"(\w+):\s+(\d+) kB", text)}
        return {name: found[name] for name in (*MEASURED, "VmHWM")}

    async def stop(self) -> None:
        await asyncio.to_thread(self.guest.power_cut)
        await self.proxy.stop()


def condition(site: Site, node: str, kind: str) -> str:
    """The status of one of a Node's conditions; "" where it has none, or is none."""
    for item in site.get("/api/v1/nodes")["items"]:
        if item["metadata"]["name"] == node:
            conditions: list[dict[str, Any]] = item["status"].get("conditions", [])
            return next((str(one["status"]) for one in conditions if one["type"] == kind), "")
    return ""
