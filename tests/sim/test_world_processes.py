"""Simulated processes: what a command says, what a machine does to them, and what an agent finds of them."""

from __future__ import annotations

from typing import Any

import pytest
from node_parts import UNIT, Machine, workload

from edgelite_protocol import messages as m
from edgelite_protocol.messages import STATUS_CONTAINER_MESSAGE, STATUS_CONTAINER_REASON, STATUS_CONTAINER_SIGNAL
from edgelite_sim.world.behaviour import BehaviourError
from edgelite_sim.world.processes import PID_FIRST, PID_LAST

WORKLOAD = "default/work"
MINUTE_MS = 60_000


def running(*command: str, **options: Any) -> Machine:
    machine = Machine()
    machine.desire(workload(*(command or ("sim", "runs")), **options))
    machine.until(lambda: machine.state() == "running")
    return machine


def since_last(machine: Machine) -> list[str]:
    told, machine.told = machine.told, []
    return [text.removeprefix(f"{WORKLOAD} {UNIT} ") for text in told]


# ---- what a command says


def test_any_other_command_just_runs() -> None:
    machine = running("python3", "-m", "meter")
    machine.run(86_400_000)
    assert since_last(machine) == ["started"]
    assert machine.log() == "begun\n"


def test_one_that_exits_does_so_with_its_code_at_its_time() -> None:
    machine = running("sim", "exits", "--after", "30s", "--code", "3", policy="Never")
    since_ms = machine.processes.running()[0].since_ms
    machine.until(lambda: machine.state() == "failed")
    assert 30_000 <= machine.queue.now_ms - since_ms < 30_020
    assert since_last(machine) == ["started", "exited 3"]
    assert machine.status()[m.STATUS_CONTAINER_EXIT_CODE] == 3
    assert machine.processes.running() == []


def test_one_that_crashes_does_so_again_and_again_by_a_signal() -> None:
    machine = running("sim", "crashes", "--every", "20m")
    machine.run(3_600_000)
    told = since_last(machine)
    assert told[:4] == ["started", "exited 139", "started", "exited 139"]
    assert machine.row()["restarts"] == 2
    assert machine.status()[STATUS_CONTAINER_SIGNAL] == 11


def test_one_that_ignores_sigterm_is_killed_when_its_grace_has_passed() -> None:
    machine = running("sim", "ignores-sigterm", grace_ms=2000)
    begin_ms = machine.queue.now_ms
    machine.desire(None)
    machine.until(machine.told_gone)
    assert machine.signals == [15, 9]
    assert 2000 <= machine.queue.now_ms - begin_ms < 2100
    assert since_last(machine) == ["started", "signalled 15", "signalled 9", "killed"]


def test_one_that_ends_slowly_ends_well_within_its_grace() -> None:
    machine = running("sim", "ends-slowly", "--after", "4s", grace_ms=5000)
    machine.desire(None)
    machine.run(3900)
    assert not machine.told_gone()
    machine.until(machine.told_gone)
    assert machine.signals == [15]
    assert since_last(machine) == ["started", "signalled 15", "exited 0"]


def test_one_that_starts_slowly_is_not_there_before() -> None:
    machine = Machine()
    machine.desire(workload("sim", "starts-slowly", "--after", "5s"))
    machine.run(4900)
    assert machine.state() == "starting"
    assert machine.processes.running() == []
    machine.until(lambda: machine.state() == "running")
    assert machine.queue.now_ms >= 5000


def test_one_that_is_not_there_in_time_is_given_up_and_found_when_it_is_started_again() -> None:
    machine = Machine()
    machine.desire(workload("sim", "starts-slowly", "--after", "10500ms"))
    machine.run(10_400)
    assert machine.end() == "no process within 10 s"
    machine.run(200_000)
    assert machine.state() == "running"
    assert since_last(machine) == ["started"], "it was started twice"


def test_a_start_that_was_given_up_never_comes_up_for_a_workload_that_is_gone() -> None:
    machine = Machine()
    machine.desire(workload("sim", "starts-slowly", "--after", "20s", policy="Never"))
    machine.run(11_000)
    machine.desire(None)
    assert machine.told_gone()
    machine.run(60_000)
    assert machine.told == []


