"""The demo's real parts: one hub, three agents, a meter and a proxy, each a process (the proxy a task) of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import resources
from pathlib import Path
from typing import Any

from edgelite_cli.client import Client
from edgelite_cli.kubeconfig import load
from edgelite_sim.proxy import Proxy

NODES = ("node-1", "node-2", "node-3")
TROUBLED = NODES[0]  # the node whose link goes through the proxy and that reads the meter
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 5

# The demo shows outages of 20 seconds in under two minutes, so a node may not rest for the five minutes that it
# would at the most otherwise.
AGENT_SETTINGS = "reconnect_ms_max = 4000\n"


class StageError(Exception):
    """A part did not do its part; the text says which, and where its log is."""


class Process:
    """One of our processes, its output in a file."""

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        self.name = name
        self.arguments = arguments
        self.log = log
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *self.arguments, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    def is_alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def check(self) -> None:
        if self.process is not None and self.process.returncode is not None:
            tail = "\n  ".join(self.log.read_text(errors="replace").splitlines()[-5:])
            raise StageError(f"{self.name} ended with code {self.process.returncode}; {self.log} ends with:\n  {tail}")

    async def end(self, number: signal.Signals) -> None:
        """Signal and wait; SIGKILL where it takes too long."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(number)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


async def until(what: str, probe: Callable[[], Any], timeout_s: float = START_TIMEOUT_S, pause_s: float = 0.1) -> Any:
    """The first true answer of `probe` (run in a thread: it may block). StageError after the timeout."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = await asyncio.to_thread(probe)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise StageError(f"{what}: not within {timeout_s:g} s")
        await asyncio.sleep(pause_s)


class Stage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heartbeats = folder / "heartbeats"
        self.meter_log = folder / "meter.log"
        self.processes: dict[str, Process] = {}
        self.dead: list[tuple[int, int]] = []  # spans (unix ms) in which the troubled node had no agent
        self.client: Client
        self.proxy: Proxy
        self.meter_port = 0

    # ---- starting

    def edgelite(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "edgelite_cli", *arguments]

    async def launch(self, name: str, arguments: list[str]) -> Process:
        process = Process(name, arguments, self.folder / f"{name}.out")
        self.processes[name] = process
        await process.start()
        return process

    async def ready(self, name: str, probe: Callable[[], Any]) -> Any:
        def checked() -> Any:
            self.processes[name].check()
            return probe()

        return await until(f"{name} is not ready", checked)

    async def command(self, *arguments: str) -> str:
        """Run an `edgelite` command as a user would; its standard output."""
        process = await asyncio.create_subprocess_exec(
            *self.edgelite(*arguments),
            env=os.environ | {"EDGELITE_KUBECONFIG": str(self.folder / "hub" / "kubeconfig")},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        if process.returncode:
            raise StageError(f"`edgelite {' '.join(arguments[:2])}` failed: {errors.decode().strip()}")
        return output.decode()

    async def start_hub(self) -> None:
        data = self.folder / "hub"
        here = ("--api", "127.0.0.1:0", "--nodes", "127.0.0.1:0")
        await self.launch("hub", self.edgelite("hub", "--data", str(data), *here))
        facts = await self.ready("hub", lambda: self.read_facts(data / "hub.json"))
        self.client = Client(load(str(data / "kubeconfig")))
        self.node_port = int(facts["nodes"].rpartition(":")[2])
        self.proxy = Proxy("127.0.0.1", self.node_port)
        await self.proxy.start()

    @staticmethod
    def read_facts(path: Path) -> Any:
        return json.loads(path.read_text()) if path.exists() else None

    async def start_meter(self) -> None:
        arguments = [
            sys.executable,
            "-m",
            "edgelite_sim.meter",
            "--listen",
            "127.0.0.1:0",
            "--log",
            str(self.meter_log),
        ]
        process = await self.launch("meter", arguments)
        found = await self.ready("meter", lambda: re.search(r"ready (\d+)", process.log.read_text()))
        self.meter_port = int(found[1])

    async def join(self, node: str, token: str) -> None:
        port = self.proxy.port if node == TROUBLED else self.node_port
        state = str(self.folder / node)
        await self.command("join", f"127.0.0.1:{port}", "--token", token, "--name", node, "--state", state)
        with (self.folder / node / "agent.conf").open("a") as settings:
            settings.write(AGENT_SETTINGS)

    async def start_agent(self, node: str) -> None:
        await self.launch(node, self.edgelite("agent", "--state", str(self.folder / node)))

    # ---- what the demo applies

    async def apply(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        await self.command("apply", "-f", str(path))

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

    def get(self, path: str, **query: Any) -> Any:
        return self.client.request("GET", path, query)

    # ---- trouble

    async def kill_workload(self) -> int:
        """SIGKILL to the workload of the troubled node; its process id."""
        found = self.heartbeat(TROUBLED)
        if found is None:
            raise StageError(f"the workload of {TROUBLED} has not shown a sign of life")
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
        for name in [*NODES, "hub", "meter"]:
            if name in self.processes:
                await self.processes[name].end(signal.SIGTERM)
        if hasattr(self, "proxy"):
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
        except (StageError, OSError) as error:
            sys.stderr.write(f"while cleaning up: {error}\n")


def now_ms() -> int:
    return time.time_ns() // 1_000_000
