"""One node's way to the network under one profile: what passes now, shared by all its connections.

Nothing here does I/O or reads a clock. Whoever drives a link calls `step` when it said that it changes next, and after
each change of it steps its flows: what they wait for may have changed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from edgelite_sim.network.conditions import CONDITIONS, FORGOTTEN, RESET, Condition, condition
from edgelite_sim.network.directions import DOWN, UP
from edgelite_sim.network.flow import Flow
from edgelite_sim.network.profile import Profile
from edgelite_sim.network.timetable import NEVER_MS, Clock, Plan

SYN_REPEATS_MS = (0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000)  # when a SYN is sent, as Linux does it
SYN_TIMEOUT_MS = 127_000
HOLE_BYTES = 576  # what every IPv4 network carries: larger segments vanish under the condition "mtu"
FLOWS_MAX = 1024  # what the way remembers at once; more, and it forgets the oldest


@dataclass(frozen=True, slots=True)
class Attempt:
    """What becomes of connecting, and when: "open"; "refused"; "captive" (it opens, and what answers is HTTP); "silent"
    (never answered: the node's kernel gives up at `at_ms`, should the node wait that long)."""

    outcome: str
    at_ms: int


class Link:
    """`state` is "up" or the name of the condition (conditions.py). `unix_ms` is the time of day at `now_ms` 0, which
    nightly windows go by."""

    def __init__(self, profile: Profile, draw: random.Random, now_ms: int, unix_ms: int = 0) -> None:
        self.draw = draw
        self.flows: dict[Flow, None] = {}  # in the order of their opening
        self.profile = profile
        self.next_ms = NEVER_MS
        self._clocks: list[tuple[Clock, Plan]] = []
        self.state = "up"
        self.passes = [True, True]
        self.captive_passes = [False, False]
        self.busy_us = [0, 0]  # until when the line sends what it was given
        self._unix_ms = unix_ms
        self._cut_kind = ""
        self._out_since_ms = now_ms
        self._take_up(profile, now_ms)
        self._enter(self._wanted(), now_ms)

    # ---- the course of time

    def step(self, now_ms: int) -> int | None:
        """Let the profile's timetable pass; when it changes next by itself."""
        while self.next_ms <= now_ms:
            time_ms = self.next_ms
            self._settle(time_ms)
            for clock, plan in self._clocks:
                while clock.next_ms <= time_ms:
                    self._advance(clock, plan.kind, time_ms)
            self.next_ms = min(clock.next_ms for clock, _ in self._clocks)
        return None if self.next_ms >= NEVER_MS else self.next_ms

    def _advance(self, clock: Clock, kind: str, time_ms: int) -> None:
        clock.advance()
        row = CONDITIONS[kind]
        if row.is_momentary:
            if clock.is_out:
                self._befall(row, time_ms)
        else:
            self._enter(self._wanted(), time_ms)

    def _wanted(self) -> str:
        """What was cut by hand comes first, then the profile's plans in their order."""
        if self._cut_kind:
            return self._cut_kind
        for clock, plan in self._clocks:
            if clock.is_out and not CONDITIONS[plan.kind].is_momentary:
                return plan.kind
        return "up"

    # ---- changes from outside

    def cut(self, kind: str, now_ms: int) -> None:
        """UnknownKindError for what is none of `conditions.KINDS`. Momentary kinds leave the link as it was."""
        row = condition(kind)
        self.step(now_ms)
        if row.is_momentary:
            self._befall(row, now_ms)
            return
        self._cut_kind = kind
        self._enter(kind, now_ms)

    def heal(self, now_ms: int) -> None:
        """End what `cut` began. The profile's timetable goes on: in its tunnel the link stays down."""
        self.step(now_ms)
        self._cut_kind = ""
        self._enter(self._wanted(), now_ms)

    def use(self, profile: Profile, now_ms: int) -> None:
        """From now on the link is of this profile, whose timetable begins. What is on its way arrives when it would."""
        self.step(now_ms)
        self._settle(now_ms)
        self._take_up(profile, now_ms)
        for flow in self.flows:
            flow.adapt(profile)
        self._enter(self._wanted(), now_ms)

    def _take_up(self, profile: Profile, now_ms: int) -> None:
        self.profile = profile
        self.dns_failure_ms = profile.dns_failure_ms
        self._clocks = [(plan.begin(self.draw, now_ms, self._unix_ms), plan) for plan in profile.outages]
        self.next_ms = min((clock.next_ms for clock, _ in self._clocks), default=NEVER_MS)
        self.queue_us = profile.queue_ms * 1000
        self.hole_bytes = HOLE_BYTES if self.state == "mtu" else profile.hole_bytes

    def _enter(self, state: str, now_ms: int) -> None:
        if state == self.state:
            return
        self._settle(now_ms)
        if self.state == "up":
            self._out_since_ms = now_ms
        row = CONDITIONS[state]
        self.state = state
        self.passes[:] = row.passes
        self.captive_passes[:] = (state == "captive", state == "captive")
        self.hole_bytes = HOLE_BYTES if state == "mtu" else self.profile.hole_bytes
        for flow in self.flows:
            flow.lose_what_does_not_pass(now_ms)
        self._befall(row, now_ms)
        forget_ms = self.profile.forget_ms
        if state == "up" and 0 < forget_ms <= now_ms - self._out_since_ms:
            self._befall(CONDITIONS["half-open"], now_ms)

    def _befall(self, row: Condition, now_ms: int) -> None:
        if row.flows == RESET:
            self._settle(now_ms)
            for flow in list(self.flows):
                flow.cut_off(now_ms)
        elif row.flows == FORGOTTEN:
            self._settle(now_ms)
            for flow in self.flows:
                flow.forget(now_ms)

    def _settle(self, now_ms: int) -> None:
        """What happens on the flows before the link changes, happens under what it was."""
        for flow in list(self.flows):
            flow.advance(now_ms)

    # ---- connecting

    def resolve(self, now_ms: int) -> int | None:
        """When a name lookup is answered. None: it fails, which shows after `dns_failure_ms`."""
        self.step(now_ms)
        profile = self.profile
        if not CONDITIONS[self.state].resolves or (profile.dns_loss and self.draw.random() < profile.dns_loss):
            return None
        return now_ms + profile.dns_ms + self._round_trip_ms()

    def connect(self, now_ms: int) -> Attempt:
        """A SYN that is lost by chance is repeated; in an outage the attempt is silent for good, so whoever connects
        anew after it gets through sooner than one that waits."""
        self.step(now_ms)
        outcome = CONDITIONS[self.state].connect
        if outcome == "silent":
            return Attempt("silent", now_ms + SYN_TIMEOUT_MS)
        if outcome == "refused":
            return Attempt("refused", now_ms + self.profile.latency_ms[UP])  # it is the near router that says so
        up, down = self.profile.loss
        for repeat_ms in SYN_REPEATS_MS:
            if (up and self.draw.random() < up) or (down and self.draw.random() < down):
                continue
            return Attempt(outcome, now_ms + repeat_ms + self._round_trip_ms())
        return Attempt("silent", now_ms + SYN_TIMEOUT_MS)

    def flow(self, now_ms: int) -> Flow:
        """The connection that an attempt has opened; where the link is captive by now, a portal is its other end."""
        self.step(now_ms)
        for spent in [flow for flow in self.flows if flow.is_spent(now_ms)]:
            del self.flows[spent]
        if len(self.flows) >= FLOWS_MAX:
            oldest = next(iter(self.flows))
            oldest.forget(now_ms)
            del self.flows[oldest]
        flow = Flow(self, now_ms, is_captive=self.state == "captive")
        self.flows[flow] = None
        return flow

    def _round_trip_ms(self) -> int:
        profile = self.profile
        jitter = profile.jitter_ms
        return profile.round_trip_ms + (self.draw.randint(0, jitter) + self.draw.randint(0, jitter) if jitter else 0)


__all__ = ["DOWN", "SYN_REPEATS_MS", "SYN_TIMEOUT_MS", "UP", "Attempt", "Link"]
