"""What is wrong with a simulated device now. A timetable, a test or a person changes it while it runs:

dead                   says nothing; unit = N: only that slave of a Modbus line
slow                   delay_ms: each answer leaves so much later; unit = N
noise                  chance (0.2): an answer is harmed on its way
restart                drops its connections, forgets what was half said, is silent for boot_ms (2000)
exceptions             code (6), chance (1): Modbus requests are refused; unit = N
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields

DEAD, SLOW, NOISE, RESTART, EXCEPTIONS = "dead", "slow", "noise", "restart", "exceptions"
# kind: its parameters
PARAMETERS: dict[str, tuple[str, ...]] = {
    DEAD: ("unit",),
    SLOW: ("delay_ms", "unit"),
    NOISE: ("chance",),
    RESTART: ("boot_ms",),
    EXCEPTIONS: ("code", "chance", "unit"),
}
DELAY_MS_MAX = 600_000
ANY_UNIT = -1


class Condition:
    """`is_well` is what a peer looks at first: nothing else costs anything while it is True."""

    def __init__(self, kinds: tuple[str, ...], draw: random.Random) -> None:
        self.kinds = kinds  # that this device can have
        self.is_well = True
        self.restarts = 0
        self.active: dict[tuple[str, int], dict[str, Any]] = {}  # by kind and unit
        self._draw = draw
        self._boot_ms = 0
        self.awake_ms: int | None = 0  # when a restart is over; None: nobody has looked since it began

    def check(self, kind: str, parameters: dict[str, object]) -> dict[str, Any]:
        """The parameters, with what was not said; ConfigurationError names what is wrong and what is allowed."""
        if kind not in self.kinds:
            raise ConfigurationError("fault", f"{kind!r} is none of {', '.join(self.kinds)}")
        fields = Fields(parameters, f"fault.{kind}", PARAMETERS[kind])
        return {
            "unit": fields.integer("unit", 0, 255) if fields.has("unit") else ANY_UNIT,
            "delay_ms": fields.integer("delay_ms", 1, DELAY_MS_MAX, None if kind == SLOW else 1),
            "chance": _chance(fields, 0.2 if kind == NOISE else 1.0),
            "code": fields.integer("code", 1, 255, 6),
            "boot_ms": fields.integer("boot_ms", 0, DELAY_MS_MAX, 2000),
        }

    def fail(self, kind: str, parameters: dict[str, object]) -> None:
        checked = self.check(kind, parameters)
        if kind == RESTART:
            self._boot_ms = checked["boot_ms"]
            self.awake_ms = None
            self.restarts += 1
        else:
            self.active[kind, checked["unit"]] = checked
        self.is_well = False

    def heal(self, kind: str = "") -> None:
        """Of this kind, or of all. A restart that is under way goes on."""
        for key in [key for key in self.active if kind in ("", key[0])]:
            del self.active[key]
        self.is_well = not self.active and self.awake_ms is not None

    def is_silent(self, now_ms: int, unit: int = ANY_UNIT) -> bool:
        if self.awake_ms is None:
            self.awake_ms = now_ms + self._boot_ms
        if now_ms < self.awake_ms:
            return True
        return self._of(DEAD, unit) is not None

    def delay_ms(self, unit: int = ANY_UNIT) -> int:
        found = self._of(SLOW, unit)
        return int(found["delay_ms"]) if found else 0

    def refusal(self, unit: int) -> int:
        """The exception code for this request; 0 for none."""
        found = self._of(EXCEPTIONS, unit)
        return int(found["code"]) if found and self._draw.random() < found["chance"] else 0

    def harmed(self, data: bytes) -> bytes:
        """One byte is lost, changed or added, where noise strikes."""
        found = self._of(NOISE, ANY_UNIT)
        if found is None or not data or self._draw.random() >= found["chance"]:
            return data
        place = self._draw.randrange(len(data))
        how: list[Callable[[], bytes]] = [
            lambda: b"",
            lambda: bytes([data[place] ^ 1 << self._draw.randrange(8)]),
            lambda: bytes([data[place], self._draw.randrange(256)]),
        ]
        return data[:place] + self._draw.choice(how)() + data[place + 1 :]

    def _of(self, kind: str, unit: int) -> dict[str, Any] | None:
        found = self.active.get((kind, ANY_UNIT))
        return found if found is not None or unit == ANY_UNIT else self.active.get((kind, unit))


def _chance(fields: Fields, default: float) -> float:
    chance = fields.number("chance", default)
    if not 0 <= chance <= 1:
        raise fields.refuse("chance", "must be a number from 0 to 1")
    return float(chance)
