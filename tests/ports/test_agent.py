"""The agent as a process, against a hub on real TLS sockets: what an operator would see. Under both runtimes."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgelite_protocol import messages as m

sys.path.insert(0, str(Path(__file__).parent))
from agent_site import AgentSite, is_running, wait_until
from hub_peer import HubPeer
from micropython_site import MicroPythonSite

SITES = {"cpython": AgentSite, "micropython": MicroPythonSite}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubPeer]:
    made = HubPeer(tmp_path / "hub")
    yield made
    made.cut()


@pytest.fixture(params=SITES)
def make_site(request: pytest.FixtureRequest) -> Callable[[Path], AgentSite]:
    """An agent of one runtime, or the other, on the state directory given."""
    made: type[AgentSite] = SITES[request.param]
    return made


@pytest.fixture
def site(make_site: Callable[[Path], AgentSite], hub: HubPeer, tmp_path: Path) -> Iterator[AgentSite]:
    made = make_site(tmp_path / "node").make_node(hub)
    yield made
    made.end()


def workload(name: str, script: str) -> dict[int, object]:
    return {
        m.WORKLOAD_UID: "uid-" + name,
        m.WORKLOAD_NAMESPACE: "default",
        m.WORKLOAD_NAME: name,
        m.WORKLOAD_RUNTIME: "process",
        m.WORKLOAD_RESTART_POLICY: "Always",
        m.WORKLOAD_GRACE_MS: 1000,
        m.WORKLOAD_CONTAINERS: [
            {m.CONTAINER_NAME: "main", m.CONTAINER_IMAGE: "host", m.CONTAINER_COMMAND: ["/bin/sh", "-c", script]}
        ],
        m.WORKLOAD_GENERATION: 1,
    }


def put_device(hub: HubPeer, name: str) -> None:
    """A meter at an address where nobody answers."""
    device: dict[int, object] = {
        m.DEVICE_UID: "uid-" + name,
        m.DEVICE_NAMESPACE: "default",
        m.DEVICE_NAME: name,
        m.DEVICE_DRIVER: "modbus",
        m.DEVICE_PROTOCOL: {"ip": "127.0.0.1", "port": 1, "slaveID": 1},
        m.DEVICE_PROPERTIES: [],
        m.DEVICE_GENERATION: 1,
    }
    hub.put(m.KIND_DEVICE, "default/" + name, device)


def put_workload(hub: HubPeer, name: str, script: str = "while sleep 60; do :; done") -> None:
    hub.put(m.KIND_WORKLOAD, f"default/{name}/uid-{name}", workload(name, script))


def running_pid(hub: HubPeer, name: str) -> int:
    """The pid that the newest report of the workload names; 0 while it doesn't run."""
    for _, _, _, body in reversed(hub.reports):
        if body.get(m.REPORT) == m.REPORT_WORKLOAD and body[m.STATUS_UID] == "uid-" + name:
            status = body[m.STATUS_CONTAINERS][0]  # type: ignore[index]
            return status.get(m.STATUS_CONTAINER_PID, 0) if status[m.STATUS_CONTAINER_STATE] == "running" else 0
    return 0


def test_connects_applies_reports_and_stops(hub: HubPeer, site: AgentSite) -> None:
    site.start()
    wait_until(lambda: hub.hellos, what=site.log)
    assert hub.hellos[0][m.HELLO_NODE] == "kitchen"
    put_workload(hub, "one")
    wait_until(lambda: running_pid(hub, "one"), what=site.log)
    wait_until(lambda: hub.applied and hub.applied[-1][1] == 1)
    pid = running_pid(hub, "one")
    assert is_running(pid)
    asked_s = time.monotonic()
    assert site.stop() == 0
    assert time.monotonic() - asked_s < 3  # and not only when its patience with a stalled card is over
    assert ("node_stopping", "") in hub.ends
    assert is_running(pid), "workloads outlive the agent"


def test_sigkill_and_restart_leave_the_workload_alone(hub: HubPeer, site: AgentSite) -> None:
    site.start()
    put_workload(hub, "one")
    wait_until(lambda: running_pid(hub, "one"), what=site.log)
    pid = running_pid(hub, "one")
    wait_until(lambda: hub.applied and hub.applied[-1][1] == 1)
    site.kill()
    assert is_running(pid)
    site.start()
    wait_until(lambda: len(hub.hellos) == 2, what=site.log)
    assert hub.hellos[1][m.HELLO_REVISION] == 1
    put_workload(hub, "two")
    wait_until(lambda: running_pid(hub, "two"), what=site.log)
    assert is_running(pid)
    assert running_pid(hub, "one") == pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: running_pid(hub, "one") not in (0, pid), what=site.log)


