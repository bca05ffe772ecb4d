"""Drivers in processes of their own under real agents: started, adopted, killed when they hang, ended; and what their
devices say meanwhile."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgelite_protocol import messages as m

sys.path.insert(0, str(Path(__file__).parent))
from agent_site import AgentSite, is_running, wait_until
from hub_peer import HubPeer
from micropython_site import ROOMS, ROOT, MicroPythonSite

SITES: dict[str, type[AgentSite]] = {"cpython": AgentSite, "micropython": MicroPythonSite}
HERE = Path(__file__).parent
PROGRAM = HERE.parent / "drivers" / "far_program.py"
UID = "edgelite-driver-far"
PATIENCE_S = 40.0


class Site:
    """An agent with the driver "far", and the hub that it reports to."""

    def __init__(self, agent: AgentSite, hub: HubPeer, folder: Path) -> None:
        self.agent = agent
        self.hub = hub
        self.pipe = folder / "pipe"
        self.down = folder / "down"
        os.mkfifo(self.pipe)

    def configure(self, **more: object) -> Site:
        self.agent.make_node(self.hub, **more)
        return self

    def start(self) -> Site:
        self.agent.start()
        return self

    def put(self, *, listen: bool = False, generation: int = 1) -> None:
        properties = [
            {
                m.PROPERTY_NAME: "inside",
                m.PROPERTY_TYPE: "FLOAT",
                m.PROPERTY_WRITABLE: False,
                m.PROPERTY_VISITOR: {"sensor": 1, "listen": listen},
                m.PROPERTY_COLLECT_MS: 200,
                m.PROPERTY_REPORT_MS: 0,
                m.PROPERTY_REPORT_TO_CLOUD: True,
            }
        ]
        device: dict[int, object] = {
            m.DEVICE_UID: "uid-roof",
            m.DEVICE_NAMESPACE: "default",
            m.DEVICE_NAME: "roof",
            m.DEVICE_DRIVER: "far",
            m.DEVICE_PROTOCOL: {"place": "roof"},
            m.DEVICE_PROPERTIES: properties,
            m.DEVICE_GENERATION: generation,
        }
        self.hub.put(m.KIND_DEVICE, "default/roof", device)

    def bodies(self, kind: int) -> list[dict[int, object]]:
        return [body for _, _, _, body in list(self.hub.reports) if body[m.REPORT] == kind]

    def readings(self) -> int:
        return len(self.bodies(m.REPORT_TELEMETRY))

    def states(self) -> list[tuple[object, object]]:
        return [(body[m.DEVICE_STATE], body.get(m.DEVICE_STATE_REASON, "")) for body in self.bodies(m.REPORT_DEVICE)]

    def pid(self) -> int:
        """Of the driver's process, 0 while none runs."""
        for child in self.agent.runtime().glob(f"*/{UID}/far/child"):
            words = child.read_text().split()
            if words and is_running(int(words[0])):
                return int(words[0])
        return 0

    def until(self, done: Callable[[], object]) -> None:
        wait_until(done, PATIENCE_S, lambda: f"{self.states()} {self.agent.log()[-3000:]}")

    def until_read(self) -> None:
        before = self.readings()
        self.until(lambda: self.readings() > before + 1)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubPeer]:
    made = HubPeer(tmp_path / "hub")
    yield made
    made.cut()


def rooms() -> str:
    return ":".join(str(ROOT / room) for room in ROOMS)


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest, hub: HubPeer, tmp_path: Path) -> Iterator[Site]:
    """Its driver has a half in the agent; MicroPython is told of a Python that finds what CPython's agent finds."""
    made = Site(SITES[request.param](tmp_path / "node"), hub, tmp_path)
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\n[ -e {made.down} ] && exit 7\n"
        f'export FAR_PIPE={made.pipe} PYTHONPATH="$PYTHONPATH:{rooms()}"\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    path = f"{HERE}, {PROGRAM.parent}"
    made.configure(drivers="far:far_driver", driver_path=path, driver_python=python)
    yield made
    made.agent.end()


