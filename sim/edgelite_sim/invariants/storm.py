"""no-reconnect-storm: what the documented backoff (exponential, full jitter, capped) lets a node and a fleet do.

A node. After n ends in a row the wait is drawn evenly from 0 to min(cap, base * 2^n), so as the row grows the ceiling
climbs to the cap in log2(cap / base) steps and stays there until a session has lasted. So in a window of length W
there are at most the steps of the climb, for each time that the row begins anew, and then W over half a cap on
average. Waits drawn evenly have a variance of cap^2/12, so the number in a window has one of W * (2/3) / cap.

A fleet. All that is lost together waits for the first time: evenly between 0 and base. Of n nodes n * w / base come
within a stretch w, as a coin falls, and some of them a second time.

SIGMAS of both: a run that passes by chance fails once in some hundred million windows.
"""

from __future__ import annotations

from collections import deque
from math import ceil, log2, sqrt
from typing import TYPE_CHECKING

from edgelite.config import Config
from edgelite_sim.invariants import reach
from edgelite_sim.invariants.invariant import Invariant

if TYPE_CHECKING:
    from edgelite_sim.world.world import World

WINDOW_MS = 3_600_000
SIGMAS = 6
STRETCHES = 10  # of the first ceiling: over which a fleet's return is looked at


class NoReconnectStorm(Invariant):
    name = "no-reconnect-storm"
    sentence = (
        "A node tries to reach its hub no more often than backoff with full jitter lets it, and a fleet that is lost "
        "together does not come back together."
    )

    def __init__(self, window_ms: int = WINDOW_MS) -> None:
        super().__init__()
        self._window_ms = window_ms
        self._attempts: dict[str, deque[int]] = {}
        self._begins: dict[str, deque[int]] = {}  # when a node's row began anew
        self._live_since_ms: dict[str, int] = {}
        self._live: set[str] = set()
        self._fleet: deque[int] = deque()  # reconnects within the last stretch
        self._told_ms: dict[str, int] = {}
        self._configs: dict[str, Config] = {}
        self._has_tried: set[str] = set()  # since its agent started: the first attempt is at once, by itself

    # ---- rows

    def agent(self, node: str, is_up: bool, why: str, now_ms: int) -> None:
        if is_up:
            self._begin_row(node, now_ms)
            self._has_tried.discard(node)

    def session(self, node: str, is_live: bool, why: str, now_ms: int) -> None:
        if is_live:
            self._live_since_ms[node] = now_ms
            return
        since_ms = self._live_since_ms.pop(node, None)
        if since_ms is not None and now_ms - since_ms >= self._config(node).session_lasted_ms:
            self._begin_row(node, now_ms)

    def _begin_row(self, node: str, now_ms: int) -> None:
        begins = self._begins.setdefault(node, deque())
        begins.append(now_ms)
        while begins and begins[0] <= now_ms - self._window_ms:
            begins.popleft()

    # ---- attempts

    def attempt(self, node: str, now_ms: int) -> None:
        attempts = self._attempts.setdefault(node, deque())
        attempts.append(now_ms)
        while attempts[0] <= now_ms - self._window_ms:
            attempts.popleft()
        allowed = self._allowed(node, now_ms)
        if len(attempts) > allowed:
            text = f"tried to connect {len(attempts)} times within {self._window_ms // 1000} s, {allowed} are allowed"
            self._tell(node, text, now_ms)
        if node in self._has_tried:
            self._judge_fleet(node, now_ms)
        self._has_tried.add(node)

    def _allowed(self, node: str, now_ms: int) -> int:
        config = self._config(node)
        begins = self._begins.setdefault(node, deque())
        while begins and begins[0] <= now_ms - self._window_ms:
            begins.popleft()
        steps = log2(max(config.backoff_cap_ms / config.backoff_base_ms, 1)) + 2
        steady = self._window_ms * 2 / config.backoff_cap_ms
        spread = SIGMAS * sqrt(self._window_ms * 2 / 3 / config.backoff_cap_ms)
        # While the ceiling climbs, several short waits in a row are no wonder.
        return ceil((1 + len(begins)) * (steps + 3) + steady + spread)

    def _judge_fleet(self, node: str, now_ms: int) -> None:
        """Everybody's first wait lies between 0 and base: in a tenth of it there is a tenth of them."""
        stretch_ms = max(self._config(node).backoff_base_ms // STRETCHES, 1)
        fleet = self._fleet
        fleet.append(now_ms)
        while fleet[0] <= now_ms - stretch_ms:
            fleet.popleft()
        nodes = len(self._attempts)
        expected = 2 * nodes / STRETCHES
        allowed = ceil(expected + SIGMAS * sqrt(expected))
        if nodes > 1 and len(fleet) > allowed:
            text = f"{len(fleet)} of {nodes} nodes came back within {stretch_ms} ms, {allowed} are allowed"
            self._tell("", text, now_ms)

    def _tell(self, who: str, text: str, now_ms: int) -> None:
        """Once a window for each."""
        if now_ms - self._told_ms.get(who, -self._window_ms) >= self._window_ms:
            self._told_ms[who] = now_ms
            self.violate(now_ms, who, text)

    def _config(self, node: str) -> Config:
        config = self._configs.get(node)
        if config is None:
            config = self._configs[node] = reach.config(self.world, node)
        return config

    def begin(self, world: World) -> None:
        super().begin(world)
        self._configs = {}
