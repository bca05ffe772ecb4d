"""What the supervisor does with a workload, from the outside: effects, reports, records."""

from supervisor_bench import DIGEST, IDENTITY, KEY, OTHER_BOOT, UNIT, Bench, container, workload

from edgelite.supervisor.table import ADOPTING, BACKOFF, COMPLETED, FAILED, RUNNING, STARTING, STOPPING, WAITING
from edgelite_protocol.errors import MisuseError
from edgelite_protocol.messages import (
    REPORT,
    REPORT_WORKLOAD_GONE,
    STATUS_CONTAINER_EXIT_CODE,
    STATUS_CONTAINER_MESSAGE,
    STATUS_CONTAINER_PID,
    STATUS_CONTAINER_REASON,
    STATUS_CONTAINER_RESTARTS,
    STATUS_CONTAINER_SIGNAL,
    STATUS_CONTAINER_STATE,
    WORKLOAD_TERMINATING,
)


def test_a_workload_is_started_and_reported_running():
    bench = Bench()
    bench.supervisor.set_desired(KEY, workload(), 0)
    assert bench.take_effects() == [("StartUnit", UNIT)]
    bench.supervisor.started(UNIT, IDENTITY, 3)
    assert bench.supervisor.step(3) is None
    (status,) = bench.status()
    assert status[STATUS_CONTAINER_STATE] == "running"
    assert status[STATUS_CONTAINER_PID] == 101
    assert bench.reports[-1][2] == "w/u1"


def test_an_idle_supervisor_writes_and_reports_nothing():
    bench = Bench()
    bench.run()
    bench.supervisor.step(0)
    writes, reports = bench.journal.writes, len(bench.reports)
    for now_ms in range(0, 3600000, 60000):
        assert bench.supervisor.step(now_ms) is None
    assert (bench.journal.writes, len(bench.reports)) == (writes, reports)


def test_the_first_restart_is_immediate():
    bench = Bench()
    bench.run()
    bench.supervisor.exited(UNIT, 137, 9, 5000)
    assert bench.supervisor.step(5000) is None
    assert bench.take_effects() == [("StartUnit", UNIT)]


def test_a_crash_loop_backs_off_to_the_cap_and_says_so():
    bench = Bench()
    bench.run()
    now_ms, delays = 0, []
    for _ in range(12):
        bench.supervisor.exited(UNIT, 1, 0, now_ms)
        delay_ms = bench.unit().deadline_ms - now_ms
        delays.append(delay_ms)
        if delay_ms:
            bench.supervisor.step(now_ms + delay_ms - 1)
            assert bench.take_effects() == []
        now_ms += delay_ms
        bench.supervisor.step(now_ms)
        assert bench.take_effects() == [("StartUnit", UNIT)]
        bench.supervisor.started(UNIT, IDENTITY, now_ms)
    assert delays == [0, 1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000, 300000, 300000]
    bench.supervisor.exited(UNIT, 3, 0, now_ms)
    bench.supervisor.step(now_ms)
    (status,) = bench.status()
    assert status[STATUS_CONTAINER_REASON] == "CrashLoopBackOff"
    assert status[STATUS_CONTAINER_EXIT_CODE] == 3
    assert status[STATUS_CONTAINER_RESTARTS] == 13


def test_ten_healthy_minutes_reset_the_backoff():
    bench = Bench()
    bench.run()
    for now_ms in (0, 10, 2000):
        bench.supervisor.exited(UNIT, 1, 0, now_ms)
        bench.supervisor.step(now_ms + 10000)
        bench.supervisor.started(UNIT, IDENTITY, now_ms + 10000)
    bench.supervisor.exited(UNIT, 1, 0, 12000 + 600000)
    assert bench.unit().deadline_ms == 612000


def test_the_restart_policy_decides_what_an_end_means():
    cases = (
        ("Always", 0, 0, BACKOFF),
        ("Always", 1, 0, BACKOFF),
        ("OnFailure", 0, 0, COMPLETED),
        ("OnFailure", 1, 0, BACKOFF),
        ("OnFailure", 137, 9, BACKOFF),
        ("OnFailure", -1, 0, BACKOFF),
        ("Never", 0, 0, COMPLETED),
        ("Never", 1, 0, FAILED),
        ("Never", -1, 0, FAILED),
    )
    for policy, exit_code, signal, state in cases:
        bench = Bench()
        bench.run(workload(policy))
        bench.supervisor.exited(UNIT, exit_code, signal, 100)
        assert bench.unit().state == state, (policy, exit_code, signal)


