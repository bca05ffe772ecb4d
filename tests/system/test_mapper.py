"""A mapper as KubeEdge has them, end to end: a program on the node is a device's driver, the hub sees its values, and
what the hub desires reaches it. The program and the objects are those of examples/mapper."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgelite_sim.site import Site

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ports"))
import micropython_site

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "mapper"
CLIENT = ROOT / "ports" / "edgelite_ports" / "common" / "bus_client.py"
NODE = "node-1"
DEVICE = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices/oven"


def objects(program: list[str]) -> str:
    """The example's, with the program where this test has it."""
    found = list(yaml.safe_load_all((EXAMPLE / "oven.yaml").read_text()))
    found[2]["spec"]["containers"][0]["command"] = program
    found[2]["spec"]["terminationGracePeriodSeconds"] = 1
    return "---\n".join(json.dumps(one) + "\n" for one in found)


def twin(site: Site, name: str) -> dict[str, Any]:
    for one in site.get(DEVICE).get("status", {}).get("twins") or []:
        if one["propertyName"] == name:
            return dict(one)
    return {}


def reported(site: Site, name: str) -> str:
    return str((twin(site, name).get("reported") or {}).get("value", ""))


async def scene(site: Site, program: list[str]) -> None:
    await site.start_hub()
    await site.join(NODE, await site.token(), site.node_port, "backoff_cap_ms = 1000\nbus = yes\n")
    await site.start_agent(NODE)
    await site.apply("oven.yaml", objects(program))
    await site.until("the hub's desired value reaches the mapper", lambda: reported(site, "target") == "80.0")
    await site.until("its values reach the hub", lambda: float(reported(site, "temperature") or 0) > 70)
    assert site.get(DEVICE)["status"]["state"] == "online"
    said = await site.command("device", "set", "oven", "target=120.5", "--timeout", "30s")
    assert said == "oven/target: ok, the device holds 120.5\n"
    await site.until("it heats", lambda: float(reported(site, "temperature") or 0) > 110)
    await site.command("delete", "pod", "oven-mapper", "--now")


@pytest.mark.parametrize("runtime", ["cpython", "micropython"])
def test_a_mapper_end_to_end(runtime: str, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "oven.py", tmp_path / "oven.py")
    shutil.copy(CLIENT, tmp_path / "edgelite_bus.py")
    python = [sys.executable] if runtime == "cpython" else [*micropython_site.micropython()]
    program = [*python, str(tmp_path / "oven.py"), "default/oven"]

    async def play() -> None:
        site = Site(tmp_path)
        if runtime == "micropython":
            site.agent_words = micropython_site.agent_words()
        try:
            await scene(site, program)
        finally:
            await site.stop()

    asyncio.run(play())
