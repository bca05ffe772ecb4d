"""Backoff: the ceiling doubles to the cap, the draw is even from nothing to the ceiling."""

from edgelite.backoff import Backoff


def drawing(data):
    return Backoff(1000, 300_000, lambda count: data[:count])


def test_ceiling_doubles_to_the_cap():
    backoff = drawing(b"\xff\xff\xff\xff")
    assert [backoff.next_ms() for _ in range(11)] == [
        1000,
        2000,
        4000,
        8000,
        16000,
        32000,
        64000,
        128000,
        256000,
        300000,
        300000,
    ]


def test_draws_are_spread_over_the_whole_range():
    assert drawing(b"\0\0\0\0").next_ms() == 0
    assert drawing(b"\x80\0\0\0").next_ms() == 500
    assert drawing(b"\xff\xff\xff\xff").next_ms() == 1000


def test_slow_down_goes_to_the_cap_and_reset_back():
    backoff = drawing(b"\xff\xff\xff\xff")
    backoff.slow_down()
    assert backoff.next_ms() == 300_000
    backoff.reset()
    assert backoff.next_ms() == 1000


def test_many_attempts_do_not_make_large_numbers():
    backoff = drawing(b"\xff\xff\xff\xff")
    for _ in range(10_000):
        assert backoff.next_ms() <= 300_000