def test_a_completed_workload_stays_so_across_agent_and_device_restarts():
    bench = Bench()
    bench.run(workload("Never"))
    bench.supervisor.exited(UNIT, 0, 0, 100)
    for boot_id in (b"boot-boot-boot-1", OTHER_BOOT):
        bench.restart(boot_id)
        bench.supervisor.set_desired(KEY, workload("Never"), 0)
        bench.supervisor.restore(0)
        bench.supervisor.step(0)
        assert bench.take_effects() == []
        (status,) = bench.status()
        assert (status[STATUS_CONTAINER_STATE], status[STATUS_CONTAINER_REASON]) == ("terminated", "Completed")


def test_a_stop_is_asked_for_then_forced_and_gone_is_said_last():
    bench = Bench()
    bench.run()
    bench.supervisor.set_desired(KEY, None, 1000)
    (effect,) = bench.effects
    assert (effect.unit, effect.signal) == (UNIT, 15)
    bench.take_effects()
    assert bench.supervisor.step(1000) == 4000
    assert bench.supervisor.step(3999) == 4000 and not bench.effects
    assert bench.supervisor.step(4000) == 9000
    (effect,) = bench.effects
    assert (effect.unit, effect.signal) == (UNIT, 9)
    bench.take_effects()
    assert all(body[REPORT] != REPORT_WORKLOAD_GONE for _lane, body, _key in bench.reports)
    bench.supervisor.exited(UNIT, 137, 9, 4010)
    assert bench.take_effects() == [("RemoveWorkload", "u1")]
    assert bench.reports[-1] == (0, {REPORT: REPORT_WORKLOAD_GONE, 1: "u1"}, "w/u1")
    assert bench.journal.values == {}


def test_a_terminating_workload_is_stopped_and_not_started_again():
    bench = Bench()
    bench.run()
    form = workload(grace_ms=500)
    form[WORKLOAD_TERMINATING] = True
    bench.supervisor.set_desired(KEY, form, 0)
    assert bench.supervisor.step(0) == 500
    bench.supervisor.exited(UNIT, 0, 0, 20)
    assert bench.reports[-1][1] == {REPORT: REPORT_WORKLOAD_GONE, 1: "u1"}
    bench.restart()
    bench.supervisor.set_desired(KEY, form, 0)
    bench.supervisor.restore(0)
    bench.supervisor.step(0)
    assert bench.take_effects() == [("RemoveWorkload", "u1")]


def test_a_deletion_in_more_haste_shortens_the_grace_period():
    bench = Bench()
    bench.run(workload(grace_ms=30000))
    form = workload(grace_ms=30000)
    form[WORKLOAD_TERMINATING] = True
    bench.supervisor.set_desired(KEY, form, 0)
    hasty = workload(grace_ms=0)
    hasty[WORKLOAD_TERMINATING] = True
    bench.supervisor.set_desired(KEY, hasty, 10)
    bench.take_effects()
    bench.supervisor.step(10)
    assert bench.effects[0].signal == 9


def test_a_changed_container_is_stopped_and_started_in_its_new_form():
    bench = Bench()
    bench.run()
    changed = workload(containers=[container(command=("meter", "--fast"))], generation=2)
    bench.supervisor.set_desired(KEY, changed, 10)
    assert bench.take_effects() == [("SignalUnit", UNIT)]
    bench.supervisor.exited(UNIT, 0, 0, 20)
    (effect,) = bench.effects
    assert effect.container[5] == ["meter", "--fast"]


def test_a_new_generation_of_the_same_containers_touches_nothing():
    bench = Bench()
    bench.run()
    bench.supervisor.set_desired(KEY, workload(generation=2), 10)
    bench.supervisor.step(10)
    assert bench.take_effects() == []
    assert bench.reports[-1][1][3] == 2


def test_a_stop_during_a_start_waits_for_the_process_and_stops_it():
    bench = Bench()
    bench.supervisor.set_desired(KEY, workload(), 0)
    bench.take_effects()
    bench.supervisor.set_desired(KEY, None, 1)
    assert bench.take_effects() == []
    bench.supervisor.started(UNIT, IDENTITY, 2)
    assert bench.take_effects() == [("SignalUnit", UNIT)]
    assert bench.unit().state == STOPPING


