"""The link under any order of what may happen to it: one connection at a time, every one of them ended."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edgelite.effects import Close, Open
from edgelite.link import FENCED, LIVE, REFUSALS, RESTING, STOPPED, Link
from edgelite_protocol.events import Ended, Welcomed

sys.path.insert(0, str(Path(__file__).parent / "portable"))
from link_fakes import Bench


class LinkWalk(RuleBasedStateMachine):
    @initialize(jitter=st.binary(min_size=4, max_size=4))
    def begin(self, jitter: bytes) -> None:
        self.bench = Bench(Link, hubs=[("one", 1), ("two", 2)], random=jitter)
        self.link = self.bench.link
        self.now_ms = 0
        self.asked = False  # the port holds a connection for the link, open or opening
        self.is_open = False
        self.stopped = False
        self.attempts: list[int] = []

    def take_effects(self) -> None:
        for effect in self.bench.effects:
            if isinstance(effect, Open):
                assert not self.asked, "a second connection"
                assert not self.stopped
                self.asked = True
                self.attempts.append(self.now_ms)
            elif isinstance(effect, Close) and self.asked:
                self.end("closed")
        self.bench.effects.clear()

    def end(self, reason: str) -> None:
        self.asked = self.is_open = False
        self.link.closed(reason, self.now_ms)

    @rule(duration_ms=st.sampled_from([0, 1, 500, 5_000, 61_000, 400_000]))
    def time_passes(self, duration_ms: int) -> None:
        self.now_ms += duration_ms
        self.link.step(self.now_ms)
        self.take_effects()

    @precondition(lambda self: self.asked and not self.is_open and not self.stopped)
    @rule()
    def connected(self) -> None:
        self.is_open = True
        self.link.opened(self.now_ms)
        self.take_effects()

    @precondition(lambda self: self.is_open and self.link.state not in (LIVE, STOPPED) and self.link.session)
    @rule()
    def welcomed(self) -> None:
        self.bench.session.events.append(Welcomed({}))
        self.link.received(b"", self.now_ms)
        self.take_effects()

    @precondition(lambda self: self.is_open and self.link.session)
    @rule(code=st.sampled_from(["hub_stopping", *REFUSALS]))
    def goodbye(self, code: str) -> None:
        self.bench.session.events.append(Ended(code, "", True))
        self.link.received(b"", self.now_ms)
        self.take_effects()

    @precondition(lambda self: self.asked)
    @rule()
    def lost(self) -> None:
        self.end("closed by the other end")
        self.take_effects()

    @rule()
    def reconnect(self) -> None:
        self.link.reconnect(self.now_ms)
        self.link.step(self.now_ms)
        self.take_effects()

    @rule()
    def stop(self) -> None:
        self.stopped = True
        self.link.stop(self.now_ms)
        self.take_effects()

    @invariant()
    def goes_on(self) -> None:
        if not hasattr(self, "link"):
            return
        if self.stopped:
            assert self.link.state == STOPPED
        elif not self.asked:
            assert self.link.state in (RESTING, FENCED)
            deadline_ms = self.link._deadline_ms
            assert deadline_ms is not None
            assert deadline_ms <= self.now_ms + 300_000


LinkWalk.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_link_walk = LinkWalk.TestCase
