"""A run as a recorder sees one, without a world: tunnels, power cuts, a crash loop, a hub that is restored."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from edgelite_hub.store.contract import Sample
from edgelite_sim.report import Recorder
from edgelite_sim.world.observer import Observer

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
YEAR_MS = 365 * DAY_MS
START_UNIX_MS = 1_767_225_600_000  # 2026-01-01


@dataclass
class Outcome:
    name: str = "train-line"
    description: str = (
        "Eight trains with 40 tunnels a day each, a flaky card in one, and a hub from yesterday's backup."
    )
    seed: int = 4711
    digest: str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    real_s: float = 12.3
    verdicts: list[tuple[str, str, bool, str, int | None]] = field(default_factory=list)
    expectations: list[tuple[str, bool, str]] = field(default_factory=list)


HELD = [
    ("nothing-lost", "Nothing acknowledged is lost, except what a restored hub itself forgot.", True, "", None),
    ("stored-once", "Nothing is stored twice.", True, "", None),
    ("order", "The readings of a device arrive in their order.", True, "", None),
    ("desired-reached", "Desired state is reached within 10 minutes after the last fault.", True, "", None),
    ("workloads-run", "A workload that should run, runs, with no gap above 30 s.", True, "", None),
    ("none-removed", "No workload is removed by a bad clock, an empty hub or a stale snapshot.", True, "", None),
    ("bounds", "Memory, journal and queues stay in their bounds.", True, "", None),
    ("storm-budget", "A reconnect storm stays within 3 attempts a second.", True, "", None),
    ("replays-agree", "Two replays have the same trace.", True, "", None),
]
EXPECTED = [
    ("at least 11,000 samples stored", True, "11,427"),
    ("no more than 40 MB a month on the wire", True, "31.2 MB"),
]


def green(**changed: Any) -> Outcome:
    return Outcome(**{"verdicts": list(HELD), "expectations": list(EXPECTED), **changed})


def red(node: str, time_ms: int, **changed: Any) -> Outcome:
    verdicts = list(HELD)
    verdicts[0] = (
        *HELD[0][:2],
        False,
        f"{node}: report 1/7/1042 was acknowledged and is not in the hub's store",
        time_ms,
    )
    verdicts[4] = (*HELD[4][:2], False, f"{node}: default/blink did not run for 4 min 10 s", time_ms + HOUR_MS // 4)
    expectations = [*EXPECTED, ("every Pod is Ready at the end", False, "23 of 24 are")]
    return Outcome(**{"verdicts": verdicts, "expectations": expectations, **changed})


class _Node:
    def __init__(self, name: str, draw: random.Random) -> None:
        self.name, self.draw = name, draw
        self.is_on, self.link, self.is_live = True, "up", False
        self.back_ms = self.power_ms = 0
        self.waiting: list[int] = []
        self.value = 0
        self.unit = 0


class Story:
    """`tell(observer)` plays it; `tunnels_a_day` is a mean, for each node."""

    def __init__(
        self, nodes: int, span_ms: int, poll_ms: int = MINUTE_MS, tunnels_a_day: float = 40, seed: int = 1,
        news_each: int = 5, names: list[str] | None = None,
    ) -> None:  # fmt: skip
        self.draw = random.Random(seed)
        found = names or [f"train-{number:0{len(str(nodes))}d}" for number in range(1, nodes + 1)]
        self.nodes = [_Node(name, self.draw) for name in found]
        self.span_ms, self.poll_ms, self.news_each = span_ms, poll_ms, news_each
        self.tunnel_chance = tunnels_a_day * poll_ms / DAY_MS
        self.events = 0

    def tell(self, to: Observer) -> None:
        world: Any = SimpleNamespace(start_unix_ms=START_UNIX_MS, now_ms=0, nodes={one.name: one for one in self.nodes})
        to.begin(world)
        to.hub("hub", "started", 0)
        for one in self.nodes:
            self._boot(to, one, self.draw.randrange(5_000))
        self._wishes(to)
        restored_ms, hub_down_ms = int(self.span_ms * 0.62), self.span_ms // 60
        for now_ms in range(self.poll_ms, self.span_ms, self.poll_ms):
            if restored_ms <= now_ms < restored_ms + self.poll_ms:
                self._lose_hub(to, now_ms)
            hub_is_up = not restored_ms <= now_ms < restored_ms + hub_down_ms
            if restored_ms + hub_down_ms <= now_ms < restored_ms + hub_down_ms + self.poll_ms:
                to.hub("hub", "restored", now_ms)
                to.hub("hub", "started", now_ms)
            for one in self.nodes:
                self._tick(to, one, now_ms, hub_is_up)
        to.end(world, self.span_ms)

    def _boot(self, to: Observer, one: _Node, now_ms: int) -> None:
        to.power(one.name, True, "on", now_ms)
        to.agent(one.name, True, "start", now_ms + 900)
        to.line(one.name, one.link, now_ms + 950)
        one.is_on = True
        self._start_units(to, one, now_ms + 1_500)

    def _start_units(self, to: Observer, one: _Node, now_ms: int) -> None:
        for workload in ("default/blink", "default/dashboard", "site/logger"):
            one.unit += 1
            to.unit(one.name, workload, f"{workload}#{one.unit}", "started", now_ms)

    def _wishes(self, to: Observer) -> None:
        for number, one in enumerate(self.nodes[:20]):
            at_ms = self.span_ms * (number + 1) // (len(self.nodes[:20]) + 2)
            pod = {"metadata": {"name": f"blink-{one.name}"}}
            ready = {**pod, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
            to.wanted("hub", "pods", "default", f"blink-{one.name}", pod, at_ms)
            if number != 3:
                lag_ms = int(self.draw.expovariate(1) * self.span_ms / 400) + 700
                to.changed("hub", "pods", "default", f"blink-{one.name}", ready, min(self.span_ms, at_ms + lag_ms))

    def _lose_hub(self, to: Observer, now_ms: int) -> None:
        to.fault("hub restore", "hub", "from the backup of yesterday", now_ms)
        to.hub("hub", "crashed", now_ms)
        for one in self.nodes:
            self._end_session(to, one, "connection reset", now_ms)

    def _end_session(self, to: Observer, one: _Node, why: str, now_ms: int) -> None:
        if one.is_live:
            one.is_live = False
            to.session(one.name, False, why, now_ms)

    def _tick(self, to: Observer, one: _Node, now_ms: int, hub_is_up: bool) -> None:
        chance = one.draw.random()
        self.events += 5
        if not one.is_on:
            if now_ms >= one.power_ms:
                self._boot(to, one, now_ms)
            return
        if one.link == "up" and chance < self.tunnel_chance:
            self._enter_tunnel(to, one, now_ms)
        elif one.link != "up" and now_ms >= one.back_ms:
            one.link = "up"
            to.line(one.name, "up", now_ms)
            to.fault("heal", one.name, "the tunnel ends", now_ms)
        elif chance > 1 - self.tunnel_chance / 40:
            self._cut_power(to, one, now_ms)
            return
        elif chance > 1 - self.tunnel_chance / 15:
            to.unit(one.name, "default/blink", f"default/blink#{one.unit - 2}", "exited 1", now_ms)
            one.unit += 3
            to.unit(one.name, "default/blink", f"default/blink#{one.unit - 2}", "started", now_ms + 10_000)
        self._connect(to, one, now_ms, hub_is_up)
        self._read(to, one, now_ms)

    def _enter_tunnel(self, to: Observer, one: _Node, now_ms: int) -> None:
        one.link = one.draw.choice(["silent", "silent", "silent", "refused", "one-way-up"])
        one.back_ms = now_ms + int(one.draw.expovariate(1 / (4 * MINUTE_MS)))
        to.line(one.name, one.link, now_ms)
        to.fault("outage", one.name, f"how={one.link}", now_ms)
        self._end_session(to, one, "no answer", now_ms + 40_000)

    def _cut_power(self, to: Observer, one: _Node, now_ms: int) -> None:
        to.fault("power cut", one.name, "", now_ms)
        self._end_session(to, one, "power cut", now_ms)
        to.agent(one.name, False, "power cut", now_ms)
        to.power(one.name, False, "power cut", now_ms)
        one.is_on = False
        one.power_ms = now_ms + int(one.draw.expovariate(1 / (10 * MINUTE_MS)))

    def _connect(self, to: Observer, one: _Node, now_ms: int, hub_is_up: bool) -> None:
        if one.is_live or one.draw.random() < 0.3:
            return
        to.attempt(one.name, now_ms)
        to.wire(one.name, 280, 0, now_ms)
        if one.link == "up" and hub_is_up:
            one.is_live = True
            to.session(one.name, True, "welcomed", now_ms + 300)

    def _read(self, to: Observer, one: _Node, now_ms: int) -> None:
        if one.draw.randrange(self.news_each) == 0:
            one.value += 1
            one.waiting.append(now_ms)
        to.answered(one.name, "default/meter", {"energy": one.value, "power": 230}, now_ms)
        to.flash(one.name, 96, 1, now_ms)
        if one.is_live:
            to.wire(one.name, 120 + 40 * len(one.waiting), 105, now_ms)
            samples = [
                Sample(one.name, "default/meter", "energy", START_UNIX_MS + at_ms, one.value, 1)
                for at_ms in one.waiting
            ]
            if samples:
                to.stored("hub", samples, now_ms + 250)
                to.acknowledged(one.name, "hub", 1, 7, one.value, now_ms + 260)
            one.waiting = []
        to.gauges(
            one.name, {"journal_bytes": 9_000 + one.value % 500 * 40, "reports_waiting": len(one.waiting)}, now_ms
        )


def recorded(story: Story) -> Recorder:
    recorder = Recorder()
    story.tell(recorder)
    return recorder
