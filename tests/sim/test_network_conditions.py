"""Each way in which a link can be bad shows at both ends as it does on a real one."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from edgelite_sim.network.conditions import KINDS, UnknownKindError
from edgelite_sim.network.flow import DOWN, UP, Flow
from edgelite_sim.network.lane import GIVE_UP_MS
from edgelite_sim.network.link import FLOWS_MAX, SYN_TIMEOUT_MS, Link
from edgelite_sim.network.profile import Profile
from edgelite_sim.network.timetable import RandomPlan

CLEAN = Profile("clean", latency_ms=(10, 10))


class Ends:
    """Runs a link's flows from deadline to deadline; what arrived lies in `got`."""

    def __init__(self, profile: Profile = CLEAN, seed: int = 1) -> None:
        self.now_ms = 0
        self.link = Link(profile, random.Random(seed), 0)
        self.flow = self.link.flow(0)
        self.got = [b"", b""]

    def run(self, duration_ms: int, until: Callable[[], object] = lambda: False) -> None:
        end_ms = self.now_ms + duration_ms
        while not until():
            deadline_ms = self.flow.step(self.now_ms)
            for direction in (UP, DOWN):
                self.got[direction] += b"".join(self.flow.arrived(direction))
            change_ms = self.link.step(self.now_ms)
            due = [ms for ms in (deadline_ms, change_ms) if ms is not None and ms <= end_ms]
            if until() or not due:
                break
            self.now_ms = min(due)
        if not until():
            self.now_ms = end_ms

    def send(self, direction: int, data: bytes) -> None:
        self.flow.send(direction, data, self.now_ms)

    def cut(self, kind: str) -> None:
        self.link.cut(kind, self.now_ms)

    def heal(self) -> None:
        self.link.heal(self.now_ms)

    @property
    def ended(self) -> tuple[str, str]:
        return self.flow.ended(UP), self.flow.ended(DOWN)


def test_bytes_take_the_latency_of_their_direction() -> None:
    ends = Ends(Profile("p", latency_ms=(30, 5)))
    ends.send(UP, b"up")
    ends.send(DOWN, b"down")
    ends.run(5)
    assert ends.got == [b"", b"down"]
    ends.run(24)
    assert ends.got == [b"", b"down"]
    ends.run(1)
    assert ends.got == [b"up", b"down"]


def test_a_rate_is_shared_by_all_connections_of_a_link() -> None:
    link = Link(Profile("p", rate_bit_s=(80_000, 0)), random.Random(1), 0)
    flows = [link.flow(0), link.flow(0)]
    for flow in flows:
        flow.send(UP, bytes(948), 0)  # 1,000 bytes with its header: 100 ms
    assert flows[0].step(0) == 100
    assert flows[1].step(0) == 200
    flows[0].send(DOWN, bytes(948), 0)
    assert flows[0].step(0) == 0 or flows[0].arrived(DOWN)


def test_a_slow_line_pushes_back() -> None:
    ends = Ends(Profile("p", rate_bit_s=(8_000, 8_000), queue_ms=500))
    assert ends.flow.room_bytes(UP) > 4096
    ends.send(UP, bytes(10_000))
    assert ends.flow.room_bytes(UP) == 0
    ends.run(60_000)
    assert len(ends.got[UP]) == 10_000
    assert ends.flow.room_bytes(UP) > 4096


def test_whoever_never_asks_for_room_hears_of_it() -> None:
    ends = Ends()
    ends.cut("silent")
    with pytest.raises(BufferError, match="room_bytes"):
        for _ in range(100):
            ends.send(UP, bytes(100_000))


def test_jitter_reorders_connections_but_never_a_connections_bytes() -> None:
    link = Link(Profile("p", latency_ms=(50, 50), jitter_ms=200, spread_ms=100), random.Random(3), 0)
    flows = [link.flow(0) for _ in range(10)]
    for index, flow in enumerate(flows):
        flow.send(UP, b"first", index)
        flow.send(UP, b"second", index)
    order: list[int] = []
    for now_ms in range(500):
        for index, flow in enumerate(flows):
            flow.step(now_ms)
            order += [index] * len(flow.arrived(UP))
    assert len(order) == 20
    assert order != sorted(order)


