"""One hub and one agent, each of its own release and runtime, through what every pair must be able to do."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from importlib import resources
from pathlib import Path

import pytest

from edgelite_sim.qemu import agents
from edgelite_sim.qemu.emulators import UnavailableError
from edgelite_sim.site import Site

NODE = "node-1"
PODS = "/api/v1/namespaces/default/pods"
TELEMETRY = "/apis/edgelite.dev/v1/namespaces/default/devices/meter/telemetry"
COUNT = "answered_reads"  # the meter counts how often this register was read, and logs it
HUB_ROOMS = ("", "protocol", "drivers", "ports", "hub", "sim", "cli")
SLOW_S = 60  # an emulated CPython needs 5 s to start, and this machine may be busy


class Pair(Site):
    """A site whose hub and agent come from checkouts of their own. The commands that a person types at the hub are
    the hub's release, those on the device the agent's."""

    def __init__(self, folder: Path, hub: Path, agent: Path, words: list[str]) -> None:
        """`words` start the agent, before `--state FOLDER`."""
        self.hub = hub
        self.agent = agent
        super().__init__(folder)
        self.agent_words = words

    def edgelite(self, *arguments: str) -> list[str]:
        return edgelite_of(self.agent if arguments[0] in ("join", "agent") else self.hub, *arguments)

    def counts(self) -> list[int]:
        """Every count of the meter's reads that the hub has stored, in its order."""
        answer = self.get(TELEMETRY, property=COUNT, limit="1000")
        return [int(sample["value"]) for sample in answer["items"]]


def edgelite_of(checkout: Path, *arguments: str) -> list[str]:
    path = ":".join(str(checkout / room) for room in HUB_ROOMS)
    return ["env", f"PYTHONPATH={path}", sys.executable, "-m", "edgelite_cli", *arguments]


def interpreter_or_skip(runtime: str) -> None:
    """Builds what the runtime needs, outside of any timeout of a scene; never skips in CI."""
    try:
        agents.interpreter(runtime)
    except UnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"not available here: {error}")


def play(folder: Path, hub: Path, agent: Path, runtime: str) -> None:
    interpreter_or_skip(runtime)
    asyncio.run(_staged(Pair(folder, hub, agent, agents.words(runtime, agent))))


def play_words(folder: Path, words: list[str]) -> None:
    """With today's hub and whatever these words start."""
    asyncio.run(_staged(Pair(folder, agents.CHECKOUT, agents.CHECKOUT, words)))


def play_takeover(folder: Path, first: tuple[Path, str], second: tuple[Path, str]) -> None:
    """An agent, given by checkout and runtime, takes over the state folder and the workloads of another one."""
    for _, runtime in (first, second):
        interpreter_or_skip(runtime)
    pair = Pair(folder, agents.CHECKOUT, first[0], agents.words(first[1], first[0]))
    asyncio.run(_taken_over(pair, agents.words(second[1], second[0])))


async def _staged(pair: Pair) -> None:
    try:
        await _starts(pair)
        await _runs_a_pod(pair)
        await _comes_back_to_a_hub_that_died(pair)
        await _comes_back_after_its_own_restart(pair)
        await _deletes(pair)
    finally:
        await pair.stop()


async def _taken_over(pair: Pair, second: list[str]) -> None:
    try:
        await _starts(pair)
        await _runs_a_pod(pair)
        await pair.apply("later.yaml", _pod("later"))
        await _is_running(pair, "later")
        pair.agent_words = second
        await _comes_back_after_its_own_restart(pair)
        await _deletes(pair)
    finally:
        await pair.stop()


async def _starts(pair: Pair) -> None:
    await pair.start_hub()
    await pair.start_meter()
    await pair.join(NODE, await pair.token(), pair.node_port, "backoff_base_ms = 200\nbackoff_cap_ms = 1000\n")
    await pair.start_agent(NODE)
    await _joins_and_reports(pair)


async def _joins_and_reports(pair: Pair) -> None:
    await pair.until("the node is ready", lambda: _is_ready(pair), SLOW_S)
    text = (resources.files("edgelite_sim.demo") / "files" / "meter.yaml").read_text()
    await pair.apply("meter.yaml", text.replace("@NODE@", NODE).replace("@PORT@", str(pair.meter_port)))
    await pair.until("telemetry is stored", lambda: len(pair.counts()) >= 2, SLOW_S)


def _is_ready(pair: Pair) -> bool:
    items = pair.get("/api/v1/nodes")["items"]
    conditions = items[0].get("status", {}).get("conditions", []) if items else []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


async def _runs_a_pod(pair: Pair) -> None:
    # A script, as an emulated agent finds that this machine's own programs are built for another processor.
    program = pair.folder / "program" / "run"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $$ >> {pair.folder}/pids\nexec sleep 1000\n")
    program.chmod(0o755)
    await pair.command("push", "program:1", str(program.parent))
    await pair.apply("first.yaml", _pod("first"))
    await _is_running(pair, "first")
    await pair.until("the program has begun", (pair.folder / "pids").exists)


async def _is_running(pair: Pair, name: str) -> None:
    def phase() -> bool:
        return bool(pair.get(f"{PODS}/{name}").get("status", {}).get("phase") == "Running")

    await pair.until(f"{name} is Running", phase, SLOW_S)


async def _comes_back_to_a_hub_that_died(pair: Pair) -> None:
    await pair.processes["hub"].end(signal.SIGKILL)
    await asyncio.sleep(2)  # some reads happen without a hub, and must arrive all the same
    await pair.start_hub()
    await pair.apply("later.yaml", _pod("later"))
    await _is_running(pair, "later")


async def _comes_back_after_its_own_restart(pair: Pair) -> None:
    await pair.processes[NODE].end(signal.SIGTERM)
    last = _count_in(pair.meter_log)  # of its answer it may have been told after it was asked to stop
    await pair.start_agent(NODE)
    await pair.until("what was read before its end is stored", lambda: last - 1 in pair.counts(), SLOW_S)
    await pair.until("it reads on", lambda: max(pair.counts()) > last, SLOW_S)
    counts = pair.counts()
    assert counts == sorted(set(counts)), "each answered read is stored once, in order"
    assert set(range(counts[0], counts[-1] + 1)) - set(counts) <= {last}, "and none is lost"
    assert len((pair.folder / "pids").read_text().split()) == 2, "both workloads ran on through all of it"


def _count_in(meter_log: Path) -> int:
    return int(meter_log.read_text().split("\n")[-2].split()[0])


async def _deletes(pair: Pair) -> None:
    pids = (pair.folder / "pids").read_text().split()
    await pair.command("delete", "pod", "first", "later", "--timeout", "30")
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def _pod(name: str) -> str:
    container = {"name": "main", "image": "program:1", "command": ["./run"]}
    spec = {"nodeName": NODE, "runtimeClassName": "process", "containers": [container]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
