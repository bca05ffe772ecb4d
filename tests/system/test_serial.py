"""Nodes on a serial line behind a gateway, all of them real processes: noise, a gateway that is killed, a line that is
cut. What the nodes measured is at the hub once, and the gateway has seen none of it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edgelite_sim.demo.verdict import judge, parse_log
from edgelite_sim.serial_line import Noise, SharedLine
from edgelite_sim.site import Process, Site

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ports"))
import micropython_site

GATEWAY, NODES = "gateway", ("attic", "cellar")
PODS = "/api/v1/namespaces/default/pods"
DEVICES = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices"
KEY_NAMES = {
    "sender_id": "senderId",
    "recipient_id": "recipientId",
    "master_secret": "masterSecret",
    "master_salt": "masterSalt",
}
BAUD = 115200
SECRET_WORD = "Quittengelee"  # said by a Pod's command, its output and a device's name: nobody between may see it
BACK_S = 60  # a gateway that was killed: its start, 60 s at most until the line is opened, backoff of the nodes

Scene = Callable[["SerialSite"], Awaitable[None]]


class SerialSite(Site):
    """A hub, a gateway with a network, and nodes that have only the line."""

    def __init__(self, folder: Path, words: list[str], noise: Noise | None, baud: int) -> None:
        super().__init__(folder)
        self.baud = baud or BAUD
        self.line = SharedLine(len(NODES), noise, baud)
        self.node_words = words

    async def begin(self) -> None:
        await self.start_hub()
        settings = f"backoff_cap_ms = 1000\ngateway = {self.line.gateway_path}:{self.baud}\n"
        await self.join(GATEWAY, await self.token(), self.node_port, settings)
        await self.start_agent(GATEWAY)
        for number, name in enumerate(NODES):
            self.provision(name, number)
            await self.start_serial_agent(name)
        for name in NODES:
            await self.until(f"{name} is ready", lambda name=name: self.is_ready(name), BACK_S)

    def provision(self, name: str, number: int) -> None:
        with self.asking:
            keys = self.client.request("POST", f"/api/v1/nodes/{name}/oscore", {}, {})
        state = self.folder / name
        state.mkdir(mode=0o700)
        rows = [f"{ours} = {keys[theirs]}\n" for ours, theirs in KEY_NAMES.items()]
        (state / "oscore.conf").write_text("".join(rows))
        line = f"link = serial:{self.line.node_paths[number]}:{self.baud}\nlink_address = {number + 1}\n"
        (state / "agent.conf").write_text(f"node = {name}\n{line}backoff_cap_ms = 1000\n")

    async def start_serial_agent(self, name: str) -> Process:
        words = self.node_words or self.edgelite("agent")
        return await self.launch(name, [*words, "--state", str(self.folder / name)])

    def is_ready(self, name: str) -> bool:
        conditions = self.get(f"/api/v1/nodes/{name}")["status"]["conditions"]
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def boots_of_session(self, name: str) -> int:
        """How often the hub has welcomed the node."""
        return (self.folder / "hub.out").read_text().count(f"node {name}: session open")

    async def stop(self) -> None:
        await super().stop()
        self.line.close()


@pytest.fixture(params=["cpython", "micropython"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., None]:
    """Run a scene with nodes of either runtime; the gateway is CPython's. A scene that takes long is run with one of
    them."""
    words = micropython_site.agent_words() if request.param == "micropython" else []

    def run(scene: Scene, noise: Noise | None = None, baud: int = 0) -> None:
        asyncio.run(staged(SerialSite(tmp_path, words, noise, baud), scene))

    return run


async def staged(site: SerialSite, scene: Scene) -> None:
    try:
        await site.begin()
        await scene(site)
    finally:
        await site.stop()


def pod(name: str, node: str, script: str) -> str:
    container = {"name": "main", "image": "host", "command": ["sh", "-c", script]}
    spec = {"nodeName": node, "runtimeClassName": "process", "containers": [container]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


async def is_running(site: SerialSite, name: str) -> None:
    path = f"{PODS}/{name}"
    await site.until(f"{name} runs", lambda: site.get(path).get("status", {}).get("phase") == "Running", BACK_S)


def test_each_node_is_its_own_and_the_gateway_reads_nothing(play: Callable[..., None]) -> None:
    async def scene(site: SerialSite) -> None:
        for name in NODES:
            script = f"echo {SECRET_WORD} in the {name}; exec sleep 1000"
            await site.apply(f"{name}.yaml", pod(f"{name}-pod", name, script))
        for name in NODES:
            await is_running(site, f"{name}-pod")
            assert await site.command("logs", f"{name}-pod") == f"{SECRET_WORD} in the {name}\n"
            found = site.get(f"/api/v1/nodes/{name}")
            assert found["metadata"]["annotations"]["edgelite.dev/gateway"] == GATEWAY
        assert len(site.line.recorded) > 3000
        for word in (SECRET_WORD, *NODES, "sleep", "default/"):
            assert word.encode() not in site.line.recorded, word
        for path in (site.folder / GATEWAY).rglob("*"):
            assert not path.is_file() or SECRET_WORD.encode() not in path.read_bytes(), path
        for name in NODES:
            await site.command("delete", "pod", f"{name}-pod", "--now")

    play(scene)


@pytest.mark.parametrize("play", ["micropython"], indirect=True)
def test_through_noise(play: Callable[..., None]) -> None:
    """About one long packet of three is spoilt, of some hundred bytes each."""

    async def scene(site: SerialSite) -> None:
        await site.apply("pod.yaml", pod("noisy", NODES[0], "seq 1 400; exec sleep 1000"))
        await is_running(site, "noisy")
        wanted = "".join(f"{number}\n" for number in range(1, 401))
        assert await site.command("logs", "noisy") == wanted
        assert site.line.noise.count > 5, "there was noise"
        await site.command("delete", "pod", "noisy", "--now")

    play(scene, Noise(7, lost=0.0008, flipped=0.0008, invented=0.0008))


@pytest.mark.parametrize("play", ["cpython"], indirect=True)
def test_a_slow_line_stays_alive_under_all_that_it_carries(play: Callable[..., None]) -> None:
    """9,600 baud, paced: a Pod of nearly 2 KB goes down and output of 4 KB comes up, each for seconds."""

    async def scene(site: SerialSite) -> None:
        await site.apply("pod.yaml", pod("long", NODES[0], f"seq 1 1000; exec sleep 1000; # {'x' * 1400}"))
        await is_running(site, "long")
        assert await site.command("logs", "long") == "".join(f"{number}\n" for number in range(1, 1001))
        assert site.boots_of_session(NODES[0]) == 1, "one session all the time"
        await site.command("delete", "pod", "long", "--now")

    play(scene, baud=9600)


METER = """
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: counter}
spec:
  protocol: modbus
  properties:
    - {name: answered_reads, type: INT, accessMode: ReadOnly}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: meter}
