"""Real processes under the supervisor: start, environment, ends, restarts, stops of whole groups."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_bench import KEY, UNIT, Agent, workload

from edgelite_ports.linux.clock import monotonic_ms
from edgelite_ports.posix import proc, system
from edgelite_protocol import messages as m


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path / "node")
    agent.supervisor.restore(0)
    yield agent
    agent.finish()


def run(agent: Agent, *command: str, **more: object) -> None:
    agent.supervisor.set_desired(KEY, workload(*command, **more), monotonic_ms())  # type: ignore[arg-type]


def lives(pid: int) -> bool:
    stat = proc.read_stat(pid)
    return stat is not None and not stat.is_dead


def test_a_process_runs_in_a_session_of_its_own_with_its_output_in_its_log(agent: Agent) -> None:
    run(agent, "sh", "-c", "echo out; echo err >&2; exec sleep 100")
    pid = agent.pid()
    agent.run_until(lambda: "err" in agent.log())
    assert agent.log() == "out\nerr\n"
    assert Path(agent.places.log(UNIT)).stat().st_mode & 0o777 == 0o600  # output may tell secrets
    stat = proc.read_stat(pid)
    assert stat is not None and (stat.group, stat.session) == (pid, pid)
    assert agent.last_status()[m.STATUS_CONTAINER_PID] == pid


def test_it_inherits_no_descriptor_and_no_signal_disposition(agent: Agent) -> None:
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)  # what a careless parent of the agent leaves open
    try:
        run(agent, "sleep", "100")
        pid = agent.pid()
    finally:
        os.close(read_end)
        os.close(write_end)
    agent.run_until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
    targets = {name: os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
    assert targets == {"0": "/dev/null", "1": agent.places.log(UNIT), "2": agent.places.log(UNIT)}
    status = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert int(status["SigIgn"], 16) & 0x7FFFFFFF == 0  # the real-time ones are as the test runner was given them
    assert int(status["SigBlk"], 16) == 0


def test_its_environment_is_what_is_written_down_and_nothing_of_the_agents(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTS_SECRET", "x")
    run(agent, "env", policy="Never", environment={"GREETING": 'it\'s "$HOME"\n`id` \\ ü', "HOME": "/elsewhere"})
    agent.run_until(lambda: agent.state() == "completed")
    root = agent.places.root(UNIT)
    expected = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/elsewhere",
        "PWD": root,
        "GREETING": 'it\'s "$HOME"',
        "EDGELITE_ROOT": root,
        "EDGELITE_NODE": "node-1",
        "EDGELITE_POD_NAME": "work",
        "EDGELITE_POD_NAMESPACE": "default",
        "EDGELITE_POD_UID": "u1",
    }
    lines = agent.log().splitlines()
    assert dict(line.split("=", 1) for line in lines if "=" in line) == expected
    assert "`id` \\ ü" in lines


def test_the_nodes_own_variables_are_filled_in_where_the_hub_could_not(agent: Agent) -> None:
    environment = {"CONFIG": "$(EDGELITE_ROOT)/etc/x"}
    command = ["sh", "-c", 'echo "$CONFIG"; echo "$1 $2"', "sh", "$(EDGELITE_NODE)", "$(UNKNOWN)"]
    run(agent, *command, policy="Never", environment=environment)
    agent.run_until(lambda: agent.state() == "completed")
    assert agent.log() == agent.places.root(UNIT) + "/etc/x\nnode-1 $(UNKNOWN)\n"


def test_arguments_arrive_as_they_are(agent: Agent) -> None:
    words = ["", " ", "it's", "$HOME", "`id`", "a\nb", "\\", "*", "-n", "ü€", '"', "\x01\x7f"]
    run(agent, "python3", "-c", "import sys, os; print(ascii(sys.argv[1:]))", *words, policy="Never")
    agent.run_until(lambda: agent.state() == "completed")
    assert agent.log() == ascii(words) + "\n"


@pytest.mark.parametrize(
    ("script", "state", "exit_code", "signal_number"),
    [
        ("exit 0", "completed", 0, None),
        ("exit 7", "failed", 7, None),
        ("exit 137", "failed", 137, None),
        ("kill -KILL $$", "failed", 137, 9),
        ("kill -TERM $$", "failed", 143, 15),
        ("kill -SEGV $$", "failed", 139, 11),
        ("kill -INT $$", "failed", 130, 2),
        ("exit 255", "failed", 255, None),
    ],
)
def test_an_exit_code_is_told_from_a_signal(
    agent: Agent, script: str, state: str, exit_code: int, signal_number: int | None
) -> None:
    run(agent, "sh", "-c", "ulimit -c 0; " + script, policy="Never")
    agent.run_until(lambda: agent.state() == state)
    agent.round()
    assert agent.last_status()[m.STATUS_CONTAINER_EXIT_CODE] == exit_code
    assert agent.last_status().get(m.STATUS_CONTAINER_SIGNAL) == signal_number


def test_a_program_may_have_any_name(agent: Agent) -> None:
    """It stands unquoted between parentheses in /proc/PID/stat."""
    name = make_program(agent, "x) R 1 (y", Path("/bin/sleep").read_bytes())
    run(agent, name, "1000")
    pid = agent.pid()
    agent.run_until(lambda: Path(f"/proc/{pid}/comm").read_text() == "x) R 1 (y\n")
    stat = proc.read_stat(pid)
    assert stat is not None and (stat.pid, stat.group, stat.is_dead) == (pid, pid, False)
    os.kill(pid, signal.SIGKILL)
    agent.run_until(lambda: agent.row()["restarts"] == 1 and agent.state() == "running")


def test_a_killed_workload_is_back_at_once(agent: Agent) -> None:
    run(agent, "sleep", "100")
    first = agent.pid()
    killed_s = time.monotonic()
    os.kill(first, signal.SIGKILL)
    agent.run_until(lambda: agent.state() == "running" and agent.pid() != first)
    assert time.monotonic() - killed_s < 1.0  # some 15 ms on a quiet machine
    assert agent.row()["restarts"] == 1


def test_a_stop_takes_the_whole_group_even_what_ignores_sigterm(agent: Agent, tmp_path: Path) -> None:
    """A leader that ends at SIGTERM, a child and a grandchild that don't."""
    stubborn = "trap '' TERM; (trap '' TERM; echo $$ >/dev/null; exec sleep 1000) & exec sleep 1000"
    script = f"({stubborn}) & echo $! >{tmp_path}/child; sleep 1000"
    run(agent, "sh", "-c", script, grace_ms=60000)
    leader = agent.pid()
    agent.run_until((tmp_path / "child").exists)
    time.sleep(0.1)
    members = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if in_group(pid, leader)]
    assert len(members) >= 3
    agent.supervisor.set_desired(KEY, None, monotonic_ms())
    agent.run_until(agent.is_gone)
    assert not any(lives(pid) for pid in members)


