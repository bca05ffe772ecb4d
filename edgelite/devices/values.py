"""What of a driver's word may go into a report: the bounds that the protocol sets on values and texts.

The hub ends a session over a report that breaks them, and an outbox with such a report in it would never get past
it; so a driver's mistake becomes its property's error here.
"""

from edgelite_protocol.messages import NAME_BYTES_MAX
from edgelite_protocol.values import is_finite, is_number

VALUE_BYTES_MAX = 2048  # of a STRING, and of the text of BYTES, which has two characters a byte
LINE_CHARACTERS_MAX = 250  # of a text for a person: 1024 bytes at four bytes each
INTEGER_MIN = -(1 << 64)
INTEGER_MAX = (1 << 64) - 1
NUMBER_BYTES = 9  # of a number or a bool in CBOR, at most


def fault_of(property_type: str, value: object) -> str:
    """Why `value` cannot be reported as a value of the type; "" where it can."""
    if property_type == "INT":
        is_right = is_number(value) and isinstance(value, int) and INTEGER_MIN <= value <= INTEGER_MAX
    elif property_type == "BOOLEAN":
        is_right = value is True or value is False
    elif property_type == "STRING":
        is_right = isinstance(value, str) and text_bytes(value) <= VALUE_BYTES_MAX
    elif property_type == "BYTES":
        is_right = isinstance(value, bytes) and 2 * len(value) <= VALUE_BYTES_MAX
    else:
        is_right = is_number(value) and is_finite(value)  # type: ignore[arg-type]
    return "" if is_right else "the driver gave no %s that can be reported" % property_type


def size_bytes(value: "int | float | str | bool | bytes") -> int:
    """Of the value in a report, at most."""
    if isinstance(value, str):
        return text_bytes(value) + 3
    return len(value) + 3 if isinstance(value, bytes) else NUMBER_BYTES


def text_bytes(text: str) -> int:
    """The length in UTF-8; above every bound for text that has none (half a surrogate pair)."""
    try:
        return len(text.encode())
    except UnicodeError:
        return 1 << 30


def is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= text_bytes(value) <= NAME_BYTES_MAX


def shortened(text: str) -> str:
    return text if len(text) <= LINE_CHARACTERS_MAX else text[: LINE_CHARACTERS_MAX - 3] + "..."
