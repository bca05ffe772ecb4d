"""Trims what has a bound: telemetry, feeds, artifact files. Each step is a short transaction of its own, so that nobody
waits long. No I/O but that of the artifacts' owner: Works in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from edgelite_hub import telemetry
from edgelite_hub.artifacts import wanted_digests
from edgelite_hub.clock_trust import ClockTrust
from edgelite_hub.model.objects import NODES, name_of
from edgelite_hub.settings import Settings
from edgelite_hub.store.contract import Transaction
from edgelite_hub.work import Work
from edgelite_protocol.errors import EdgeliteError

FEEDS_AT_ONCE = 64  # feeds compacted in one transaction


class Collects(Protocol):
    def collect(self, wanted: set[str], now_ms: int) -> Sequence[str]:
        """Delete the files whose hex digests are not in `wanted`; which."""
        ...


class Maintenance:
    """Begins at once, and again each `maintenance_ms`. What fails is said, and tried at the next time."""

    def __init__(
        self, settings: Settings, artifacts: Collects, unix_ms: Callable[[], int], log: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._artifacts = artifacts
        self._unix_ms = unix_ms
        self._log = log
        self._due_ms: int | None = None  # monotonic; None before the first time
        self._next: Work | None = None
        self._trimmed = 0
        self._trust = ClockTrust(unix_ms, log)
        self._may_judge_age = False

    def deadline_ms(self) -> int | None:
        return self._due_ms

    def next_work(self, now_ms: int) -> Work | None:
        if self._due_ms is None or now_ms >= self._due_ms:
            self._due_ms = now_ms + self._settings.maintenance_ms
            self._next = Work(partial(self._trim, now_ms), self._has_trimmed, failed=self._failed)
        work, self._next = self._next, None
        return work

    def _failed(self, error: Exception, now_ms: int) -> None:
        if not isinstance(error, EdgeliteError):
            raise error
        self._log(f"maintenance: {error}")

    # ---- one step after the other

    def _trim(self, now_ms: int, transaction: Transaction) -> tuple[int, list[str]]:
        self._may_judge_age = self._trust.look(transaction, now_ms)
        trimmed = telemetry.trim(transaction, self._settings, self._unix_ms() if self._may_judge_age else None)
        return trimmed, [name_of(node) for node in transaction.list(NODES)]

    def _has_trimmed(self, result: tuple[int, list[str]], now_ms: int) -> None:
        self._trimmed, nodes = result
        self._compact_rest(nodes, now_ms)

    def _compact_rest(self, nodes: list[str], now_ms: int, start: int = 0) -> None:
        some = nodes[start : start + FEEDS_AT_ONCE]
        if some:
            following = lambda _, now_ms: self._compact_rest(nodes, now_ms, start + FEEDS_AT_ONCE)  # noqa: E731
            self._next = Work(partial(self._compact, some), following, failed=self._failed)
        else:
            self._next = Work(partial(_wanted, nodes), self._collect, reads_only=True, failed=self._failed)

    def _compact(self, nodes: list[str], transaction: Transaction) -> None:
        for node in nodes:
            transaction.feed_compact(node, self._settings.feed_keep)

    def _collect(self, wanted: set[str], now_ms: int) -> None:
        removed = self._artifacts.collect(wanted, self._unix_ms()) if self._may_judge_age else []
        if self._trimmed or removed:
            self._log(f"maintenance: {self._trimmed} samples and {len(removed)} artifact files let go")


def _wanted(nodes: list[str], transaction: Transaction) -> set[str]:
    return wanted_digests(transaction, nodes)
