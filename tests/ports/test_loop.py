"""The loop: deadlines, descriptors, signals; readiness and watchdog told to systemd."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

from edgelite_ports.common.sd_notify import Notifier
from edgelite_ports.linux import clock, datagrams
from edgelite_ports.linux.loop import READABLE, Loop, Signals


def test_sleeps_until_the_deadline() -> None:
    started_ms = clock.monotonic_ms()
    Loop().wait(started_ms + 60)
    assert 55 <= clock.monotonic_ms() - started_ms < 1000


def test_a_deadline_that_has_passed_does_not_sleep() -> None:
    started_ms = clock.monotonic_ms()
    Loop().wait(started_ms - 1000)
    assert clock.monotonic_ms() - started_ms < 50


def test_a_ready_descriptor_ends_the_sleep() -> None:
    loop = Loop()
    read_end, write_end = os.pipe()
    seen: list[int] = []
    loop.register(read_end, READABLE, seen.append)
    os.write(write_end, b"x")
    loop.wait(clock.monotonic_ms() + 5000)
    assert seen == [READABLE]
    loop.unregister(read_end)
    os.close(read_end)
    os.close(write_end)


def test_a_handler_may_unregister_another_that_is_ready_too() -> None:
    loop = Loop()
    pipes = [os.pipe() for _ in range(2)]
    calls: list[int] = []

    def handler(own: int) -> None:
        calls.append(own)
        for read_end, _ in pipes:
            if read_end in loop._handlers:
                loop.unregister(read_end)

    for read_end, write_end in pipes:
        loop.register(read_end, READABLE, lambda _events, own=read_end: handler(own))
        os.write(write_end, b"x")
    loop.wait(clock.monotonic_ms() + 5000)
    assert len(calls) == 1
    for ends in pipes:
        for descriptor in ends:
            os.close(descriptor)


def test_signals_come_as_bytes_and_wake_the_loop() -> None:
    loop = Loop()
    signals = Signals((signal.SIGUSR1, signal.SIGUSR2))
    try:
        seen: list[int] = []
        loop.register(signals.descriptor, READABLE, lambda _events: seen.extend(signals.numbers()))
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
        end_s = time.monotonic() + 5
        while len(seen) < 2 and time.monotonic() < end_s:
            loop.wait(clock.monotonic_ms() + 1000)
        assert sorted(seen) == [signal.SIGUSR1, signal.SIGUSR2]
        assert signals.numbers() == []
    finally:
        signals.close()


def test_boot_id_is_16_bytes_and_stays() -> None:
    assert len(clock.boot_id()) == 16
    assert clock.boot_id() == clock.boot_id()


def listener(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(path))
    made.settimeout(5)
    return made


def test_notifies_systemd(tmp_path: Path) -> None:
    with listener(tmp_path / "notify") as systemd:
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}.get, 1, datagrams.send).send("READY=1\nSTATUS=running")
        assert systemd.recv(100) == b"READY=1\nSTATUS=running"


def test_watchdog_at_half_of_its_interval(tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "7"}
    with listener(tmp_path / "notify") as systemd:
        notifier = Notifier(environment.get, 7, datagrams.send)
        assert notifier.watchdog(1000) == 6000
        assert systemd.recv(100) == b"WATCHDOG=1"
        assert notifier.watchdog(5999) == 6000
        systemd.setblocking(False)
        try:
            systemd.recv(100)
        except BlockingIOError:
            pass
        else:
            raise AssertionError("told too early")
        assert notifier.watchdog(6000) == 11000


def test_nobody_asks_for_the_watchdog() -> None:
    assert Notifier({}.get, 7, datagrams.send).watchdog(0) is None
    assert Notifier({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "8"}.get, 7, datagrams.send).watchdog(0) is None
    assert Notifier({"WATCHDOG_USEC": "soon"}.get, 7, datagrams.send).watchdog(0) is None


def test_systemd_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}.get, 1, datagrams.send).send("READY=1")