def test_a_start_that_was_given_up_for_good_is_told_nothing_more() -> None:
    machine = Machine()
    machine.desire(workload("sim", "starts-slowly", "--after", "20s", policy="Never"))
    machine.run(60_000)
    assert machine.state() == "failed"
    assert since_last(machine) == ["started"], "a keeper that was slow starts it all the same"


def test_children_are_counted_and_end_with_their_parent() -> None:
    machine = running("sim", "forks", "--children", "50", policy="Never")
    assert machine.processes.process_count() == 52
    assert machine.processes.running()[0].children == 50
    machine.processes.kill(UNIT)
    assert machine.processes.process_count() == 0


def test_a_machine_full_of_processes_starts_no_more() -> None:
    machine = Machine()
    for number in range(5):
        form = workload("sim", "forks", "--children", "1000", policy="Never", uid=f"u{number}")
        machine.desire(form, uid=f"u{number}")
    machine.run(100)
    assert len(machine.processes.running()) == 4
    assert machine.processes.process_count() <= 4096
    assert machine.row("u4/main")["message"] == "Resource temporarily unavailable"


def test_one_that_loops_keeps_the_machine_busy() -> None:
    machine = running("sim", "loops")
    assert machine.processes.is_busy()
    machine.processes.misbehave(WORKLOAD, "runs")
    assert not machine.processes.is_busy()


def test_one_that_says_something_fills_its_log_and_no_memory() -> None:
    machine = running("sim", "says", "--every", "1s")
    machine.run(3_500)
    assert machine.log() == "begun\nline 1\nline 2\nline 3\n"
    machine.run(86_400_000)
    assert machine.log(1).startswith("line 864")
    assert len(machine.log()) < 25_000


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["hums"], 'knows no "hums"; it knows runs, exits, '),
        ([], 'knows no ""'),
        (["exits", "--soon", "1s"], "sim exits: no option --soon; there are --after, "),
        (["exits", "--after"], "sim exits: --after needs a value"),
        (["exits", "--after", "soon"], '--after "soon": give a duration such as 30s, in ms, s, m, h, d'),
        (["exits", "--after", "3"], '--after "3": give a duration'),
        (["exits", "--code", "256"], '--code "256": give a number from 0 to 255'),
        (["exits", "--code", "-1"], '--code "-1": give a number'),
        (["eats"], "sim eats needs --memory"),
        (["eats", "--memory", "64MB"], '--memory "64MB": give a size such as 64MiB, in KiB, MiB, GiB, B'),
        (["forks", "--children", "1001"], "give a number from 0 to 1000"),
    ],
)
def test_what_no_process_does_is_refused_with_what_there_is(words: list[str], text: str) -> None:
    machine = Machine()
    machine.desire(workload("sim", *words, policy="Never"))
    machine.run(1)
    assert machine.status()[STATUS_CONTAINER_REASON] == "InvalidCommand"
    assert text in str(machine.status()[STATUS_CONTAINER_MESSAGE])
    with pytest.raises(BehaviourError) as raised:
        machine.processes.misbehave(WORKLOAD, words)
    assert text in str(raised.value)


# ---- what happens to them


def test_a_fault_holds_for_what_runs_and_for_what_starts_until_it_ends() -> None:
    machine = running()
    machine.processes.misbehave(WORKLOAD, "exits --after 10s --code 9")
    machine.run(35_000)
    assert since_last(machine)[:5] == ["started", "exited 9", "started", "exited 9", "started"]
    machine.until(lambda: machine.state() == "running")
    machine.processes.behave(WORKLOAD)
    machine.run(3_600_000)
    assert machine.state() == "running"
    assert "exited 9" not in since_last(machine)[2:]


def test_a_fault_of_one_workload_leaves_the_others_alone() -> None:
    machine = running()
    machine.desire(workload("sim", "runs", uid="u2", name="other"), uid="u2")
    machine.run(1000)
    machine.processes.misbehave(WORKLOAD, ["crashes"])
    machine.run(1)
    assert [each.workload for each in machine.processes.running()] == ["default/other"]


def test_a_program_may_vanish_and_come_back() -> None:
    machine = running()
    machine.processes.misbehave(WORKLOAD, "missing")
    machine.processes.kill(UNIT)
    machine.run(10)
    assert machine.status()[STATUS_CONTAINER_REASON] == "CommandNotFound"
    machine.processes.behave()
    machine.until(lambda: machine.state() == "running")


