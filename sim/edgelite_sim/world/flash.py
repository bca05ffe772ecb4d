"""A node's flash in virtual time: syncs that take their time, and every way in which a card fails.

What a power cut leaves is one of HOWS; what may survive is as in `edgelite_ports.testing.storage`: of the changes since
the last completed sync each may get to the medium, or not, or in part. A sync makes durable what was written before it
was asked for, at its end and not sooner: a cut while it is in flight may take any of that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, TypeVar

from edgelite_ports.testing.storage import KEPT, LOST, MemoryStorage
from edgelite_protocol.errors import MisuseError, PlatformError
from edgelite_sim.world.queue import Event, EventQueue

SECTOR_BYTES = 512
SIZE_BYTES = 64 * 1024 * 1024  # what a small card has left for the agent
SYNC_MS = 4  # a sync of a few pages on a good SD card
SYNCS_MAX = 16  # waiting at once: the journal has one in flight, the rest are our own mistakes
EIO = "Input/output error"

Fate = int | tuple[int, int]
Operation = tuple[str, str, Any, bytes]
Done = Callable[[None, BaseException | None], object]


class PowerCut(BaseException):
    """What a call given to `cut_at_write` may raise, to leave the agent where it stands. The World catches it."""


# ---- what is left of the unsynced operations, oldest first


def _random(operations: Sequence[Operation], draw: Random) -> list[Fate]:
    """Each by itself; how many survive, and how many of the others in part, is drawn too, so that all and nothing
    happen as well."""
    kept, in_part = draw.random(), draw.random() / 2
    fates: list[Fate] = []
    for operation in operations:
        if draw.random() < kept:
            fates.append(KEPT)
        elif operation[3] and draw.random() < in_part:
            fates.append(_hole(operation, draw) if draw.random() < 0.5 else draw.randrange(len(operation[3])))
        else:
            fates.append(LOST)
    return fates


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
        self._forgotten: dict[Any, dict[int, int]] = {}  # by file: what the medium has where a failed sync left it
        self._healing: dict[str, Event] = {}  # by kind of operation that fails

    # ---- the contract

    def free_bytes(self) -> int:
        return max(0, super().free_bytes() - self._others_bytes)

    def used_bytes(self) -> int:
        """By the files here; others' are not counted."""
        return sum(file.size_bytes for file in self._files.values())

    def sync(self) -> None:
        error = self._try_sync(self.operations)
        if error is not None:
            raise error

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
        error = self._try_sync(operations)
        self.syncing_ms += now_ms - asked_ms if error is None else 0
        if done is not None:
            done(None, error)

    def _try_sync(self, operations: int) -> PlatformError | None:
        """Of all that was ever done here, make the first so many operations durable."""
        count = max(0, operations - (self.operations - len(self._unsynced)))
        try:
            self._fail("sync", self.syncs_fail)
        except PlatformError as error:
            if not self._is_off:
                self._forget_pages(count)
            return error
        if self._forgotten:
            self._remember_pages(count)
        self._make_durable(count)
        return None

    def _forget_pages(self, count: int) -> None:
        """A sync of the first so many has failed: none of their bytes is dirty any more. Names are asked for anew."""
        kept = []
        clean: dict[Any, dict[int, int]] = {}
        for index, operation, file in self._with_files():
            _, _, offset_bytes, data = operation
            if index >= count or not data:
                kept.append(index)
                continue
            before = self._before[index]
            places = clean.setdefault(file, {})
            for place in range(len(data)):  # the oldest comes last, and what was before that is on the medium
                places[offset_bytes + place] = before[place] if place < len(before) else 0  # type: ignore[arg-type, index]
        for file, places in clean.items():
            self._forgotten[file] = {**places, **self._forgotten.get(file, {})}  # an earlier failure knows better
        self._unsynced = [self._unsynced[index] for index in reversed(kept)]
        self._before = [self._before[index] for index in reversed(kept)]

    def _remember_pages(self, count: int) -> None:
        """What was written again gets there after all."""
        for index, operation, file in self._with_files():
            held = self._forgotten.get(file, {})
            if index < count and held and operation[0] == "write":
                for place in range(operation[2], operation[2] + len(operation[3])):
                    held.pop(place, None)
                if not held:
                    del self._forgotten[file]

    def _with_files(self) -> Iterator[tuple[int, Operation, Any]]:
        """The unsynced operations with the file that each meant, the newest first."""
        files = dict(self._files)
        for index in range(len(self._unsynced) - 1, -1, -1):
            operation: Operation = self._unsynced[index]
            kind, name, argument, _ = operation
            if kind == "rename":
                files[name] = files.pop(argument)
            if kind in ("rename", "remove") and self._before[index] is not None:
                files[argument if kind == "rename" else name] = self._before[index]  # type: ignore[assignment]
            yield index, operation, files[name]
            if kind == "create":
                del files[name]

    def _taken_back(self) -> None:
        for file, held in self._forgotten.items():
            for place, value in held.items():
                file.replace(place, bytes([value]))
        self._forgotten.clear()

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

    def resize(self, size_bytes: int) -> None:
        """The medium is another size from now on."""
        self._size_bytes_max = size_bytes

    def release(self) -> None:
        """Others remove all they wrote."""
        self._others_bytes = 0

    def rot(self, draw: Random, bits: int = 1) -> list[tuple[str, int, int]]:
        """So many bits of what is durable flip, unseen: (file, offset, bit) of each. None where nothing is durable."""
        spans = [span for name in sorted(self._files) for span in self._durable_spans(name)]
        total_bytes = sum(end - start for _, start, end in spans)
        flipped: list[tuple[str, int, int]] = []
        for _ in range(bits if total_bytes else 0):
            name, offset_bytes = _place(spans, draw.randrange(total_bytes))
            flipped.append((name, offset_bytes, draw.randrange(8)))
            self.bit_flip(*flipped[-1])
        return flipped

    def _durable_spans(self, name: str) -> Iterator[tuple[str, int, int]]:
        """(name, start, end) of what the file holds, up to its last data, apart from what was written since the last
        sync."""
        taken = []
        operations: list[Operation] = self._unsynced
        for kind, changed, argument, data in operations:
            if kind == "write" and changed == name:
                taken.append((argument, argument + len(data)))
        start = 0
        size_bytes = self._files[name].data_bytes()
        for taken_start, taken_end in [*sorted(taken), (size_bytes, size_bytes)]:
            if start < min(taken_start, size_bytes):
                yield name, start, min(taken_start, size_bytes)
            start = max(start, taken_end)

    def _fail(self, name: str, text: str | None) -> None:
        if self._is_off:
            raise PlatformError(name + ": the power is gone")
        super()._fail(name, text)


def _place(spans: list[tuple[str, int, int]], offset_bytes: int) -> tuple[str, int]:
    """The file and the offset in it of an offset in all spans together."""
    for name, start, end in spans:
        if offset_bytes < end - start:
            return name, start + offset_bytes
        offset_bytes -= end - start
    raise AssertionError(offset_bytes)


_FAILING = {"read": "reads_fail", "write": "writes_fail", "sync": "syncs_fail"}


Value = TypeVar("Value")


def _of(table: dict[str, Value], name: str, what: str) -> Value:
    if name not in table:
        raise MisuseError("%s: %s is none of %s" % (what, name, ", ".join(table)))
    return table[name]