def test_loss_costs_time_and_repeats_not_bytes() -> None:
    clean, lossy = Ends(), Ends(replace(CLEAN, loss=(0.1, 0.1)))
    data = random.Random(5).randbytes(200_000)
    for ends in (clean, lossy):
        ends.send(UP, data)
        ends.run(600_000, lambda ends=ends: len(ends.got[UP]) == len(data))  # type: ignore[misc]
        assert ends.got[UP] == data
    assert lossy.now_ms > 2 * clean.now_ms
    assert lossy.flow.wire_bytes[UP] > 1.05 * clean.flow.wire_bytes[UP]


def test_a_tunnel_delays_what_was_sent_in_it_and_ends_nothing() -> None:
    ends = Ends()
    ends.run(1_000)
    ends.cut("silent")
    ends.send(UP, b"hello")
    ends.run(60_000)
    assert ends.got[UP] == b""
    ends.heal()
    ends.run(60_000, lambda: ends.got[UP])
    assert ends.got[UP] == b"hello"
    assert 61_000 < ends.now_ms <= 121_000  # when the doubling timeout comes round
    assert ends.ended == ("", "")


def test_what_is_on_its_way_when_a_tunnel_begins_is_repeated() -> None:
    ends = Ends()
    ends.send(UP, b"hello")
    ends.run(5)
    ends.cut("silent")
    ends.run(50)
    assert ends.got[UP] == b""
    ends.heal()
    ends.run(1_000)
    assert ends.got[UP] == b"hello"


def test_a_sender_gives_up_after_a_quarter_of_an_hour_and_the_other_end_never_hears() -> None:
    ends = Ends()
    ends.cut("silent")
    ends.send(UP, b"hello")
    ends.run(GIVE_UP_MS - 1)
    assert ends.ended == ("", "")
    ends.run(130_000)
    assert ends.ended == ("", "timed out")
    assert 10 * 57 < ends.flow.wire_bytes[UP] < 25 * 57  # repeated, less and less often
    ends.heal()
    ends.run(10_000)
    assert ends.ended == ("", "timed out")  # half open
    ends.send(DOWN, b"are you there?")
    ends.run(1_000)
    assert ends.ended == ("reset", "timed out")  # now the node's kernel has said so


@pytest.mark.parametrize(("kind", "lost", "carried"), [("one-way-up", UP, DOWN), ("one-way-down", DOWN, UP)])
def test_one_way_loss_takes_one_direction_and_the_acknowledgements_of_the_other(
    kind: str, lost: int, carried: int
) -> None:
    ends = Ends()
    ends.cut(kind)
    ends.send(lost, b"never comes")
    ends.send(carried, b"comes")
    ends.run(1_200_000)
    assert ends.got[carried] == b"comes"
    assert ends.got[lost] == b""
    assert ends.flow.ended(UP) == ends.flow.ended(DOWN) == "timed out"
    assert ends.flow.wire_bytes[carried] > 10 * 57  # repeated, for nobody said that it had come


def test_refused_ends_what_is_open_and_refuses_what_is_new() -> None:
    ends = Ends()
    ends.cut("refused")
    assert ends.ended == ("reset", "reset")
    assert ends.link.connect(0).outcome == "refused"
    ends.heal()
    assert ends.link.connect(0).outcome == "open"


def test_a_reset_in_mid_frame_leaves_a_part_of_it() -> None:
    parts = []
    for seed in (*range(20), *range(20)):
        ends = Ends(seed=seed)
        ends.send(UP, bytes(1_000))
        ends.run(5)
        ends.cut("reset")
        ends.run(1)
        assert ends.link.state == "up"
        assert ends.ended == ("reset", "reset")
        parts.append(len(ends.got[UP]))
    assert all(part < 1_000 for part in parts)
    assert len(set(parts)) > 10
    assert parts[:20] == parts[20:]  # drawn from the seed


