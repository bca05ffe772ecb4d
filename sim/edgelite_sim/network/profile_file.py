"""Profiles as TOML: a table for each, read by a table of keys. Errors name file, line, key and what is allowed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from edgelite_sim.network.outage_plans import UnfitError, plan_of
from edgelite_sim.network.profile import Profile
from edgelite_sim.written.names import one_of
from edgelite_sim.written.places import Path, Places
from edgelite_sim.written.units import DURATION_EXAMPLES, duration_ms

RATE_UNITS = {"bit/s": 1, "kbit/s": 1_000, "Mbit/s": 1_000_000, "Gbit/s": 1_000_000_000}
NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"


class ProfileError(ValueError):
    """`line` counts from 1; 0 where it is in no line."""

    def __init__(self, where: str, line: int, text: str) -> None:
        super().__init__(f"{where}:{line}: {text}" if line else f"{where}: {text}")
        self.where = where
        self.line = line
        self.text = text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UnfitError("write a text in quotes")
    return value


def _duration(value: Any) -> int:
    found = duration_ms(value) if isinstance(value, str) else None
    if found is None:
        raise UnfitError(DURATION_EXAMPLES)
    return found


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise UnfitError("write a share from 0 to below 1, such as 0.02")
    return float(value)


def _rate(value: Any) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMG]?bit/s)", value) if isinstance(value, str) else None
    rate = round(float(match[1]) * RATE_UNITS[match[2]]) if match else 0
    if rate <= 0:
        raise UnfitError('write a rate such as "300 bit/s", "64 kbit/s" or "20 Mbit/s"')
    return rate


def _bytes(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not (value == 0 or low <= value <= high):
            raise UnfitError(f"write a number of bytes from {low} to {high}, or 0 for none")
        return value

    return read


def _pair(read: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, Any]]:
    """One value for both directions, or [towards the hub, towards the node]."""

    def read_pair(value: Any) -> tuple[Any, Any]:
        if isinstance(value, list):
            if len(value) != 2:
                raise UnfitError("write one value, or two: [towards the hub, towards the node]")
            return read(value[0]), read(value[1])
        return read(value), read(value)

    return read_pair


# key: (field of Profile, how it is read)
KEYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "summary": ("summary", _text),
    "latency": ("latency_ms", _pair(_duration)),
    "jitter": ("jitter_ms", _duration),
    "spread": ("spread_ms", _duration),
    "loss": ("loss", _pair(_share)),
    "rate": ("rate_bit_s", _pair(_rate)),
    "queue": ("queue_ms", _duration),
    "segment": ("segment_bytes", _bytes(64, 9000)),
    "hole": ("hole_bytes", _bytes(120, 9000)),
    "nat_idle": ("nat_idle_ms", _duration),
    "forget": ("forget_ms", _duration),
    "dns": ("dns_ms", _duration),
    "dns_loss": ("dns_loss", _share),
    "dns_failure": ("dns_failure_ms", _duration),
}
OTHER_KEYS = ("base", "outages")


def read_profiles(text: str, where: str, known: Mapping[str, Profile]) -> dict[str, Profile]:
    """In the order of the file. `known` may be named as a base."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        raise ProfileError(where, int(found[1]) if found else 0, f"no TOML: {error}") from None
    return read_tables(tables, where, Places(text), known)


def read_tables(
    tables: Mapping[str, Any], where: str, places: Places, known: Mapping[str, Profile], above: Path = ()
) -> dict[str, Profile]:
    """Tables within a larger file: `above` leads to them, `places` is of that whole file."""
    reader = _Reader(tables, where, places, known, above)
    return {name: reader.profile(name, ()) for name in tables}


class _Reader:
    def __init__(
        self, tables: Mapping[str, Any], where: str, places: Places, known: Mapping[str, Profile], above: Path
    ) -> None:
        self._tables = tables
        self._where = where
        self._places = places
        self._known = known
        self._above = above
        self._done: dict[str, Profile] = {}

    def profile(self, name: str, waiting: tuple[str, ...]) -> Profile:
        """`waiting` are those that are being read and need this one."""
        if name in self._done:
            return self._done[name]
        table = self._tables[name]
        if not isinstance(table, dict):
            raise self._error(
                (name,), f"'{name}' stands outside of a profile; write it below a header such as [my-line]"
            )
        if not re.fullmatch(NAME, name):
            raise self._error((name,), f"'{name}' is no name of a profile: lower case letters, digits and hyphens")
        base = self._base(name, table, (*waiting, name))
        values = dict(self._value((name, key), value) for key, value in table.items() if key not in OTHER_KEYS)
        if "outages" in table:
            values["outages"] = self._plans(name, table["outages"])
        self._done[name] = replace(base, name=name, **values)
        return self._done[name]

    def _base(self, name: str, table: Mapping[str, Any], waiting: tuple[str, ...]) -> Profile:
        if "base" not in table:
            return Profile(name)
        base = table["base"]
        if base in waiting[:-1] or (base == name and base not in self._known):
            raise self._error((name, "base"), f"'{name}' is based on itself: {' -> '.join((*waiting, str(base)))}")
        if isinstance(base, str) and base in self._tables and base != name:
            return self.profile(base, waiting)
        if isinstance(base, str) and base in self._known:
            return self._known[base]
        names = [*self._known, *(one for one in self._tables if one != name)]
        raise self._error((name, "base"), f"there is no profile '{base}'; {one_of(str(base), names)}")

    def _value(self, path: Path, value: Any) -> tuple[str, Any]:
        """Name and value of a field of Profile."""
        key = str(path[-1])
        if key not in KEYS:
            raise self._error(path, f"there is no key '{key}'; {one_of(key, [*OTHER_KEYS, *KEYS])}")
        try:
            return KEYS[key][0], KEYS[key][1](value)
        except UnfitError as error:
            raise self._error(path, f"{key} = {value!r}: {error}") from None

    def _plans(self, name: str, rows: Any) -> tuple[Any, ...]:
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._error((name, "outages"), f"outages: write a table [[{name}.outages]] for each, or [] for none")
        plans = []
        for index, row in enumerate(rows):
            try:
                plans.append(plan_of(row))
            except UnfitError as error:
                raise self._error((name, "outages", index, error.key), str(error)) from None
        return tuple(plans)

    def _error(self, path: Path, text: str) -> ProfileError:
        return ProfileError(self._where, self._places.line((*self._above, *path)), text)
