"""JSON (RFC 8259) as strangers write it: a strict reader with bounds, and a writer.

Stricter than most: a key that comes twice, a lone surrogate, a number that is not finite or longer than
NUMBER_LENGTH_MAX characters, more than TEXT_BYTES_MAX bytes and more than PARTS_MAX parts are refused. A module of the
runtime's own would cost the agent memory under CPython, and take what is no JSON under MicroPython.
"""

from edgelite_protocol import utf8
from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.values import is_finite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What a stranger may make the agent do at a time: 3 ms on a PC under MicroPython, and 1 under CPython.
TEXT_BYTES_MAX = 4096  # a twin update of 15 properties
PARTS_MAX = 256  # values, keys and escapes; such an update has 150
DEPTH_MAX = 8  # a twin update has 5
NUMBER_LENGTH_MAX = 32

_LITERALS = ((b"true", True), (b"false", False), (b"null", None))
_SPACE = b" \t\n\r"
_DIGITS = b"0123456789"
_QUOTE, _COMMA, _COLON, _BACKSLASH, _LIST, _LIST_END, _OBJECT, _OBJECT_END = 34, 44, 58, 92, 91, 93, 123, 125
_MINUS, _POINT, _ZERO = 45, 46, 48
_ESCAPES = {34: '"', 92: "\\", 47: "/", 98: "\b", 102: "\f", 110: "\n", 114: "\r", 116: "\t"}
_ESCAPED = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def decode(data: bytes) -> "Any":
    """The value that `data` says. ProtocolError "json" names the place, in bytes from 0, and what is wrong."""
    if len(data) > TEXT_BYTES_MAX:
        raise ProtocolError("json", "%d bytes, where at most %d are taken" % (len(data), TEXT_BYTES_MAX))
    if data and max(data) >= 0x80 and utf8.decoded(data) is None:
        raise ProtocolError("json", "not UTF-8")
    reader = _Reader(data)
    value = reader.value(0)
    if reader.peek():
        raise reader.refuse("something follows the value")
    return value