def test_what_is_ending_ends_whatever_it_is_told_to_do_now() -> None:
    machine = running("sim", "ends-slowly", "--after", "4s")
    machine.desire(None)
    machine.run(1000)
    machine.processes.misbehave(WORKLOAD, "ignores-sigterm")
    machine.until(machine.told_gone)
    assert machine.signals == [15]


def test_where_memory_runs_out_the_largest_go() -> None:
    machine = running("sim", "eats", "--memory", "64MiB", policy="Never")
    for number, size in ((2, "100MiB"), (3, "32MiB")):
        form = workload("sim", "eats", "--memory", size, policy="Never", uid=f"u{number}")
        machine.desire(form, uid=f"u{number}")
    machine.run(1000)
    assert machine.processes.memory_bytes() == 196 << 20
    machine.processes.memory_pressure(40 << 20)
    assert [each.unit for each in machine.processes.running()] == ["u3/main"]
    machine.run(10)
    assert machine.state() == "failed"
    assert machine.end() == "killed by signal 9"
    assert machine.status()[m.STATUS_CONTAINER_EXIT_CODE] == 137


def test_what_starts_again_under_pressure_is_killed_again() -> None:
    machine = running("sim", "eats", "--memory", "64MiB")
    machine.processes.memory_pressure(10 << 20)
    machine.run(30_000)
    assert since_last(machine)[:4] == ["started", "killed", "started", "killed"]
    assert machine.row()["restarts"] >= 3
    machine.processes.memory_pressure(None)
    machine.run(600_000)
    assert machine.state() == "running"


def test_who_is_killed_from_outside_is_told_so() -> None:
    machine = running(policy="Never")
    assert machine.processes.kill(UNIT)
    assert not machine.processes.kill(UNIT)
    machine.run(1)
    assert machine.state() == "failed"
    assert machine.status()[STATUS_CONTAINER_SIGNAL] == 9


def test_what_was_killed_does_not_end_again_at_its_own_time() -> None:
    machine = running("sim", "exits", "--after", "20m", "--code", "1")
    machine.run(600_000)
    machine.processes.kill(UNIT)
    machine.run(900_000)
    assert machine.state() == "running"
    assert since_last(machine) == ["started", "killed", "started"]
    assert machine.row()["restarts"] == 1


def test_an_end_that_was_told_is_kept_no_longer() -> None:
    machine = running("sim", "exits", "--after", "1s", policy="Never")
    machine.until(lambda: machine.state() == "completed")
    assert machine.processes._processes == {}


def test_without_its_shim_nobody_knows_how_it_ended() -> None:
    machine = running("sim", "exits", "--after", "1m", policy="Never")
    assert machine.processes.kill_shim(UNIT)
    machine.run(MINUTE_MS)
    assert machine.end() == "it ended and nobody kept its exit status"
    assert not machine.processes.kill_shim("u9/main")


# ---- agents come and go


def test_a_process_outlives_its_agent_and_is_found() -> None:
    machine = running()
    pid = machine.processes.running()[0].pid
    machine.processes.supervisor = None
    machine.run(MINUTE_MS)
    machine.restart()
    machine.desire(workload("sim", "runs"))
    machine.until(lambda: machine.state() == "running")
    assert machine.row()["pid"] == pid
    assert since_last(machine) == ["started"]


def test_how_it_ended_while_no_agent_ran_is_kept() -> None:
    machine = running("sim", "exits", "--after", "30s", "--code", "5", policy="Never")
    machine.processes.supervisor = None
    machine.run(MINUTE_MS)
    machine.restart()
    machine.desire(workload("sim", "exits", "--after", "30s", "--code", "5", policy="Never"))
    machine.run(10)
    assert machine.state() == "failed"
    assert machine.end() == "exit code 5"
    machine.restart()
    machine.turn()
    assert since_last(machine) == ["started", "exited 5"]


def test_what_was_just_being_started_is_not_started_twice() -> None:
    machine = Machine()
    machine.desire(workload("sim", "starts-slowly", "--after", "1s"))
    machine.run(500)
    machine.restart()
    machine.desire(workload("sim", "starts-slowly", "--after", "1s"))
    machine.until(lambda: machine.state() == "running")
    machine.run(MINUTE_MS)
    assert since_last(machine) == ["started"]


