"""The outages of a profile as TOML has them: a table for each, whose `when` says which other keys it takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgelite_sim.network.conditions import CONDITIONS, KINDS
from edgelite_sim.network.timetable import DAY_MS, FixedPlan, Plan, RandomPlan, of_tunnels
from edgelite_sim.written.units import DURATION_EXAMPLES, duration_ms


class UnfitError(Exception):
    """A value that a key does not take; the text says what it takes."""

    def __init__(self, text: str, key: str = "") -> None:
        super().__init__(text)
        self.key = key


class Row:
    """One table of outages, whose keys are taken one by one."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.table = table

    def duration_ms(self, key: str, default_ms: int | None = None) -> int:
        if key not in self.table and default_ms is not None:
            return default_ms
        value = self._value(key)
        found = duration_ms(value) if isinstance(value, str) else None
        if not found:
            raise UnfitError(f"{key} = {value!r}: {DURATION_EXAMPLES}", key)
        return found

    def phase_ms(self) -> int | None:
        """`start`: how long the link is there when its timetable begins; without it each link has its own."""
        return None if "start" not in self.table else -self._start_ms()

    def _start_ms(self) -> int:
        value = self.table["start"]
        found = duration_ms(value) if isinstance(value, str) else None
        if found is None:
            raise UnfitError(f"start = {value!r}: {DURATION_EXAMPLES}", "start")
        return found

    def measure(self, key: str, unit: str, example: str) -> float:
        """A number with a unit, above 0."""
        value = self._value(key)
        match = re.fullmatch(rf"(\d+(?:\.\d+)?) ?{unit}", value) if isinstance(value, str) else None
        if not match or float(match[1]) <= 0:
            raise UnfitError(f'{key} = {value!r}: write "{example}"', key)
        return float(match[1])

    def time_of_day_ms(self, key: str) -> int:
        value = self._value(key)
        match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
        if not match:
            raise UnfitError(f'{key} = {value!r}: write a time of day in UTC such as "02:30"', key)
        return (int(match[1]) * 60 + int(match[2])) * 60_000

    def tunnels(self, line_m: float) -> list[tuple[int, int]]:
        value = self._value("tunnels")
        wanted = "tunnels: write [[at km, length in m], ...] such as [[3.2, 850], [9, 300]]"
        if not isinstance(value, list) or not value:
            raise UnfitError(wanted, "tunnels")
        found = []
        for one in value:
            if not isinstance(one, list) or len(one) != 2 or not all(type(part) in (int, float) for part in one):
                raise UnfitError(wanted, "tunnels")
            at_m, length_m = round(one[0] * 1000), round(one[1])
            if at_m < 0 or length_m <= 0 or at_m + length_m > line_m:
                raise UnfitError(f"tunnels: {one} is not on the line, which is {line_m / 1000:g} km long", "tunnels")
            found.append((at_m, length_m))
        return found

    def _value(self, key: str) -> Any:
        if key not in self.table:
            raise UnfitError(f"an outage with when = \"{self.table['when']}\" needs '{key}'")
        return self.table[key]


def _cycle(row: Row, kind: str) -> Plan:
    every_ms, length_ms = row.duration_ms("every"), _length_ms(row, kind)
    if length_ms >= every_ms:
        raise UnfitError("length: an outage must be shorter than what it comes back after ('every')", "length")
    return FixedPlan(kind, every_ms, ((0, length_ms),), row.phase_ms())


def _tunnels(row: Row, kind: str) -> Plan:
    line_m = row.measure("line", "km", "80 km") * 1000
    speed_m_s = row.measure("speed", "km/h", "120 km/h") / 3.6
    stop_ms = row.duration_ms("stop", 600_000)
    return of_tunnels(row.tunnels(line_m), round(line_m), speed_m_s, stop_ms, kind, row.phase_ms())


def _random(row: Row, kind: str) -> Plan:
    return RandomPlan(kind, row.duration_ms("between"), _length_ms(row, kind))


def _offline(row: Row, kind: str) -> Plan:
    away_ms, home_ms = row.duration_ms("away"), row.duration_ms("home")
    return FixedPlan(kind, away_ms + home_ms, ((0, away_ms),), row.phase_ms())


def _nightly(row: Row, kind: str) -> Plan:
    from_ms, length_ms = row.time_of_day_ms("from"), row.duration_ms("length")
    if length_ms >= DAY_MS:
        raise UnfitError("length: a nightly outage must be shorter than a day", "length")
    spans = [(from_ms, min(DAY_MS, from_ms + length_ms))]
    if from_ms + length_ms > DAY_MS:
        spans.insert(0, (0, from_ms + length_ms - DAY_MS))
    return FixedPlan(kind, DAY_MS, tuple(spans), by_clock=True)


def _length_ms(row: Row, kind: str) -> int:
    """What is momentary has none."""
    if not CONDITIONS[kind].is_momentary:
        return row.duration_ms("length")
    if "length" in row.table:
        raise UnfitError(f"length: '{kind}' happens and is over; it has no length", "length")
    return 1


@dataclass(frozen=True)
class When:
    """One value of `when`: the keys that it takes, which of them may be left out, and what reads them."""

    keys: tuple[str, ...]
    read: Callable[[Row, str], Plan]


WHENS = {
    "cycle": When(("every", "length", "start"), _cycle),
    "tunnels": When(("line", "speed", "tunnels", "stop", "start"), _tunnels),
    "random": When(("between", "length"), _random),
    "offline": When(("away", "home", "start"), _offline),
    "nightly": When(("from", "length"), _nightly),
}


def plan_of(table: dict[str, Any]) -> Plan:
    """UnfitError names the key."""
    when = WHENS.get(table.get("when", "")) if isinstance(table.get("when", ""), str) else None
    if when is None:
        given = f"when = {table['when']!r}" if "when" in table else "an outage without 'when'"
        raise UnfitError(f"{given}; allowed: {', '.join(WHENS)}", "when" if "when" in table else "")
    for key in table:
        if key not in ("when", "kind", *when.keys):
            allowed = ", ".join(("when", "kind", *when.keys))
            raise UnfitError(f"an outage with when = \"{table['when']}\" has no '{key}'; allowed: {allowed}", key)
    kind = table.get("kind", "silent")
    if kind not in KINDS:
        raise UnfitError(f"kind = {kind!r}; allowed: {', '.join(KINDS)}", "kind")
    return when.read(Row(table), kind)