class _Reader:
    """Reads bytes, because the characters of a text are counted from its start each time under MicroPython."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.parts = 0

    def count(self) -> None:
        self.parts += 1
        if self.parts > PARTS_MAX:
            raise self.refuse("more than %d values, keys and escapes" % PARTS_MAX)

    def refuse(self, text: str) -> ProtocolError:
        return ProtocolError("json", "at %d: %s" % (self.at, text))

    def byte(self, at: int) -> int:
        """0 behind the end."""
        return self.data[at] if at < len(self.data) else 0

    def peek(self) -> int:
        """The next byte that is no space; 0 at the end."""
        data, at, count = self.data, self.at, len(self.data)
        while at < count and data[at] in _SPACE:
            at += 1
        self.at = at
        return data[at] if at < count else 0

    def value(self, depth: int) -> "Any":
        first = self.peek()
        self.count()
        if first == _QUOTE:
            return self.string()
        if first in (_OBJECT, _LIST):
            if depth >= DEPTH_MAX:
                raise self.refuse("more than %d lists and objects inside one another" % DEPTH_MAX)
            return self.object(depth) if first == _OBJECT else self.list(depth)
        if first != _MINUS and first not in _DIGITS:
            for literal, value in _LITERALS:
                if self.data[self.at : self.at + len(literal)] == literal:
                    self.at += len(literal)
                    return value
        return self.number()

    def list(self, depth: int) -> "list[Any]":
        found: list[Any] = []
        self.at += 1
        if self.peek() == _LIST_END:
            self.at += 1
            return found
        while True:
            found.append(self.value(depth + 1))
            if not self.goes_on(_LIST_END):
                return found

    def object(self, depth: int) -> "dict[str, Any]":
        found: dict[str, Any] = {}
        self.at += 1
        if self.peek() == _OBJECT_END:
            self.at += 1
            return found
        while True:
            if self.peek() != _QUOTE:
                raise self.refuse("a key in quotes is missing")
            self.count()
            key = self.string()
            if key in found:
                raise self.refuse("the key %s comes twice" % key[:40])
            if self.peek() != _COLON:
                raise self.refuse("a colon is missing")
            self.at += 1
            found[key] = self.value(depth + 1)
            if not self.goes_on(_OBJECT_END):
                return found

    def goes_on(self, end: int) -> bool:
        """Pass the comma or the end."""
        byte = self.peek()
        if byte != _COMMA and byte != end:
            raise self.refuse("a comma or %s is missing" % chr(end))
        self.at += 1
        return byte == _COMMA

    def string(self) -> str:
        """The text between the quote here and the one that ends it."""
        data, start = self.data, self.at + 1
        pieces: list[str] = []
        while True:
            self.at = start
            end = data.find(b'"', start)
            if end < 0:
                raise self.refuse("a string has no end")
            escape = data.find(b"\\", start, end)
            if escape < 0:
                pieces.append(self.plain(start, end))
                self.at = end + 1
                return pieces[0] if len(pieces) == 1 else "".join(pieces)
            pieces.append(self.plain(start, escape))
            self.at = escape
            pieces.append(self.escape())
            start = self.at

    def plain(self, start: int, end: int) -> str:
        piece = self.data[start:end]
        if piece and min(piece) < 0x20:
            raise self.refuse("a control character in a string")
        return piece.decode()

    def escape(self) -> str:
        self.count()
        kind = self.byte(self.at + 1)
        if kind != 117:  # u
            character = _ESCAPES.get(kind)
            if character is None:
                raise self.refuse("no such escape")
            self.at += 2
            return character
        code = self.hexadecimal()
        if 0xD800 <= code < 0xDC00 and self.data[self.at : self.at + 2] == b"\\u":
            low = self.hexadecimal()
            if 0xDC00 <= low < 0xE000:
                return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00))
        if 0xD800 <= code < 0xE000:
            raise self.refuse("half of a surrogate pair")
        return chr(code)

    def hexadecimal(self) -> int:
        digits = self.data[self.at + 2 : self.at + 6]
        if len(digits) != 4 or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
            raise self.refuse("\\u needs four hexadecimal digits")
        self.at += 6
        return int(digits, 16)

    def number(self) -> "int | float":
        start = self.at
        at = start + 1 if self.byte(start) == _MINUS else start
        whole = self.digits(at)
        if self.byte(at) == _ZERO and whole > at + 1:
            raise self.refuse("a number begins with 0")
        end = whole
        if self.byte(end) == _POINT:
            end = self.digits(end + 1)
        if self.byte(end) in b"eE":
            end = self.digits(end + 2 if self.byte(end + 1) in b"+-" else end + 1)
        if end - start > NUMBER_LENGTH_MAX:
            raise self.refuse("a number of more than %d characters" % NUMBER_LENGTH_MAX)
        self.at = end
        text = self.data[start:end].decode()
        if end == whole:
            return int(text)
        value = float(text)
        if not is_finite(value):
            raise self.refuse("a number that is too large")
        return value

    def digits(self, at: int) -> int:
        """Where the digits at `at` end; there must be one."""
        data, start, count = self.data, at, len(self.data)
        while at < count and data[at] in _DIGITS:
            at += 1
        if at == start:
            raise self.refuse("no value")
        return at


def encode(value: "Any") -> bytes:
    """`value` of dicts with text keys, lists, texts, integers, True, False and None, as JSON in UTF-8. MisuseError for
    anything else; floats are texts here (edgelite_protocol.values)."""
    pieces: list[str] = []
    _append(pieces, value)
    return "".join(pieces).encode()


def _append(pieces: "list[str]", value: "Any") -> None:
    if isinstance(value, str):
        pieces.append(quoted(value))
    elif value is None or value is True or value is False:
        pieces.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, int):
        pieces.append(str(value))
    elif isinstance(value, dict):
        _append_all(pieces, "{", [(quoted(key) + ":", value[key]) for key in value], "}")
    elif isinstance(value, list):
        _append_all(pieces, "[", [("", item) for item in value], "]")
    else:
        raise MisuseError("no JSON is written for " + type(value).__name__)


def _append_all(pieces: "list[str]", begin: str, items: "list[tuple[str, Any]]", end: str) -> None:
    separator = begin
    for lead, item in items:
        pieces.append(separator + lead)
        _append(pieces, item)
        separator = ","
    pieces.append(end if items else begin + end)


def quoted(text: str) -> str:
    if text and min(text) >= " " and '"' not in text and "\\" not in text:
        return '"' + text + '"'
    return '"' + "".join([_ESCAPED.get(one) or (one if one >= " " else "\\u%04x" % ord(one)) for one in text]) + '"'
