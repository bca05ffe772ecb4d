"""Where a frame begins and ends in what comes over the line.

    end          a delimiter, or several of which the first to come counts: line ends, ETX
    length       so many bytes, always
    lengthField  a number in the frame says how many bytes it has
    idleGapMs    so long a silence ends it

each with `start` (what comes before it is no frame), `trailer` (bytes behind `end` that belong to the frame, a
checksum) and `maxBytes`. A frame whose checksum is wrong is none: the next one is looked for behind its beginning, so
that noise which looks like a beginning takes nothing with it.
"""

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields
from edgelite_drivers.serial.conversion import encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite_drivers.serial.checksum import Checksum

FIELDS = ("start", "end", "trailer", "length", "lengthField", "idleGapMs", "maxBytes")
KINDS = ("end", "length", "lengthField", "idleGapMs")
BYTES_MAX_DEFAULT = 1024
BYTES_MAX = 8192
DELIMITER_BYTES_MAX = 16
ENDS_MAX = 4
IDLE_MS_MAX = 10_000
CHECKED_BYTES_MAX = 16_384  # of false frames that are looked at in one go, some 10 ms; then what there is, is noise
LINE_ENDS = [b"\r\n", b"\n"]


class Framing:
    def __init__(self) -> None:
        self.start = b""
        self.ends: list[bytes] = []
        self.trailer_bytes = 0
        self.length_bytes = 0
        self.length_field: tuple[int, int, bool, int] | None = None  # offset, size, low byte first, added to it
        self.idle_ms = 0
        self.bytes_max = BYTES_MAX_DEFAULT
        self.checksum: Checksum | None = None

    def end_of(self, data: bytes) -> "tuple[int, int]":
        """(size of the frame that `data` begins with, where its content ends); sizes 0 while that is not to be seen,
        -1 where it can be none."""
        if self.length_bytes:
            size_bytes = self.length_bytes
        elif self.length_field is not None:
            size_bytes = self._told_length(self.length_field, data)
        else:
            return self._delimited(data)
        return (size_bytes, size_bytes) if size_bytes <= len(data) else (0, 0)

    def _told_length(self, field: "tuple[int, int, bool, int]", data: bytes) -> int:
        offset, size_bytes, is_little, added = field
        if len(data) < offset + size_bytes:
            return self.bytes_max + len(data) + 1
        length = int.from_bytes(data[offset : offset + size_bytes], "little" if is_little else "big") + added
        return length if offset + size_bytes <= length <= self.bytes_max else -1

    def _delimited(self, data: bytes) -> "tuple[int, int]":
        first, size_bytes = -1, 0
        for end in self.ends:
            place = data.find(end, len(self.start))
            if place >= 0 and (first < 0 or place < first):
                first, size_bytes = place, place + len(end) + self.trailer_bytes
        return (size_bytes, first) if first >= 0 and size_bytes <= len(data) else (0, 0)