def test_workloads_start_without_a_link(hub: HubPeer, site: AgentSite, tmp_path: Path) -> None:
    """A reboot without a network: here all processes are ended and the hub is gone."""
    flag = tmp_path / "ran"
    site.start()
    put_workload(hub, "one", f"echo x >>{flag}; while sleep 60; do :; done")
    wait_until(flag.exists, what=site.log)
    wait_until(lambda: hub.applied and hub.applied[-1][1] == 1)
    site.kill()
    hub.cut()
    site.end_workloads()
    site.start()
    wait_until(lambda: flag.read_text().count("x") == 2, what=site.log)


def test_the_link_is_cut_and_comes_back(hub: HubPeer, site: AgentSite) -> None:
    site.start()
    wait_until(lambda: hub.applied, what=site.log)  # so that it knows the epoch for good
    port = hub.port
    hub.cut()
    put_workload(hub, "one")
    hub.listen(port)
    wait_until(lambda: running_pid(hub, "one"), what=site.log)
    assert hub.hellos[1][m.HELLO_EPOCH] == hub.epoch


def test_the_hub_is_away_and_comes_back(hub: HubPeer, site: AgentSite) -> None:
    site.start()
    wait_until(lambda: hub.applied, what=site.log)
    port = hub.port
    hub.cut()
    wait_until(lambda: "connection refused" in site.log(), what=site.log)
    hub.listen(port)
    wait_until(lambda: len(hub.hellos) == 2 and hub.live(), what=site.log)
    assert hub.hellos[1][m.HELLO_JOURNAL_ID] == hub.hellos[0][m.HELLO_JOURNAL_ID]


def test_a_journal_outlives_sigkill(hub: HubPeer, site: AgentSite) -> None:
    site.start()
    wait_until(lambda: hub.applied, what=site.log)
    site.kill()
    site.start()
    wait_until(lambda: len(hub.hellos) == 2, what=site.log)
    first, second = hub.hellos
    assert second[m.HELLO_JOURNAL_ID] == first[m.HELLO_JOURNAL_ID]
    assert second[m.HELLO_EPOCH] == hub.epoch
    assert second[m.HELLO_GENERATION] == first[m.HELLO_GENERATION] + 1  # type: ignore[operator]


def test_one_runtime_goes_on_with_what_the_other_left(hub: HubPeer, site: AgentSite) -> None:
    site.start()
    put_device(hub, "one")
    wait_until(lambda: hub.applied and hub.applied[-1][1] == 1, what=site.log)
    assert site.stop() == 0
    for other in SITES.values():
        successor = other(site.state).start()
        try:
            wait_until(lambda: hub.live(), what=successor.log)
            assert hub.hellos[-1][m.HELLO_REVISION] == 1
            assert hub.hellos[-1][m.HELLO_JOURNAL_ID] == hub.hellos[0][m.HELLO_JOURNAL_ID]
        finally:
            assert successor.stop() == 0


def test_a_silent_link_is_noticed(hub: HubPeer, site: AgentSite) -> None:
    """Bytes vanish, no FIN, no RST. Busy means that something waits for its acknowledgement; 15 s by default, here
    the hub asks for a tenth of it."""
    hub.welcome_extra[m.WELCOME_KEEPALIVE_BUSY_MS] = 500
    hub.welcome_extra[m.WELCOME_KEEPALIVE_REST_MS] = 1000
    site.start()
    wait_until(hub.live, what=site.log)
    silent = hub.live()
    assert silent is not None
    silent.mute = True
    wait_until(lambda: len(hub.hellos) == 2, timeout_s=8, what=site.log)


def test_a_hub_by_name(hub: HubPeer, site: AgentSite) -> None:
    site.configure(node=site.name, hub=f"localhost:{hub.port}")
    site.start()
    wait_until(hub.live, what=site.log)


def test_a_hub_whose_name_there_is_not(hub: HubPeer, site: AgentSite) -> None:
    """`.invalid` is no name anywhere (RFC 6761); without a name server it is the server that does not answer."""
    site.configure(node=site.name, hub=f"hub.invalid:{hub.port}, 127.0.0.1:{hub.port}", backoff_base_ms=50)
    site.start()
    wait_until(hub.live, timeout_s=40, what=site.log)
    assert "no link to the hub: " in site.log()


def test_interrupting_it_stops_it(hub: HubPeer, site: AgentSite) -> None:
    site.start()
    wait_until(hub.live, what=site.log)
    os.kill(site.pid, signal.SIGINT)
    assert site.process is not None
    assert site.process.wait(10) == 0
    assert ("node_stopping", "") in hub.ends


def test_sighup_connects_again(hub: HubPeer, site: AgentSite) -> None:
    site.start()
    wait_until(hub.live, what=site.log)
    os.kill(site.pid, signal.SIGHUP)
    wait_until(lambda: len(hub.hellos) == 2, what=site.log)


def test_a_refused_node_does_not_storm(hub: HubPeer, site: AgentSite) -> None:
    hub.refusal = ("node_revoked", "the Node was deleted")
    site.start()
    wait_until(lambda: hub.hellos, what=site.log)
    wait_until(lambda: "node_revoked" in site.log())
    assert site.log().count("the hub refuses this node") == 1
    assert len(hub.hellos) == 1