spec:
  deviceModelRef: {name: counter}
  nodeName: NODE
  protocol:
    protocolName: modbus
    configData: {ip: 127.0.0.1, port: PORT, slaveID: 1, timeoutMs: 1000}
  properties:
    - name: answered_reads
      collectCycle: 100
      reportToCloud: true
      visitors:
        protocolName: modbus
        configData: {register: InputRegister, offset: 0x0200, limit: 2, type: uint32}
"""


def stored_counts(site: SerialSite) -> list[int]:
    path = "/apis/edgelite.dev/v1/namespaces/default/devices/meter/telemetry"
    items = site.get(path, property="answered_reads", limit=10000)["items"]
    return [int(item["value"]) for item in items]


@pytest.mark.parametrize("play", ["micropython"], indirect=True)
def test_a_gateway_is_killed_and_comes_back(play: Callable[..., None]) -> None:
    """And the line is cut for a while. The meter's own log judges: each answered read is at the hub, once."""

    async def scene(site: SerialSite) -> None:
        await site.start_meter()
        await site.apply("meter.yaml", METER.replace("NODE", NODES[0]).replace("PORT", str(site.meter_port)))
        await site.until("samples arrive", lambda: len(stored_counts(site)) > 5, BACK_S)
        sessions = {name: site.boots_of_session(name) for name in NODES}
        await site.processes.pop(GATEWAY).end(signal.SIGKILL)
        await asyncio.sleep(1)
        await site.start_agent(GATEWAY)
        for name, before in sessions.items():
            back = lambda name=name, before=before: site.boots_of_session(name) > before  # noqa: E731
            await site.until(f"{name} is back", back, BACK_S)
        site.line.cut = True
        await asyncio.sleep(3)
        site.line.cut = False
        await asyncio.sleep(1)
        await site.processes.pop("meter").end(signal.SIGKILL)
        log = parse_log(site.meter_log.read_text())
        log.pop(max(log))  # its answer may never have left the meter
        await site.until("the last sample is at the hub", lambda: max(log) in stored_counts(site), BACK_S)
        verdict = judge(log, [count for count in stored_counts(site) if count <= max(log)], [])
        assert verdict.good and verdict.answered > 50, verdict

    play(scene)


@pytest.mark.parametrize("play", ["cpython"], indirect=True)
def test_a_deleted_node_is_out(play: Callable[..., None]) -> None:
    async def scene(site: SerialSite) -> None:
        await site.command("delete", "node", NODES[1])
        log = site.folder / f"{NODES[1]}.out"
        await site.until("the node is told", lambda: "node_revoked" in log.read_text(), BACK_S)
        await site.until("and then knows nobody", lambda: "unknown_key" in log.read_text(), BACK_S)
        assert site.is_ready(NODES[0])

    play(scene)
