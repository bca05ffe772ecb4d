"""JSON (RFC 8259) as strangers write it: a strict reader with bounds, and a writer.

Stricter than most: a key that comes twice, a lone surrogate, a number that is not finite or has more than
NUMBER_LENGTH_MAX characters, and more than TEXT_BYTES_MAX bytes are refused. A module of the runtime's own would cost
the agent memory under CPython, and take what is no JSON under MicroPython.
"""

from edgelite_protocol import utf8
from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.values import is_finite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TEXT_BYTES_MAX = 4096  # a twin update of 15 properties; 30 ms of a Pi Zero
DEPTH_MAX = 8  # a twin update has 5
NUMBER_LENGTH_MAX = 32

_LITERALS = (("true", True), ("false", False), ("null", None))
_SPACE = " \t\n\r"
_DIGITS = "0123456789"
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPED = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def decode(data: bytes) -> "Any":
    """The value that `data` says. ProtocolError "json" names the place, in characters from 0, and what is wrong."""
    if len(data) > TEXT_BYTES_MAX:
        raise ProtocolError("json", "%d bytes, where at most %d are taken" % (len(data), TEXT_BYTES_MAX))
    text = utf8.decoded(data)
    if text is None:
        raise ProtocolError("json", "not UTF-8")
    reader = _Reader(text)
    value = reader.value(0)
    if reader.peek():
        raise reader.refuse("something follows the value")
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def refuse(self, text: str) -> ProtocolError:
        return ProtocolError("json", "at %d: %s" % (self.at, text))

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        text, at = self.text, self.at
        while text[at : at + 1] in _SPACE and at < len(text):
            at += 1
        self.at = at
        return text[at : at + 1]

    def value(self, depth: int) -> "Any":
        first = self.peek()
        if first == '"':
            return self.string()
        if first == "{" or first == "[":
            if depth >= DEPTH_MAX:
                raise self.refuse("more than %d lists and objects inside one another" % DEPTH_MAX)
            return self.object(depth) if first == "{" else self.list(depth)
        for literal, value in _LITERALS:
            if self.text[self.at : self.at + len(literal)] == literal:
                self.at += len(literal)
                return value
        return self.number()

    def list(self, depth: int) -> "list[Any]":
        found: list[Any] = []
        self.at += 1
        if self.peek() == "]":
            self.at += 1
            return found
        while True:
            found.append(self.value(depth + 1))
            if not self.goes_on("]"):
                return found

    def object(self, depth: int) -> "dict[str, Any]":
        found: dict[str, Any] = {}
        self.at += 1
        if self.peek() == "}":
            self.at += 1
            return found
        while True:
            if self.peek() != '"':
                raise self.refuse("a key in quotes is missing")
            key = self.string()
            if key in found:
                raise self.refuse("the key %s comes twice" % key[:40])
            if self.peek() != ":":
                raise self.refuse("a colon is missing")
            self.at += 1
            found[key] = self.value(depth + 1)
            if not self.goes_on("}"):
                return found

    def goes_on(self, end: str) -> bool:
        """Pass the comma or the end."""
        character = self.peek()
        if character != "," and character != end:
            raise self.refuse("a comma or %s is missing" % end)
        self.at += 1
        return character == ","

    def string(self) -> str:
        """The text between the quote here and the one that ends it."""
        text, start = self.text, self.at + 1
        end = text.find('"', start)
        if end >= 0 and text.find("\\", start, end) < 0:
            piece = text[start:end]
            self.at = end + 1
            return self.plain(piece)
        pieces: list[str] = []
        while True:
            self.at = start
            escape = text.find("\\", start)
            end = text.find('"', start)
            if end < 0:
                raise self.refuse("a string has no end")
            if escape < 0 or end < escape:
                pieces.append(self.plain(text[start:end]))
                self.at = end + 1
                return "".join(pieces)
            pieces.append(self.plain(text[start:escape]))
            self.at = escape
            pieces.append(self.escape())
            start = self.at

    def plain(self, piece: str) -> str:
        if piece and min(piece) < " ":
            raise self.refuse("a control character in a string")
        return piece

    def escape(self) -> str:
        kind = self.text[self.at + 1 : self.at + 2]
        if kind != "u":
            character = _ESCAPES.get(kind)
            if character is None:
                raise self.refuse("no such escape")
            self.at += 2
            return character
        code = self.hexadecimal()
        if 0xD800 <= code < 0xDC00 and self.text[self.at : self.at + 2] == "\\u":
            low = self.hexadecimal()
            if 0xDC00 <= low < 0xE000:
                return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00))
        if 0xD800 <= code < 0xE000:
            raise self.refuse("half of a surrogate pair")
        return chr(code)

    def hexadecimal(self) -> int:
        digits = self.text[self.at + 2 : self.at + 6]
        if len(digits) != 4 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
            raise self.refuse("\\u needs four hexadecimal digits")
        self.at += 6
        return int(digits, 16)

    def number(self) -> "int | float":
        text, start = self.text, self.at
        at = start + 1 if text[start : start + 1] == "-" else start
        whole = self.digits(at)
        if text[at : at + 1] == "0" and whole > at + 1:
            raise self.refuse("a number begins with 0")
        end = whole
        if text[end : end + 1] == ".":
            end = self.digits(end + 1)
        if text[end : end + 1] in ("e", "E"):
            signed = end + 2 if text[end + 1 : end + 2] in ("+", "-") else end + 1
            end = self.digits(signed)
        if end - start > NUMBER_LENGTH_MAX:
            raise self.refuse("a number of more than %d characters" % NUMBER_LENGTH_MAX)
        self.at = end
        if end == whole:
            return int(text[start:end])
        value = float(text[start:end])
        if not is_finite(value):
            raise self.refuse("a number that is too large")
        return value

    def digits(self, at: int) -> int:
        """Where the digits at `at` end; there must be one."""
        text, start, count = self.text, at, len(self.text)
        while at < count and text[at] in _DIGITS:
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