def test_a_command_that_does_not_exist_is_visible_and_retried():
    bench = Bench()
    bench.supervisor.set_desired(KEY, workload(), 0)
    for now_ms in (0, 1):
        bench.supervisor.start_failed(UNIT, "CommandNotFound", '"meter" is not in PATH (/bin)', now_ms)
        bench.supervisor.step(now_ms)
    (status,) = bench.status()
    assert status[STATUS_CONTAINER_STATE] == "waiting"
    assert status[STATUS_CONTAINER_REASON] == "CommandNotFound"
    assert status[STATUS_CONTAINER_MESSAGE] == '"meter" is not in PATH (/bin)'
    assert bench.unit().deadline_ms == 1001


def test_what_finished_runs_again_when_its_policy_becomes_one_that_says_so():
    for exit_code, policy, state in ((0, "Always", STARTING), (1, "OnFailure", STARTING), (0, "OnFailure", COMPLETED)):
        bench = Bench()
        bench.run(workload("Never"))
        bench.supervisor.exited(UNIT, exit_code, 0, 5)
        bench.supervisor.set_desired(KEY, workload(policy), 10)
        assert bench.unit().state == state, (exit_code, policy)


def test_what_never_ran_has_neither_ended_nor_restarted():
    """So that the hub calls its Pod Pending, as Kubernetes does."""
    bench = Bench()
    bench.supervisor.set_desired(KEY, workload(), 0)
    for failed_ms, again_ms in ((0, 0), (1, 1001), (1002, 3002)):
        bench.supervisor.start_failed(UNIT, "CommandNotFound", "no", failed_ms)
        bench.supervisor.step(failed_ms)
        (status,) = bench.status()
        assert STATUS_CONTAINER_EXIT_CODE not in status and status[STATUS_CONTAINER_RESTARTS] == 0
        bench.supervisor.step(again_ms)
    bench.supervisor.started(UNIT, IDENTITY, 3002)
    bench.supervisor.step(3002)
    (status,) = bench.status()
    assert status[STATUS_CONTAINER_STATE] == "running"
    assert STATUS_CONTAINER_EXIT_CODE not in status and status[STATUS_CONTAINER_RESTARTS] == 0


def test_what_ran_once_and_then_cannot_start_has_restarted_once():
    bench = Bench()
    bench.run()
    bench.supervisor.exited(UNIT, 1, 0, 5)
    bench.supervisor.step(5)
    bench.supervisor.start_failed(UNIT, "CommandNotFound", "somebody removed it", 6)
    bench.supervisor.step(6)
    (status,) = bench.status()
    assert (status[STATUS_CONTAINER_STATE], status[STATUS_CONTAINER_RESTARTS]) == ("waiting", 1)
    assert status[STATUS_CONTAINER_REASON] == "CommandNotFound"


def test_a_command_that_does_not_exist_fails_what_shall_run_once():
    bench = Bench()
    bench.supervisor.set_desired(KEY, workload("Never"), 0)
    bench.supervisor.start_failed(UNIT, "CommandNotFound", "no", 0)
    bench.supervisor.step(0)
    (status,) = bench.status()
    assert (status[STATUS_CONTAINER_STATE], status[STATUS_CONTAINER_REASON]) == ("terminated", "CommandNotFound")
    assert status[STATUS_CONTAINER_EXIT_CODE] == 128


def test_a_signal_is_reported_beside_the_exit_code():
    bench = Bench()
    bench.run(workload("Never"))
    bench.supervisor.exited(UNIT, 137, 9, 5)
    bench.supervisor.step(5)
    (status,) = bench.status()
    assert (status[STATUS_CONTAINER_EXIT_CODE], status[STATUS_CONTAINER_SIGNAL]) == (137, 9)


def test_a_workload_waits_for_its_artifact():
    bench = Bench()
    bench.supervisor.set_desired(KEY, workload(containers=[container(digest=DIGEST)]), 0)
    assert bench.take_effects() == []
    assert bench.supervisor.wanted_artifacts() == [(DIGEST, 1000)]
    bench.supervisor.step(0)
    assert bench.status()[0][STATUS_CONTAINER_REASON] == "ArtifactPull"
    bench.supervisor.artifact_failed(DIGEST, "digest does not match", 5)
    bench.supervisor.step(5)
    assert bench.status()[0][STATUS_CONTAINER_REASON] == "ArtifactPullFailed"
    assert bench.status()[0][STATUS_CONTAINER_MESSAGE] == "digest does not match"
    bench.supervisor.artifact_ready(DIGEST, 10)
    assert bench.take_effects() == [("StartUnit", UNIT)]


