"""`edgelite serial`: bytes cut into what belongs together, told to a person, over a real pseudo terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
import tty
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelite_cli.sniffing import Piece, Splitter, describe, modbus_frames, score
from edgelite_drivers.modbus.rtu import crc16


def framed(data: bytes) -> bytes:
    return data + crc16(data)


QUESTION = framed(bytes([1, 3, 0, 0, 0, 10]))
REFUSAL = framed(bytes([1, 0x83, 2]))


def test_frames_are_cut_at_pauses() -> None:
    splitter = Splitter(gap_ms=30, by_line=False)
    assert list(splitter.feed(QUESTION[:3], 1000)) == []
    assert list(splitter.feed(QUESTION[3:], 1016)) == []
    assert splitter.deadline_ms() == 1046
    assert list(splitter.expire(1045)) == []
    assert list(splitter.expire(1046)) == [Piece(QUESTION, 1000, 0)]
    assert list(splitter.feed(REFUSAL, 1100)) == []
    assert list(splitter.feed(b"x", 1200)) == [Piece(REFUSAL, 1100, 84)]


def test_lines_are_cut_at_their_ends() -> None:
    splitter = Splitter(gap_ms=30, by_line=True)
    assert [piece.data for piece in splitter.feed(b"a\r\nb\nc", 5)] == [b"a\r\n", b"b\n"]
    assert [piece.data for piece in splitter.expire(100)] == [b"c"]


@given(st.lists(st.tuples(st.binary(max_size=1500), st.integers(0, 100)), max_size=8), st.booleans())
def test_no_byte_is_lost_or_doubled(chunks: list[tuple[bytes, int]], by_line: bool) -> None:
    splitter = Splitter(30, by_line)
    now_ms, seen = 0, b""
    for data, pause_ms in chunks:
        now_ms += pause_ms
        seen += b"".join(piece.data for piece in splitter.feed(data, now_ms))
    seen += b"".join(piece.data for piece in splitter.expire(now_ms + 30))
    assert seen == b"".join(data for data, _ in chunks)


@given(st.binary(max_size=300))
def test_anything_can_be_described_and_scored(data: bytes) -> None:
    assert describe(Piece(data, 0, 0), "auto").isprintable()
    assert 0 <= score(data) <= 1


def test_what_makes_sense_scores_high_and_noise_low() -> None:
    assert score(QUESTION + REFUSAL) == 1
    assert modbus_frames(QUESTION + REFUSAL) == [QUESTION, REFUSAL]
    assert score(b"$GPGGA,123519,4807.038,N\r\n" * 3) > 0.7
    assert score(bytes(range(128, 250))) < 0.2


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    yield ours, os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def sniff(*words: str) -> subprocess.Popen[str]:
    words = (sys.executable, "-m", "edgelite_cli", "serial", "sniff", *words)
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_goes_over_a_line_is_told(line: tuple[int, str]) -> None:
    descriptor, path = line
    with sniff(path, "--time", "3s") as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("listening on")
        for data in (QUESTION, REFUSAL, b"$GPGGA,1,2\r\n", b"\xff\x00"):
            os.write(descriptor, data)
            time.sleep(0.15)
        told, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Modbus unit 1, function 3, 4 bytes of data" in told
    assert "Modbus unit 1: function 3 refused, exception 2" in told
    assert "$GPGGA,1,2\\r\\n" in told
    assert "ff 00  |..|" in told


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["/dev/absent-line"], 1, "cannot open /dev/absent-line with 9600 baud, 8N1"),
        (["/dev/null", "--mode", "9X9"], 2, "such as 8N1, 8E1 or 7E1"),
        (["/dev/null", "--time", "long"], 2, "--time 'long'"),
    ],
)
def test_what_cannot_be_done_is_named(words: list[str], code: int, said: str) -> None:
    with sniff(*words) as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert said in errors


def test_a_silent_line_is_no_success(line: tuple[int, str]) -> None:
    with sniff(line[1], "--time", "1s") as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "nothing was heard" in errors
