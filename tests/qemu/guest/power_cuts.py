"""Power cuts of a machine whose agent is at work, and the oracle that judges what came back.

The oracle stands outside: it believes the hub's API for what the node has confirmed, the meter's own log for what was
read, the guest's process table for what runs, and the console for what the agent says.

    what was confirmed before the cut       what must be so after the next boot, before the hub can be reached
    a Pod is Running                        its process runs
    a Pod is gone                           its process does not
    the journal was opened                  a copy of it, as the cut left it, opens without damage
    the clock's floor                       has not gone back

    what was read                           what the hub must have stored in the end
    longer before the cut than a window     exactly once
    later                                   once or not at all
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import sys
import time
from pathlib import Path
from typing import Any

from edgelite_sim.proxy import REFUSED
from edgelite_sim.qemu import HOST, GuestError
from edgelite_sim.qemu.guest_node import GuestNode
from edgelite_sim.qemu.image import Image
from edgelite_sim.site import Site

PODS = "/api/v1/namespaces/default/pods"
GROUP_WINDOW_MS = 1000
# Beyond the window: for a busy host to let the guest run, and for the guest's disk.
SLACK_MS = 2500
PODS_MAX = 4
OFFLINE_TIMEOUT_S = 40
SETTINGS = "backoff_base_ms = 300\nbackoff_cap_ms = 600\n"

# Runs before the agent is started: the journal as the cut left it.
BEFORE = """#!/bin/sh
rm -rf /run/journal-before
cp -a /data/edgelite/journal /run/journal-before 2>/dev/null
"""

# Opens the copy, with the library itself, and prints what it found.
INSPECT = """import os, sys
sys.path[:0] = ["/opt/edgelite/lib"]
from edgelite.journal import SPACE_META, Journal, JournalLimits
from edgelite_ports.linux.storage import FileStorage
from edgelite_protocol import cbor
journal = Journal(FileStorage("/run/journal-before"), JournalLimits(), os.urandom, lambda effect: None)
facts = journal.open(0)
clock = journal.get(SPACE_META, "clock")
print("damaged=%d fresh=%d floor=%d" % (len(facts.damaged), facts.fresh, cbor.decode(clock)[0] if clock else 0))
for text in facts.damaged:
    print(text)
"""

# A long timeout: an answer that a node has given up waiting for is read in the meter's log, and nowhere else.
METER = """apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: counter}
spec:
  protocol: modbus
  properties: [{name: answered_reads, type: INT, accessMode: ReadOnly}]
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: meter-@NODE@}
spec:
  deviceModelRef: {name: counter}
  nodeName: "@NODE@"
  protocol: {protocolName: modbus, configData: {ip: @HOST@, port: @PORT@, slaveID: 1, timeoutMs: 20000}}
  properties:
  - name: answered_reads
    collectCycle: 250
    reportToCloud: true
    visitors:
      protocolName: modbus
      configData: {register: InputRegister, offset: 0x0200, limit: 2, type: uint32}