def test_it_is_started_for_its_device_and_ended_with_it(site: Site) -> None:
    site.start().put()
    site.until_read()
    pid = site.pid()
    assert pid and site.states()[-1] == ("online", "")
    assert site.bodies(m.REPORT_WORKLOAD) == [], "the hub is told of its devices, not of it"
    site.hub.put(m.KIND_DEVICE, "default/roof", None)
    site.until(lambda: not is_running(pid))
    site.until(lambda: not (site.agent.state / "logs" / UID).exists())
    assert site.bodies(m.REPORT_WORKLOAD_GONE) == []


def test_one_that_is_killed_is_started_again(site: Site) -> None:
    site.start().put()
    site.until_read()
    pid = site.pid()
    os.kill(pid, signal.SIGKILL)
    site.until(lambda: "no connection to driver far: " in site.agent.log())
    site.until(lambda: site.pid() not in (0, pid))
    site.until_read()
    site.until(lambda: "driver far is back" in site.agent.log())


def test_one_that_hangs_is_killed_and_started_again(site: Site) -> None:
    site.start().put()
    site.until_read()
    pid = site.pid()
    os.kill(pid, signal.SIGSTOP)
    site.until(lambda: not is_running(pid))
    assert "driver far hangs: no answer to a ping within 1000 ms; its devices are offline" in site.agent.log()
    site.until(lambda: site.pid() not in (0, pid))
    site.until_read()


def test_it_outlives_the_agent_and_is_found_again(site: Site) -> None:
    site.start().put()
    site.until_read()
    pid = site.pid()
    site.agent.kill()
    assert is_running(pid)
    site.start()
    site.until_read()
    assert site.pid() == pid


def test_one_that_no_device_needs_any_more_does_not_outlive_the_agents_absence(site: Site) -> None:
    site.start().put()
    site.until_read()
    pid = site.pid()
    site.agent.kill()
    site.hub.put(m.KIND_DEVICE, "default/roof", None)
    site.start()
    site.until(lambda: not is_running(pid))


def test_what_it_hears_reaches_the_hub_before_and_after_it_was_killed(site: Site) -> None:
    site.start().put(listen=True)
    for value in (1.5, 2.5):
        site.until(site.pid)
        old = site.pid()
        site.until(lambda value=value: _say(site, value) and value in _values(site))
        os.kill(old, signal.SIGKILL)
        site.until(lambda old=old: site.pid() not in (0, old))


def _say(site: Site, value: float) -> bool:
    descriptor = os.open(site.pipe, os.O_RDWR | os.O_NONBLOCK)
    os.write(descriptor, b"%g\n" % value)
    os.close(descriptor)
    return True


def _values(site: Site) -> list[object]:
    return [body[m.TELEMETRY_VALUES]["inside"] for body in site.bodies(m.REPORT_TELEMETRY)]  # type: ignore[index]


def test_the_hub_is_told_why_its_devices_are_offline(hub: HubPeer, tmp_path: Path) -> None:
    """A program of others in any language, which agent.conf names alone."""
    site = Site(AgentSite(tmp_path / "node"), hub, tmp_path)
    script = tmp_path / "far.sh"
    script.write_text(
        f"#!/bin/sh\necho the program speaks\n[ -e {site.down} ] && exit 7\n"
        f"PYTHONPATH={rooms()} exec {sys.executable} {PROGRAM}\n"
    )
    script.chmod(0o755)
    site.configure(drivers=f"far:process:{script}")
    try:
        site.start().put()
        site.until_read()
        assert (site.agent.state / "logs" / UID / "far.log").read_bytes().count(b"the program speaks") == 1
        site.down.touch()
        os.kill(site.pid(), signal.SIGTERM)
        site.until(lambda: site.states()[-1][0] == "offline")
        site.until(lambda: "no connection to driver far: exit code 7" in site.agent.log())
        site.down.unlink()
        site.until(lambda: site.states()[-1][0] == "online")
    finally:
        site.agent.end()


def test_a_program_that_is_not_there_is_told(hub: HubPeer, tmp_path: Path) -> None:
    site = Site(AgentSite(tmp_path / "node"), hub, tmp_path)
    site.configure(drivers="far:process:/nowhere/far --all")
    try:
        site.start().put()
        site.until(lambda: site.states() and "no program at /nowhere/far" in str(site.states()[-1]))
    finally:
        site.agent.end()
