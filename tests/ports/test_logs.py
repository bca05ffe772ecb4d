"""Logs: rotation within the budget, reading across it, and what a busy writer loses."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelite_ports.posix import system
from edgelite_ports.posix.log_reader import LogReader
from edgelite_ports.posix.logs import LOOK_MS_MAX, LOOK_MS_MIN, LogStore
from edgelite_protocol.errors import PlatformError

SEGMENT = 4096


def warn(text: str) -> None:
    raise AssertionError(text)


@pytest.fixture
def store(tmp_path: Path) -> LogStore:
    (tmp_path / "u1").mkdir()
    return LogStore(str(tmp_path), warn, SEGMENT)


def log_path(tmp_path: Path) -> Path:
    return tmp_path / "u1/main.log"


def write(path: Path, data: bytes) -> None:
    """As a workload does: append, whatever happened to the file before."""
    with path.open("ab") as file:
        file.write(data)


def read_all(reader: LogReader, piece_bytes: int = 100) -> bytes:
    pieces = []
    while data := reader.read(piece_bytes):
        assert len(data) <= piece_bytes
        pieces.append(data)
    return b"".join(pieces)


def lines(first: int, last: int) -> bytes:
    return b"".join(b"line %06d\n" % number for number in range(first, last + 1))


def test_a_log_is_cut_when_it_has_reached_a_segment(store: LogStore, tmp_path: Path) -> None:
    path = log_path(tmp_path)
    store.begin(str(path), 0)
    write(path, b"x" * (SEGMENT - 1))
    store.step(1000)
    assert path.stat().st_size == SEGMENT - 1
    write(path, b"yz")
    store.step(61000)
    assert path.stat().st_size == 0
    assert (tmp_path / "u1/main.log.1").read_bytes() == b"x" * (SEGMENT - 2) + b"yz"


def test_a_log_that_grew_without_an_agent_is_cut_to_its_end(tmp_path: Path) -> None:
    path = log_path(tmp_path)
    path.parent.mkdir()
    write(path, lines(1, 10_000))
    store = LogStore(str(tmp_path), warn, SEGMENT)
    store.step(0)
    assert path.stat().st_size == 0
    assert (tmp_path / "u1/main.log.1").read_bytes() == lines(1, 10_000)[-SEGMENT:]


@pytest.mark.parametrize(("size", "is_kept"), [(10, True), (SEGMENT, False)])
def test_a_rotation_that_an_agent_did_not_live_to_finish_is_finished(tmp_path: Path, size: int, is_kept: bool) -> None:
    """A copy beside a short log was followed by the cut; beside a full one it was not, and may be half a copy."""
    path = log_path(tmp_path)
    path.parent.mkdir()
    write(path, b"x" * size)
    write(tmp_path / "u1/main.log.new", b"copy")
    LogStore(str(tmp_path), warn, SEGMENT).step(0)
    older = (tmp_path / "u1/main.log.1").read_bytes()
    assert older == (b"copy" if is_kept else b"x" * SEGMENT)
    assert not (tmp_path / "u1/main.log.new").exists()


def test_the_budget_holds_whatever_is_written_at_each_look(store: LogStore, tmp_path: Path) -> None:
    path = log_path(tmp_path)
    now_ms = 0
    for instance in range(3):
        store.begin(str(path), now_ms)
        for _ in range(20):
            write(path, lines(1, 100 * (instance + 1)))
            now_ms += 60000
            store.step(now_ms)
            sizes = {file.name: file.stat().st_size for file in path.parent.iterdir()}
            assert sizes.get("main.log.1", 0) <= SEGMENT
            assert sizes.get("main.log.previous", 0) <= 2 * SEGMENT
            assert sizes.get("main.log", 0) < SEGMENT


def test_a_quiet_log_is_looked_at_each_ten_seconds_a_growing_one_sooner(store: LogStore, tmp_path: Path) -> None:
    path = log_path(tmp_path)
    assert store.step(0) is None
    store.begin(str(path), 0)
    write(path, b"")
    assert store.step(LOOK_MS_MIN) == LOOK_MS_MIN + LOOK_MS_MAX
    write(path, b"x" * (SEGMENT // 4))
    assert store.step(11000) == 11000 + LOOK_MS_MAX
    write(path, b"x" * (SEGMENT // 2))
    assert store.step(21000) == 21000 + 2500  # the last quarter fills in 5 s at that rate
    write(path, b"x" * 100 * SEGMENT)
    assert store.step(23500) == 23500 + LOOK_MS_MIN


def test_a_log_that_floods_from_its_start_is_looked_at_again_at_once(store: LogStore, tmp_path: Path) -> None:
    """However long this machine has been up: its uptime is not the time in which the log grew."""
    uptime_ms = 40 * 86_400_000
    path = log_path(tmp_path)
    store.begin(str(path), uptime_ms)
    write(path, b"x" * 20 * SEGMENT)
    assert store.step(uptime_ms + LOOK_MS_MIN) == uptime_ms + 2 * LOOK_MS_MIN


def test_a_log_that_floods_when_the_agent_starts_is_looked_at_again_at_once(tmp_path: Path) -> None:
    uptime_ms = 40 * 86_400_000
    path = log_path(tmp_path)
    path.parent.mkdir()
    write(path, b"x" * 20 * SEGMENT)
    assert LogStore(str(tmp_path), warn, SEGMENT).step(uptime_ms) == uptime_ms + LOOK_MS_MIN


def test_a_full_disk_cuts_without_keeping(store: LogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = log_path(tmp_path)
    write(path, b"x" * 10 * SEGMENT)
    monkeypatch.setattr(system, "sendfile", full)
    store.step(0)
    assert [file.name for file in path.parent.iterdir()] == ["main.log"]
    assert path.stat().st_size == 0


def test_a_log_that_cannot_be_rotated_is_said_and_holds_up_no_other(tmp_path: Path) -> None:
    warnings: list[str] = []
    for uid in ("u0", "u1"):
        (tmp_path / uid).mkdir()
        write(tmp_path / uid / "main.log", b"x" * SEGMENT)
    (tmp_path / "u0/main.log.new").mkdir()
    (tmp_path / "u0/main.log.new/in-the-way").touch()
    LogStore(str(tmp_path), warnings.append, SEGMENT).step(0)
    assert len(warnings) == 2 and all("u0/main.log" in warning for warning in warnings)
    assert (tmp_path / "u1/main.log").stat().st_size == 0


def test_a_new_instance_writes_a_new_log_and_the_old_one_is_the_previous(store: LogStore, tmp_path: Path) -> None:
    path = log_path(tmp_path)
    write(path, lines(1, 400))
    store.step(0)
    write(path, lines(401, 410))
    store.begin(str(path), 1000)
    write(path, b"second\n")
    assert read_all(store.open("u1", "main", -1, True, 0)).endswith(lines(350, 410))
    assert read_all(store.open("u1", "main", -1, False, 0)) == b"second\n"
    store.begin(str(path), 2000)
    assert read_all(store.open("u1", "main", -1, True, 0)) == b"second\n"


def test_the_last_lines_are_found_across_a_rotation(store: LogStore, tmp_path: Path) -> None:
    path = log_path(tmp_path)
    write(path, lines(1, 400))
    store.step(0)
    write(path, lines(401, 405))
    for count, first in ((0, None), (1, 405), (5, 401), (6, 400), (50, 356)):
        expected = b"" if first is None else lines(first, 405)
        assert read_all(store.open("u1", "main", count, False, 0)) == expected
    everything = read_all(store.open("u1", "main", -1, False, 0))
    assert everything == lines(1, 405)[-SEGMENT - len(lines(401, 405)) :]
    assert read_all(store.open("u1", "main", 100_000, False, 0)) == everything


def test_a_line_without_an_end_is_a_line(store: LogStore, tmp_path: Path) -> None:
    write(log_path(tmp_path), b"one\ntwo\nthr")
    assert read_all(store.open("u1", "main", 1, False, 0)) == b"thr"
    assert read_all(store.open("u1", "main", 2, False, 0)) == b"two\nthr"


def test_a_follower_misses_nothing_across_rotations_and_restarts(store: LogStore, tmp_path: Path) -> None:
    path = log_path(tmp_path)
    store.begin(str(path), 0)
    write(path, lines(1, 10))
    reader = store.open("u1", "main", -1, False, 0)
    seen = read_all(reader)
    number, now_ms = 10, 0
    for turn in range(12):
        write(path, lines(number + 1, number + 200))
        number += 200
        now_ms += 60000
        if turn % 3 == 2:
            store.begin(str(path), now_ms)
        else:
            store.step(now_ms)
        seen += read_all(reader)
    assert seen == lines(1, number)


def test_a_follower_that_is_too_slow_skips(store: LogStore, tmp_path: Path) -> None:
    path = log_path(tmp_path)
    write(path, b"first\n")
    reader = store.open("u1", "main", -1, False, 0)
    for turn in range(3):
        write(path, b"%d" % turn * SEGMENT)
        store.step(turn * 60000)
    assert read_all(reader) == b"2" * SEGMENT


def test_logs_that_there_are_not_are_said(store: LogStore) -> None:
    for uid, container, previous in (
        ("u1", "main", False),
        ("u1", "main", True),
        ("..", "x", False),
        ("u1", "../x", False),
    ):
        with pytest.raises(PlatformError):
            store.open(uid, container, -1, previous, 0)


def test_a_removed_log_is_forgotten(store: LogStore, tmp_path: Path) -> None:
    write(log_path(tmp_path), b"x")
    assert store.step(0) is not None
    log_path(tmp_path).unlink()
    store.step(60000)
    assert store.step(120000) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=3000), max_size=12), st.integers(1, 5000), st.integers(0, 8))
def test_tails_are_those_of_the_whole_text(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], piece_bytes: int, count: int
) -> None:
    """Of what the two files hold together."""
    directory = tmp_path_factory.mktemp("logs")
    path = log_path(directory)
    path.parent.mkdir()
    store = LogStore(str(directory), warn, SEGMENT)
    write(path, b"")
    for turn, piece in enumerate(pieces):
        write(path, piece)
        store.step(turn * 60000)
    older = path.with_name("main.log.1")
    whole = (older.read_bytes() if older.exists() else b"") + path.read_bytes()
    expected = tail(whole, count)
    assert read_all(store.open("u1", "main", count, False, 0), piece_bytes) == expected


def tail(text: bytes, count: int) -> bytes:
    found = [line + b"\n" for line in text.split(b"\n")]
    found[-1] = found[-1][:-1]
    if not found[-1]:
        found.pop()
    return b"".join(found[-count:]) if count else b""


WRITER = """
import os, sys, time
log, pause_s = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT), float(sys.argv[2])
number, end = 0, time.monotonic() + 1
while time.monotonic() < end:
    number += 1
    os.write(log, b"%09d\\n" % number)
    if pause_s:
        time.sleep(pause_s)