class Framer:
    """What has come and is no frame yet; `fault` is why something was none, "" while there is no reason to say."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._data = b""
        self._last_ms = 0
        self.fault = ""

    def feed(self, data: "bytes | memoryview", now_ms: int) -> None:
        self._data += bytes(data)
        self._last_ms = now_ms

    def deadline_ms(self) -> "int | None":
        """When silence ends a frame."""
        return self._last_ms + self._framing.idle_ms if self._framing.idle_ms and self._data else None

    def clear(self) -> None:
        self._data = b""
        self.fault = ""

    def next_frame(self, now_ms: int) -> "bytes | None":
        """The content of the next whole frame: what is between `start` and `end`."""
        framing = self._framing
        checked_bytes = 0
        while checked_bytes < CHECKED_BYTES_MAX:
            self._skip_noise()
            size_bytes, content_end = self._end(now_ms)
            if not size_bytes and len(self._data) <= framing.bytes_max:
                return None
            if not 0 < size_bytes <= framing.bytes_max:
                self.fault = "a frame of more than %d bytes" % framing.bytes_max
                self._data = self._data[1:] if size_bytes < 0 else b""
                checked_bytes += 1
                continue
            frame = self._data[:size_bytes]
            checked_bytes += size_bytes
            if framing.checksum is None or framing.checksum.fits(frame):
                self._data = self._data[size_bytes:]
                self.fault = ""
                return frame[len(framing.start) : content_end]
            self.fault = "wrong checksum"
            self._data = self._data[self._next_beginning(frame) :]
        self._data = b""
        return None

    def _end(self, now_ms: int) -> "tuple[int, int]":
        if not self._framing.idle_ms:
            return self._framing.end_of(self._data)
        size_bytes = len(self._data)
        return (size_bytes, size_bytes) if now_ms - self._last_ms >= self._framing.idle_ms else (0, 0)

    def _skip_noise(self) -> None:
        start = self._framing.start
        if not start:
            return
        place = self._data.find(start)
        if place < 0:  # the last bytes may be a part of it
            place = max(0, len(self._data) - len(start) + 1)
            while place < len(self._data) and self._data[place:] != start[: len(self._data) - place]:
                place += 1
        if place:
            self._data = self._data[place:]

    def _next_beginning(self, frame: bytes) -> int:
        framing = self._framing
        if framing.ends:
            place = frame.rfind(framing.start, 1) if framing.start else -1
            return place if place > 0 else len(frame)
        return len(frame) if framing.idle_ms else 1


def check(config: object, path: str) -> Framing:
    """ConfigurationError names the path. None is lines."""
    framing = Framing()
    if config is None:
        framing.ends = LINE_ENDS
        return framing
    fields = Fields(config, path, FIELDS)
    values: Any = config
    kinds = [name for name in KINDS if fields.has(name)]
    if len(kinds) > 1:
        raise fields.refuse(kinds[1], "a frame ends in one way, and " + kinds[0] + " is given too")
    framing.start = delimiter(values.get("start"), path + ".start") if fields.has("start") else b""
    framing.bytes_max = fields.integer("maxBytes", 1, BYTES_MAX, BYTES_MAX_DEFAULT)
    if fields.has("length"):
        framing.length_bytes = fields.integer("length", 1, framing.bytes_max)
    elif fields.has("lengthField"):
        framing.length_field = _length_field(values["lengthField"], path + ".lengthField")
    elif fields.has("idleGapMs"):
        framing.idle_ms = fields.integer("idleGapMs", 1, IDLE_MS_MAX)
    else:
        framing.ends = delimiters(values.get("end"), path + ".end")
    if fields.has("trailer") and not framing.ends:
        raise fields.refuse("trailer", "is what comes behind an end")
    framing.trailer_bytes = fields.integer("trailer", 0, DELIMITER_BYTES_MAX, 0)
    return framing


def delimiters(value: object, path: str) -> "list[bytes]":
    if value is None:
        return LINE_ENDS
    if not isinstance(value, list):
        return [delimiter(value, path)]
    if not 0 < len(value) <= ENDS_MAX:
        raise ConfigurationError(path, "must be text, or a list of 1 to %d texts" % ENDS_MAX)
    return [delimiter(one, "%s[%d]" % (path, index)) for index, one in enumerate(value)]


def delimiter(value: object, path: str) -> bytes:
    if isinstance(value, str) and 0 < len(value) <= DELIMITER_BYTES_MAX and max([ord(one) for one in value]) < 256:
        return encoded(value)
    raise ConfigurationError(path, "must be text of 1 to %d characters, a byte each" % DELIMITER_BYTES_MAX)


def _length_field(config: object, path: str) -> "tuple[int, int, bool, int]":
    fields = Fields(config, path, ("at", "size", "order", "add"))
    order = fields.choice("order", ("big", "little"), "big")
    return (
        fields.integer("at", 0, 64),
        fields.integer("size", 1, 4, 1),
        order == "little",
        fields.integer("add", -BYTES_MAX, BYTES_MAX, 0),
    )
