"""Named profiles are what they say, own ones are read from TOML, and a mistake in one is told with its place."""

import random
from itertools import pairwise

import pytest

from edgelite_sim.network import profile as profiles
from edgelite_sim.network.link import Link
from edgelite_sim.network.profile import UnknownProfileError, builtin, names, parse
from edgelite_sim.network.profile_file import ProfileError
from edgelite_sim.network.timetable import DAY_MS, FixedPlan, RandomPlan

HOUR_MS = 3_600_000
TUNNELS = "tunnels = [[0.9, 100], [0.2, 100]]"
OUTAGE = "[p]\n[[p.outages]]\n"


def outages(name_or_profile: str | profiles.Profile, duration_ms: int, unix_ms: int = 0) -> list[tuple[int, int, str]]:
    """(from, to, state) of all within the time; what is still out at its end counts to it."""
    profile = builtin(name_or_profile) if isinstance(name_or_profile, str) else name_or_profile
    link = Link(profile, random.Random(7), 0, unix_ms)
    found, since_ms, state = [], 0, link.state
    while (change_ms := link.step(since_ms)) is not None and change_ms < duration_ms:
        link.step(change_ms)
        found.append((since_ms, change_ms, state))
        since_ms, state = change_ms, link.state
    found.append((since_ms, duration_ms, state))
    return [span for span in found if span[2] != "up"]


def test_all_that_were_promised_are_there() -> None:
    promised = "lan lte flaky-lte gprs satellite lorawan-backhaul tunnel ship half-open asymmetric maintenance-night"
    assert names() == promised.split()
    assert all(builtin(name).summary for name in names())


def test_the_train_goes_through_forty_tunnels_in_a_round() -> None:
    plan = builtin("tunnel").outages[0]
    assert isinstance(plan, FixedPlan)
    assert plan.period_ms == 2 * (40 + 10) * 60_000
    assert len(plan.spans) == 40
    lengths = [to_ms - from_ms for from_ms, to_ms in plan.spans]
    assert (min(lengths), max(lengths)) == (3_000, 75_000)
    assert all(first[1] < second[0] for first, second in pairwise(plan.spans))


def test_two_trains_are_not_in_the_same_tunnel_at_the_same_time() -> None:
    nexts = {Link(builtin("tunnel"), random.Random(seed), 0).next_ms for seed in range(10)}
    assert len(nexts) > 5


def test_the_ship_is_at_sea_for_six_days_of_seven() -> None:
    spans = outages("ship", 35 * DAY_MS)
    assert sum(to_ms - from_ms for from_ms, to_ms, _ in spans) == 30 * DAY_MS
    assert all(to_ms - from_ms == 6 * DAY_MS for from_ms, to_ms, _ in spans[1:-1])


