"""UTF-8 as RFC 3629 has it, for runtimes that decode more: MicroPython takes surrogates and overlong forms without
a word, CPython refuses them."""


def _runtime_refuses_surrogates() -> bool:
    try:
        str(b"\xed\xa0\x80", "utf-8")
    except UnicodeError:
        return True
    return False


_RUNTIME_IS_LAX = not _runtime_refuses_surrogates()

# Per lead byte: how many bytes follow, and the range of the first of them (RFC 3629 section 4). The narrow ranges
# keep out overlong forms, surrogates and code points above U+10FFFF.
_UTF8_LEADS = (
    (0xC2, 0xDF, 1, 0x80, 0xBF),
    (0xE0, 0xE0, 2, 0xA0, 0xBF),
    (0xE1, 0xEC, 2, 0x80, 0xBF),
    (0xED, 0xED, 2, 0x80, 0x9F),
    (0xEE, 0xEF, 2, 0x80, 0xBF),
    (0xF0, 0xF0, 3, 0x90, 0xBF),
    (0xF1, 0xF3, 3, 0x80, 0xBF),
    (0xF4, 0xF4, 3, 0x80, 0x8F),
)


def _utf8_length(data: bytes, position: int, end: int) -> int:
    """How many bytes the character at `position` has, 0 where it is none."""
    lead = data[position]
    if lead < 0x80:
        return 1
    for first, last, following, low, high in _UTF8_LEADS:
        if first <= lead <= last:
            if position + following >= end or not low <= data[position + 1] <= high:
                return 0
            for offset in range(2, following + 1):
                if data[position + offset] & 0xC0 != 0x80:
                    return 0
            return following + 1
    return 0


def is_utf8(data: bytes) -> bool:
    """By hand; `decoded` leaves it to the runtime where that tells the same, and faster."""
    position = 0
    end = len(data)
    while position < end:
        length = _utf8_length(data, position, end)
        if length == 0:
            return False
        position += length
    return True


def encoded(text: str) -> "bytes | None":
    """None where `text` holds a lone surrogate."""
    try:
        data = text.encode()
    except UnicodeError:
        return None
    return data if not _RUNTIME_IS_LAX or is_utf8(data) else None


def decoded(data: bytes) -> "str | None":
    """None where `data` is not UTF-8."""
    if _RUNTIME_IS_LAX and not is_utf8(data):
        return None
    try:
        return str(data, "utf-8")
    except UnicodeError:
        return None
