"""A machine boots, its agent joins a real hub, runs a workload and reads a meter, and an outage loses nothing."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Iterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from edgelite_sim.qemu import HOST, Hardware
from edgelite_sim.qemu.guest_node import GuestNode
from edgelite_sim.qemu.image import Image
from edgelite_sim.site import Site

NODE = "guest-1"
PODS = "/api/v1/namespaces/default/pods"
OUTAGE_S = 20
# Of 64 MB, with the agent at work. A machine on which less is left reads the same pages again and again.
AVAILABLE_KB_MIN = 17_000
BLOCK_BYTES_MAX = 16 << 10
MACHINES = (("cpython", 128), ("cpython", 64), ("micropython", 64))


@asynccontextmanager
async def machine(folder: Path, **options: Any) -> Iterator[GuestNode]:
    site = Site(folder)
    try:
        await asyncio.gather(site.start_hub(), site.start_meter())
        node = await GuestNode.make(site, NODE, "backoff_cap_ms = 2000\n", **options)
        try:
            yield node
        finally:
            await node.stop()
    finally:
        await site.stop()


def pod(name: str, script: str) -> str:
    container = {"name": "main", "image": "host", "command": ["sh", "-c", script]}
    spec = {"nodeName": NODE, "runtimeClassName": "process", "containers": [container]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def meter(port: int) -> str:
    text = (resources.files("edgelite_sim.demo") / "files" / "meter.yaml").read_text()
    # An answer that a busy machine has given up waiting for would be in the meter's log, and nowhere else.
    patient = text.replace("timeoutMs: 1000", "timeoutMs: 20000")
    return patient.replace("@NODE@", NODE).replace("@PORT@", str(port)).replace("127.0.0.1", HOST)


def stored_counts(site: Site) -> list[int]:
    path = "/apis/edgelite.dev/v1/namespaces/default/devices/meter/telemetry"
    return [item["value"] for item in site.get(path, property="answered_reads", limit=10000)["items"]]


def answered_counts(site: Site) -> list[int]:
    return [int(line.split()[0]) for line in site.meter_log.read_text().splitlines()]


@pytest.mark.timeout(300)
def test_boot_join_run_and_an_outage(tmp_path: Path, built: Image) -> None:
    """Three machines beside each other, each with a hub and a meter of its own."""

    async def all_scenes() -> None:
        await asyncio.gather(*(scene(tmp_path / f"{one[0]}-{one[1]}", built, *one) for one in MACHINES))

    asyncio.run(all_scenes())


async def scene(folder: Path, built: Image, runtime: str, memory_mb: int) -> None:
    folder.mkdir()
    async with machine(folder, runtime=runtime, hardware=Hardware(memory_mb), image=built) as node:
        site = node.site
        await node.boot()
        await node.ready()
        await site.apply("pod.yaml", pod("steady", "echo up; exec sleep 1000"))
        await site.apply("meter.yaml", meter(site.meter_port))
        await node.until("the workload runs", lambda: site.get(f"{PODS}/steady")["status"]["phase"] == "Running", 60)
        await node.until("telemetry arrives", lambda: len(stored_counts(site)) > 3, 60)
        available = await node.run("sed -n 's/^MemAvailable: *//p' /proc/meminfo")
        assert int(available.split()[0]) >= AVAILABLE_KB_MIN, f"{folder.name}: {available.strip()} are left for files"
        first = answered_counts(site)[-1]
        await outage(node)
        last = answered_counts(site)[-1]
        await node.until("the line works again", lambda: stored_counts(site)[-1:] > [last], 90)
        counts = stored_counts(site)
        assert sorted(set(counts)) == sorted(counts), f"{folder.name}: a reading is stored twice"
        assert last - first > OUTAGE_S, f"{folder.name}: the meter was read all the time"
        assert set(counts) >= set(range(first, last + 1)), f"{folder.name}: a reading was lost"
        assert "sleep 1000" in await node.run("ps"), folder.name
        if runtime == "cpython":
            maps = await node.run("cat /proc/$(cat /run/agent.pid)/maps")
            assert "python3.13" in maps
            assert "libcrypto" not in maps, "its TLS was the kernel's from the first link to this one"


def test_a_page_is_read_without_many_others(built: Image) -> None:
    """A block of squashfs is read as a whole for one page of it, which a machine short of memory drops again."""
    for disk in (built.root, built.agent):
        (block_bytes,) = struct.unpack_from("<I", disk.read_bytes(), 12)
        assert block_bytes <= BLOCK_BYTES_MAX, disk.name


async def outage(node: GuestNode) -> None:
    """Nothing reaches the hub and no end is told, while the meter is read on; then the line is slow for a while."""
    with node.guest.outage(node.proxy.port):
        await asyncio.sleep(OUTAGE_S)
    await asyncio.to_thread(node.guest.impair, "delay", "300ms", "50ms", port=node.proxy.port)
    await asyncio.sleep(5)
    await asyncio.to_thread(node.guest.impair)
