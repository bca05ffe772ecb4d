"""What an engineer types about a device: its values, as they change, and what it should hold."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import termios
from pathlib import Path

import pytest

from edgelite_ports.linux.state import State
from edgelite_sim.site import Site, SiteError

NODE = "node-1"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "meter.yaml"


async def meter_site(site: Site) -> None:
    await site.start_hub()
    await site.join(NODE, await site.token(), site.node_port, "backoff_cap_ms = 1000\nbus = yes\n")
    await site.start_agent(NODE)
    await site.start_meter()
    text = EXAMPLE.read_text().replace("port: 5020", f"port: {site.meter_port}")
    await site.apply("meter.yaml", re.sub(r"collectCycle: \d+", "collectCycle: 500", text))
    await site.until("the meter is read", lambda: device_state(site) == "online")


def device_state(site: Site) -> str:
    path = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices/meter"
    return str((site.client.request("GET", path).get("status") or {}).get("state"))


def test_get_watch_and_set(tmp_path: Path) -> None:
    async def scene() -> None:
        site = Site(tmp_path)
        try:
            await meter_site(site)
            await check_get(site)
            await check_watch(site)
            await check_drawing(site)
            await check_set(site)
            await check_local(site)
        finally:
            await site.stop()

    asyncio.run(scene())


async def check_get(site: Site) -> None:
    table = await site.command("device", "get", "meter")
    assert table.startswith("meter  online\n")
    assert "PROPERTY" in table and "power" in table
    quiet = await site.command("device", "get", "meter", "-q", "power")
    assert float(quiet) > 0
    with pytest.raises(SiteError, match="device meter has no property powr; it has: "):
        await site.command("device", "get", "meter", "powr")
    with pytest.raises(SiteError, match="not found"):
        await site.command("device", "get", "absent")


async def check_watch(site: Site) -> None:
    """Not on a terminal: a line for each change."""
    process = await asyncio.create_subprocess_exec(
        *site.edgelite("device", "watch", "meter", "power"),
        env=os.environ | {"EDGELITE_KUBECONFIG": str(site.folder / "hub" / "kubeconfig")},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        seen = [await asyncio.wait_for(process.stdout.readline(), 30) for _ in range(3)]
    finally:
        process.terminate()
        await process.wait()
    assert all(b"  power  " in line and b"  good" in line for line in seen)
    assert len(set(seen)) == 3


async def check_drawing(site: Site) -> None:
    """On a terminal: one table, drawn over itself, with the course of each number."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 130))
    process = await asyncio.create_subprocess_exec(
        *site.edgelite("device", "watch", "meter", "power"),
        env=os.environ
        | {"EDGELITE_KUBECONFIG": str(site.folder / "hub" / "kubeconfig"), "TERM": "xterm", "PYTHONUTF8": "1"},
        stdout=theirs,
    )
    shown = b""
    try:
        while shown.count(b"TREND") < 3:
            shown += await asyncio.wait_for(asyncio.to_thread(os.read, ours, 65536), 30)
    finally:
        process.terminate()
        await process.wait()
        os.close(ours)
        os.close(theirs)
    assert "\x1b[3A" in shown.decode(errors="replace")  # headline, header and one property, once more over themselves
    assert any(bar in shown.decode(errors="replace") for bar in "▂▃▄▅▆▇█")


async def check_set(site: Site) -> None:
    said = await site.command("device", "set", "meter", "demand_period=30", "--timeout", "1m")
    assert said == "meter/demand_period: ok, the device holds 30\n"
    with pytest.raises(SiteError, match="ReadOnly"):
        await site.command("device", "set", "meter", "power=3")
    with pytest.raises(SiteError, match="give PROPERTY=VALUE"):
        await site.command("device", "set", "meter", "demand_period")
    await site.processes[NODE].end(signal.SIGTERM)
    with pytest.raises(SiteError, match="It stays desired: node-1 writes it when it can"):
        await site.command("device", "set", "meter", "demand_period=15", "--timeout", "1s")
    await site.start_agent(NODE)
    said = await site.command("device", "set", "meter", "demand_period=15", "--timeout", "1m")
    assert said == "meter/demand_period: ok, the device holds 15\n"


async def check_local(site: Site) -> None:
    """On the node itself, with the hub gone."""
    await site.processes["hub"].end(signal.SIGKILL)
    local = ("--local", "--socket", State(str(site.folder / NODE)).runtime_path(NODE) + "/sockets/bus.sock")
    assert "demand_period" in await site.command("device", "get", "meter", *local)
    said = await site.command("device", "set", "meter", "demand_period=20", *local, "--timeout", "1m")
    assert said == "meter/demand_period: ok, the device holds 20\n"
    with pytest.raises(SiteError, match="no device default/absent on this node"):
        await site.command("device", "get", "absent", *local)
    with pytest.raises(SiteError, match=r"power: .*read-only"):
        await site.command("device", "set", "meter", "power=3", *local)
    with pytest.raises(SiteError, match="does not answer"):
        await site.command("device", "get", "meter", "--socket", str(site.folder / "absent.sock"))
