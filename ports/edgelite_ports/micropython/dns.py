"""DNS messages (RFC 1035, RFC 3596), as much as a client needs that asks for addresses. No I/O.

What comes back is anybody's: every length is checked, a name's pointers go backwards only, and a chain of aliases is
followed for a few steps.
"""

import struct

from edgelite_protocol.errors import ProtocolError

A = 1
CNAME = 5
AAAA = 28
MESSAGE_BYTES_MAX = 512  # of one without EDNS, which we do not offer
NAME_LENGTH_MAX = 253
_LABEL_LENGTH_MAX = 63
_ALIASES_MAX = 8
_RECORDS_MAX = 32
_POINTERS_MAX = 16  # of one name
_IN = 1
_HEADER_BYTES = 12
_RESPONSE, _TRUNCATED, _RECURSION_DESIRED, _CODE = 0x8000, 0x0200, 0x0100, 0x000F
_OPCODE = 0x7800
NO_SUCH_NAME = 3
_SIZES = {A: 4, AAAA: 16}


class NoAnswerError(ProtocolError):
    """The server has no address for us; `code` is its own number for why (NO_SUCH_NAME, 2 for its failure, ...)."""

    def __init__(self, number: int) -> None:
        super().__init__("dns", "the name server answers with code %d" % number)
        self.number = number


def encode_query(number: int, name: str, kind: int) -> bytes:
    """A question for the addresses of `name`; ValueError where that is no host's name."""
    header = struct.pack(">HHHHHH", number, _RECURSION_DESIRED, 1, 0, 0, 0)
    return header + encode_name(name) + struct.pack(">HH", kind, _IN)


def encode_name(name: str) -> bytes:
    bare = name[:-1] if name.endswith(".") else name
    if not 0 < len(bare) <= NAME_LENGTH_MAX:
        raise ValueError("a host's name has 1 to %d characters" % NAME_LENGTH_MAX)
    encoded = b""
    for label in bare.split("."):
        data = label.encode()
        if not 0 < len(data) <= _LABEL_LENGTH_MAX or max(data) > 126 or min(data) <= 32:
            raise ValueError("%s is no host's name; one that is not ASCII is written as xn--..." % name)
        encoded += bytes([len(data)]) + data
    return encoded + b"\0"


def parse_answer(data: bytes, number: int, name: str, kind: int) -> "list[bytes] | None":
    """The addresses (4 or 16 bytes each) of the answer to `encode_query(number, name, kind)`; an empty list where the
    name has none of the kind; None where it answers something else. ProtocolError, and NoAnswerError of it."""
    if len(data) < _HEADER_BYTES:
        raise _malformed()
    found_number, flags, questions, answers, _, _ = struct.unpack_from(">HHHHHH", data, 0)
    if found_number != number or not flags & _RESPONSE or flags & _OPCODE:
        return None
    code = flags & _CODE
    if questions != 1:
        if questions == 0 and code:
            raise NoAnswerError(code)  # a server that did not understand need not repeat the question
        raise _malformed()
    asked, offset = _name_at(data, _HEADER_BYTES)
    if offset + 4 > len(data):
        raise _malformed()
    if asked != _folded(name) or struct.unpack_from(">HH", data, offset) != (kind, _IN):
        return None
    if code:
        raise NoAnswerError(code)
    found = _addresses(_records(data, offset + 4, answers, bool(flags & _TRUNCATED)), _folded(name), kind)
    if not found and flags & _TRUNCATED:
        raise _malformed()
    return found


def _folded(name: str) -> str:
    return (name[:-1] if name.endswith(".") else name).lower()


def _records(data: bytes, offset: int, count: int, truncated: bool) -> "list[tuple[str, int, bytes, str]]":
    """(owner, type, data, alias) of each record; `alias` is the name that a CNAME gives."""
    found: list[tuple[str, int, bytes, str]] = []
    for _ in range(min(count, _RECORDS_MAX)):
        if truncated and offset == len(data):
            return found
        owner, offset = _name_at(data, offset)
        if offset + 10 > len(data):
            raise _malformed()
        kind, in_class, _, size_bytes = struct.unpack_from(">HHIH", data, offset)
        start = offset + 10
        offset = start + size_bytes
        if offset > len(data):
            raise _malformed()
        if in_class == _IN:
            found.append((owner, kind, data[start:offset], _name_at(data, start)[0] if kind == CNAME else ""))
    return found


def _addresses(records: "list[tuple[str, int, bytes, str]]", name: str, kind: int) -> "list[bytes]":
    for _ in range(_ALIASES_MAX):
        found = [value for owner, one, value, _ in records if owner == name and one == kind]
        if found:
            return [value for value in found if len(value) == _SIZES[kind]]
        aliases = [alias for owner, one, _, alias in records if owner == name and one == CNAME]
        if not aliases:
            return []
        name = aliases[0]
    return []


def _name_at(data: bytes, offset: int) -> "tuple[str, int]":
    """The name there, folded, and where what follows it begins. A pointer must lead backwards, so there is no loop."""
    labels: list[str] = []
    length = 0
    after = -1
    for _ in range(_POINTERS_MAX + NAME_LENGTH_MAX):
        if offset >= len(data):
            raise _malformed()
        size = data[offset]
        if size >= 0xC0:
            if offset + 2 > len(data):
                raise _malformed()
            target = (size & 0x3F) << 8 | data[offset + 1]
            after = offset + 2 if after < 0 else after
            if target >= offset:
                raise _malformed()
            offset = target
        elif size == 0:
            return ".".join(labels), offset + 1 if after < 0 else after
        else:
            label = data[offset + 1 : offset + 1 + size]
            length += size + 1
            if size > _LABEL_LENGTH_MAX or len(label) != size or length > NAME_LENGTH_MAX + 1:
                raise _malformed()
            labels.append(_text(label))
            offset += 1 + size
    raise _malformed()


def _text(label: bytes) -> str:
    if max(label) > 126 or b"." in label:
        raise _malformed()
    return label.decode().lower()


def _malformed() -> ProtocolError:
    return ProtocolError("dns", "the name server's answer is malformed")
