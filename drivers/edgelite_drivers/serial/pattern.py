"""The pattern language: what a frame looks like, and which part of it is the value; and templates, its inverse.

    GGA,{},{},{value:ddmm},{value:sign}        literals and fields in braces
    {name}        text up to the literal that follows, or to the end of the frame
    {name:WORDS}  WORDS: a conversion (conversion.py), a width in bytes, `le`, `comma`, `.2` decimals (when written)
    {}  {:4}      skipped: up to the literal that follows; four bytes
    {{  }}        braces themselves

A pattern fits a frame that begins with it. Each part is looked for once, at its first place, and never again: time is
linear in the frame. A literal's characters stand for bytes, one each.
"""

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import is_digits
from edgelite_drivers.serial.conversion import BINARY, SCANNED, WORDS, Conversion, ValueRefused, encoded, scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATTERN_CHARACTERS_MAX = 256
PARTS_MAX = 48
WIDTH_MAX = 1024
CHECKSUM = "checksum"  # a template's field of this name is the frame's own


class Field:
    def __init__(self, name: str, conversion: "Conversion | None", width: int) -> None:
        self.name = name
        self.conversion = conversion  # None: skipped
        self.width = width  # 0: up to the literal that follows

    def is_scanned(self) -> bool:
        return not self.width and self.conversion is not None and self.conversion.word in SCANNED


def parse(text: str, path: str) -> "list[bytes | Field]":
    """Literals and fields in turn. ConfigurationError at `path`."""
    if not 0 < len(text) <= PATTERN_CHARACTERS_MAX:
        raise ConfigurationError(path, "must have 1 to %d characters" % PATTERN_CHARACTERS_MAX)
    parts: list[bytes | Field] = []
    literal = ""
    index = 0
    while index < len(text):
        character = text[index]
        if character in "{}" and text[index : index + 2] == character * 2:
            literal += character
            index += 2
            continue
        if character == "}":
            raise ConfigurationError(path, "has a } without its {; }} is the character itself")
        if character != "{":
            literal += character
            index += 1
            continue
        end = text.find("}", index)
        if end < 0:
            raise ConfigurationError(path, "has a { without its }; {{ is the character itself")
        if literal:
            parts.append(_literal(literal, path))
            literal = ""
        parts.append(_field(text[index + 1 : end], path))
        index = end + 1
    if literal:
        parts.append(_literal(literal, path))
    if len(parts) > PARTS_MAX:
        raise ConfigurationError(path, "has more than %d parts" % PARTS_MAX)
    return parts


class Pattern:
    """Names of its fields: `names`, each once."""

    def __init__(self, text: str, path: str) -> None:
        self._parts = parse(text, path)
        self.names: list[str] = []
        last: bytes | Field = b""
        for part in self._parts:
            if isinstance(part, Field):
                self._check(part, last, path)
            last = part

    def _check(self, field: Field, last: "bytes | Field", path: str) -> None:
        if isinstance(last, Field) and not last.width and not last.is_scanned():
            raise ConfigurationError(path, "a field without width needs a literal behind it")
        if field.conversion is None or not field.name:
            return
        word = field.conversion.word
        if not field.width and word == "bcd":
            raise ConfigurationError(path, "bcd needs a width in bytes")
        if field.name not in self.names:
            self.names.append(field.name)
        elif word != "sign":
            raise ConfigurationError(path, "has two fields of the name " + field.name)

    def match(self, data: bytes) -> "tuple[dict[str, Any], dict[str, str]] | None":
        """(values, why a name has none) by name; None where the pattern does not fit."""
        values: dict[str, Any] = {}
        errors: dict[str, str] = {}
        place = 0
        for index, part in enumerate(self._parts):
            if isinstance(part, bytes):
                if data[place : place + len(part)] != part:
                    return None
                place += len(part)
                continue
            end = self._end_of(part, index, data, place)
            if end < 0:
                return None
            _take(part, data[place:end], values, errors)
            place = end
        for name in errors:
            values.pop(name, None)
        return values, errors

    def _end_of(self, field: Field, index: int, data: bytes, place: int) -> int:
        """-1 where it has none."""
        if field.width:
            return place + field.width if place + field.width <= len(data) else -1
        if field.is_scanned():
            conversion: Any = field.conversion
            return scan(conversion.word, conversion.has_comma, data, place)
        following = self._parts[index + 1] if index + 1 < len(self._parts) else b""
        return data.find(following, place) if isinstance(following, bytes) and following else len(data)


class Template:
    """A frame to send. `names`: what its fields are called."""

    def __init__(self, text: str, path: str) -> None:
        self._parts = parse(text, path)
        self.names = [part.name for part in self._parts if isinstance(part, Field)]
        if self.names.count(CHECKSUM) > 1 or "" in self.names:
            raise ConfigurationError(path, "each field needs a name, and one checksum is enough")

    def data(self, values: "dict[str, Any]", checksum: "Any" = None) -> bytes:
        """ConfigurationError where a value cannot be written so. `checksum` is a Checksum; left out, so
        is its field."""
        made: list[bytes] = []
        place = -1
        for part in self._parts:
            if isinstance(part, bytes):
                made.append(part)
            elif part.name == CHECKSUM:
                place = len(made) if checksum is not None else -1
                made.append(bytes(checksum.size_bytes) if checksum is not None else b"")
            else:
                conversion = part.conversion or Conversion("text", False, False, None)
                made.append(conversion.data(values[part.name], part.width))
        if place >= 0:
            made[place] = checksum.encoded(b"".join(made))
        return b"".join(made)


def _take(field: Field, data: bytes, values: "dict[str, Any]", errors: "dict[str, str]") -> None:
    if field.conversion is None or not field.name:
        return
    try:
        value = field.conversion.value(data)
        if field.conversion.word == "sign":
            if field.name in values:
                value *= values[field.name]
            elif field.name in errors:
                return
        values[field.name] = value
    except ValueRefused as error:
        errors[field.name] = str(error)


def _literal(text: str, path: str) -> bytes:
    try:
        return encoded(text)
    except ConfigurationError:
        raise ConfigurationError(path, "must be text with a byte for each character") from None


def _field(text: str, path: str) -> Field:
    name, colon, rest = text.partition(":")
    name = name.strip()
    width = 0
    word = "" if not name or not colon else "text"
    decimals: int | None = None
    is_little = has_comma = False
    for item in rest.split():
        if is_digits(item) and not width and 0 < int(item) <= WIDTH_MAX:
            width = int(item)
        elif item in WORDS and word in ("", "text"):
            word = item
        elif item == "le":
            is_little = True
        elif item == "comma":
            has_comma = True
        elif item[0] == "." and is_digits(item[1:]) and int(item[1:]) <= 9:
            decimals = int(item[1:])
        else:
            raise ConfigurationError(path, "what is %r in {%s}? known are a width, %s" % (item, text, ", ".join(WORDS)))
    if word in BINARY:
        width = BINARY[word]
    if not word and name:
        word = "text"
    return Field(name, Conversion(word, is_little, has_comma, decimals) if word else None, width)