def test_after_half_open_the_connection_is_dead_and_nobody_says_so() -> None:
    ends = Ends()
    ends.cut("half-open")
    ends.send(UP, b"hello")
    ends.run(800_000)
    assert (ends.got[UP], ends.ended, ends.link.state) == (b"", ("", ""), "up")
    ends.flow = ends.link.flow(ends.now_ms)
    ends.send(UP, b"hello")
    ends.run(1_000)
    assert ends.got[UP] == b"hello"


def test_an_outage_longer_than_the_ways_memory_leaves_connections_half_open() -> None:
    for outage_ms, is_dead in ((29_000, False), (31_000, True)):
        ends = Ends(replace(CLEAN, forget_ms=30_000))
        ends.cut("silent")
        ends.run(outage_ms)
        ends.heal()
        ends.send(UP, b"hello")
        ends.run(10_000)
        assert (ends.got[UP] == b"", ends.flow.is_forgotten) == (is_dead, is_dead)


def test_a_nat_forgets_an_idle_connection() -> None:
    ends = Ends(replace(CLEAN, nat_idle_ms=60_000))
    for _ in range(3):
        ends.run(59_000)
        ends.send(DOWN, b".")
    ends.run(61_000)
    assert ends.got[DOWN] == b"..."
    ends.send(DOWN, b"too late")
    ends.run(800_000)
    assert ends.got[DOWN] == b"..."
    assert ends.ended == ("", "")


def test_an_mtu_hole_lets_small_frames_pass_and_never_a_large_one() -> None:
    ends = Ends()
    ends.cut("mtu")
    for _ in range(3):
        ends.send(UP, b"x" * 400)
        ends.run(100)
    assert len(ends.got[UP]) == 1_200
    ends.send(UP, b"y" * 800)
    ends.send(UP, b"x")
    ends.run(GIVE_UP_MS - 1_000)
    assert len(ends.got[UP]) == 1_200  # the small one waits behind the large one
    ends.run(200_000)
    assert ends.flow.ended(DOWN) == "timed out"


def test_a_failing_resolver_leaves_connections_alone() -> None:
    ends = Ends()
    assert ends.link.resolve(0) == 20 + CLEAN.dns_ms
    ends.cut("dns")
    assert ends.link.resolve(0) is None
    assert ends.link.dns_failure_ms == 10_000
    ends.send(UP, b"hello")
    ends.run(100)
    assert ends.got[UP] == b"hello"
    assert ends.link.connect(0).outcome == "open"


def test_a_captive_portal_answers_http_in_place_of_the_hub() -> None:
    ends = Ends()
    ends.cut("captive")
    ends.send(UP, b"to the hub")
    ends.run(10_000)
    assert ends.got == [b"", b""]
    assert ends.link.resolve(0) is not None
    assert ends.link.connect(0).outcome == "captive"
    ends.flow = ends.link.flow(ends.now_ms)
    ends.send(UP, b"\x16\x03\x01 client hello")
    ends.run(1_000)
    assert ends.got[UP] == b""
    assert ends.got[DOWN].startswith(b"HTTP/1.1 302 ")
    assert ends.flow.ended(DOWN) == "closed"


def test_connecting_in_a_tunnel_is_never_answered() -> None:
    ends = Ends()
    ends.cut("silent")
    attempt = ends.link.connect(5)
    assert (attempt.outcome, attempt.at_ms) == ("silent", 5 + SYN_TIMEOUT_MS)
    assert ends.link.resolve(5) is None


def test_a_lost_syn_is_repeated_after_seconds() -> None:
    link = Link(replace(CLEAN, loss=(0.5, 0.5)), random.Random(2), 0)
    times = {link.connect(0).at_ms for _ in range(200)}
    assert {20, 1_020, 3_020} <= times


def test_a_fin_comes_behind_the_bytes() -> None:
    ends = Ends(Profile("p", latency_ms=(10, 10), rate_bit_s=(80_000, 80_000)))
    ends.send(UP, bytes(50_000))
    ends.flow.close(UP, ends.now_ms)
    ends.send(UP, b"after the end")
    ends.run(60_000, lambda: ends.flow.ended(UP))
    assert len(ends.got[UP]) == 50_000
    assert ends.ended == ("closed", "")
    ends.send(DOWN, b"the other half goes on")
    ends.run(100)
    assert ends.got[DOWN] == b"the other half goes on"