def test_a_renewed_certificate_is_kept_and_used(hub: HubPeer, site: AgentSite) -> None:
    before = (site.state / "identity" / "node.crt").read_bytes()
    hub.welcome_extra[m.WELCOME_RENEW] = True
    site.start()
    wait_until(lambda: (site.state / "identity" / "node.crt").read_bytes() != before, what=site.log)
    del hub.welcome_extra[m.WELCOME_RENEW]
    first = hub.live()
    assert first is not None
    os.kill(site.pid, signal.SIGHUP)
    wait_until(lambda: len(hub.hellos) == 2 and hub.live(), what=site.log)
    second = hub.live()
    assert second is not None
    assert second.certificate != first.certificate


def test_tells_systemd_that_it_is_ready_alive_and_stopping(hub: HubPeer, site: AgentSite, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        site.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000")
        told = [systemd.recv(200) for _ in range(4)]
        assert told[0].startswith(b"READY=1")
        assert told[1:] == [b"WATCHDOG=1"] * 3
        site.stop()
        systemd.setblocking(False)
        rest = []
        while True:
            try:
                rest.append(systemd.recv(200))
            except BlockingIOError:
                break
        assert any(state.startswith(b"STOPPING=1") for state in rest)


def test_memory_stays_within_its_budget(hub: HubPeer, site: AgentSite) -> None:
    """Private memory is the agent's own whoever else runs; PSS is a floor here, because the test shares pages."""
    site.start()
    put_workload(hub, "one")
    wait_until(lambda: running_pid(hub, "one"), what=site.log)
    lines = Path(f"/proc/{site.pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    assert kib["Private_Dirty"] <= 8 * 1024
    assert kib["Pss"] <= 16 * 1024


def test_an_idle_agent_does_not_wake(hub: HubPeer, site: AgentSite) -> None:
    site.start()
    put_workload(hub, "one")
    wait_until(lambda: hub.applied and hub.applied[-1][1] == 1, what=site.log)
    time.sleep(2.5)
    before = context_switches(site.pid)
    time.sleep(2)
    assert context_switches(site.pid) - before <= 2


def context_switches(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


@pytest.mark.parametrize("second", SITES)
def test_a_second_agent_on_the_same_state_ends(hub: HubPeer, site: AgentSite, second: str) -> None:
    site.start()
    wait_until(hub.live, what=site.log)
    other = SITES[second](site.state).start()
    assert other.process is not None
    assert other.process.wait(10) == 1
    assert "another agent" in other.log()


def ended(site: AgentSite) -> tuple[int, str]:
    site.start()
    assert site.process is not None
    return site.process.wait(10), site.log()


def test_not_joined(make_site: Callable[[Path], AgentSite], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, log = ended(make_site(tmp_path / "empty"))
    assert code == 2
    assert "edgelite join" in log


def test_a_wrong_line_in_agent_conf(site: AgentSite) -> None:
    with (site.state / "agent.conf").open("a") as config:
        config.write("colour = blue\n")
    code, log = ended(site)
    assert code == 2
    assert "agent.conf, line 4" in log


def test_a_journal_that_cannot_be_written(site: AgentSite) -> None:
    (site.state / "journal").write_text("a file where a directory should be")
    code, log = ended(site)
    assert code == 1
    assert str(site.state / "journal") in log


def test_a_damaged_journal_is_told_and_never_taken_for_an_empty_one(hub: HubPeer, site: AgentSite) -> None:
    site.start()
    put_workload(hub, "one")
    wait_until(lambda: hub.applied and hub.applied[-1][1] == 1, what=site.log)
    assert site.stop() == 0
    for path in (site.state / "journal").iterdir():
        data = path.read_bytes()
        path.write_bytes(b"\xaa" * len(data))
    code, log = ended(site)
    assert code == 1
    assert "no state can be read" in log


FORBIDDEN = (
    *("typing", "dataclasses", "importlib.metadata", "asyncio", "logging", "json", "argparse", "enum", "re", "socket"),
    *("ssl", "selectors", "threading", "subprocess", "signal", "hashlib", "tempfile", "pathlib", "contextlib"),
    *("functools", "traceback", "inspect", "datetime", "random", "shutil", "site", "collections.abc"),
)


def test_imports_nothing_that_its_budget_forbids() -> None:
    """Everything that a whole agent loads, its driver included."""
    import subprocess

    from edgelite_ports.linux import exec_agent

    words = exec_agent.command([])
    script = (
        "import sys; sys.path[:0] = sys.argv[1].split(':'); import edgelite_ports.linux.agent; "
        "import edgelite_drivers.modbus; print(' '.join(sorted(sys.modules)))"
    )
    made = subprocess.run([*words[:3], "-c", script, words[4]], capture_output=True, text=True, check=True, timeout=30)
    loaded = set(made.stdout.split())
    assert "edgelite.node" in loaded
    assert loaded.isdisjoint(FORBIDDEN), sorted(loaded & set(FORBIDDEN))
