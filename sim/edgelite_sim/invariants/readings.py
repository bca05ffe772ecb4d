"""What devices gave to nodes, and what of it each hub has stored: what three invariants count with.

A reading is named by its device, its property and its place among the answers. Where a property never gives one value
twice, as a counter of its own answers does, the value alone names it. A stored sample is matched with the next answer
that is not stored yet; whatever does not fit there is late, stored twice, or was never read.
"""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgelite_hub.store.contract import Sample

    Value = object

IN_ORDER, LATE, TWICE, UNREAD = "in order", "late", "twice", "unread"


class Shelf:
    """Which answers of one series lie in one hub's store."""

    def __init__(self) -> None:
        self.has = bytearray()  # by place: 1 where it is stored
        self.next = 0  # behind the newest that is stored
        self.forgotten: set[int] = set()  # places that a restored hub no longer has
        self.named: set[int] = set()  # of these, those that it has named as lost

    def holds(self, place: int) -> bool:
        return place < len(self.has) and self.has[place] == 1

    def put(self, place: int) -> None:
        if place >= len(self.has):
            self.has.extend(bytes(place + 1 - len(self.has)))
        self.has[place] = 1
        self.next = max(self.next, place + 1)
        self.forgotten.discard(place)


class Series:
    """The answers of one property of one device, in their order."""

    def __init__(self, node: str, device: str, property: str) -> None:
        self.node = node
        self.device = device
        self.property = property
        self.values: list[Value] = []
        self.times_ms = array("q")
        self.is_counting = True  # each value was greater than the one before: so a value names its reading
        self.shelves: dict[str, Shelf] = {}  # by hub

    @property
    def text(self) -> str:
        return f"{self.device} {self.property}"

    def answered(self, value: Value, now_ms: int) -> None:
        if self.values:
            self.is_counting = self.is_counting and _is_greater(value, self.values[-1])
        self.values.append(value)
        self.times_ms.append(now_ms)

    def shelf(self, hub: str) -> Shelf:
        shelf = self.shelves.get(hub)
        if shelf is None:
            shelf = self.shelves[hub] = Shelf()
        return shelf

    def stored(self, hub: str, value: Value) -> tuple[str, int]:
        """Match one stored sample: (what it is, its place or -1)."""
        shelf = self.shelf(hub)
        for place in range(shelf.next, len(self.values)):
            if is_same(self.values[place], value):
                shelf.put(place)
                return IN_ORDER, place
        found = -1
        for place in range(min(shelf.next, len(self.values)) - 1, -1, -1):
            if is_same(self.values[place], value):
                if not shelf.holds(place):
                    shelf.put(place)
                    return LATE, place
                found = place
        return (TWICE, found) if found >= 0 else (UNREAD, -1)

    def is_stored(self, place: int) -> bool:
        return any(shelf.holds(place) for shelf in self.shelves.values())

    def replace(self, hub: str, values: Iterable[Value]) -> list[int]:
        """The hub's store was looked at: it holds these. The places that it held before and holds no more."""
        shelf = self.shelf(hub)
        there = Counter(_key(value) for value in values)
        gone = []
        last = 0
        for place, value in enumerate(self.values):
            key = _key(value)
            if there[key] > 0 and (shelf.holds(place) or place >= shelf.next):
                there[key] -= 1
                shelf.put(place)
                last = place + 1
            elif shelf.holds(place):
                shelf.has[place] = 0
                gone.append(place)
        shelf.next = last
        return gone


class Readings:
    """All series. `properties` limits them by name; all of them where it is empty."""

    def __init__(self, properties: Iterable[str] = ()) -> None:
        self.series: dict[tuple[str, str, str], Series] = {}
        self._properties = frozenset(properties)

    def answered(self, node: str, device: str, values: dict[str, object], now_ms: int) -> None:
        for name, value in values.items():
            if self._properties and name not in self._properties:
                continue
            key = (node, device, name)
            series = self.series.get(key)
            if series is None:
                series = self.series[key] = Series(node, device, name)
            series.answered(value, now_ms)

    def of(self, sample: Sample) -> Series | None:
        """None where no device was ever heard to answer with this property: it is nothing to judge by."""
        return self.series.get((sample.node, sample.device, sample.property))

    def of_node(self, node: str) -> Iterator[Series]:
        return (series for (owner, _, _), series in sorted(self.series.items()) if owner == node)

    def __iter__(self) -> Iterator[Series]:
        return (self.series[key] for key in sorted(self.series))


def is_same(one: Value, other: Value) -> bool:
    """A FLOAT travels in 32 bits: values that are the same there are the same."""
    return one == other or (isinstance(one, float) and isinstance(other, float) and _float32(one) == _float32(other))


def _key(value: Value) -> object:
    return _float32(value) if isinstance(value, float) else value


def _float32(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return struct.pack("<d", value)


def _is_greater(value: Value, than: Value) -> bool:
    if isinstance(value, (int, float)) and isinstance(than, (int, float)):
        return value > than
    return False
