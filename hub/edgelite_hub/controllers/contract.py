"""What a controller is: changes in, keys out; a key in, changes of the store out. No I/O, no clock.

A reconcile looks at the store as it is, not at what has changed, and writes only what differs: so it may run twice,
late, or after a crash, and comes to the same end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from edgelite_hub.environment import Environment
from edgelite_hub.store.contract import Change, Transaction

Key = tuple[str, ...]


@dataclass(slots=True)
class Notices:
    """What the rest of the hub is told once the controllers' transaction is durable: names of nodes."""

    feeds_grown: set[str] = field(default_factory=set)
    nodes_removed: set[str] = field(default_factory=set)
    nodes_adopted: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Work:
    """One transaction's worth of reconciling."""

    transaction: Transaction
    environment: Environment
    notices: Notices

    @property
    def now_ms(self) -> int:
        return self.environment.unix_ms()


class Controller(Protocol):
    is_patient: bool  # its keys wait while many changes come, and then count once

    def keys_for(self, change: Change, transaction: Transaction) -> Iterable[Key]:
        """What a change may have made untrue."""
        ...

    def keys_at_start(self, transaction: Transaction) -> Iterable[Key]:
        """Everything, after a start or after the change log was compacted."""
        ...

    def reconcile(self, work: Work, key: Key) -> None:
        """Make it true again."""
        ...
