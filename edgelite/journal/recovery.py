"""Reads a stream's segments when the journal is opened, and decides what of them holds.

The one distinction that everything turns on: bytes that do not validate *before* the point up to which the log is
known to have been durable are damage, and are reported; behind it they are what a power cut left of writes that
nobody was told were safe, and are cut off together with all that follows.
"""

from edgelite.journal import layout
from edgelite.journal.files import NEW_SUFFIX, SEGMENT_SUFFIX, Files, parse_name, segment_name
from edgelite.journal.headers import Headers
from edgelite.journal.log import Log, make_place
from edgelite.journal.reader import Reader, Record, Segment
from edgelite.storage import Storage
from edgelite_protocol.errors import CorruptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # (stream, place of the record, the record): called for each record of a whole atomic unit, in order
    Apply = Callable[[int, int, Record], None]


class Recovery:
    """What opening the journal found."""

    def __init__(self) -> None:
        self.fresh = False  # there was no journal, or one whose making was interrupted before anything was confirmed
        self.damaged: list[str] = []  # a line for a person for each place: file, offset, what was kept
        self.unconfirmed_bytes = 0  # written and never confirmed to anybody, lost with the power, cut off
        self.renamed = False  # later reports have a fresh journal id, because damage may have hidden used names
        self.records = 0
        self.segments = 0


def list_files(storage: Storage, files: Files, logs: "tuple[Log, Log]") -> "tuple[list[int], list[int]]":
    """The segments of each stream; what else there is of the journal is free."""
    ids: tuple[list[int], list[int]] = ([], [])
    for name in sorted(storage.names()):
        parsed = parse_name(name)
        if parsed is None:
            continue
        stream, segment_id, suffix = parsed
        files.count += 1
        log = logs[stream]
        log.next_id = max(log.next_id, segment_id + 1)
        if suffix == SEGMENT_SUFFIX:
            ids[stream].append(segment_id)
        else:
            files.free.append(name)
    return ids


def check_fresh(segments: int, files: Files, telemetry_durable: "tuple[int, int]", facts: Recovery) -> None:
    """No state was read. That is no journal, or one whose first start was interrupted: where there are only files from
    before anything was durable, and segments without a record."""
    made_later = [name for name in files.free if name.endswith(NEW_SUFFIX)]
    if not made_later and not facts.damaged and telemetry_durable == (0, 0):
        return
    raise CorruptionError(
        facts.damaged[0] if facts.damaged else "journal",
        "no state can be read from any of %d segments; move the directory away to start with a new journal, or "
        "put a copy of it back" % segments,
    )


class Survey:
    """What a segment's marks say, wherever in it they are."""

    def __init__(self, storage: Storage, segment: Segment) -> None:
        self.start: layout.Start | None = None
        self.durable = (0, 0)
        self.tail_id = 0
        self.end = layout.HEADER_SLOT_BYTES  # behind the last record that validates
        reader = Reader(storage, segment, layout.HEADER_SLOT_BYTES, segment.data_end)
        while True:
            record = reader.next()
            if record is not None:
                self._note(record)
                self.end = reader.offset_bytes
            elif not reader.resync():
                break

    def _note(self, record: Record) -> None:
        if record.type == layout.START:
            start = layout.decode_start(record.payload)
            if record.offset_bytes == layout.HEADER_SLOT_BYTES:
                self.start = start
            self._mark(start.durable, start.tail_id)
        elif record.type == layout.MARK:
            durable, tail_id = layout.decode_mark(record.payload)
            self._mark(durable, tail_id)

    def _mark(self, durable: "tuple[int, int]", tail_id: int) -> None:
        self.durable = max(self.durable, durable)
        self.tail_id = max(self.tail_id, tail_id)


