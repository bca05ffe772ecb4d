"""What every runtime must do under the supervisor (edgelite/effects.py): each function of CHECKS is one check.

    for check in CHECKS:
        check(world)     # each on a world of its own

A world has one unit, "u1/main", and the real supervisor and runtime:

    desire(behaviour, policy, grace_ms)   None as behaviour: it is deleted
    until(condition)                      turns of the port's loop until the condition holds
    row()                                 the unit's row of the supervisor's summary, {} where there is none
    status()                              the container's status as last reported
    told_gone()                           whether the hub was told that the workload is gone
    log()                                 its output, as text
    signals                               those that were sent, in order
    restart()                             an agent that died and came back within the boot

BEHAVIOURS names what the unit may be asked to do.
"""

from edgelite_protocol import messages as m

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RUNS = "runs"  # says "begun" and stays
ENDS_WELL = "ends well"  # says "begun" and ends with 0
FAILS = "fails"  # says "begun" and ends with 7
RESISTS = "resists"  # says "begun" and does not end when it is asked to
MISSING = "missing"  # there is no such thing to start
BEHAVIOURS = (RUNS, ENDS_WELL, FAILS, RESISTS, MISSING)

LONG_MS = 5000
SHORT_MS = 100


def _runs(world: "Any") -> bool:
    return bool(world.row().get("table_state") == "running" and world.log().endswith("begun\n"))


def it_starts_and_is_told(world: "Any") -> None:
    world.desire(RUNS, "Always", LONG_MS)
    world.until(lambda: _runs(world))
    assert world.status()[m.STATUS_CONTAINER_STATE] == "running"
    assert world.status()[m.STATUS_CONTAINER_RESTARTS] == 0


def an_end_is_told_with_its_code(world: "Any") -> None:
    for behaviour, state, code in ((ENDS_WELL, "completed", 0), (FAILS, "failed", 7)):
        world.desire(behaviour, "Never", LONG_MS)
        world.until(lambda state=state: world.row().get("table_state") == state)
        assert world.status()[m.STATUS_CONTAINER_STATE] == "terminated"
        assert world.status()[m.STATUS_CONTAINER_EXIT_CODE] == code
        assert m.STATUS_CONTAINER_SIGNAL not in world.status()
        assert world.log() == "begun\n"
        world.desire(None, "", 0)
        world.until(lambda: not world.row())


def what_fails_starts_again_and_then_waits(world: "Any") -> None:
    world.desire(FAILS, "Always", LONG_MS)
    world.until(lambda: world.row().get("restarts") == 2)
    world.until(lambda: world.row().get("table_state") == "backoff")
    assert world.status()[m.STATUS_CONTAINER_REASON] == "CrashLoopBackOff"
    assert world.status()[m.STATUS_CONTAINER_EXIT_CODE] == 7


def on_failure_leaves_alone_what_ended_well(world: "Any") -> None:
    world.desire(ENDS_WELL, "OnFailure", LONG_MS)
    world.until(lambda: world.row().get("table_state") == "completed")
    assert world.row()["restarts"] == 0


def what_is_deleted_is_asked_to_end_and_gone_when_it_has(world: "Any") -> None:
    world.desire(RUNS, "Always", LONG_MS)
    world.until(lambda: _runs(world))
    assert not world.told_gone()
    world.desire(None, "", 0)
    world.until(world.told_gone)
    assert world.row() == {}
    assert world.signals == [15]


def what_resists_is_ended_after_the_grace_period(world: "Any") -> None:
    world.desire(RESISTS, "Always", SHORT_MS)
    world.until(lambda: _runs(world))
    world.desire(None, "", 0)
    world.until(world.told_gone)
    assert world.signals == [15, 9]


def what_is_not_there_is_named_and_never_counts_as_a_run(world: "Any") -> None:
    world.desire(MISSING, "Never", LONG_MS)
    world.until(lambda: world.row().get("table_state") == "failed")
    assert world.status()[m.STATUS_CONTAINER_REASON] == "CommandNotFound"
    assert world.status()[m.STATUS_CONTAINER_RESTARTS] == 0


def after_the_agents_death_it_is_found_or_started_again(world: "Any") -> None:
    world.desire(RUNS, "Always", LONG_MS)
    world.until(lambda: _runs(world))
    world.restart()
    world.desire(RUNS, "Always", LONG_MS)
    world.until(lambda: _runs(world))
    assert world.row()["restarts"] in (0, 1)


CHECKS = (
    it_starts_and_is_told,
    an_end_is_told_with_its_code,
    what_fails_starts_again_and_then_waits,
    on_failure_leaves_alone_what_ended_well,
    what_is_deleted_is_asked_to_end_and_gone_when_it_has,
    what_resists_is_ended_after_the_grace_period,
    what_is_not_there_is_named_and_never_counts_as_a_run,
    after_the_agents_death_it_is_found_or_started_again,
)
