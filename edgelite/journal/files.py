"""The segment files: their names, and where a new one comes from.

`s0000001f.seg` is segment 31 of the state stream, `t...` of the telemetry stream. Until a segment's headers are
durable its file is called `.new`, or `.gen` as long as nothing of the journal ever was. So what a file is called tells
what may be missing: `.seg` has held readable headers once; `.new` never held anything that was confirmed; and where
there is nothing but `.gen`, a first start was interrupted. Neither a power cut nor damage is taken for the other.
"""

from edgelite.journal import layout
from edgelite.journal.reader import Segment
from edgelite.storage import Storage, StorageFailingError, StorageFullError
from edgelite_protocol.errors import PlatformError

STREAM_LETTERS = "st"
SEGMENT_SUFFIX = ".seg"
NEW_SUFFIX = ".new"
GENESIS_SUFFIX = ".gen"

# State may take so many files more than the journal's size allows, for a while: a power cut can leave the last
# segment unfit to go on in, with all files in use, and the next start must write all the same.
RESERVE_FILES = 2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def segment_name(stream: int, segment_id: int) -> str:
    return "%s%08x%s" % (STREAM_LETTERS[stream], segment_id, SEGMENT_SUFFIX)


def parse_name(name: str) -> "tuple[int, int, str] | None":
    """Stream, segment id and suffix; None for a file that is not the journal's."""
    suffixes = (SEGMENT_SUFFIX, NEW_SUFFIX, GENESIS_SUFFIX)
    if len(name) != 13 or name[0] not in STREAM_LETTERS or name[9:] not in suffixes:
        return None
    digits = name[1:9]
    if not all(digit in "0123456789abcdef" for digit in digits):
        return None
    return STREAM_LETTERS.index(name[0]), int(digits, 16), name[9:]


class Files:
    """Makes segments within the journal's size, out of files that are no longer needed where there are any: that
    saves the zeros that a new file costs. `free` lists files that hold nothing anyone needs, durably so."""

    def __init__(
        self, storage: Storage, segment_bytes: int, files_max: int, random_bytes: "Callable[[int], bytes]"
    ) -> None:
        self._storage = storage
        self.segment_bytes = segment_bytes
        self._files_max = files_max
        self._random_bytes = random_bytes
        self.uid = bytes(8)
        self.genesis = False  # nothing of the journal was ever durable
        self.free: list[str] = []
        self.count = 0  # files there are, the free ones included
        self.created = 0

    def make(self, stream: int, segment_id: int, now: bool) -> Segment:
        """A new segment whose headers are written and not synced. StorageFullError where there is no room,
        StorageFailingError where the medium fails. `now` says that something waits to be written to it: that may use
        the reserve."""
        name = segment_name(stream, segment_id)[:9] + (GENESIS_SUFFIX if self.genesis else NEW_SUFFIX)
        header = layout.Header(stream, segment_id, self.segment_bytes, self._random_bytes(8), self.uid)
        segment = Segment(name, header)
        try:
            self._take(name, self._files_max + (RESERVE_FILES if now else 0))
            self._begin(segment)
        except StorageFullError:
            raise
        except PlatformError as error:
            raise StorageFailingError(error.text) from error
        return segment

    def _begin(self, segment: Segment) -> None:
        try:
            # Behind the header the zero word that says that there is no record yet.
            self._storage.write(segment.name, layout.HEADER_SLOT_BYTES, bytes(layout.RECORD_ALIGNMENT_BYTES))
            self.write_headers(segment)
        except PlatformError:
            self.free.append(segment.name)  # it is there, and as good as any other for the next try
            raise

    def write_headers(self, segment: Segment) -> None:
        data = segment.header.encode()
        self._storage.write(segment.name, 0, data)
        self._storage.write(segment.name, segment.data_end, data)

    def _take(self, name: str, files_max: int) -> None:
        while self.free:
            old = self.free[-1]
            if self._storage.reuses_files and self._storage.size_bytes(old) == self.segment_bytes:
                if old != name:
                    self._storage.rename(old, name)
                self.free.pop()
                return
            self.remove(old)  # of another configuration, or cut short when power failed
            self.free.pop()
        if self.count >= files_max:
            raise StorageFullError("the journal has all %d files of its size" % self._files_max)
        self._storage.create(name, self.segment_bytes)
        self.count += 1
        self.created += 1

    def remove(self, name: str) -> None:
        self._storage.remove(name)
        self.count -= 1

    def give_back(self, names: "list[str]") -> None:
        """Nobody needs what these files hold, durably so: keep them for later, and the medium free of the reserve."""
        self.free.extend(names)
        while self.free and self.count > self._files_max:
            self.remove(self.free.pop())

    def name_segment(self, segment: Segment) -> None:
        """Its headers are durable, its first data is about to be written: from now on it counts."""
        if not segment.name.endswith(SEGMENT_SUFFIX):
            name = segment.name[:9] + SEGMENT_SUFFIX
            self._storage.rename(segment.name, name)
            segment.name = name
