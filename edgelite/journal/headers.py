"""Finds a stream's segments by their headers. Each has two, at its two ends, because without one it is unreadable."""

from edgelite.journal import layout
from edgelite.journal.files import segment_name
from edgelite.journal.reader import Segment
from edgelite.storage import Storage


class Headers:
    """`segments` by id, and the ids of those that have one readable header and of those that have none. One of
    another journal (another `uid`; None takes the newest segment's) counts as having none."""

    def __init__(self, storage: Storage, stream: int, segment_ids: "list[int]", uid: "bytes | None") -> None:
        self._storage = storage
        self._stream = stream
        self.uid = uid
        self.segments: dict[int, Segment] = {}
        self.half_readable: list[int] = []
        self.unreadable: list[int] = []
        for segment_id in sorted(segment_ids, reverse=True):
            self._find(segment_id)

    def _find(self, segment_id: int) -> None:
        name = segment_name(self._stream, segment_id)
        copies = self._read(name, segment_id)
        if not copies:
            self.unreadable.append(segment_id)
            return
        if len(copies) == 1:
            self.half_readable.append(segment_id)
        self.uid = copies[0].uid
        segment = Segment(name, copies[0])
        segment.ready = True
        self.segments[segment_id] = segment

    def _read(self, name: str, segment_id: int) -> "list[layout.Header]":
        """The copies that are whole and this segment's: a block of another file may stand in their place."""
        size = self._storage.size_bytes(name)
        copies = []
        for offset in (0, max(size - layout.HEADER_SLOT_BYTES, 0)):
            header = layout.decode_header(self._storage.read(name, offset, layout.HEADER_BYTES))
            if header is None or header.size_bytes != size or self.uid not in (None, header.uid):
                continue
            if header.segment_id == segment_id and header.stream == self._stream:
                copies.append(header)
        return copies
