"""The agent dies by SIGKILL and comes back, under the same runtime or the other: workloads notice nothing, and what
became of them is known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import micropython_site
import pytest
from process_bench import BOOT, KEY, UNIT, Agent, workload

from edgelite_ports.linux.clock import monotonic_ms
from edgelite_ports.posix import proc
from edgelite_protocol import cbor
from edgelite_protocol import messages as m

OTHER_BOOT = b"boot-boot-boot-2"


PROGRAM = str(Path(__file__).with_name("process_program.py"))
RUNTIMES = ("cpython", "micropython")


class AgentProcess:
    """process_program.py under one runtime, or the other."""

    def __init__(self, directory: Path, form: dict[int, object], runtime: str = "cpython") -> None:
        self._directory = directory
        self._form = directory.with_suffix(".form")
        self._output = directory.with_suffix(".out")
        self._form.write_bytes(cbor.encode(form))
        self.start(runtime)

    def start(self, runtime: str) -> None:
        words, environment = [sys.executable], {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        if runtime == "micropython":
            words, environment = (
                [*micropython_site.micropython(), *micropython_site.HEAP],
                micropython_site.environment(),
            )
        with self._output.open("wb") as output:
            command = [*words, PROGRAM, str(self._directory), str(self._form)]
            self._process = subprocess.Popen(command, stdout=output, env=environment)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def rows(self) -> list[list[str]]:
        lines = self._output.read_text().split("\n")[:-1]
        return [line.split(" ") for line in lines]

    def wait_for(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """The first row that meets it."""
        end_s = time.monotonic() + 20
        while time.monotonic() < end_s:
            for row in self.rows():
                if condition(row):
                    return row
            time.sleep(0.01)
        raise AssertionError(self.rows()[-3:])

    def message(self) -> str:
        """How it ended for good."""
        return self.wait_for(lambda row: row[0] in ("completed", "failed"))[3]

    def pid(self) -> int:
        return int(self.wait_for(lambda row: row[0] == "running" and row[1] != "0")[1])


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    """Of the agent that starts the workload; the one that adopts it in this process is CPython's."""
    return str(request.param)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Whatever a test leaves running there is ended after it."""
    yield tmp_path / "node"
    last = Agent(tmp_path / "node")
    last.supervisor.restore(0)
    last.supervisor.set_desired(KEY, None, 0)
    last.run_until(lambda: not last.supervisor.summary())
    last.finish()


def lives(pid: int) -> bool:
    stat = proc.read_stat(pid)
    return stat is not None and not stat.is_dead


def adopt(directory: Path, form: dict[int, object], boot_id: bytes = BOOT) -> Agent:
    agent = Agent(directory, boot_id)
    agent.supervisor.restore(monotonic_ms())
    agent.supervisor.set_desired(KEY, form, monotonic_ms())
    return agent


@pytest.mark.parametrize(
    "runtimes", [("cpython",) * 4, ("micropython",) * 4, ("cpython", "micropython", "cpython", "micropython")]
)
def test_the_workload_keeps_its_pid_while_the_agent_is_killed_and_started_thrice(
    directory: Path, runtimes: tuple[str, ...]
) -> None:
    agent = AgentProcess(directory, workload("sleep", "1000"), runtimes[0])
    first = agent.pid()
    for runtime in runtimes[1:]:
        agent.kill()
        assert lives(first)
        agent.start(runtime)
        assert agent.pid() == first
    agent.kill()
    assert agent.rows()[-1][2] == "0"


def test_output_goes_on_while_the_agent_is_away(directory: Path, runtime: str) -> None:
    script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"
    agent = AgentProcess(directory, workload("sh", "-c", script), runtime)
    agent.pid()
    agent.kill()
    log = directory / "state/logs/u1/main.log"
    before = len(log.read_text().splitlines())
    time.sleep(0.3)
    numbers = [int(line) for line in log.read_text().splitlines()]
    assert len(numbers) > before
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(("script", "expected"), [("exit 7", (7, None)), ("kill -KILL $$", (137, 9))])
def test_the_exit_status_of_the_agents_absence_is_reported(
    directory: Path, runtime: str, script: str, expected: tuple[int, int | None]
) -> None:
    go = directory.with_suffix(".go")
    form = workload("sh", "-c", f"until [ -e {go} ]; do sleep 0.01; done; {script}", policy="Never")
    first = AgentProcess(directory, form, runtime)
    pid = first.pid()
    first.kill()
    go.touch()
    while lives(pid):
        time.sleep(0.01)
    agent = adopt(directory, form)
    agent.run_until(lambda: agent.state() == "failed")
    agent.round()
    status = agent.last_status()
    assert (status[m.STATUS_CONTAINER_EXIT_CODE], status.get(m.STATUS_CONTAINER_SIGNAL)) == expected
    assert agent.row()["restarts"] == 0


def test_what_a_leader_leaves_behind_in_the_agents_absence_is_ended_without_it(directory: Path, runtime: str) -> None:
    child = directory.with_suffix(".child")
    first = AgentProcess(
        directory, workload("sh", "-c", f"sleep 1000 & echo $! >{child}; wait", policy="Never"), runtime
    )
    leader = first.pid()
    while not (child.exists() and child.read_text().endswith("\n")):
        time.sleep(0.01)
    first.kill()
    os.kill(leader, signal.SIGKILL)
    end_s = time.monotonic() + 10
    while lives(int(child.read_text())):
        assert time.monotonic() < end_s
        time.sleep(0.01)


@pytest.mark.parametrize(("script", "expected"), [("exit 7", "exit-code-7"), ("kill -KILL $$", "killed-by-signal-9")])
def test_the_other_runtime_learns_the_exit_status_of_the_agents_absence(
    directory: Path, runtime: str, script: str, expected: str
) -> None:
    go = directory.with_suffix(".go")
    form = workload("sh", "-c", f"until [ -e {go} ]; do sleep 0.01; done; {script}", policy="Never")
    agent = AgentProcess(directory, form, runtime)
    pid = agent.pid()
    agent.kill()
    go.touch()
    while lives(pid):
        time.sleep(0.01)
    agent.start(RUNTIMES[1 - RUNTIMES.index(runtime)])
    assert agent.message() == expected
    agent.kill()


def test_a_workload_that_was_killed_in_the_agents_absence_is_started_again(directory: Path, runtime: str) -> None:
    form = workload("sleep", "1000")
    first = AgentProcess(directory, form, runtime)
    pid = first.pid()
    first.kill()
    os.kill(pid, signal.SIGKILL)
    agent = adopt(directory, form)
    agent.run_until(lambda: agent.row().get("restarts") == 1)
    assert agent.pid() != pid


def test_a_start_that_the_agent_did_not_live_to_record_is_found(directory: Path, runtime: str) -> None:
    """It also is what happens when the journal was lost: nothing runs twice."""
    form = workload("sleep", "1000")
    first = AgentProcess(directory, form, runtime)
    pid = first.pid()
    first.kill()
    (directory / "journal").unlink()
    agent = adopt(directory, form)
    assert agent.pid() == pid


def test_an_unrecorded_start_of_another_form_is_ended_first(directory: Path, runtime: str) -> None:
    first = AgentProcess(directory, workload("sleep", "1000"), runtime)
    pid = first.pid()
    first.kill()
    (directory / "journal").unlink()
    agent = adopt(directory, workload("sleep", "1001"))
    assert agent.pid() != pid
    assert not lives(pid)


def test_after_a_reboot_nothing_is_adopted_and_all_is_started(directory: Path, runtime: str) -> None:
    """The old process is still there, as no real reboot would have it: it is nobody that the new boot knows."""
    form = workload("sleep", "1000")
    first = AgentProcess(directory, form, runtime)
    pid = first.pid()
    first.kill()
    keeper = proc.Stat((directory / "run" / BOOT.hex() / "keeper").read_bytes())
    agent = adopt(directory, form, OTHER_BOOT)
    try:
        assert agent.pid() != pid
        assert agent.row()["restarts"] == 1
        assert lives(pid)
        assert {path.name for path in (directory / "run").iterdir()} == {OTHER_BOOT.hex(), "sockets"}
    finally:
        os.killpg(pid, signal.SIGKILL)
        os.kill(keeper.pid, signal.SIGKILL)
        agent.finish()


def test_a_stop_that_the_agent_did_not_live_to_finish_is_finished(directory: Path, runtime: str) -> None:
    form = workload("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done", grace_ms=100)
    first = AgentProcess(directory, form, runtime)
    pid = first.pid()
    first.kill()
    agent = adopt(directory, {**form, m.WORKLOAD_TERMINATING: True})
    agent.run_until(agent.is_gone)
    assert not lives(pid)


def test_files_of_the_run_directory_that_make_no_sense_are_a_loss_not_a_crash(directory: Path, runtime: str) -> None:
    form = workload("sleep", "1000")
    first = AgentProcess(directory, form, runtime)
    pid = first.pid()
    first.kill()
    os.killpg(pid, signal.SIGKILL)
    run = directory / "run" / BOOT.hex() / UNIT
    while not (run / "exit").exists():
        time.sleep(0.01)
    for name in ("child", "shim", "exit"):
        (run / name).write_bytes(b"\xff garbage\n")
    agent = adopt(directory, form)
    assert agent.pid() != pid
