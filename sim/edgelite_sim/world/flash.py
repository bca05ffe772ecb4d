"""A node's flash in virtual time: syncs that take their time, and every way in which a card fails.

What a power cut leaves is one of HOWS; what may survive is as in `edgelite_ports.testing.storage`: of the changes since
the last completed sync each may get to the medium, or not, or in part. A sync makes durable what was written before it
was asked for, at its end and not sooner: a cut while it is in flight may take any of that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

from edgelite_ports.testing.storage import KEPT, LOST, MemoryStorage
from edgelite_protocol.errors import MisuseError, PlatformError
from edgelite_sim.world.queue import Event, EventQueue

SECTOR_BYTES = 512
SIZE_BYTES = 64 * 1024 * 1024  # what a small card has left for the agent
SYNC_MS = 4  # a sync of a few pages on a good SD card
SYNCS_MAX = 16  # waiting at once: the journal has one in flight, the rest are our own mistakes
ROT_TRIES = 16  # for each bit, to find a place that is durable
EIO = "Input/output error"

Fate = int | tuple[int, int]
Operation = tuple[str, str, Any, bytes]
Done = Callable[[None, BaseException | None], object]


class PowerCut(BaseException):
    """What a call given to `cut_at_write` may raise, to leave the agent where it stands. The World catches it."""


# ---- what is left of the unsynced operations, oldest first


def _random(operations: Sequence[Operation], draw: Random) -> list[Fate]:
    """Each by itself; how many survive at all is drawn too, so that nearly all and nearly nothing happen as well."""
    kept = draw.random()
    return [KEPT if draw.random() < kept else _some_loss(operation, draw) for operation in operations]


def _some_loss(operation: Operation, draw: Random) -> Fate:
    choice = draw.randrange(4)
    if choice == 0 and operation[3]:
        return draw.randrange(len(operation[3]))
    return _hole(operation, draw) if choice == 1 and operation[3] else LOST


def _lost_tail(operations: Sequence[Operation], draw: Random) -> list[Fate]:
    return [LOST] * len(operations)


def _torn(operations: Sequence[Operation], draw: Random) -> list[Fate]:
    fates: list[Fate] = [KEPT] * len(operations)
    writes = [index for index, operation in enumerate(operations) if operation[3]]
    if writes:
        fates[writes[-1]] = draw.randrange(len(operations[writes[-1]][3]))
    return fates


def _reordered(operations: Sequence[Operation], draw: Random) -> list[Fate]:
    """Of the later ones a random part survives, the last one among it; of the earlier ones none."""
    lost = draw.randint(1, len(operations) - 1) if len(operations) > 1 else 0
    later: list[Fate] = [KEPT if draw.random() < 0.75 else LOST for _ in operations[lost:-1]]
    return [LOST] * lost + later + [KEPT] * (1 if operations else 0)


def _lost_sector(operations: Sequence[Operation], draw: Random) -> list[Fate]:
    fates: list[Fate] = [KEPT] * len(operations)
    writes = [index for index, operation in enumerate(operations) if operation[3]]
    if writes:
        index = draw.choice(writes)
        fates[index] = _hole(operations[index], draw)
    return fates


def _kept(operations: Sequence[Operation], draw: Random) -> list[Fate]:
    return [KEPT] * len(operations)


def _hole(operation: Operation, draw: Random) -> tuple[int, int]:
    """A sector of the file, as a part of the write's own bytes."""
    _, _, offset_bytes, data = operation
    sector = draw.randint(offset_bytes // SECTOR_BYTES, (offset_bytes + len(data) - 1) // SECTOR_BYTES)
    start_bytes = sector * SECTOR_BYTES - offset_bytes
    return max(start_bytes, 0), min(start_bytes + SECTOR_BYTES, len(data))


HOWS: dict[str, Callable[[Sequence[Operation], Random], list[Fate]]] = {
    "random": _random,
    "lost-tail": _lost_tail,
    "torn": _torn,
    "reordered": _reordered,
    "lost-sector": _lost_sector,
    "kept": _kept,
}


class SimFlash(MemoryStorage):
    """`sync_ms` is what a sync takes, and may be changed at any time.

    Figures: `bytes_written`, `syncs`, `syncing_ms` (the time that completed syncs took, stalls included), `operations`.
    """

    def __init__(self, queue: EventQueue, size_bytes_max: int = SIZE_BYTES, sync_ms: int = SYNC_MS) -> None:
        super().__init__(size_bytes_max)
        self.sync_ms = sync_ms
        self.syncing_ms = 0
        self._queue = queue
        self._others_bytes = 0  # of the medium, taken by others' files
        self._is_off = False  # the power went in mid-write: until `cut`, nothing gets here any more
        self._stalled_until_ms = 0
        self._syncs: deque[tuple[int, int, Done | None]] = deque()  # (operations before it, asked for when, done)
        self._event: Event | None = None  # the end of the first of them
        self._healing: dict[str, Event] = {}  # by kind of operation that fails

    # ---- the contract

    def free_bytes(self) -> int:
        return max(0, super().free_bytes() - self._others_bytes)

    def sync_later(self, done: Done) -> None:
        """As `sync`, in virtual time: `done(None, error)` comes through the queue. One at a time, in order."""
        if self._is_off:
            return
        if len(self._syncs) >= SYNCS_MAX:
            raise MisuseError("%d syncs wait already" % SYNCS_MAX)
        self._syncs.append((self.operations, self._queue.now_ms, done))
        if self._event is None:
            self._begin_sync()

    def _begin_sync(self) -> None:
        begin_ms = max(self._queue.now_ms, self._stalled_until_ms)
        self._event = self._queue.at(begin_ms + self.sync_ms, self._end_sync)

    def _end_sync(self) -> None:
        now_ms = self._queue.now_ms
        if now_ms < self._stalled_until_ms:  # the stall came while it was in flight
            self._event = self._queue.at(self._stalled_until_ms, self._end_sync)
            return
        operations, asked_ms, done = self._syncs.popleft()
        self._event = None
        if self._syncs:
            self._begin_sync()
        error = self._complete_sync(operations, now_ms - asked_ms)
        if done is not None:
            done(None, error)

    def _complete_sync(self, operations: int, took_ms: int) -> PlatformError | None:
        try:
            self._fail("sync", self.syncs_fail)
        except PlatformError as error:
            return error
        durable = self.operations - len(self._unsynced)
        self._make_durable(max(0, operations - durable))
        self.syncing_ms += took_ms
        return None

    def forget_completions(self) -> None:
        """The agent has died: the syncs that it asked for end as they would, and nobody is told."""
        self._syncs = deque((operations, asked_ms, None) for operations, asked_ms, _ in self._syncs)

    # ---- power

    def cut(self, draw: Random, how: str = "random") -> None:  # type: ignore[override]
        """The power goes: become what the next start finds, by one of HOWS. No sync in flight completes."""
        fates = _of(HOWS, how, "a power cut")(self._unsynced, draw)
        self._lose_power(fates)
        self._syncs.clear()
        if self._event is not None:
            self._event.cancel()
            self._event = None
        self._stalled_until_ms = 0
        self._is_off = False
        self.after_change = None

    def cut_at_write(self, n: int, call: Callable[[], object]) -> None:
        """`call()` when the n-th change from now has been made (1 is the next), and whatever is still running finds the
        flash gone: until `cut`, which may tear that change, keep it or lose it. `call` may raise PowerCut."""
        if n < 1:
            raise MisuseError("a power cut at write %d: the next one is 1" % n)
        at = self.operations + n

        def changed() -> None:
            if self.operations >= at:
                self.after_change = None
                self._is_off = True
                call()

        self.after_change = changed

    # ---- other faults

    def stall(self, duration_ms: int) -> None:
        """No sync completes for so long, one in flight included; reads and writes go on, as in a page cache."""
        self._stalled_until_ms = max(self._stalled_until_ms, self._queue.now_ms + duration_ms)

    def fail(self, kind: str, duration_ms: int | None = None, text: str = EIO) -> None:
        """Each "read", "write" or "sync" fails, for so long or until `heal`."""
        attribute = _of(_FAILING, kind, "a flash that fails")
        setattr(self, attribute, text)
        if kind in self._healing:
            self._healing.pop(kind).cancel()
        if duration_ms is not None:
            self._healing[kind] = self._queue.after(duration_ms, lambda: self.heal(kind))

    def heal(self, kind: str = "") -> None:
        """End what `fail` began; of all kinds, unless one is named."""
        for each in [kind] if kind else list(_FAILING):
            setattr(self, _of(_FAILING, each, "a flash that fails"), None)
            if each in self._healing:
                self._healing.pop(each).cancel()

    def fill(self, size_bytes: int) -> None:
        """Others write so much more to the medium."""
        self._others_bytes += size_bytes

    def shrink(self, free_bytes: int) -> None:
        """Others fill the medium until only so much is free."""
        self._others_bytes = max(0, super().free_bytes() - free_bytes)

    def release(self) -> None:
        """Others remove all they wrote."""
        self._others_bytes = 0

    def rot(self, draw: Random, bits: int = 1) -> list[tuple[str, int, int]]:
        """So many bits of what is durable flip, unseen: (file, offset, bit) of each. None where nothing is durable."""
        sizes = [(name, self._files[name].data_bytes()) for name in sorted(self._files)]
        total_bytes = sum(size_bytes for _, size_bytes in sizes)
        flipped: list[tuple[str, int, int]] = []
        for _ in range(bits * ROT_TRIES if total_bytes else 0):
            name, offset_bytes = _place(sizes, draw.randrange(total_bytes))
            if len(flipped) < bits and self._is_durable(name, offset_bytes):
                flipped.append((name, offset_bytes, draw.randrange(8)))
                self.bit_flip(*flipped[-1])
        return flipped

    def _is_durable(self, name: str, offset_bytes: int) -> bool:
        """False for a place that was written, or a file that got its name, since the last sync."""
        for kind, changed, argument, data in self._unsynced:
            if kind == "write" and changed == name and 0 <= offset_bytes - argument < len(data):  # type: ignore[operator]
                return False
            if (kind == "create" and changed == name) or (kind == "rename" and argument == name):
                return False
        return True

    def _fail(self, name: str, text: str | None) -> None:
        if self._is_off:
            raise PlatformError(name + ": the power is gone")
        super()._fail(name, text)


def _place(sizes: list[tuple[str, int]], offset_bytes: int) -> tuple[str, int]:
    """The file and the offset in it of an offset in all of them together."""
    for name, size_bytes in sizes:
        if offset_bytes < size_bytes:
            return name, offset_bytes
        offset_bytes -= size_bytes
    raise AssertionError(offset_bytes)


_FAILING = {"read": "reads_fail", "write": "writes_fail", "sync": "syncs_fail"}


Value = TypeVar("Value")


def _of(table: dict[str, Value], name: str, what: str) -> Value:
    if name not in table:
        raise MisuseError("%s: %s is none of %s" % (what, name, ", ".join(table)))
    return table[name]
