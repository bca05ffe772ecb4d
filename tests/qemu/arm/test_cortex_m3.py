"""The whole path of the smallest node: MicroPython without an operating system on an emulated Cortex-M3, a serial line
to a gateway, a task, a twin, a journal on a raw block device, all within 112 KB of heap."""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from board_site import GATEWAY, HEAP_BYTES, NODE, BoardSite, firmware

DEVICES = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices"
TELEMETRY = "/apis/edgelite.dev/v1/namespaces/default/devices/roof/telemetry"
PODS = "/api/v1/namespaces/default/pods"
LIVE_BYTES_MAX = 96 * 1024  # of the heap, with everything running; what is left is for garbage between collections

MODEL = {
    "apiVersion": "devices.kubeedge.io/v1beta1",
    "kind": "DeviceModel",
    "metadata": {"name": "thermometer"},
    "spec": {"protocol": "thermometer", "properties": [{"name": "reading", "type": "INT"}]},
}
DEVICE = {
    "apiVersion": "devices.kubeedge.io/v1beta1",
    "kind": "Device",
    "metadata": {"name": "roof"},
    "spec": {
        "deviceModelRef": {"name": "thermometer"},
        "nodeName": NODE,
        "protocol": {"protocolName": "thermometer", "configData": {"serialPort": "uart3"}},
        "properties": [{"name": "reading", "collectCycle": 200}],
    },
}

Scene = Callable[[BoardSite], Awaitable[None]]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return firmware(tmp_path_factory.mktemp("firmware"))


@pytest.fixture
def play(image: Path, tmp_path: Path) -> Callable[[Scene], None]:
    async def staged(scene: Scene) -> None:
        site = BoardSite(tmp_path, image)
        try:
            await site.begin()
            await scene(site)
        except BaseException:
            print("the board's console:\n" + site.said())  # noqa: T201 - pytest shows it where the test fails
            raise
        finally:
            await site.stop()

    return lambda scene: asyncio.run(staged(scene))


def pod(name: str, *command: str, runtime: str = "task", **environment: str) -> str:
    variables = [{"name": key, "value": value} for key, value in environment.items()]
    container = {"name": "main", "image": "host", "command": list(command), "env": variables}
    spec = {"nodeName": NODE, "runtimeClassName": runtime, "containers": [container]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


async def set_up(site: BoardSite) -> None:
    """A task and a device, both at work."""
    await site.apply("objects.yaml", "\n---\n".join(map(json.dumps, (MODEL, DEVICE))))
    command = "edgelite_ports.micropython.boards.heap:report"
    await site.apply("heap.yaml", pod("heap", command, PERIOD_MS="1000"))
    await site.until("the task runs", lambda: phase(site, "heap") == "Running")
    await site.until("the thermometer is read", lambda: twin(site) > 2)


def phase(site: BoardSite, name: str) -> str:
    return str(site.get(f"{PODS}/{name}").get("status", {}).get("phase"))


def twin(site: BoardSite) -> int:
    twins = site.get(f"{DEVICES}/roof").get("status", {}).get("twins") or [{}]
    return int((twins[0].get("reported") or {}).get("value") or 0)


def readings(site: BoardSite) -> list[int]:
    """All that the hub has of the thermometer, oldest first."""
    rows = site.get(TELEMETRY, limit=1000)["items"]
    return sorted(int(row["value"]) for row in rows)


async def heap_figures(site: BoardSite) -> list[tuple[int, ...]]:
    """(live, garbage, free) bytes, a row a second."""
    found = re.findall(r"live (\d+) garbage (\d+) free (\d+)", await site.command("logs", "heap"))
    return [tuple(map(int, row)) for row in found]


@pytest.mark.timeout(120)
def test_a_task_and_a_twin_within_the_heap(play: Callable[[Scene], None]) -> None:
    async def scene(site: BoardSite) -> None:
        await set_up(site)
        node = site.get(f"/api/v1/nodes/{NODE}")
        assert node["metadata"]["annotations"]["edgelite.dev/gateway"] == GATEWAY
        assert node["status"]["nodeInfo"]["architecture"] == "armv7m"
        assert int(node["status"]["capacity"]["memory"]) <= HEAP_BYTES < 128 * 1024
        await site.apply("process.yaml", pod("process", "sh", runtime="process"))
        await site.until("the hub refuses", lambda: "no processes" in json.dumps(site.get(f"{PODS}/process")))
        await asyncio.sleep(8)
        figures = await heap_figures(site)
        print("live, garbage, free:", figures)  # noqa: T201 - for whoever runs it with -s
        assert len(figures) > 5
        assert max(row[0] for row in figures) <= LIVE_BYTES_MAX
        assert "error" not in site.said() and "Traceback" not in site.said()

    play(scene)


@pytest.mark.timeout(180)
def test_power_cuts_lose_nothing_that_was_durable(play: Callable[[Scene], None]) -> None:
    """The emulator is killed at work; of what its block device was not told to make durable all is lost, or some of it
    is there, torn. The hub never hears a reading twice, and none that it has goes."""

    async def scene(site: BoardSite) -> None:
        await set_up(site)
        chance = random.Random(3)
        unsynced = 0
        for number in range(4):
            await site.until("more is read", lambda: twin(site) > 2)
            before, sessions = readings(site), site.sessions()
            # At some moment of its work, and where possible between a change and the sync behind it.
            await asyncio.sleep(0.3 + chance.random())
            await wait_for_change(site)
            site.power_off()
            unsynced += site.blocks.cut(lambda count, number=number: fates(chance, number, count))
            site.power_on()
            await site.until("it is back", lambda sessions=sessions: site.sessions() > sessions, 40)
            last = before[-1]
            await site.until("more has come", lambda last=last: readings(site)[-1] > last + 2)
            after = readings(site)
            assert after[: len(before)] == before
            assert len(set(after)) == len(after)
        assert unsynced > 0, "no cut came between a change and its sync"
        await site.until("the task runs again", lambda: phase(site, "heap") == "Running")
        assert "damaged" not in site.said() and "Traceback" not in site.said()
        assert site.said().count("a new journal was made") == 1

    play(scene)


async def wait_for_change(site: BoardSite) -> None:
    """Until the block device has been changed and not yet synced."""
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def note() -> None:
        if site.blocks.device.unsynced_count():
            site.blocks.on_change = None
            site.power_off()  # in the very moment: no sync can follow
            loop.call_soon_threadsafe(changed.set)

    site.blocks.on_change = note
    await asyncio.wait_for(changed.wait(), 20)


def fates(chance: random.Random, number: int, count: int) -> list[int]:
    """All lost; all there; some torn; some lost."""
    if number == 0:
        return []
    if number == 1:
        return [-1] * count
    return [chance.choice((-1, 0, chance.randrange(40))) for _ in range(count)]


@pytest.mark.timeout(180)
def test_a_gateway_that_vanishes_delays_and_loses_nothing(play: Callable[[Scene], None]) -> None:
    async def scene(site: BoardSite) -> None:
        await set_up(site)
        sessions = site.sessions()
        await site.processes[GATEWAY].end(signal.SIGKILL)
        before = site.thermometer.readings
        await site.until("it is read offline", lambda: site.thermometer.readings > before + 20)
        during = site.thermometer.readings
        await site.start_agent(GATEWAY)
        await site.until("it is back", lambda: site.sessions() > sessions, 60)
        await site.until("what was read meanwhile has come", lambda: readings(site)[-1] > during)
        found = readings(site)
        assert found == list(range(found[0], found[-1] + 1)), "each reading is there, once"
        assert "Traceback" not in site.said()

    play(scene)
