"""The demo's judge must find what is lost, doubled or invented, and excuse only the agent's death."""

from edgelite_sim.demo.verdict import Gap, judge, parse_log

LOG = {count: 1000 + count * 100 for count in range(1, 11)}
ALL = list(LOG)


def test_everything_once_is_good() -> None:
    verdict = judge(LOG, ALL, [])
    assert verdict.good
    assert (verdict.answered, verdict.stored, verdict.lost, verdict.gaps) == (10, 10, 0, [])


def test_a_missing_read_is_lost() -> None:
    verdict = judge(LOG, [count for count in ALL if count not in (4, 5)], [])
    assert not verdict.good
    assert verdict.lost == 2
    assert verdict.gaps == [Gap(4, 5, 1400, 1500, False)]


def test_a_read_missing_while_the_agent_was_dead_is_a_gap_and_not_lost() -> None:
    verdict = judge(LOG, [count for count in ALL if count not in (4, 5)], [(1350, 1550)])
    assert verdict.good
    assert verdict.gaps == [Gap(4, 5, 1400, 1500, True)]


def test_a_gap_that_outlasts_the_agents_death_is_lost_in_part() -> None:
    verdict = judge(LOG, [count for count in ALL if count not in (4, 5, 6)], [(1350, 1550)])
    assert not verdict.good
    assert verdict.gaps == [Gap(4, 5, 1400, 1500, True), Gap(6, 6, 1600, 1600, False)]


def test_a_read_stored_twice_is_seen() -> None:
    verdict = judge(LOG, [*ALL, 7], [])
    assert not verdict.good
    assert verdict.twice == [7]


def test_a_read_that_the_meter_never_answered_is_seen() -> None:
    verdict = judge(LOG, [*ALL, 99], [])
    assert not verdict.good
    assert verdict.unknown == [99]


def test_nothing_answered_proves_nothing() -> None:
    assert not judge({}, [], []).good


def test_the_last_line_of_the_log_may_be_incomplete() -> None:
    assert parse_log("1 1000\n2 1100\n3 12") == {1: 1000, 2: 1100}
