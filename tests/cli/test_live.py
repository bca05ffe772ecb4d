"""What a terminal shows of live values: the course of a number, and a block that is drawn over."""

import os
import pty
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelite_cli import live
from edgelite_cli.live import BARS, Trends, sparkline

PROGRAM = """
from edgelite_cli.live import Screen
screen = Screen()
screen.draw("one\\ntwo\\nthree\\n")
screen.draw("four\\n")
"""


def test_a_course_goes_from_its_lowest_to_its_highest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "bars", lambda: BARS)
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == BARS
    assert sparkline([7, 0]) == BARS[-1] + BARS[0]
    assert sparkline([5, 5, 5]) == BARS[0] * 3
    assert sparkline([]) == ""


@given(st.lists(st.floats(allow_infinity=False), max_size=60), st.integers(1, 40))
def test_a_course_is_never_wider_than_asked(values: list[float], width: int) -> None:
    assert len(sparkline([value for value in values if abs(value) < 1e300], width)) <= width


def test_text_has_no_course_and_numbers_keep_the_newest() -> None:
    trends = Trends(width=3)
    for value in ("off", "1", 2, "3.5", 9):
        trends.add("x", value)
    assert len(trends.of("x")) == 3
    trends.add("word", "on")
    assert trends.of("word") == "" == trends.of("unknown")


def test_a_terminal_without_blocks_gets_plain_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ascii:
        encoding = "ascii"

    monkeypatch.setattr(sys, "stdout", Ascii())
    assert sparkline([0, 7]).isascii()


def test_a_shorter_block_leaves_nothing_of_the_longer_one() -> None:
    ours, theirs = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", PROGRAM], stdout=theirs, check=True, timeout=30)
        shown = os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "three" in shown
    assert shown.index("\x1b[3A") > shown.index("three")  # back up over the three lines
    assert shown.rstrip("\r\n").endswith("\x1b[J")  # what is below is cleared
