"""Reads a segment record by record, in chunks, believing nothing that does not validate."""

import struct

from edgelite.journal import layout
from edgelite.storage import Storage

_MAGIC = bytes((layout.RECORD_MAGIC,))


class Segment:
    """One segment file as the journal knows it."""

    def __init__(self, name: str, header: layout.Header) -> None:
        self.name = name
        self.header = header
        self.segment_id = header.segment_id
        self.seed = header.seed
        self.data_end = header.size_bytes - layout.HEADER_SLOT_BYTES
        self.end = layout.HEADER_SLOT_BYTES  # where the next record goes, pending ones included
        self.flushed = layout.HEADER_SLOT_BYTES  # up to where storage has it
        self.pending = bytearray()  # from `flushed` to `end`
        self.ready = False  # its headers are durable, so it may hold data and be called a segment
        self.torn_end = 0  # what a power cut left reaches from `end` to here; it must not be written behind

    def room_bytes(self) -> int:
        return self.data_end - self.end


class Record:
    def __init__(self, offset_bytes: int, kind: int, payload: bytes, size_bytes: int) -> None:
        self.offset_bytes = offset_bytes
        self.type = kind & layout.TYPE_MASK
        self.first = bool(kind & layout.FIRST)
        self.last = bool(kind & layout.LAST)
        self.payload = payload
        self.size_bytes = size_bytes  # header and padding included


class Reader:
    """`next()` gives the record at `offset_bytes` and goes behind it, or None where none validates; then
    `resync()` looks for one that does further on."""

    def __init__(self, storage: Storage, segment: Segment, offset_bytes: int, end: int) -> None:
        self._storage = storage
        self.name = segment.name
        self._seed = segment.seed
        self.offset_bytes = offset_bytes
        self.end = end
        self._chunk = b""
        self._chunk_offset = 0

    def next(self) -> "Record | None":
        offset = self.offset_bytes
        if offset + layout.RECORD_HEADER_BYTES > self.end:
            return None
        start = self._hold(offset, layout.RECORD_HEADER_BYTES)
        if start < 0 or self._chunk[start] != layout.RECORD_MAGIC:
            return None
        _, kind, length, crc = struct.unpack_from("<BBHI", self._chunk, start)
        size = layout.record_bytes(length)
        if offset + size > self.end:
            return None
        start = self._hold(offset, layout.RECORD_HEADER_BYTES + length)
        if start < 0:
            return None
        payload = self._chunk[start + layout.RECORD_HEADER_BYTES : start + layout.RECORD_HEADER_BYTES + length]
        if layout.checksum(self._seed, offset, kind, payload) != crc:
            return None
        self.offset_bytes = offset + size
        return Record(offset, kind, payload, size)

    def resync(self) -> bool:
        """Go to the next offset at which a record validates; False, and nowhere, where there is none."""
        start = self.offset_bytes
        candidate = self._candidate(start + layout.RECORD_ALIGNMENT_BYTES)
        while candidate < self.end:
            self.offset_bytes = candidate
            if self.next() is not None:
                self.offset_bytes = candidate
                return True
            candidate = self._candidate(candidate + layout.RECORD_ALIGNMENT_BYTES)
        self.offset_bytes = start
        return False

    def _candidate(self, offset: int) -> int:
        """The first aligned offset from here on that holds a record's magic number."""
        while offset < self.end:
            start = self._hold(offset, 1)
            if start < 0:  # the file is shorter than its header says
                break
            found = self._chunk.find(_MAGIC, start)
            while found >= 0 and (self._chunk_offset + found) % layout.RECORD_ALIGNMENT_BYTES:
                found = self._chunk.find(_MAGIC, found + 1)
            if found >= 0:
                return self._chunk_offset + found
            offset = self._chunk_offset + len(self._chunk)
        return self.end

    def at_zeros(self) -> bool:
        """Whether what follows is the zero word behind the last record (or the segment's end)."""
        size = min(layout.RECORD_ALIGNMENT_BYTES, self.end - self.offset_bytes)
        start = self._hold(self.offset_bytes, size)
        return start >= 0 and self._chunk[start : start + size] == bytes(size)

    def _hold(self, offset: int, size: int) -> int:
        """Have these bytes in the chunk: their index in it, or -1 where the file does not have them all."""
        start = offset - self._chunk_offset
        if start >= 0 and start + size <= len(self._chunk):
            return start
        wanted = min(max(size, self._storage.chunk_bytes), self.end - offset)
        self._chunk = self._storage.read(self.name, offset, wanted)
        self._chunk_offset = offset
        return 0 if len(self._chunk) >= size else -1


def read_record(storage: Storage, segment: Segment, offset: int, size_bytes: int) -> "Record | None":
    """The record of that size at that place, None where it does not validate (any more). It may still be pending."""
    if offset >= segment.flushed:
        start = offset - segment.flushed
        data = bytes(memoryview(segment.pending)[start : start + size_bytes])
    else:
        data = storage.read(segment.name, offset, size_bytes)
    if len(data) < layout.RECORD_HEADER_BYTES:
        return None
    magic, kind, length, crc = struct.unpack_from("<BBHI", data, 0)
    payload = data[layout.RECORD_HEADER_BYTES : layout.RECORD_HEADER_BYTES + length]
    if magic != layout.RECORD_MAGIC or layout.checksum(segment.seed, offset, kind, payload) != crc:
        return None
    return Record(offset, kind, payload, size_bytes)