def test_the_night_is_that_of_the_clock_in_utc() -> None:
    assert outages("maintenance-night", 2 * DAY_MS) == [
        (2 * HOUR_MS, 3 * HOUR_MS, "silent"),
        (26 * HOUR_MS, 27 * HOUR_MS, "silent"),
    ]
    begins_at_half_past_two = DAY_MS * 20_000 + 2 * HOUR_MS + HOUR_MS // 2
    assert outages("maintenance-night", DAY_MS, begins_at_half_past_two)[0] == (0, HOUR_MS // 2, "silent")


def test_one_way_outages_of_the_asymmetric_line() -> None:
    assert {state for _, _, state in outages("asymmetric", 3 * DAY_MS)} == {"one-way-up", "one-way-down"}


def test_a_profile_of_ones_own_is_another_one_with_changes() -> None:
    text = """
[yard]
base = "lte"
latency = "1s"
rate = ["64 kbit/s", "1.5 Mbit/s"]
loss = [0.1, 0]
[[yard.outages]]
when = "cycle"
every = "10m"
length = "90s"
kind = "refused"
start = "1m"

[gate]
base = "yard"
outages = []
"""
    found = parse(text, "mine.toml")
    yard, gate = found["yard"], found["gate"]
    assert list(found) == ["yard", "gate"]
    assert (yard.name, yard.latency_ms, yard.rate_bit_s) == ("yard", (1000, 1000), (64_000, 1_500_000))
    assert yard.loss == (0.1, 0)
    assert yard.nat_idle_ms == builtin("lte").nat_idle_ms
    assert outages(yard, 20 * 60_000) == [(60_000, 150_000, "refused"), (660_000, 750_000, "refused")]
    assert (gate.latency_ms, gate.outages) == ((1000, 1000), ())


def test_a_builtin_may_be_changed_under_its_own_name() -> None:
    assert parse('[lan]\nbase = "lan"\nlatency = "5ms"\n', "x.toml")["lan"].rate_bit_s == (10**8, 10**8)


@pytest.mark.parametrize(
    ("row", "plan"),
    [
        ('when = "random"\nbetween = "1h"\nlength = "20s"', RandomPlan("silent", HOUR_MS, 20_000)),
        ('when = "random"\nbetween = "1h"\nkind = "reset"', RandomPlan("reset", HOUR_MS, 1)),
        (
            'when = "nightly"\nfrom = "23:30"\nlength = "1h"',
            FixedPlan("silent", DAY_MS, ((0, HOUR_MS // 2), (DAY_MS - HOUR_MS // 2, DAY_MS)), by_clock=True),
        ),
        (
            'when = "offline"\naway = "2d"\nhome = "12h"\nstart = "0s"',
            FixedPlan("silent", 60 * HOUR_MS, ((0, 48 * HOUR_MS),), 0),
        ),
        (
            'when = "tunnels"\nline = "1 km"\nspeed = "36 km/h"\nstop = "10s"\nstart = "0s"\n' + TUNNELS,
            FixedPlan(
                "silent", 220_000, ((20_000, 30_000), (90_000, 100_000), (110_000, 120_000), (180_000, 190_000)), 0
            ),
        ),
    ],
)
def test_the_kinds_of_timetables(row: str, plan: object) -> None:
    assert parse(f"{OUTAGE}{row}\n", "x.toml")["p"].outages == (plan,)


def test_a_night_over_midnight_is_one_outage() -> None:
    night = parse(OUTAGE + 'when = "nightly"\nfrom = "23:30"\nlength = "1h"\n', "x.toml")["p"]
    states = outages(night, 2 * DAY_MS)
    assert sum(to_ms - from_ms for from_ms, to_ms, _ in states) == 2 * HOUR_MS


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[p]\nlatncy = '1s'\n", 2, ["'latncy'", "did you mean 'latency'", "rate"]),
        ("[p]\n\n# so\nlatency = 5\n", 4, ["latency = 5", "500ms"]),
        ("[p]\nlatency = ['1s', '2s', '3s']\n", 2, ["towards the hub"]),
        ("[p]\nrate = '5 MB'\n", 2, ["kbit/s"]),
        ("[p]\nrate = '0 bit/s'\n", 2, ["kbit/s"]),
        ("[p]\nloss = 1\n", 2, ["share", "below 1"]),
        ("[p]\nsegment = 3\n", 2, ["64 to 9000"]),
        ("[p]\nbase = 'lt'\n", 2, ["'lt'", "did you mean 'lte'", "satellite"]),
        ("[p]\nbase = 'p'\n", 2, ["itself"]),
        ("[a]\nbase = 'b'\n[b]\nbase = 'a'\n", 4, ["itself", "a -> b -> a"]),
        ("loss = 0.1\n", 1, ["outside of a profile"]),
        ("[Mine]\n", 1, ["lower case"]),
        ("[p]\nloss = \n", 2, ["no TOML"]),
        ("[p]\noutages = 'often'\n", 2, ["[[p.outages]]"]),
        (OUTAGE + "length = '1s'\n", 2, ["cycle, tunnels, random, offline, nightly"]),
        (OUTAGE + "when = 'weekly'\n", 3, ["'weekly'", "nightly"]),
        (OUTAGE + "when = 'random'\nbetween = '1h'\nlength = '1m'\nkind = 'rain'\n", 6, ["'rain'", "silent"]),
        (OUTAGE + "when = 'random'\nlength = '1m'\n", 2, ["needs 'between'"]),
        (OUTAGE + "when = 'random'\nbetween = '0s'\nlength = '1m'\n", 4, ["between"]),
        (OUTAGE + "when = 'random'\nevery = '1h'\n", 4, ["no 'every'", "between"]),
        (OUTAGE + "when = 'cycle'\nevery = '1m'\nlength = '2m'\n", 5, ["shorter"]),
        (OUTAGE + "when = 'nightly'\nfrom = '25:00'\nlength = '2m'\n", 4, ["02:30"]),
        (OUTAGE + "when = 'random'\nbetween = '1h'\nlength = '1m'\nkind = 'reset'\n", 5, ["no length"]),
        (
            OUTAGE + "when = 'tunnels'\nline = '5 km'\nspeed = '9 km/h'\ntunnels = [[4.9, 200]]\n",
            6,
            ["not on the line"],
        ),
        (OUTAGE + "when = 'tunnels'\nline = '5 km'\nspeed = 'fast'\ntunnels = [[4, 200]]\n", 5, ["120 km/h"]),
    ],
)
def test_a_mistake_is_told_with_file_line_and_what_is_allowed(text: str, line: int, words: list[str]) -> None:
    with pytest.raises(ProfileError) as caught:
        parse(text, "mine.toml")
    assert str(caught.value).startswith(f"mine.toml:{line}: ")
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_the_second_outage_of_a_profile_is_found_in_its_own_line() -> None:
    text = OUTAGE + "when = 'random'\nbetween = '1h'\nlength = '1m'\n[[p.outages]]\nwhen = 'random'\nlenght = '1m'\n"
    with pytest.raises(ProfileError, match=r"^mine\.toml:8: .*'lenght'"):
        parse(text, "mine.toml")


def test_an_unknown_name_lists_those_that_there_are() -> None:
    with pytest.raises(UnknownProfileError) as caught:
        builtin("5g")
    assert all(name in str(caught.value) for name in names())