def test_an_artifact_that_vanished_is_waited_for_again():
    bench = Bench()
    bench.supervisor.artifact_ready(DIGEST, 0)
    bench.supervisor.set_desired(KEY, workload(containers=[container(digest=DIGEST)]), 0)
    assert bench.take_effects() == [("StartUnit", UNIT)]
    bench.supervisor.start_failed(UNIT, "ArtifactMissing", "not unpacked here", 1)
    assert bench.unit().state == WAITING
    bench.supervisor.artifact_ready(DIGEST, 2)
    assert bench.take_effects() == [("StartUnit", UNIT)]


def test_an_artifact_that_fails_late_starts_nothing_a_second_time():
    """A start is on its way when somebody says that the artifact cannot be had after all."""
    form = workload(containers=[container(digest=DIGEST)])
    bench = Bench()
    bench.supervisor.artifact_ready(DIGEST, 0)
    bench.supervisor.set_desired(KEY, form, 0)
    assert bench.take_effects() == [("StartUnit", UNIT)]
    bench.supervisor.artifact_failed(DIGEST, "no", 1)
    bench.supervisor.set_desired(KEY, form, 2)
    bench.supervisor.artifact_ready(DIGEST, 3)
    assert bench.take_effects() == []
    bench.supervisor.started(UNIT, IDENTITY, 4)
    assert bench.unit().state == RUNNING


def test_after_an_agent_restart_what_runs_is_adopted_whatever_the_order_of_calls():
    for desired_first in (True, False):
        bench = Bench()
        bench.run()
        bench.restart()
        if desired_first:
            bench.supervisor.set_desired(KEY, workload(), 10)
        bench.supervisor.restore(10)
        if not desired_first:
            bench.supervisor.set_desired(KEY, workload(), 10)
        bench.supervisor.step(10)
        (effect,) = bench.effects
        assert effect.identity == IDENTITY
        assert bench.take_effects() == [("AdoptUnit", UNIT)]
        assert bench.unit().state == ADOPTING
        bench.supervisor.started(UNIT, IDENTITY, 11)
        assert bench.unit().state == RUNNING and bench.unit().restarts == 0


def test_what_nobody_desires_any_more_after_an_agent_restart_is_stopped():
    bench = Bench()
    bench.run()
    bench.restart()
    bench.supervisor.restore(10)
    assert bench.take_effects() == [("AdoptUnit", UNIT)]
    bench.supervisor.step(10)
    bench.supervisor.started(UNIT, IDENTITY, 11)
    assert bench.take_effects() == [("SignalUnit", UNIT)]
    bench.supervisor.exited(UNIT, 0, 0, 12)
    assert bench.take_effects() == [("RemoveWorkload", "u1")]


def test_what_only_the_records_know_runs_on_where_damage_may_have_taken_what_desired_it():
    bench = Bench()
    bench.run()
    bench.restart()
    bench.supervisor.restore(10)
    bench.supervisor.keeps_unknown = True
    assert bench.take_effects() == [("AdoptUnit", UNIT)]
    bench.supervisor.step(10)
    bench.supervisor.started(UNIT, IDENTITY, 11)
    bench.supervisor.step(3_600_000)
    assert bench.take_effects() == [] and bench.unit().state == RUNNING
    bench.supervisor.set_desired(KEY, workload(), 3_600_001)
    bench.supervisor.keeps_unknown = False
    bench.supervisor.step(3_600_002)
    assert bench.take_effects() == [] and bench.unit().restarts == 0


def test_what_the_hub_does_not_know_either_is_stopped_when_it_has_told_all():
    bench = Bench()
    bench.run()
    bench.restart()
    bench.supervisor.restore(10)
    bench.supervisor.keeps_unknown = True
    bench.supervisor.step(10)
    bench.supervisor.started(UNIT, IDENTITY, 11)
    bench.take_effects()
    bench.supervisor.keeps_unknown = False
    bench.supervisor.step(12)
    assert bench.take_effects() == [("SignalUnit", UNIT)]


def test_what_changed_while_the_agent_was_away_is_started_in_its_new_form():
    bench = Bench()
    bench.run()
    bench.restart()
    bench.supervisor.set_desired(KEY, workload(containers=[container(command=("other",))]), 0)
    bench.supervisor.restore(0)
    bench.supervisor.started(UNIT, IDENTITY, 1)
    assert bench.take_effects() == [("AdoptUnit", UNIT), ("SignalUnit", UNIT)]
    bench.supervisor.exited(UNIT, 0, 0, 2)
    assert bench.effects[0].container[5] == ["other"]


