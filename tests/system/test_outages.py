"""Telemetry over outages, with an agent of either runtime: what the meter answered arrives at the hub exactly once."""

from __future__ import annotations

import asyncio
import signal
import sys
from importlib import resources
from pathlib import Path

import pytest

from edgelite_sim.proxy import REFUSED, SILENT, Proxy
from edgelite_sim.site import Site

sys.path.insert(0, str(Path(__file__).parents[1] / "ports"))
import micropython_site

NODE = "node-1"
TELEMETRY = "/apis/edgelite.dev/v1/namespaces/default/devices/meter/telemetry"
OUTAGE_S = 2.0
LOST_BY_A_KILL_MAX = 2  # answers that had reached the process, or its socket, and nothing else yet


def counts(site: Site) -> list[int]:
    """The meter's own numbers of the reads that it answered, in the order of the hub."""
    return [int(item["value"]) for item in site.get(TELEMETRY, property="answered_reads", limit=10000)["items"]]


async def staged(folder: Path, runtime: str, outage: str) -> list[int]:
    site = Site(folder)
    if runtime == "micropython":
        site.agent_words = micropython_site.agent_words()
    proxy: Proxy | None = None
    try:
        await site.start_hub()
        proxy = Proxy("127.0.0.1", site.node_port)
        await proxy.start()
        await site.join(NODE, await site.token(), proxy.port, "backoff_base_ms = 200\nbackoff_cap_ms = 1000\n")
        agent = await site.start_agent(NODE)
        await site.start_meter()
        text = (resources.files("edgelite_sim.demo") / "files" / "meter.yaml").read_text()
        text = text.replace("collectCycle: 500\n", "collectCycle: 100\n")
        await site.apply("meter.yaml", text.replace("@NODE@", NODE).replace("@PORT@", str(site.meter_port)))
        await site.until("telemetry arrives", lambda: len(counts(site)) >= 3)
        if outage == "killed":
            await agent.end(signal.SIGKILL)
            await site.start_agent(NODE)
        else:
            await proxy.cut(outage)
            await asyncio.sleep(OUTAGE_S)
            await proxy.heal()
        before = max(counts(site))
        await site.until("telemetry arrives again", lambda: max(counts(site)) >= before + 8, timeout_s=60)
        return counts(site)
    finally:
        await site.stop()
        if proxy is not None:
            await proxy.stop()


@pytest.mark.parametrize("runtime", ["cpython", "micropython"])
@pytest.mark.parametrize("outage", [SILENT, REFUSED, "killed"])
def test_every_answered_read_arrives_once(tmp_path: Path, runtime: str, outage: str) -> None:
    found = asyncio.run(staged(tmp_path, runtime, outage))
    assert len(set(found)) == len(found)
    missing = set(range(min(found), max(found) + 1)) - set(found)
    assert len(missing) <= (LOST_BY_A_KILL_MAX if outage == "killed" else 0), sorted(found)