"""


class Rounds:
    """One machine, cut as often as wanted. `rounds` is what `run` has done so far."""

    def __init__(self, site: Site, name: str, runtime: str, seed: int) -> None:
        self.site = site
        self.name = name
        self.runtime = runtime
        self.random = random.Random(f"{seed} {name}")
        self.meter_log = site.folder / f"meter-{name}.log"
        self.rounds = 0
        self.cuts_ms: list[int] = []
        self.pods: list[str] = []
        self.made = 0
        self.deleted: list[str] = []
        self.running: set[str] = set()  # confirmed by the node, as the hub shows
        self.gone: set[str] = set()
        self.floor_ms = 0
        self.complaints: list[str] = []
        self.node: GuestNode

    # ---- before the first cut

    async def start(self, image: Image) -> None:
        port = await self._start_meter()
        job = {"before": BEFORE, "inspect.py": INSPECT}
        self.node = await GuestNode.make(self.site, self.name, SETTINGS, self.runtime, image=image, job=job)
        await self.node.boot()
        await self.node.ready()
        text = METER.replace("@NODE@", self.name).replace("@PORT@", str(port)).replace("@HOST@", HOST)
        await self.site.apply(f"meter-{self.name}.yaml", text)
        await self._create_artifact_pod()
        await self._create_pod()
        await self.site.until("the first workloads run", lambda: self._running() == set(self.pods), 60)
        await self.site.until("telemetry arrives", lambda: len(self._stored()) > 2, 60)

    async def _start_meter(self) -> int:
        words = ["-m", "edgelite_sim.meter", "--listen", "127.0.0.1:0", "--log", str(self.meter_log)]
        process = await self.site.launch(f"meter-{self.name}", [sys.executable, *words])
        found = await self.site.until("the meter is ready", lambda: re.search(r"ready (\d+)", process.log.read_text()))
        return int(found[1])

    async def _create_artifact_pod(self) -> None:
        """Its program comes from the hub once; with the hub out of reach only what was kept can run it."""
        program = self.site.folder / f"tool-{self.name}" / "run.sh"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\necho {self.name}\nexec sleep 86401\n")
        program.chmod(0o755)
        await self.site.command("push", f"tool-{self.name}:1", str(program.parent))
        await self._post("tool-" + self.name, {"image": f"tool-{self.name}:1", "command": ["./run.sh"]})
        self.pods.append("tool-" + self.name)

    async def _create_pod(self) -> None:
        self.made += 1
        name = f"pod-{self.made}-{self.name}"
        await self._post(name, {"image": "host", "command": ["sleep", str(90_000 + self.made)]})
        self.pods.append(name)

    async def _post(self, name: str, container: dict[str, Any]) -> None:
        spec = {
            "nodeName": self.name,
            "runtimeClassName": "process",
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", **container}],
        }
        await self._request("POST", PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})

    async def _request(self, method: str, path: str, body: Any = None) -> None:
        def ask() -> None:
            with self.site.asking:
                self.site.client.request(method, path, None, body)

        await asyncio.to_thread(ask)

    # ---- a round: boot without the hub, judge, go on with the hub, cut

    async def run(self, count: int) -> None:
        """The first cut falls on a machine that runs; each round then boots it again, and ends with a cut."""
        for _ in range(count):
            await asyncio.sleep(self.random.uniform(0, 5))
            await self._cut()
            kind = self.random.choices(("whole", "offline", "booting"), (6, 3, 1))[0]
            if kind == "booting":
                await asyncio.to_thread(self.node.guest.power_on)
                await asyncio.sleep(self.random.uniform(3, 9))
                continue
            await self.node.boot()
            await self._judge_offline()
            if kind == "whole":
                await self._work_with_the_hub()
            self.rounds += 1

    async def _cut(self) -> None:
        """The machine first; what the hub shows after that was on its way before."""
        await asyncio.to_thread(self.node.guest.power_cut)
        self.cuts_ms.append(int(time.time() * 1000))
        self._note_damage()
        await asyncio.sleep(0.3)
        await self.node.proxy.cut(REFUSED)
        self.running = await asyncio.to_thread(self._running)
        self.gone = set(self.deleted) - await asyncio.to_thread(self._existing)

    def _note_damage(self) -> None:
        for line in self.node.guest.console().splitlines():
            if "damaged" in line or "Traceback" in line or "EXT4-fs error" in line:
                self.complaints.append(f"round {self.rounds}: the console says: {line}")

    async def _judge_offline(self) -> None:
        deadline_s = time.monotonic() + OFFLINE_TIMEOUT_S
        while missing := [pod for pod in self.running if self._words_of(pod) not in (table := await self._processes())]:
            if time.monotonic() > deadline_s:
                self._complain(f"{missing} ran before the cut, and not after it: {table}")
                break
            await asyncio.sleep(0.3)
        table = await self._processes()
        self._complain_of([pod for pod in self.gone if self._words_of(pod) in table], "gone before the cut, runs again")
        facts = await self.node.run("timeout 25 python3.13 -S -I /run/job/inspect.py")
        found = re.match(r"damaged=(\d+) fresh=(\d+) floor=(\d+)", facts)
        if found is None or (found[1], found[2]) != ("0", "0"):
            self._complain(f"the journal after the cut: {facts}")
        elif int(found[3]) < self.floor_ms:
            self._complain(f"the clock's floor went back: {found[3]} from {self.floor_ms}")
        else:
            self.floor_ms = int(found[3])

    async def _processes(self) -> str:
        return await self.node.run("ps")

    def _words_of(self, pod: str) -> str:
        """What shows in the process table."""
        number = int(pod.split("-")[1]) if pod.startswith("pod-") else -1
        return "sleep 86401" if number < 0 else f"sleep {90_000 + number}"

    def _complain(self, text: str) -> None:
        self.complaints.append(f"round {self.rounds}: {text}\n{self.node.guest.tail()}")

    def _complain_of(self, pods: list[str], text: str) -> None:
        if pods:
            self._complain(f"{pods}: {text}")

    async def _work_with_the_hub(self) -> None:
        """Changes of the desired state under way, when the next cut comes."""
        await self.node.proxy.heal()
        with contextlib.suppress(GuestError):  # a late link is no fault; the cut may come before it
            await self.node.wait_for("the hub answered", 10)
        for _ in range(self.random.randint(1, 2)):
            if len(self.pods) < PODS_MAX and self.random.random() < 0.6:
                await self._create_pod()
            elif len(self.pods) > 1:
                await self._delete_pod()
            await asyncio.sleep(self.random.uniform(0, 1))

    async def _delete_pod(self) -> None:
        name = self.pods.pop(self.random.randrange(1, len(self.pods)))
        await self._request("DELETE", f"{PODS}/{name}")
        self.deleted.append(name)

    # ---- what the hub shows

    def _items(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.site.get(PODS)["items"]
        return [item for item in items if item["spec"]["nodeName"] == self.name]

    def _existing(self) -> set[str]:
        return {item["metadata"]["name"] for item in self._items()}

    def _running(self) -> set[str]:
        """Confirmed, and not about to be deleted."""
        return {
            item["metadata"]["name"]
            for item in self._items()
            if item.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in item["metadata"]
        }

    def _stored(self) -> list[int]:
        path = f"/apis/edgelite.dev/v1/namespaces/default/devices/meter-{self.name}/telemetry"
        values: list[int] = []
        query: dict[str, Any] = {"property": "answered_reads", "limit": 10_000}
        while True:
            page = self.site.get(path, **query)
            values += [item["value"] for item in page["items"]]
            if not page["metadata"].get("continue"):
                return values
            query["continue"] = page["metadata"]["continue"]

    # ---- the end

    async def finish(self) -> None:
        """A last boot with the hub; everything that had to be kept arrives."""
        await self._cut()
        await self.node.proxy.heal()
        await self.node.boot()
        try:
            await self.node.ready()
        except GuestError as error:
            self._complain(f"the node does not come back: {error}")
        required = self._required()
        with contextlib.suppress(Exception):  # judged below, by what is missing
            await self.site.until("what was kept arrives", lambda: required <= set(self._stored()), 40)
        stored = await asyncio.to_thread(self._stored)
        if len(set(stored)) != len(stored):
            self._complain(f"stored twice: {sorted(one for one in set(stored) if stored.count(one) > 1)[:10]}")
        if lost := required - set(stored):
            self._complain(f"{len(lost)} readings are lost, such as {self._moments(lost)}")
        if invented := set(stored) - {count for count, _ in self._answered()}:
            self._complain(f"stored and never read: {sorted(invented)[:10]}")

    def _answered(self) -> list[tuple[int, int]]:
        """(count, unix ms) as the meter noted them; a last line may be half written."""
        lines = [line.split() for line in self.meter_log.read_text().splitlines()]
        return [(int(words[0]), int(words[1])) for words in lines if len(words) == 2]

    def _moments(self, counts: set[int]) -> str:
        """Readings, and how long before the next cut each was."""
        shown = []
        for count, at_ms in self._answered():
            if count in counts:
                left_ms = min((cut_ms - at_ms for cut_ms in self.cuts_ms if cut_ms >= at_ms), default=0)
                shown.append(f"{count} ({left_ms} ms before a cut)")
        return ", ".join(shown[:10])

    def _required(self) -> set[int]:
        spared_ms = GROUP_WINDOW_MS + SLACK_MS
        return {
            count
            for count, at_ms in self._answered()
            if not any(at_ms <= cut_ms <= at_ms + spared_ms for cut_ms in self.cuts_ms)
            and at_ms < time.time() * 1000 - spared_ms
        }

    def summary(self) -> str:
        return json.dumps(
            {
                "machine": self.name,
                "runtime": self.runtime,
                "cuts": len(self.cuts_ms),
                "rounds judged": self.rounds,
                "readings": len(self._answered()),
                "required": len(self._required()),
                "pods made": self.made,
                "pods deleted": len(self.deleted),
            }
        )


async def play(folder: Path, image: Image, machines: list[tuple[str, str]], cuts: int, seed: int) -> list[Rounds]:
    """`cuts` for each machine (name, runtime), all beside each other, on one hub."""
    site = Site(folder)
    rounds = [Rounds(site, name, runtime, seed) for name, runtime in machines]
    try:
        await site.start_hub()
        await asyncio.gather(*(one.start(image) for one in rounds))
        await asyncio.gather(*(one.run(cuts) for one in rounds))
        await asyncio.gather(*(one.finish() for one in rounds))
    finally:
        for one in rounds:
            if hasattr(one, "node"):
                await one.node.stop()
        await site.stop()
    return rounds
