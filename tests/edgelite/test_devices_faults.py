"""A driver that does anything at any time, beside one that works: nothing gets out of it, and the other works on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent / "portable"))
from device_fakes import device_map, property_row
from test_devices_guard import BAD, GOOD, Bench

from edgelite.driver import ConfigurationError, Result
from edgelite_protocol.errors import MisuseError, PlatformError, ProtocolError

METHODS = (
    *("submit", "listen", "ignore", "step", "next_result", "wants_open", "wants_close", "wants_settings"),
    *("opened", "received", "data_to_send", "closed"),
)
FUNCTIONS = ("check_protocol", "check_visitor", "target", "make_bus", "same_value", "listens")
RAISED = (
    *(ValueError("x" * 1000), KeyError(), MemoryError(), RecursionError(), SystemExit(0), AssertionError("no")),
    *(OSError(5, "a driver has no I/O"), StopIteration(), ProtocolError("code", "text"), PlatformError("text")),
    *(MisuseError("text"), ConfigurationError("path", "text"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")),
)
GIVEN = (
    *(None, 0, -1, 10**30, True, "text", b"x", b"x" * 5000, [], {}, object(), 1.5, float("nan"), ("tcp", "h", 1)),
    ("driver", "bad"),
)
# values, errors, answered, time: of a result for what was asked for last
TOLD: tuple[tuple[Any, ...], ...] = (
    *(({"a": object()}, {}, True, None), ({"a": "text"}, {"a": "b"}, True, 10**30), ({5: 5}, {7: "x"}, None, -5)),
    *((None, {}, True, None), ({}, {"a": 5}, True, None), ({}, None, True, None), ({"a": 1}, {}, True, "soon")),
    *(([], [], [], []), ({"a": float("nan")}, {}, True, 0), ({}, {}, True, None), ({"a": 10**40}, {}, True, None)),
)

fault = st.one_of(
    st.tuples(st.just("raise"), st.sampled_from(RAISED)), st.tuples(st.just("give"), st.sampled_from(GIVEN))
)
told = st.tuples(st.just("tell"), st.sampled_from(TOLD))
action = st.one_of(
    st.tuples(st.just("fault"), st.sampled_from(METHODS), fault),
    st.tuples(st.just("fault"), st.sampled_from(("step", "next_result", "data_to_send", "wants_settings")), fault),
    st.tuples(st.just("fault"), st.just("next_result"), told),
    st.tuples(st.just("function"), st.sampled_from(FUNCTIONS), fault),
    st.tuples(st.just("heal")),
    st.tuples(st.just("configure"), st.booleans(), st.sampled_from(("", "5"))),
    st.tuples(st.just("drop")),
    st.tuples(st.just("port"), st.sampled_from(("opened", "received", "data_to_send", "closed"))),
    st.tuples(st.just("wait"), st.sampled_from((1, 100, 1500, 400_000))),
)


def faulty(kind: str, what: Any, asked: Any = None) -> Any:
    def act(*_arguments: object) -> Any:
        if kind == "tell":
            numbers = asked()
            return Result(max(numbers), *what) if numbers else None
        if kind == "raise":
            raise what
        return what

    return act


class World(Bench):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self.healthy = {name: getattr(self.bad, name, None) for name in FUNCTIONS}

    def act(self, what: str, *details: Any) -> None:
        getattr(self, "do_" + what)(*details)
        self.now_ms += 1
        deadline_ms = self.at(self.now_ms)
        assert deadline_ms is None or isinstance(deadline_ms, int)
        assert self.devices.requests_in_flight() <= 6
        assert self.state(GOOD) == ("online", "")
        del self.lines[:-6]

    def do_fault(self, method: str, details: tuple[str, Any]) -> None:
        self.break_bus(**{**self.bad.faults, method: faulty(*details, self.asked)})

    def asked(self) -> list[int]:
        return [number for line in self.lines if line.key[0] == "bad" for number in line.asked]

    def do_function(self, name: str, details: tuple[str, Any]) -> None:
        setattr(self.bad, name, faulty(*details))

    def do_heal(self) -> None:
        self.bad.faults = {}
        for bus in self.bad.buses:
            for method in METHODS:
                bus.__dict__.pop(method, None)
        for name, function in self.healthy.items():
            if function is None:
                self.bad.__dict__.pop(name, None)
            else:
                setattr(self.bad, name, function)

    def do_configure(self, moved: bool, desired: str) -> None:
        row = property_row("a", writable=True, desired=desired or None, desired_version=self.now_ms)
        protocol = {"ip": f"192.0.2.{self.now_ms % 200}"} if moved else {}
        self.devices.set_desired(BAD, device_map([row], "bad", protocol), self.now_ms)

    def do_drop(self) -> None:
        self.devices.set_desired(BAD, None, self.now_ms)

    def do_port(self, method: str) -> None:
        for line in [line for line in self.lines if line.key[0] == "bad"]:
            if method == "received":
                line.received(b"bytes", self.now_ms)
            elif method == "data_to_send":
                assert len(line.data_to_send(10)) <= 10
            elif method == "opened":
                line.opened(self.now_ms)
            elif line.is_asked:
                line.closed("reset", self.now_ms)

    def do_wait(self, duration_ms: int) -> None:
        self.now_ms += duration_ms


@settings(max_examples=200, deadline=None)
@given(st.lists(action, max_size=25))
def test_nothing_gets_out_of_it_and_the_other_one_works_on(actions: list[Any]) -> None:
    world = World()
    for one in actions:
        world.act(*one)
    world.do_heal()
    world.do_configure(False, "")
    for _ in range(40):  # the longest pause, and the longest patience
        world.now_ms += 30_000
        world.at(world.now_ms)
    assert world.state(BAD) == ("online", ""), world.state(BAD)
