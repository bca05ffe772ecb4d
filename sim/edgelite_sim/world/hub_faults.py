"""Where a simulated hub can die, and what is wrong with its store.

A hub dies at a point of a transaction:

    before      nothing of it has run
    inside      at its n-th operation on the store, or behind the last one: nothing of its commit stays
    committed   it is durable, and nobody was told: no acknowledgement has left
    answered    who asked was told, and not a byte of the answer has left
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgelite_protocol.errors import MisuseError

BEFORE, INSIDE, COMMITTED, ANSWERED = "before", "inside", "committed", "answered"
POINTS = (BEFORE, INSIDE, COMMITTED, ANSWERED)


class HubDied(BaseException):
    """Raised in the middle of a transaction: no `except Exception` may catch a death."""


@dataclass(frozen=True, slots=True)
class Death:
    """`transaction` counts from 1 over all lives of a hub; `operation` likewise within it, for `inside`."""

    point: str
    transaction: int
    operation: int = 1


@dataclass(slots=True)
class HubFaults:
    """What may be changed while the hub runs. `store_ms` is what a commit takes; 0: it is done at once."""

    store_ms: int = 1
    store_error: str = ""  # the medium's words, while nothing can be written
    death: Death | None = None
    clock_jump_ms: int = 0

    def die_at(self, point: str, transaction: int, operation: int) -> None:
        if point not in POINTS:
            raise MisuseError(f"a hub can crash {', '.join(POINTS)}, not {point!r}")
        if operation < 1:
            raise MisuseError(f"operations count from 1, not {operation}")
        self.death = Death(point, transaction, operation)

    def take_death(self, first: int, count: int) -> Death | None:
        """The death that is due among these transactions."""
        death = self.death
        if death is None or death.transaction >= first + count:
            return None
        self.death = None
        return Death(death.point, max(death.transaction, first), death.operation)


class DyingTransaction:
    """A store's transaction that lets `operations` pass and dies at the next."""

    def __init__(self, transaction: Any, operations: int) -> None:
        self._transaction = transaction
        self._left = operations

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._transaction, name)
        if not callable(value):
            return value

        def counted(*arguments: Any, **named: Any) -> Any:
            if self._left == 0:
                raise HubDied(name)
            self._left -= 1
            return value(*arguments, **named)

        return counted
