"""Dates a report's time (SPEC.md, "Time"): [Unix ms, 1], or [monotonic ms, 0, boot id] which only the hub can date.

The offset between a boot's monotonic clock and Unix time is learnt at each hello and kept, since what a boot sampled
may arrive in a later one. A boot that never said hello to this hub is guessed to have begun its samples when the
present one began: their distances are right, and `dated_by` tells that the hub dated them.
"""

from __future__ import annotations

from typing import Any

import cbor2

from edgelite_hub.store.contract import Transaction
from edgelite_protocol.messages import TIME_UNIX

BOOTS_MAX = 16  # of one node; older ones have nothing left in the outbox
UNIX_MS_MAX = 253_402_300_799_000  # 9999-12-31: beyond that no text form of a time exists


class Dater:
    """For one transaction. `boot_id` and `offset_ms` are those of the present session's hello."""

    def __init__(self, transaction: Transaction, node: str, boot_id: bytes, offset_ms: int) -> None:
        self._transaction = transaction
        self._meta = "boots/" + node
        self._boot_id = boot_id
        self._offset_ms = offset_ms

    def __call__(self, time: list[Any]) -> int:
        """Unix milliseconds."""
        if time[1] == TIME_UNIX:
            return min(int(time[0]), UNIX_MS_MAX)
        boot_id = bytes(time[2]) if len(time) > 2 else self._boot_id
        offset_ms = self._offset_ms if boot_id == self._boot_id else self._kept(boot_id, int(time[0]))
        return max(0, min(int(time[0]) + offset_ms, UNIX_MS_MAX))

    def keep(self) -> None:
        """Remember the present boot's offset."""
        boots = [row for row in self._boots() if row[0] != self._boot_id]
        self._write([*boots, [self._boot_id, self._offset_ms]])

    def _kept(self, boot_id: bytes, first_monotonic_ms: int) -> int:
        boots = self._boots()
        for kept_id, offset_ms in boots:
            if kept_id == boot_id:
                return int(offset_ms)
        guess_ms = self._offset_ms - first_monotonic_ms
        self._write([*boots, [boot_id, guess_ms]])
        return guess_ms

    def _boots(self) -> list[Any]:
        stored = self._transaction.get_meta(self._meta)
        return cbor2.loads(stored) if stored is not None else []

    def _write(self, boots: list[Any]) -> None:
        self._transaction.set_meta(self._meta, cbor2.dumps(boots[-BOOTS_MAX:]))
