"""settled-wishes-rest, and what is desired of properties: a wish is its text and its time (docs/twins.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgelite_sim.invariants.invariant import Invariant
from edgelite_sim.invariants.objects import DEVICES

Place = tuple[str, str, str]  # (node, device, property)


@dataclass(slots=True)
class Wish:
    """One that the hub has for a property, until another one takes its place."""

    text: str
    time: str
    since_ms: int
    is_reached: bool = False  # the device was seen to have it
    other: object = None  # what the device was seen to have afterwards
    is_told: bool = False


class Wishes:
    """Of all Devices, as hubs commit them. Wishes that expire are nobody's to insist on, so they are left out."""

    def __init__(self) -> None:
        self._wishes: dict[Place, Wish] = {}

    def __bool__(self) -> bool:
        return bool(self._wishes)

    def take(self, device: dict[str, Any], now_ms: int) -> None:
        metadata, spec = device["metadata"], device.get("spec") or {}
        name = f"{metadata.get('namespace', '')}/{metadata['name']}"
        for one in spec.get("properties") or []:
            place = (str(spec.get("nodeName") or ""), name, str(one["name"]))
            desired = one.get("desired") or {}
            details = desired.get("metadata") or {}
            text, time = str(desired.get("value") or ""), str(details.get("timestamp"))
            if not text or "expires" in details or "expiresAfterMs" in details or one.get("failSafe"):
                self._wishes.pop(place, None)
                continue
            wish = self._wishes.get(place)
            if wish is None or (wish.text, wish.time) != (text, time):
                self._wishes[place] = Wish(text, time, now_ms)

    def answered(self, node: str, device: str, values: dict[str, object]) -> Iterator[tuple[str, Wish, bool, object]]:
        """(property, its wish, whether the device has it now, the value) of each that something is desired of."""
        for name, value in values.items():
            wish = self._wishes.get((node, device, name))
            if wish is not None:
                yield name, wish, holds(value, wish.text), value

    def items(self) -> list[tuple[Place, Wish]]:
        return sorted(self._wishes.items())


class SettledWishesRest(Invariant):
    name = "settled-wishes-rest"
    sentence = (
        "A desired value that a device has taken is not written again by itself: what somebody sets at the device "
        "afterwards stands until somebody desires something new."
    )

    def __init__(self) -> None:
        super().__init__()
        self._wishes = Wishes()

    def changed(
        self, hub: str, resource: str, namespace: str, name: str, new: dict[str, Any] | None, now_ms: int
    ) -> None:
        if resource == DEVICES and new is not None:
            self._wishes.take(new, now_ms)

    def answered(self, node: str, device: str, values: dict[str, object], now_ms: int) -> None:
        if not self._wishes:
            return
        for name, wish, has_it, value in self._wishes.answered(node, device, values):
            if not wish.is_reached:
                wish.is_reached = has_it
            elif not has_it:
                wish.other = value
            elif wish.other is not None:
                was = f"{device} {name} was {wish.text}, then {wish.other!r}, and is {wish.text} again"
                self.violate(now_ms, node, was + ": nobody desired it anew")
                wish.other = None


def holds(value: object, text: str) -> bool:
    """Whether a value of a device is what a desired text means."""
    if isinstance(value, bool):
        return text in (("true", "1") if value else ("false", "0"))
    if isinstance(value, (int, float)):
        try:
            return abs(float(text) - value) <= 1e-6 * max(1.0, abs(value))
        except ValueError:
            return False
    return str(value) == text