class LogRecovery:
    """Replays one stream into a `Log`, and calls `apply` for the records of each whole atomic unit."""

    def __init__(self, storage: Storage, log: Log, facts: Recovery, apply: "Apply", uid: "bytes | None") -> None:
        self._storage = storage
        self.uid = uid  # of the journal; None to take the newest segment's
        self._log = log
        self._facts = facts
        self._apply = apply
        self._unit: list[Record] = []
        self._unit_start: int | None = None  # where the atomic unit began that is being read
        self._damaged = False

    def run(self, segment_ids: "list[int]") -> None:
        """`segment_ids` are those that the stream has files for. The log goes on behind what was kept."""
        ids = sorted(segment_ids)
        headers = Headers(self._storage, self._log.stream, ids, self.uid)
        self.uid = headers.uid
        segments = headers.segments
        survey = self._drop_unconfirmed(segments)
        whole = False
        if survey is not None:
            self._log.durable = survey.durable
            whole = self._replay(self._chain(segments, survey.tail_id, ids, headers.unreadable))
        else:
            for segment_id in headers.unreadable:
                self._note_lost(segment_id, True)
        newest_id = max(list(self._log.by_id.keys()) or [0])
        for segment_id in headers.half_readable:  # others are dead, and may have been about to be used again
            if segment_id in self._log.by_id or segment_id > newest_id:
                self._note(segment_id, "one copy of its header is damaged; the other one was used")
        for segment_id in ids:
            if segment_id not in self._log.by_id:
                self._log.bury(segment_id)
        self._log.writable = whole and not self._damaged
        if self._damaged and self._log.segments:
            self._log.segments[-1].torn_end = 0  # goes on in another one, as what is damaged must be cleaned away

    # ---- which segments there are

    def _drop_unconfirmed(self, segments: "dict[int, Segment]") -> "Survey | None":
        """The survey of the newest segment that has a mark. A newer one without any never had a sync behind it."""
        for segment_id in sorted(segments.keys(), reverse=True):
            survey = Survey(self._storage, segments[segment_id])
            if survey.start is not None or survey.durable != (0, 0):
                return survey
            self._facts.unconfirmed_bytes += survey.end - layout.HEADER_SLOT_BYTES
            del segments[segment_id]
        return None

    def _chain(
        self, segments: "dict[int, Segment]", tail_id: int, ids: "list[int]", unreadable: "list[int]"
    ) -> "list[Link]":
        """The segments that make up the log, oldest first."""
        wanted = max(segments.keys())
        for segment_id in unreadable:
            if segment_id > wanted:
                self._note_lost(segment_id, True)
        chain = []
        end: int | None = None
        while wanted >= tail_id and wanted > 0:
            segment = segments.get(wanted)
            if segment is None:
                self._note_lost(wanted, wanted in ids)
                wanted, end = _next_lower(ids, wanted), None
                continue
            chain.append(Link(segment, end))
            start = self._read_start(segment)
            end = start.previous_end if start is not None else None
            wanted = start.previous_id if start is not None else _next_lower(ids, wanted)
        chain.reverse()
        if chain[0].segment.segment_id > tail_id and not self._damaged:
            self._note_lost(tail_id, tail_id in ids)
        return chain

    def _read_start(self, segment: Segment) -> "layout.Start | None":
        record = Reader(self._storage, segment, layout.HEADER_SLOT_BYTES, segment.data_end).next()
        if record is None or record.type != layout.START:
            return None
        return layout.decode_start(record.payload)

    # ---- what they hold

    def _replay(self, chain: "list[Link]") -> bool:
        """False where the log does not end cleanly, so that writing must go on in a new segment."""
        last = len(chain) - 1
        for index, link in enumerate(chain):
            self._log.adopt(link.segment)
            self._facts.segments += 1
            outcome = self._replay_segment(link, index == last)
            if outcome == _CUT:
                for later in chain[index + 1 :]:
                    survey = Survey(self._storage, later.segment)
                    self._facts.unconfirmed_bytes += survey.end - layout.HEADER_SLOT_BYTES
                return False
            if outcome == _BROKEN and index == last:
                return False
        return True

    def _replay_segment(self, link: "Link", is_last: bool) -> int:
        segment = link.segment
        reader = Reader(
            self._storage, segment, layout.HEADER_SLOT_BYTES, segment.data_end if link.end is None else link.end
        )
        bound = self._log.durable
        if link.end is None and not is_last:
            # Its successor's START is lost, so only its own marks tell how far it goes: what lies behind an earlier
            # cut must not come back.
            bound = Survey(self._storage, segment).durable
        outcome = None
        while outcome is None:
            record = reader.next()
            if record is not None:
                self._take(segment, record)
                continue
            outcome = self._at_hole(link, reader, bound, is_last)
        segment.end = reader.offset_bytes if self._unit_start is None else self._unit_start
        if outcome == _BROKEN and is_last:
            segment.end = max(segment.end, bound[1])  # so that the damage is found again until it is out of the log
        segment.flushed = segment.end
        self._unit, self._unit_start = [], None
        return outcome

    def _at_hole(self, link: "Link", reader: Reader, bound: "tuple[int, int]", is_last: bool) -> "int | None":
        """Nothing validates here. The ways on, in this order:

        1. the end that the successor knows of: the segment is whole
        2. before the durable point, more behind it: damage, go on there (None)
        3. before the durable point, nothing behind it: damage, the rest of the segment is lost
        4. the last segment, zeros and nothing behind them: its clean end
        5. no successor that knows the end: what is here is the end
        6. otherwise a power cut left this: cut here
        """
        hole = reader.offset_bytes
        if link.end is not None and hole >= link.end:
            return _WHOLE
        at_zeros = reader.at_zeros()
        found = reader.resync()
        if (link.segment.segment_id, hole) < bound:
            self._note_damage(link.segment, hole, reader.offset_bytes if found else None)
            self._unit, self._unit_start = [], None
            return None if found else _BROKEN
        reader.offset_bytes = hole
        if is_last and at_zeros and not found and self._unit_start is None:
            return _WHOLE
        if not is_last and link.end is None:
            return _WHOLE
        self._count_unconfirmed(link.segment, hole)
        return _CUT

    def _count_unconfirmed(self, segment: Segment, hole: int) -> None:
        start = hole if self._unit_start is None else self._unit_start
        behind = max(Survey(self._storage, segment).end, hole + layout.RECORD_HEADER_BYTES)
        self._facts.unconfirmed_bytes += behind - start
        segment.torn_end = behind

    def _take(self, segment: Segment, record: Record) -> None:
        self._facts.records += 1
        if record.first:
            self._unit, self._unit_start = [], record.offset_bytes
        if self._unit_start is None:
            return  # the rest of a unit whose beginning was damaged
        self._unit.append(record)
        if record.last:
            for member in self._unit:
                place = make_place(segment.segment_id, member.offset_bytes, member.size_bytes)
                self._apply(self._log.stream, place, member)
            self._unit, self._unit_start = [], None

    # ---- damage

    def _note_damage(self, segment: Segment, start: int, end: "int | None") -> None:
        self._damaged = True
        if end is None:
            self._facts.damaged.append("%s: nothing is readable from offset %d on" % (segment.name, start))
        else:
            self._facts.damaged.append(
                "%s: %d bytes at offset %d are damaged; what stands before and behind them was kept"
                % (segment.name, end - start, start)
            )

    def _note_lost(self, segment_id: int, is_there: bool) -> None:
        reason = "neither copy of its header is readable" if is_there else "the file is missing"
        self._note(segment_id, reason + "; what it held is lost")

    def _note(self, segment_id: int, text: str) -> None:
        self._damaged = True
        self._facts.damaged.append("%s: %s" % (segment_name(self._log.stream, segment_id), text))


class Link:
    """A segment of the log, and the offset from where its successor goes on (None where that is not known)."""

    def __init__(self, segment: Segment, end: "int | None") -> None:
        self.segment = segment
        self.end = end


# How reading a segment ended.
_WHOLE = 0
_BROKEN = 1  # damaged to its end; what follows in other segments stands
_CUT = 2  # unconfirmed from here on; nothing that follows stands


def _next_lower(ids: "list[int]", segment_id: int) -> int:
    return max([lower for lower in ids if lower < segment_id] or [0])
