"""The worker: order within a lane, no waiting between lanes, errors brought back, threads that end."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator

import pytest

from edgelite_ports.common.dispatch import LANE_DISK, LANE_NAMES
from edgelite_ports.linux import worker as worker_module
from edgelite_ports.linux.worker import Worker
from edgelite_protocol.errors import MisuseError, PlatformError


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    wait_until(made, made.idle)
    made.close()


def wait_until(worker: Worker, done: object, timeout_s: float = 5.0) -> None:
    poll = select.poll()
    poll.register(worker.descriptor, select.POLLIN)
    end_s = time.monotonic() + timeout_s
    while not done():  # type: ignore[operator]
        assert time.monotonic() < end_s
        poll.poll(20)
        worker.run_completions()


def test_one_lane_keeps_its_order(worker: Worker) -> None:
    results: list[object] = []
    for number in range(20):
        worker.submit(LANE_DISK, lambda n=number: n * n, lambda result, _error: results.append(result))
    wait_until(worker, lambda: len(results) == 20)
    assert results == [number * number for number in range(20)]


def test_a_stalled_sync_holds_up_no_name_lookup(worker: Worker) -> None:
    stall = threading.Event()
    results: list[object] = []
    worker.submit(LANE_DISK, lambda: stall.wait(5), lambda _result, _error: results.append("synced"))
    worker.submit(LANE_NAMES, lambda: "192.0.2.1", lambda result, _error: results.append(result))
    wait_until(worker, lambda: bool(results))
    assert results == ["192.0.2.1"]
    stall.set()
    wait_until(worker, lambda: len(results) == 2)


def test_an_error_is_brought_back(worker: Worker) -> None:
    def fail() -> object:
        raise PlatformError("the card is gone")

    errors: list[BaseException | None] = []
    worker.submit(LANE_DISK, fail, lambda _result, error: errors.append(error))
    wait_until(worker, lambda: bool(errors))
    assert isinstance(errors[0], PlatformError)


def test_an_idle_worker_has_no_thread(worker: Worker) -> None:
    before = len(os.listdir("/proc/self/task"))
    seen: list[object] = []
    worker.submit(LANE_DISK, lambda: None, lambda _result, _error: seen.append(1))
    wait_until(worker, lambda: bool(seen))
    end_s = time.monotonic() + 5
    while len(os.listdir("/proc/self/task")) > before:
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_the_queue_is_bounded(worker: Worker) -> None:
    stall = threading.Event()
    worker.submit(LANE_DISK, lambda: stall.wait(5), lambda _result, _error: None)
    time.sleep(0.05)
    for _ in range(worker_module.JOBS_MAX):
        worker.submit(LANE_DISK, lambda: None, lambda _result, _error: None)
    with pytest.raises(MisuseError):
        worker.submit(LANE_DISK, lambda: None, lambda _result, _error: None)
    stall.set()


def test_one_whose_last_job_is_completed_is_idle_at_once(worker: Worker) -> None:
    """An agent that stops asks when the last completion has come, and nothing wakes it again: it then waited 5 s."""
    for _ in range(300):
        results: list[object] = []
        worker.submit(LANE_DISK, lambda: 7, lambda result, _error, seen=results: seen.append(result))  # type: ignore[misc]
        wait_until(worker, lambda seen=results: seen)
        assert worker.idle()
