"""One append-only stream of records over segments. The journal has two: state, and telemetry.

What is appended waits in memory until `flush`, and is durable when a sync that began after that flush has ended.
The oldest segment goes when nothing in it is needed (`drop_tail`); its file is used again when that is durable.
"""

from edgelite.journal import layout
from edgelite.journal.files import Files, segment_name
from edgelite.journal.reader import Record, Segment, read_record
from edgelite.storage import Storage, StorageFailingError, StorageFullError
from edgelite_protocol.errors import MisuseError, PlatformError

_MARK_BYTES = layout.record_bytes(layout.MARK_PAYLOAD_BYTES)
_START_BYTES = layout.record_bytes(layout.START_PAYLOAD_BYTES)
_SINGLE = layout.FIRST | layout.LAST

# More than this many segments' worth is not kept waiting for a sync that makes the next segment's headers durable:
# it is written all the same, and a power cut right there can make recovery report damage where there is none.
_PENDING_SEGMENTS_MAX = 2


class Log:
    def __init__(self, storage: Storage, files: Files, stream: int) -> None:
        self._storage = storage
        self._files = files
        self.stream = stream
        self.segments: list[Segment] = []  # oldest first
        self.by_id: dict[int, Segment] = {}
        self.writable = False  # the last segment takes more records
        self.spare: Segment | None = None  # made ahead, so that its headers are durable when it is needed
        self.next_id = 1
        self.acknowledged = (0, 0)  # of the lane that is kept here; each segment's START repeats it
        self.durable = (0, 0)  # (segment id, offset)
        self.pending_bytes = 0  # appended and not written yet
        self.bytes_written = 0
        self.bytes_appended = 0
        self._marked: tuple[tuple[int, int], int] | None = None  # what the last MARK or START said
        self._dying: list[tuple[int, str]] = []  # dropped, and needed until a mark that says so is durable
        self._discarded: list[tuple[int, str]] = []  # behind a cut; needed by nobody once the log has gone on
        self._syncing: tuple[tuple[int, int], int, list[Segment]] | None = None

    # ---- appending

    def unit_bytes_max(self) -> int:
        """The largest atomic unit that fits a segment of its own."""
        return self._files.segment_bytes - 2 * layout.HEADER_SLOT_BYTES - _START_BYTES - _MARK_BYTES

    def append(self, records: "list[tuple[int, bytes]]") -> "list[int]":
        """Append one atomic unit of (type, payload); where each record stands. StorageFullError where there is no
        room: then nothing was appended."""
        size = 0
        for _, payload in records:
            size += layout.record_bytes(len(payload))
        if size > self.unit_bytes_max():
            raise MisuseError("%d bytes in one atomic write; at most %d fit" % (size, self.unit_bytes_max()))
        if not self.writable or self.segments[-1].room_bytes() < size + _MARK_BYTES:
            self._switch(size)
        if self._marked != (self.durable, self.tail_id()):
            self._append_mark()
        last = len(records) - 1
        places = []
        for index, (record_type, payload) in enumerate(records):
            kind = record_type | (layout.FIRST if index == 0 else 0) | (layout.LAST if index == last else 0)
            places.append(self._append_record(kind, payload))
        return places

    def fits(self, size_bytes: int) -> bool:
        """Whether so much can be appended without a new file."""
        room = self.writable and self.segments[-1].room_bytes() >= size_bytes + _MARK_BYTES
        return room or self.spare is not None

    def _append_record(self, kind: int, payload: bytes) -> int:
        segment = self.segments[-1]
        offset = segment.end
        layout.append_record(segment.pending, segment.seed, offset, kind, payload)
        size_bytes = layout.record_bytes(len(payload))
        segment.end += size_bytes
        self.pending_bytes += size_bytes
        self.bytes_appended += size_bytes
        return make_place(segment.segment_id, offset, size_bytes)

    def _append_mark(self) -> None:
        self._append_record(layout.MARK | _SINGLE, layout.encode_mark(self.durable, self.tail_id()))
        self._marked = (self.durable, self.tail_id())

    def _switch(self, size_bytes: int) -> None:
        """Go on in a new segment, behind the end of the last one. After a power cut and without room for another file,
        in the last one."""
        try:
            self.make_spare(now=self.stream == layout.STREAM_STATE)
        except StorageFailingError:
            raise
        except StorageFullError:
            if self._remove_void():
                self._switch(size_bytes)
            elif not self._mend(size_bytes):
                raise
            return
        segment = self.spare
        assert segment is not None
        previous = self.segments[-1] if self.segments else None
        self.spare = None
        self.writable = True
        self._add(segment)
        previous_id = previous.segment_id if previous else 0
        start = layout.Start(
            previous_id, previous.end if previous else 0, self.durable, self.tail_id(), self.acknowledged
        )
        self._append_record(layout.START | _SINGLE, start.encode())
        self._marked = (self.durable, self.tail_id())

    def _remove_void(self) -> bool:
        """Remove the segment that a power cut made void, so that its file makes room. With more than one of them, a
        cut might bring back only the last, which would tell that one is missing."""
        if len(self._discarded) != 1 or not self.segments or self._discarded[0][0] < self.segments[-1].segment_id:
            return False
        self._remove(self._discarded.pop()[1])
        return True

    def _remove(self, name: str) -> None:
        try:
            self._files.remove(name)
        except PlatformError as error:
            raise StorageFailingError(error.text) from error

    def _mend(self, size_bytes: int) -> bool:
        """Write zeros over what a power cut left at the last segment's end. What goes there waits until they are
        durable: it may not stand before a record that was never confirmed."""
        segment = self.segments[-1] if self.segments else None
        if segment is None or segment.torn_end == 0 or segment.room_bytes() < size_bytes + _MARK_BYTES:
            return False
        try:
            self._write_zeros(segment)
        except PlatformError as error:
            raise StorageFailingError(error.text) from error
        segment.ready = False
        self.writable = True
        return True

    def _write_zeros(self, segment: Segment) -> None:
        zeros = bytes(self._storage.chunk_bytes)
        end = min(segment.torn_end, segment.data_end)
        for offset in range(segment.flushed, end, len(zeros)):
            self._storage.write(segment.name, offset, memoryview(zeros)[: end - offset])

    def _add(self, segment: Segment) -> None:
        self.segments.append(segment)
        self.by_id[segment.segment_id] = segment

    def make_spare(self, now: bool = False) -> None:
        """Have the next segment ready. StorageFullError where there is no room for it."""
        if self.spare is None:
            self.spare = self._files.make(self.stream, self.next_id, now)
            self.next_id += 1
            self.bytes_written += 2 * layout.HEADER_SLOT_BYTES

    def give_spare(self) -> bool:
        """Give the next segment's file to whoever needs one more."""
        if self.spare is None:
            return False
        self._files.free.append(self.spare.name)
        self.spare = None
        return True

    # ---- writing and syncing

    def flush(self) -> bool:
        """Write what is pending; False where some of it must wait until its segment's headers are durable."""
        if self.pending_bytes == 0:
            return True
        forced = self.pending_bytes > _PENDING_SEGMENTS_MAX * self._files.segment_bytes
        for segment in self.segments:
            if not segment.pending:
                continue
            if not segment.ready and not forced:
                return False
            self._flush_segment(segment)
        return True

    def _flush_segment(self, segment: Segment) -> None:
        self._files.name_segment(segment)
        data = segment.pending
        pending_bytes = len(data)
        # A zero word behind the last record: there the next reader stops, whatever an older use of the file left.
        zeros = min(layout.RECORD_ALIGNMENT_BYTES, segment.room_bytes())
        data.extend(bytes(zeros))
        try:
            self._storage.write(segment.name, segment.flushed, data)
        except PlatformError:
            segment.pending = data[:pending_bytes]  # what is appended next goes right behind the last record
            raise
        self.bytes_written += len(data)
        segment.pending = bytearray()
        segment.flushed = segment.end
        self.pending_bytes -= pending_bytes

    def rewrite_unsynced(self) -> None:
        """A sync failed, and the system may have forgotten which pages it did not write: write them again."""
        unready = [segment for segment in self.segments if not segment.ready]
        if self.spare is not None and not self.spare.ready:
            unready.append(self.spare)
        for segment in unready:
            if segment.torn_end:
                self._write_zeros(segment)
            else:
                self._files.write_headers(segment)
        for segment in self.segments:
            start = layout.HEADER_SLOT_BYTES
            if segment.segment_id == self.durable[0]:
                start = self.durable[1]
            if segment.segment_id >= self.durable[0] and segment.flushed > start:
                self._storage.write(
                    segment.name, start, self._storage.read(segment.name, start, segment.flushed - start)
                )

    def begin_sync(self) -> None:
        """A sync of all that was flushed begins."""
        fresh = [segment for segment in self.segments if not segment.ready]
        if self.spare is not None and not self.spare.ready:
            fresh.append(self.spare)
        durable = self.durable
        complete = True
        for segment in self.segments:
            if complete and segment.flushed > layout.HEADER_SLOT_BYTES:
                durable = (segment.segment_id, segment.flushed)
            complete = complete and not segment.pending
        tail = self._marked[1] if self._marked is not None and complete else 0
        self._syncing = (durable, tail, fresh)

    def finish_sync(self) -> None:
        """The sync that began last has completed."""
        if self._syncing is None:
            return
        durable, tail, fresh = self._syncing
        self._syncing = None
        if durable > self.durable:
            self.durable = durable
        for segment in fresh:
            segment.ready = True
            segment.torn_end = 0
        self._files.give_back([name for segment_id, name in self._dying if segment_id < tail])
        self._dying = [dead for dead in self._dying if dead[0] >= tail]
        self._files.give_back([name for segment_id, name in self._discarded if segment_id < self.durable[0]])
        self._discarded = [dead for dead in self._discarded if dead[0] >= self.durable[0]]

    def fail_sync(self) -> None:
        self._syncing = None

    # ---- the old end

    def tail_id(self) -> int:
        """The oldest segment that is needed."""
        return self.segments[0].segment_id if self.segments else self.next_id

    def drop_tail(self) -> Segment:
        """The oldest segment is needed no more, for a reason that is durable. Never the one that is written to."""
        segment = self._pop_tail()
        self._dying.append((segment.segment_id, segment.name))
        return segment

    def _pop_tail(self) -> Segment:
        segment = self.segments.pop(0)
        del self.by_id[segment.segment_id]
        self.pending_bytes -= len(segment.pending)
        return segment

    def adopt(self, segment: Segment) -> None:
        """Recovery found the next segment of the log."""
        self._add(segment)

    def bury(self, segment_id: int) -> None:
        """Recovery found that this segment is no part of the log."""
        name = segment_name(self.stream, segment_id)
        if segment_id < self.tail_id():
            self._dying.append((segment_id, name))
        else:
            self._discarded.append((segment_id, name))

    def remove_tail(self) -> None:
        """Remove the oldest segment's file at once. Until the log has a durable mark, recovery reports it missing."""
        self._remove(self._pop_tail().name)

    def dying_count(self) -> int:
        """Files that can be used again once the log's next mark is durable."""
        return len(self._dying)

    def mark_tail(self) -> bool:
        """Append a mark only to have the tail on record, so that dropped files can be used again. False where it is,
        or finds no room."""
        is_marked = self._marked is not None and self._marked[1] == self.tail_id()
        if is_marked or not self.writable or self.segments[-1].room_bytes() < _MARK_BYTES:
            return False
        self._append_mark()
        return True

    # ---- reading back

    def read(self, place: int) -> "Record | None":
        segment = self.by_id.get(place_segment(place))
        if segment is None:
            return None
        return read_record(self._storage, segment, place_offset(place), place_bytes(place))

    def name_of(self, place: int) -> str:
        """For a person: file and offset."""
        return "%s, offset %d" % (segment_name(self.stream, place_segment(place)), place_offset(place))


# A place is one integer, (segment id, offset, size of the record), because an index holds very many of them.


def make_place(segment_id: int, offset: int, size_bytes: int) -> int:
    return segment_id << 48 | offset << 24 | size_bytes


def place_segment(place: int) -> int:
    return place >> 48


def place_offset(place: int) -> int:
    return place >> 24 & 0xFFFFFF


def place_bytes(place: int) -> int:
    return place & 0xFFFFFF