def test_a_process_that_dies_is_heard_of_behind_what_it_had_sent() -> None:
    ends = Ends()
    ends.send(UP, b"last words")
    ends.flow.reset(0, UP)
    ends.run(100)
    assert ends.got[UP] == b"last words"
    assert ends.flow.ended(UP) == "reset"


def test_a_process_that_dies_in_a_tunnel_is_heard_of_when_the_other_end_next_speaks() -> None:
    for by in (UP, None):
        ends = Ends()
        ends.cut("silent")
        ends.flow.reset(0, by)
        ends.heal()
        ends.run(100_000)
        assert ends.flow.ended(UP) == ""
        ends.send(DOWN, b"are you there?")
        ends.run(1_000)
        assert ends.flow.ended(UP) == "reset"


def test_a_machine_without_power_answers_nothing_and_with_power_again_a_reset() -> None:
    ends = Ends()
    ends.flow.lose_power(UP)
    ends.send(DOWN, b"hello")
    ends.run(100_000)
    assert (ends.got[DOWN], ends.flow.ended(UP)) == (b"", "")
    ends.flow.regain_power(UP)
    ends.run(120_000)
    assert ends.flow.ended(UP) == "reset"


def test_a_profiles_own_outages_come_and_go() -> None:
    link = Link(replace(CLEAN, outages=(RandomPlan("silent", 60_000, 10_000),)), random.Random(4), 0)
    states, now_ms = [link.state], 0
    while now_ms < 3_600_000:
        change_ms = link.step(now_ms)
        assert change_ms is not None
        now_ms = change_ms
        link.step(now_ms)
        states.append(link.state)
    assert states[:4] == ["up", "silent", "up", "silent"]
    assert 60 < len(states) < 180


def test_heal_ends_what_cut_began_and_not_the_timetables_tunnel() -> None:
    link = Link(replace(CLEAN, outages=(RandomPlan("silent", 1_000, 10**9),)), random.Random(4), 0)
    link.cut("refused", 100_000)
    assert link.state == "refused"
    link.heal(100_000)
    assert link.state == "silent"


def test_another_profile_from_now_on() -> None:
    ends = Ends()
    ends.link.use(replace(CLEAN, latency_ms=(500, 500)), 0)
    ends.send(UP, b"slow")
    ends.run(499)
    assert ends.got[UP] == b""
    ends.run(1)
    assert ends.got[UP] == b"slow"


def test_the_way_remembers_no_more_connections_than_its_bound() -> None:
    link = Link(CLEAN, random.Random(1), 0)
    flows: list[Flow] = [link.flow(0) for _ in range(FLOWS_MAX + 3)]
    assert len(link.flows) == FLOWS_MAX
    assert [flow.is_forgotten for flow in flows[:5]] == [True, True, True, False, False]


def test_connections_that_are_over_are_forgotten() -> None:
    link = Link(CLEAN, random.Random(1), 0)
    for now_ms in range(0, 100_000_000, 100_000):
        flow = link.flow(now_ms)
        flow.close(UP, now_ms)
        flow.step(now_ms + 1_000)
    assert len(link.flows) < 5


def test_an_unknown_way_to_cut_names_those_that_there_are() -> None:
    with pytest.raises(UnknownKindError) as caught:
        Ends().cut("rain")
    assert all(kind in str(caught.value) for kind in KINDS)
    with pytest.raises(UnknownKindError):
        Ends().cut("up")


def test_a_machine_without_power_is_asked_ever_less_often() -> None:
    """From 0.2 s to two minutes apart for 15 minutes, as Linux does: some fifteen times in all."""
    ends = Ends()
    ends.flow.lose_power(UP)
    before = ends.flow.wire_bytes[DOWN]
    ends.send(DOWN, b"x" * 100)
    ends.run(20 * 60_000)
    assert 10 <= (ends.flow.wire_bytes[DOWN] - before) // 152 <= 20
