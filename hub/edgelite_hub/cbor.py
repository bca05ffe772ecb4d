"""The hub's CBOR: the same `encode` and `decode` as `edgelite_protocol.cbor`, done by cbor2's C code.

cbor2 knows more of CBOR than the profile admits (SPEC.md section 2), and its canonical form sorts keys shorter first
(RFC 7049) where ours sorts them bytewise (RFC 8949). So it does the work for values where both agree, which is nearly
all of our messages, and the portable codec is the judge of the rest: it takes the value or names the error. Both
accept and refuse the same inputs with the same codes; tests/hub/test_cbor.py holds them together.
"""

from typing import Any

import cbor2

from edgelite_protocol import cbor as portable
from edgelite_protocol.cbor import DEPTH_MAX, INTEGER_MAX, CborError

__all__ = ["CborError", "decode", "encode"]

_SCALARS = frozenset((str, float, bytes, bool, type(None)))
_TEXT_ONLY = frozenset((str,))
_INTEGERS_ONLY = frozenset((int,))


def encode(value: object) -> bytes:
    """The one deterministic encoding of `value`; MisuseError where it has none."""
    if _agreed(value):
        try:
            return cbor2.dumps(value, canonical=True)
        except (cbor2.CBOREncodeError, UnicodeError):
            pass  # a lone surrogate: the portable codec says so in its own words
    return portable.encode(value)


def decode(data: bytes | bytearray | memoryview) -> object:
    """The value that `data` encodes, exactly one item; CborError by name for anything else."""
    data = bytes(data)
    try:
        value = cbor2.loads(data, max_depth=DEPTH_MAX)
        # What re-encodes to the same bytes had the shortest forms, ordered keys and nothing behind it.
        if _agreed(value) and cbor2.dumps(value, canonical=True) == data:
            return value
    except (cbor2.CBORError, UnicodeError):
        pass  # refused there: the portable codec names the reason
    return portable.decode(data)


def _agreed(value: Any) -> bool:
    """Whether both codecs have the same encoding for `value`: plain types only, integers of 64 bits, and maps whose
    keys are all text or all unsigned, where shorter first is bytewise order too. One level of containers at a time,
    because a call for each item would cost more than cbor2 saves."""
    level = [value]
    for _ in range(DEPTH_MAX):
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is dict:
                if not _keys_agreed(item):
                    return False
                below.extend(item.values())
            elif kind is list:
                below.extend(item)
            elif kind is int:
                if not -INTEGER_MAX - 1 <= item <= INTEGER_MAX:
                    return False
            elif kind not in _SCALARS:
                return False
        if not below:
            return True
        level = below
    return False


def _keys_agreed(keys: dict[Any, Any]) -> bool:
    kinds = set(map(type, keys))
    if kinds <= _TEXT_ONLY:
        return True
    return kinds == _INTEGERS_ONLY and min(keys) >= 0 and max(keys) <= INTEGER_MAX
