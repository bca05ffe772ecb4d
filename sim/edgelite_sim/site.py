"""A hub, agents and a meter as real processes on loopback, for the demo, the benchmarks and the system tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgelite_cli.client import Client
from edgelite_cli.kubeconfig import load
from edgelite_sim.leftovers import end_all

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 5


class SiteError(Exception):
    """A part did not do its part; the text says which, and where its log is."""


class Process:
    """One of our processes, its output in a file."""

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        self.name = name
        self.arguments = arguments
        self.log = log
        self.process: asyncio.subprocess.Process | None = None
        self.is_wanted = True  # until we end it ourselves

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
        """SiteError where it ended by itself."""
        if self.is_wanted and self.process is not None and self.process.returncode is not None:
            tail = "\n  ".join(self.log.read_text(errors="replace").splitlines()[-5:])
            raise SiteError(f"{self.name} ended with code {self.process.returncode}; {self.log} ends with:\n  {tail}")

    async def end(self, number: signal.Signals) -> None:
        """Signal and wait; SIGKILL where it takes too long."""
        self.is_wanted = False
        if self.process is None or self.process.returncode is not None:
            return
        self.send(number)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self.process.wait()

    def send(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself in this very moment
                self.process.send_signal(number)


async def until(what: str, probe: Callable[[], Any], timeout_s: float = START_TIMEOUT_S, pause_s: float = 0.1) -> Any:
    """The first true answer of `probe` (run in a thread: it may block). SiteError after the timeout."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = await asyncio.to_thread(probe)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise SiteError(f"{what}: not within {timeout_s:g} s")
        await asyncio.sleep(pause_s)


class Site:
    """One hub and what is around it, below one folder. `await stop()` ends every process that it started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meter_log = folder / "meter.log"
        self.processes: dict[str, Process] = {}
        self.client: Client
        self.asking = threading.Lock()
        self.agent_words = self.edgelite("agent")  # what starts an agent; another port's may take its place
        self.node_port = 0
        self.meter_port = 0

    def edgelite(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "edgelite_cli", *arguments]

    async def launch(self, name: str, arguments: list[str]) -> Process:
        process = Process(name, arguments, self.folder / f"{name}.out")
        self.processes[name] = process
        await process.start()
        return process

    async def until(
        self, what: str, probe: Callable[[], Any], timeout_s: float = START_TIMEOUT_S, pause_s: float = 0.1
    ) -> Any:
        """`until`, and an error at once where one of the site's processes has died."""

        def checked() -> Any:
            for process in self.processes.values():
                process.check()
            return probe()

        return await until(what, checked, timeout_s, pause_s)

    async def command(self, *arguments: str) -> str:
        """Run an `edgelite` command as a user would; its standard output. SiteError where it fails."""
        process = await asyncio.create_subprocess_exec(
            *self.edgelite(*arguments),
            env=os.environ | {"EDGELITE_KUBECONFIG": str(self.folder / "hub" / "kubeconfig")},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        if process.returncode:
            raise SiteError(f"`edgelite {' '.join(arguments[:2])}` failed: {errors.decode().strip()}")
        return output.decode()

    async def start_hub(self) -> None:
        data = self.folder / "hub"
        facts_path = data / "hub.json"
        facts_path.unlink(missing_ok=True)
        nodes = f"127.0.0.1:{self.node_port}"  # the same again where it is started once more
        await self.launch("hub", self.edgelite("hub", "--data", str(data), "--api", "127.0.0.1:0", "--nodes", nodes))
        facts = await self.until("the hub is ready", lambda: read_facts(facts_path))
        self.client = Client(load(str(data / "kubeconfig")))
        self.node_port = int(facts["nodes"].rpartition(":")[2])

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
        found = await self.until("the meter is ready", lambda: re.search(r"ready (\d+)", process.log.read_text()))
        self.meter_port = int(found[1])

    async def token(self) -> str:
        return (await self.command("token", "create", "--ttl", "10m")).strip()

    async def join(self, node: str, token: str, port: int, settings: str = "") -> None:
        """`settings` are further lines of agent.conf."""
        state = self.folder / node
        await self.command("join", f"127.0.0.1:{port}", "--token", token, "--name", node, "--state", str(state))
        with (state / "agent.conf").open("a") as file:
            file.write(settings)

    async def start_agent(self, node: str) -> Process:
        return await self.launch(node, [*self.agent_words, "--state", str(self.folder / node)])

    async def apply(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        await self.command("apply", "-f", str(path))

    def get(self, path: str, **query: Any) -> Any:
        """From any thread: probes run in threads of their own, and the client has one connection."""
        with self.asking:
            return self.client.request("GET", path, query)

    async def stop(self) -> None:
        """The agents first, then what they leave alive on purpose, then the rest."""
        for name in sorted(self.processes, key=lambda name: name in ("hub", "meter")):
            await self.processes[name].end(signal.SIGTERM)
        for state in {path.parent for path in self.folder.glob("*/agent.conf")}:
            end_all(state)


def read_facts(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else None