def test_an_earlier_form_that_nobody_ordered_is_cleared_away_first() -> None:
    machine = running()
    machine.journal.values.clear()  # an agent that lost its journal
    machine.restart()
    machine.desire(workload("sim", "loops"))
    machine.run(1000)
    assert since_last(machine) == ["started", "killed", "started"]
    assert machine.processes.is_busy()
    assert len(machine.processes.running()) == 1


def test_another_process_is_not_taken_for_the_one_that_was_recorded() -> None:
    machine = running()
    old = list(machine.journal.values.items())
    machine.processes.kill(UNIT)
    machine.until(lambda: machine.state() == "running")
    machine.journal.values = dict(old)
    machine.restart()
    machine.desire(workload("sim", "runs"))
    machine.until(lambda: machine.state() == "running")
    assert machine.end() == "it ended while the agent was away"
    assert since_last(machine) == ["started", "killed", "started"]


def test_an_agent_hears_of_no_process_that_it_never_asked_for() -> None:
    machine = running()
    machine.journal.values.clear()
    machine.restart()
    machine.processes.kill(UNIT)  # it would be a completion for a unit that there is not
    machine.run(1000)
    assert machine.supervisor.summary() == []


def test_an_agent_that_hangs_hears_of_nothing_until_it_goes_on() -> None:
    machine = running(policy="Never")
    machine.processes.hold()
    machine.processes.kill(UNIT)
    machine.run(MINUTE_MS)
    assert machine.state() == "running"
    assert machine.processes.running() == []
    machine.processes.let_go()
    assert machine.state() == "failed"


def test_what_an_agent_that_hung_would_have_heard_waits_for_the_next_one() -> None:
    machine = running()
    machine.processes.hold()
    machine.processes.kill(UNIT)
    machine.restart()
    machine.desire(workload("sim", "runs"))
    machine.until(lambda: machine.state() == "running")
    assert machine.end() == "killed by signal 9"


def test_nothing_outlives_a_power_cut_and_identities_are_fresh() -> None:
    machine = running()
    before = machine.processes.running()[0]
    identity = machine.supervisor._units[UNIT].identity
    machine.power_cut()
    assert machine.processes.running() == []
    machine.desire(workload("sim", "runs"))
    machine.until(lambda: machine.state() == "running")
    after = machine.processes.running()[0]
    assert since_last(machine) == ["started", "lost power", "started"]
    assert machine.supervisor._units[UNIT].identity != identity
    assert after.since_ms > before.since_ms


def test_nothing_comes_up_when_the_agent_s_write_of_it_loses_power() -> None:
    machine = Machine()
    machine.processes.woken = lambda: machine.processes.lose_power() if machine.processes.running() else machine.turn()
    machine.desire(workload("sim", "exits", "--after", "30s", "--code", "3"))
    machine.run(10 * MINUTE_MS)
    assert since_last(machine) == ["started", "lost power"]


def test_pids_come_round_and_are_never_two_processes_at_once() -> None:
    machine = running()
    machine.desire(workload("sim", "exits", uid="u2", name="brief"), uid="u2")
    processes = machine.processes
    processes._next_pid = PID_LAST - 1
    pids = []
    for _ in range(3):
        processes._next_pid = processes.running()[0].pid  # taken
        pids.append(processes._new_pid())
    assert processes.running()[0].pid not in pids
    processes._next_pid = PID_LAST
    assert [processes._new_pid(), processes._new_pid()] == [PID_LAST, PID_FIRST]


def test_running_tells_what_is_there() -> None:
    machine = running()
    (row,) = machine.processes.running()
    assert (row.workload, row.uid, row.unit, row.generation) == (WORKLOAD, "u1", UNIT, 1)
    assert row.since_ms == machine.queue.now_ms or row.since_ms < machine.queue.now_ms


def test_the_same_draw_lives_the_same_life() -> None:
    lives = []
    for _ in range(2):
        machine = Machine(seed=5)
        machine.desire(workload("sim", "crashes", "--every", "1m"))
        machine.run(3_600_000)
        lives.append((machine.told, machine.queue.happened, machine.row()))
    assert lives[0] == lives[1]
    assert len(lives[0][0]) > 10


def test_a_workload_that_is_gone_leaves_nothing() -> None:
    machine = running("sim", "says", "--every", "1s")
    machine.desire(None)
    machine.until(machine.told_gone)
    assert machine.processes._processes == {}
    assert machine.logs._logs == {}