def in_group(pid: int, group: int) -> bool:
    stat = proc.read_stat(pid)
    return stat is not None and stat.group == group and not stat.is_dead


def test_a_leader_that_ignores_sigterm_is_killed_after_the_grace_period(agent: Agent) -> None:
    run(agent, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done", grace_ms=300)
    pid = agent.pid()
    agent.run_until(lambda: "ready" in agent.log())
    asked_s = time.monotonic()
    agent.supervisor.set_desired(KEY, None, monotonic_ms())
    agent.run_until(agent.is_gone)
    assert time.monotonic() - asked_s >= 0.3
    assert not lives(pid)


def test_a_workload_that_is_gone_leaves_nothing_behind(agent: Agent) -> None:
    run(agent, "sh", "-c", "mkdir -p a/b; ln -s /etc a/link; exec sleep 100", files=[["/etc/x.conf", b"x", 0o600]])
    agent.pid()
    agent.run_until(lambda: Path(agent.places.root(UNIT), "a/link").is_symlink())
    agent.supervisor.set_desired(KEY, None, monotonic_ms())
    agent.run_until(agent.is_gone)
    agent.round()
    assert not [path for path in agent.directory.rglob("*") if "u1" in path.name]
    assert Path("/etc/passwd").exists()


def test_a_changed_command_replaces_the_process(agent: Agent) -> None:
    run(agent, "sleep", "1000")
    first = agent.pid()
    run(agent, "sleep", "1001")
    agent.run_until(lambda: agent.state() == "running" and agent.pid() != first)
    assert not lives(first)


@pytest.mark.parametrize(
    ("command", "reason", "says"),
    [
        ("no-such-program", "CommandNotFound", '"no-such-program" is not in PATH (/usr/local/sbin:'),
        ("/no/such/program", "CommandNotFound", "/no/such/program"),
        ("./missing.sh", "CommandNotFound", "missing.sh"),
        ("/etc/passwd", "PermissionDenied", "/etc/passwd is not an executable file"),
        ("/etc", "PermissionDenied", "/etc is not an executable file"),
    ],
)
def test_a_command_that_cannot_run_says_why(agent: Agent, command: str, reason: str, says: str) -> None:
    run(agent, command)
    agent.run_until(lambda: agent.row().get("reason") == reason)
    assert says in str(agent.row()["message"])
    assert agent.row()["pid"] == 0


def make_program(agent: Agent, name: str, content: bytes) -> str:
    path = agent.directory / name
    path.write_bytes(content)
    path.chmod(0o755)
    return str(path)


def test_a_program_for_another_machine_says_so(agent: Agent) -> None:
    header = bytearray(Path("/proc/self/exe").read_bytes()[:64])
    header[18:20] = (0xF00).to_bytes(2, "little")
    run(agent, make_program(agent, "alien", bytes(header)))
    agent.run_until(lambda: agent.row().get("reason") == "ExecFormat")
    assert "built for machine 3840" in str(agent.row()["message"])


def test_a_script_whose_interpreter_is_missing_says_so(agent: Agent) -> None:
    run(agent, make_program(agent, "script", b"#!/no/such/python\nprint()\n"))
    agent.run_until(lambda: agent.row().get("reason") == "CommandNotFound")
    assert "/no/such/python" in str(agent.row()["message"])


def test_a_name_that_no_variable_can_have_is_refused(agent: Agent) -> None:
    run(agent, "true", environment={"tls.crt": "x"})
    agent.run_until(lambda: agent.row().get("reason") == "InvalidEnvironment")
    assert "tls.crt" in str(agent.row()["message"])


@pytest.mark.parametrize("uid", ["..", "../../x", ".hidden", "a b", "ü"])
def test_a_uid_that_is_no_file_name_is_refused(agent: Agent, uid: str) -> None:
    key = "default/job/" + uid
    agent.supervisor.set_desired(key, workload("true", uid=uid), monotonic_ms())
    reasons = {"InvalidName"}
    agent.run_until(lambda: {row["reason"] for row in agent.supervisor.summary()} == reasons)
    agent.supervisor._workloads.clear()  # nothing of it was made, so nothing is left to remove
    agent.supervisor._units.clear()


def test_files_of_configmaps_stand_under_the_workloads_directory(agent: Agent) -> None:
    files = [["/etc/meter/meter.conf", b"rate=1\n", 0o644], ["secret/key", b"\x00\xff", 0o400]]
    run(agent, "sh", "-c", 'cat "$EDGELITE_ROOT"/etc/meter/meter.conf; exec sleep 100', files=files)
    agent.pid()
    agent.run_until(lambda: agent.log() == "rate=1\n")
    secret = Path(agent.places.root(UNIT), "secret/key")
    assert secret.read_bytes() == b"\x00\xff"
    assert secret.stat().st_mode & 0o777 == 0o400
    files = [["/etc/meter/meter.conf", b"rate=2\n", 0o644]]
    run(agent, "sh", "-c", 'cat "$EDGELITE_ROOT"/etc/meter/meter.conf; exec sleep 100', files=files)
    agent.run_until(lambda: "rate=2\n" in agent.log())
    assert not secret.exists()


@pytest.mark.parametrize("path", ["../x", "/a/../../x", "a/..", "/", ""])
def test_a_file_that_would_leave_the_workloads_directory_is_refused(agent: Agent, path: str) -> None:
    run(agent, "true", files=[[path, b"x", 0o644]])
    agent.run_until(lambda: agent.row().get("reason") == "InvalidPath")


def test_a_link_that_the_workload_laid_leads_no_file_away(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    root = Path(agent.places.root(UNIT))
    root.mkdir(parents=True)
    (root / "etc").symlink_to(tmp_path / "outside")
    run(agent, "true", files=[["/etc/x", b"x", 0o644]])
    agent.run_until(lambda: agent.row().get("reason") == "FileError")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_working_directory_that_is_not_there_is_refused(agent: Agent) -> None:
    run(agent, "true", directory="/no/such/place")
    agent.run_until(lambda: agent.row().get("reason") == "WorkingDirectoryMissing")


def test_the_shim_keeps_a_tenth_of_a_megabyte_at_most(agent: Agent) -> None:
    """The workload's own share is not counted, the keeper's is: once for all."""
    for number in range(3):
        form = workload("sleep", "1000", uid=f"u{number}")
        agent.supervisor.set_desired(f"default/job/u{number}", form, monotonic_ms())
    for number in range(3):
        agent.pid(f"u{number}/main")
    time.sleep(0.1)
    shims = [agent.processes._processes[f"u{number}/main"].shim_pid for number in range(3)]
    for shim in shims:
        assert private_bytes(shim) <= 100_000
    total = sum(private_bytes(shim) for shim in shims) + private_bytes(agent.processes._keeper.pid())
    assert total / 3 <= 100_000


def private_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private"))


def test_a_pid_that_found_another_owner_is_not_adopted_nor_signalled(agent: Agent) -> None:
    """The identity that was kept names a live process of ours (this one) with another start time."""
    from edgelite.effects import AdoptUnit

    losses = []
    agent.processes._completions = type("Completions", (), {"lost": lambda self, unit, now_ms: losses.append(unit)})()  # type: ignore[assignment]
    mine = os.getpid()
    stat = proc.read_stat(mine)
    assert stat is not None
    agent.processes.adopt(AdoptUnit("u9/main", "process", {1: mine, 2: stat.start + 1, 3: mine, 4: stat.start + 1}))
    assert losses == ["u9/main"]
    with pytest.raises(ProcessLookupError):
        proc.open_pidfd(mine, stat.start + 1)
    os.close(proc.open_pidfd(mine, stat.start))


def test_a_workload_whose_shim_was_killed_runs_on_with_an_unknown_end(agent: Agent) -> None:
    run(agent, "sleep", "1000", policy="Never")
    pid = agent.pid()
    os.kill(agent.processes._processes[UNIT].shim_pid, signal.SIGKILL)
    for _ in range(5):
        agent.round()
    assert lives(pid) and agent.state() == "running"
    os.kill(pid, signal.SIGKILL)
    agent.run_until(lambda: agent.state() == "failed")
    agent.round()
    assert agent.last_status()[m.STATUS_CONTAINER_EXIT_CODE] == -1
    assert agent.last_status()[m.STATUS_CONTAINER_REASON] == "ContainerStatusUnknown"


def test_what_a_leader_without_a_shim_leaves_behind_is_ended(agent: Agent, tmp_path: Path) -> None:
    run(agent, "sh", "-c", f"sleep 1000 & echo $! >{tmp_path}/child; wait", policy="Never")
    leader = agent.pid()
    agent.run_until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "")
    child = int((tmp_path / "child").read_text())
    os.kill(agent.processes._processes[UNIT].shim_pid, signal.SIGKILL)
    agent.round()
    os.kill(leader, signal.SIGKILL)
    agent.run_until(lambda: agent.state() == "failed")
    assert not lives(child)


def test_a_keeper_that_was_killed_is_replaced_and_workloads_run_on(agent: Agent) -> None:
    run(agent, "sleep", "1000")
    first = agent.pid()
    os.kill(agent.processes._keeper.pid(), signal.SIGKILL)
    agent.round()
    assert lives(first) and agent.state() == "running"
    os.kill(first, signal.SIGKILL)
    agent.run_until(lambda: agent.state() == "running" and agent.pid() != first)


def test_a_run_directory_that_somebody_removed_is_made_again(agent: Agent) -> None:
    run(agent, "sleep", "1000")
    first = agent.pid()
    deaf_keeper = agent.processes._keeper.pid()
    shutil.rmtree(agent.places.run)
    os.kill(first, signal.SIGKILL)
    agent.run_until(lambda: agent.state() == "running" and agent.pid() != first)
    assert not lives(deaf_keeper), "it was told over the FIFO that only this agent still had"


def test_without_pidfd_ends_are_seen_by_looking(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_pidfd(pid: int, flags: int = 0) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(system, "pidfd_open", no_pidfd)
    run(agent, "sh", "-c", "sleep 0.2; exit 3", policy="Never")
    agent.run_until(lambda: agent.state() == "failed")
    agent.round()
    assert agent.last_status()[m.STATUS_CONTAINER_EXIT_CODE] == 3


def arguments(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


def test_ps_shows_where_the_keepers_script_is_and_not_its_text(agent: Agent) -> None:
    run(agent, "sleep", "1000")
    agent.pid()
    script = agent.places.run + "/keeper.sh"
    for pid in (agent.processes._keeper.pid(), agent.processes._processes[UNIT].shim_pid):
        assert arguments(pid)[:2] == ["/bin/sh", script]
        assert not any("\n" in word for word in arguments(pid))
    assert Path(script).stat().st_mode & 0o777 == 0o600


def test_a_script_of_another_version_is_replaced_beside_the_keeper_that_reads_it(agent: Agent) -> None:
    script = Path(agent.places.run, "keeper.sh")
    script.write_text("the earlier one\n")
    with script.open() as earlier:
        run(agent, "sleep", "1000")
        agent.pid()
        assert earlier.read() == "the earlier one\n", "a shell may not have read all of it yet"
    made = script.stat()
    os.kill(agent.processes._keeper.pid(), signal.SIGKILL)
    os.kill(agent.pid(), signal.SIGKILL)
    agent.run_until(lambda: agent.row()["restarts"] == 1 and agent.state() == "running")
    assert script.stat() == made, "what is right is not written again"


def test_a_graceful_stop_ends_the_keeper_where_nothing_runs(agent: Agent) -> None:
    run(agent, "true", policy="Never")
    agent.run_until(lambda: agent.state() == "completed")
    keeper = agent.processes._keeper.pid()
    assert lives(keeper)
    agent.processes.close()
    assert not lives(keeper), "gone already: the next agent must not hand it a unit"


def test_a_graceful_stop_leaves_the_keeper_to_what_runs(agent: Agent) -> None:
    run(agent, "sleep", "1000")
    pid = agent.pid()
    keeper = agent.processes._keeper.pid()
    agent.processes.close()
    assert lives(keeper) and lives(pid)
    os.killpg(pid, signal.SIGKILL)
    os.kill(keeper, signal.SIGKILL)
    agent.supervisor._units.clear()  # for the fixture: nothing is left of it


def test_a_stop_without_a_run_directory_is_a_stop(agent: Agent) -> None:
    run(agent, "true", policy="Never")
    agent.run_until(lambda: agent.state() == "completed")
    keeper = agent.processes._keeper.pid()
    shutil.rmtree(agent.places.run)
    agent.processes.close()
    assert not lives(keeper)


def test_what_a_killed_keeper_left_unread_is_not_started_twice(agent: Agent, tmp_path: Path) -> None:
    """It was stopped before it could read, then killed; its FIFO still holds the name of the unit."""
    run(agent, "sleep", "1000")
    first = agent.pid()
    keeper = agent.processes._keeper.pid()
    os.kill(keeper, signal.SIGSTOP)
    other = workload("sh", "-c", f"echo x >>{tmp_path}/starts; exec sleep 1000", uid="u2")
    agent.supervisor.set_desired("default/job/u2", other, monotonic_ms())
    agent.run_until(lambda: agent.state("u2/main") == "starting")
    agent.round()
    os.kill(keeper, signal.SIGKILL)
    agent.pid("u2/main")
    agent.run_until((tmp_path / "starts").exists)
    time.sleep(0.1)
    assert (tmp_path / "starts").read_text() == "x\n"
    assert lives(first)
