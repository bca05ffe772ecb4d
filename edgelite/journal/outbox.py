"""The reports that the hub has not acknowledged, in two lanes.

The state lane is small (a newer report supersedes an older one of the same thing), so it has an index. Telemetry
is large and is only ever read from its beginning to its end, so all that is held of it in memory is a line for each
segment, where the first row stands that is not acknowledged, and where the rows do that were read last.
"""

from edgelite.journal import layout
from edgelite.journal.log import Log, place_bytes, place_offset, place_segment
from edgelite.journal.reader import Reader, Segment
from edgelite.storage import Storage
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Name = tuple[int, int]  # (generation, sequence)
    Row = tuple[Name, bytes]


class StateLane:
    def __init__(self) -> None:
        self._rows: dict[tuple[int, int], tuple[int, str]] = {}  # name: (place, coalesce key)
        self._by_key: dict[str, tuple[int, int]] = {}
        self._order: list[tuple[int, int]] | None = []
        self.size_bytes = 0

    def add(self, name: "Name", key: str, place: int) -> None:
        """A report was appended, or copied forward (then only its place is new)."""
        if name in self._rows:
            self.size_bytes += place_bytes(place) - place_bytes(self._rows[name][0])
            self._rows[name] = (place, key)
            return
        older = self._by_key.get(key) if key else None
        if older is not None:
            if older > name:
                return  # recovery met the newer one first
            self._remove(older)
        self._rows[name] = (place, key)
        self.size_bytes += place_bytes(place)
        self._order = None
        if key:
            self._by_key[key] = name

    def acknowledge(self, name: "Name") -> None:
        for row in self.names():
            if row > name:
                break
            self._remove(row)

    def names(self) -> "list[Name]":
        if self._order is None:
            self._order = sorted(self._rows.keys())
        return self._order

    def place(self, name: "Name") -> "int | None":
        row = self._rows.get(name)
        return row[0] if row is not None else None

    def count(self) -> int:
        return len(self._rows)

    def _remove(self, name: "Name") -> None:
        place, key = self._rows.pop(name)
        self.size_bytes -= place_bytes(place)
        self._order = None
        if key and self._by_key.get(key) == name:
            del self._by_key[key]


class SegmentRows:
    """What one telemetry segment holds that is not acknowledged."""

    def __init__(self, segment_id: int) -> None:
        self.segment_id = segment_id
        self.first: tuple[int, int] = (0, 0)
        self.last: tuple[int, int] = (0, 0)
        self.count = 0
        self.size_bytes = 0


class TelemetryLane:
    def __init__(self, storage: Storage, log: Log, damage: "Callable[[str], None]") -> None:
        self._storage = storage
        self._log = log
        self._damage = damage
        self.segments: list[SegmentRows] = []  # oldest first, none of them without rows
        self._cursor = layout.HEADER_SLOT_BYTES  # the first row that is not acknowledged, in the oldest of them
        self._read: list[tuple[tuple[int, int], int, int]] = []  # last reading's rows: name, segment id, offset behind

    def add(self, name: "Name", place: int) -> None:
        segment_id = place_segment(place)
        if not self.segments or self.segments[-1].segment_id != segment_id:
            if not self.segments:
                self._cursor = place_offset(place)
            self.segments.append(SegmentRows(segment_id))
        rows = self.segments[-1]
        if rows.count == 0:
            rows.first = name
        rows.last = name
        rows.count += 1
        rows.size_bytes += place_bytes(place)

    def backlog(self) -> "tuple[int, int]":
        return sum([rows.count for rows in self.segments]), sum([rows.size_bytes for rows in self.segments])

    def acknowledge(self, name: "Name") -> None:
        while self.segments and self.segments[0].last <= name:
            self.drop_oldest()
        if self.segments and self.segments[0].first <= name:
            self._acknowledge_part(self.segments[0], name)

    def _acknowledge_part(self, rows: SegmentRows, name: "Name") -> None:
        """Count what is left in the oldest segment, from the last count on."""
        reader = self._reader(rows.segment_id, self._cursor)
        found = self._next_row(reader) if reader else None
        while reader and found is not None and found[0] <= name:
            rows.count -= 1
            rows.size_bytes -= found[2]
            self._cursor = reader.offset_bytes
            found = self._next_row(reader)
        # Where no row is found, the rest is not durable yet, or damaged: something behind `name` it is in any case.
        rows.first = found[0] if found is not None else (name[0], name[1] + 1)

    def drop_oldest(self) -> SegmentRows:
        self._cursor = layout.HEADER_SLOT_BYTES
        return self.segments.pop(0)

    def reports(self, after: "Name | None", below_generation: "int | None", count: int) -> "list[Row]":
        """Synced rows behind `after`, in order, none of that generation or a later one."""
        rows: list[tuple[tuple[int, int], bytes]] = []
        index, offset = self._position(after)
        self._read = []
        try:
            self._read_rows(rows, index, offset, after, below_generation, count)
        except PlatformError:
            if not rows:
                raise
        return rows

    def _read_rows(
        self,
        rows: "list[Row]",
        index: int,
        offset: int,
        after: "Name | None",
        below_generation: "int | None",
        count: int,
    ) -> None:
        while index < len(self.segments) and len(rows) < count:
            reader = self._reader(self.segments[index].segment_id, offset)
            found = self._next_row(reader) if reader else None
            while reader and found is not None:
                name, body, _ = found
                if below_generation is not None and name[0] >= below_generation:
                    return
                if after is None or name > after:
                    rows.append((name, body))
                    self._read.append((name, self.segments[index].segment_id, reader.offset_bytes))
                    if len(rows) == count:
                        return
                found = self._next_row(reader)
            index += 1
            offset = layout.HEADER_SLOT_BYTES

    def _position(self, after: "Name | None") -> "tuple[int, int]":
        """Index of the segment and offset from where to look for rows behind `after`."""
        for name, segment_id, offset in self._read:
            if name == after:
                for index, rows in enumerate(self.segments):
                    if rows.segment_id == segment_id:
                        return index, max(offset, self._cursor if index == 0 else 0)
        index = 0
        while after is not None and index < len(self.segments) and self.segments[index].last <= after:
            index += 1
        return index, self._cursor if index == 0 else layout.HEADER_SLOT_BYTES

    def _reader(self, segment_id: int, offset: int) -> "Reader | None":
        """Over what is durable of the segment, from that offset on; None where nothing is."""
        segment: Segment | None = self._log.by_id.get(segment_id)
        durable_id, durable_end = self._log.durable
        if segment is None or segment_id > durable_id:
            return None
        end = segment.flushed if segment_id < durable_id else durable_end
        return Reader(self._storage, segment, offset, end) if offset < end else None

    def _next_row(self, reader: Reader) -> "tuple[Name, bytes, int] | None":
        """Name, body and size of the next report; None at the end. Damage is noted and passed over."""
        while True:
            record = reader.next()
            if record is None:
                if reader.offset_bytes + layout.RECORD_HEADER_BYTES > reader.end:
                    return None
                hole = reader.offset_bytes
                self._damage("%s: damage at offset %d found while reading" % (reader.name, hole))
                if not reader.resync():
                    return None
            elif record.type == layout.REPORT:
                _, name, _, start = layout.decode_report(record.payload)
                return name, record.payload[start:], record.size_bytes