print(number)
"""


def count_calls(monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
    """Grows by one with each call of that function of `os`."""
    calls: list[int] = []
    real = getattr(os, name)

    def counted(*arguments: int) -> object:
        calls.append(1)
        return real(*arguments)

    monkeypatch.setattr(system, name, counted)
    return calls


@pytest.mark.parametrize(("pause_s", "segment_bytes"), [(0.0002, 4096), (0, 65536)])
def test_a_cut_loses_what_is_written_in_one_moment_and_nothing_else(
    tmp_path: Path, pause_s: float, segment_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbered lines for a second, cut as often as can be. How many a cut takes is the scheduler's business (`-s` shows
    it; docs/workloads.md says what was seen); that they are neighbours, and only cuts take any, is ours."""
    path = log_path(tmp_path)
    path.parent.mkdir()
    cuts = count_calls(monkeypatch, "ftruncate")
    store = LogStore(str(tmp_path), warn, segment_bytes)
    command = [sys.executable, "-c", WRITER, str(path), str(pause_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        while not path.exists():
            time.sleep(0.001)
        reader = store.open("u1", "main", -1, False, 0)
        seen, now_ms = b"", 0
        while writer.poll() is None:
            now_ms += LOOK_MS_MAX
            store.step(now_ms)
            seen += read_all(reader, 65536)
        seen += read_all(reader, 65536)
        written = int(writer.stdout.read())  # type: ignore[union-attr]
    numbers = [int(line) for line in seen.split() if len(line) == 9]  # one that the cut tore is lost
    sys.stdout.write("\n%d of %d lines lost in %d cuts\n" % (written - len(numbers), written, len(cuts)))
    edges = [0, *numbers, written + 1]
    steps = [after - before for before, after in itertools.pairwise(edges)]
    assert min(steps) >= 1, "nothing twice, nothing out of order"
    assert len(cuts) >= 2
    # A cut may take two runs: what came between copy and cut, and, where more than a segment came since the reader
    # read last, what lay before the segment that is kept.
    assert sum(step > 1 for step in steps) <= 2 * len(cuts)


def test_what_is_written_while_it_is_copied_is_kept_and_only_the_last_moment_is_lost(
    store: LogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log_path(tmp_path)
    sendfile, ftruncate = os.sendfile, os.ftruncate
    store.begin(str(path), 0)
    write(path, lines(1, 400))
    reader = store.open("u1", "main", -1, False, 0)
    assert read_all(reader) == lines(1, 400)
    meanwhile = [lines(601, 700), lines(501, 600), lines(401, 500)]

    def sendfile_while_it_grows(target: int, source: int, offset_bytes: int, count: int) -> int:
        copied_bytes = sendfile(target, source, offset_bytes, count)
        if copied_bytes and meanwhile:
            write(path, meanwhile.pop())
        return copied_bytes

    def ftruncate_too_late(source: int, size_bytes: int) -> None:
        write(path, lines(701, 703))
        ftruncate(source, size_bytes)

    monkeypatch.setattr(system, "sendfile", sendfile_while_it_grows)
    monkeypatch.setattr(system, "ftruncate", ftruncate_too_late)
    store.step(60000)
    write(path, lines(704, 710))
    assert read_all(reader) == lines(401, 700) + lines(704, 710)