def test_what_ended_while_the_agent_was_away_is_reported_with_its_status():
    bench = Bench()
    bench.run(workload("Never"))
    bench.restart()
    bench.supervisor.set_desired(KEY, workload("Never"), 10)
    bench.supervisor.restore(10)
    bench.supervisor.started(UNIT, IDENTITY, 11)
    bench.supervisor.exited(UNIT, 7, 0, 11)
    bench.supervisor.step(11)
    assert bench.status()[0][STATUS_CONTAINER_EXIT_CODE] == 7


def test_what_is_lost_is_started_again():
    bench = Bench()
    bench.run()
    bench.restart()
    bench.supervisor.set_desired(KEY, workload(), 10)
    bench.supervisor.restore(10)
    bench.supervisor.lost(UNIT, 10)
    bench.take_effects()
    bench.supervisor.step(10)
    assert bench.take_effects() == [("StartUnit", UNIT)]
    assert bench.unit().restarts == 1


def test_a_device_restart_starts_again_without_backoff():
    bench = Bench()
    bench.run()
    for now_ms in (0, 10, 20):
        bench.supervisor.exited(UNIT, 1, 0, now_ms)
        bench.supervisor.step(now_ms + 5000)
        bench.supervisor.started(UNIT, IDENTITY, now_ms)
    bench.restart(OTHER_BOOT)
    bench.supervisor.set_desired(KEY, workload(), 3)
    bench.supervisor.restore(3)
    assert bench.take_effects() == [("StartUnit", UNIT)]


def test_a_device_restart_ends_what_shall_run_once():
    bench = Bench()
    bench.run(workload("Never"))
    bench.restart(OTHER_BOOT)
    bench.supervisor.set_desired(KEY, workload("Never"), 3)
    bench.supervisor.restore(3)
    bench.supervisor.step(3)
    assert bench.take_effects() == []
    assert bench.status()[0][STATUS_CONTAINER_REASON] == "ContainerStatusUnknown"


def test_a_backoff_goes_on_across_an_agent_restart():
    bench = Bench()
    bench.run()
    bench.supervisor.exited(UNIT, 1, 0, 0)
    bench.supervisor.step(0)
    bench.supervisor.started(UNIT, IDENTITY, 0)
    bench.supervisor.exited(UNIT, 1, 0, 100)
    bench.restart()
    bench.supervisor.set_desired(KEY, workload(), 200)
    bench.supervisor.restore(200)
    assert bench.supervisor.step(200) == 1100
    assert bench.take_effects() == []
    bench.supervisor.step(1100)
    assert bench.take_effects() == [("StartUnit", UNIT)]


def test_a_damaged_record_starts_the_unit_anew():
    bench = Bench()
    bench.run()
    for place in list(bench.journal.values):
        bench.journal.values[place] = b"\x01"
    bench.restart()
    bench.supervisor.set_desired(KEY, workload(), 0)
    bench.supervisor.restore(0)
    assert bench.take_effects() == [("StartUnit", UNIT)]


def test_containers_of_one_workload_are_kept_apart():
    bench = Bench()
    bench.supervisor.set_desired(KEY, workload(containers=[container("a"), container("b")]), 0)
    assert bench.take_effects() == [("StartUnit", "u1/a"), ("StartUnit", "u1/b")]
    for name in ("u1/a", "u1/b"):
        bench.supervisor.started(name, IDENTITY, 0)
    bench.supervisor.set_desired(KEY, workload(containers=[container("b")]), 1)
    assert bench.take_effects() == [("SignalUnit", "u1/a")]
    bench.supervisor.exited("u1/a", 0, 0, 2)
    assert [row["unit"] for row in bench.supervisor.summary()] == ["u1/b"]
    assert bench.take_effects() == []


def test_a_report_of_sixteen_long_messages_fits_one_frame():
    from edgelite_protocol import cbor
    from edgelite_protocol.limits import REPORT_BYTES_MAX

    names = ["container-%02d-%s" % (number, "x" * 45) for number in range(16)]
    bench = Bench()
    bench.supervisor.set_desired(KEY, workload(containers=[container(name) for name in names]), 0)
    for name in names:
        bench.supervisor.start_failed("u1/" + name, "CommandNotFound", "ä" * 500, 1 << 40)
        bench.unit("u1/" + name).last_end.started = [1 << 40, 0, b"b" * 16]
    bench.supervisor.step(0)
    assert len(bench.status()) == 16
    assert len(cbor.encode([1 << 32, bench.reports[-1][1]])) <= REPORT_BYTES_MAX


def test_a_completion_for_a_unit_that_there_is_not_is_misuse():
    try:
        Bench().supervisor.exited("u9/main", 0, 0, 0)
    except MisuseError as error:
        assert "u9/main" in str(error)
    else:
        raise AssertionError("accepted")
