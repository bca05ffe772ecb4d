"""Reading POSIX ustar archives (IEEE 1003.1, pax, "ustar Interchange Format") that nobody has to trust.

An artifact is such an archive. A port feeds it block by block; what an entry may not be is refused here, before
anything is written:

    ustar_magic      not ustar (an old tar, a pax or GNU extension, something else)
    ustar_checksum   a damaged header
    ustar_number     a size or mode that is no octal number in its field
    ustar_type       anything but a file, a directory or a symbolic link: no devices, no FIFOs, no hard links
    ustar_path       absolute, with "..", empty, too deep, or not UTF-8
    ustar_link       a link that could lead out of the archive's root
    ustar_padding    something else than zeros behind a file's content, or between the end and the archive's end
    ustar_truncated  the archive ends within an entry, or without its two blocks of zeros
    ustar_limit      more entries, or more bytes, than allowed
"""

from edgelite_protocol.errors import ProtocolError

BLOCK_BYTES = 512
ENTRIES_MAX = 16384  # of one artifact: a Python program with its packages has some thousands
DEPTH_MAX = 32  # parts of a path
PATH_BYTES_MAX = 256  # what ustar's name and prefix can hold

FILE = 1
DIRECTORY = 2
SYMLINK = 3

_KINDS = {b"0": FILE, b"\0": FILE, b"5": DIRECTORY, b"2": SYMLINK}
_ZEROS = bytes(BLOCK_BYTES)


class UstarError(ProtocolError):
    """The archive is not what an artifact may be; `code` is one of the names above."""


class Entry:
    """`path` and `target` are relative, parts joined by "/"; `size_bytes` is 0 for what is no file; `mode` has
    the owner's rights, and for group and others no more than reading and running."""

    def __init__(self, path: str, kind: int, size_bytes: int, mode: int, target: str) -> None:
        self.path = path
        self.kind = kind
        self.size_bytes = size_bytes
        self.mode = mode
        self.target = target


class Reader:
    """Tells header, content and end apart. Give it one block at a time:

    header(block) -> Entry   its content follows in `blocks_of(entry)` blocks; the last has padding
    header(block) -> None    the archive's end: only blocks of zeros may follow
    finish()                 no more blocks: refuses an archive that has no end
    """

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_left = entries_max
        self._zero_blocks = 0

    def header(self, block: bytes) -> "Entry | None":
        if len(block) != BLOCK_BYTES:
            raise UstarError("ustar_truncated", "%d bytes where a header of 512 belongs" % len(block))
        if block == _ZEROS:
            self._zero_blocks += 1
            return None
        if self._zero_blocks:
            raise UstarError("ustar_padding", "more follows the block of zeros that ends the archive")
        if self._entries_left == 0:
            raise UstarError("ustar_limit", "too many entries")
        self._entries_left -= 1
        return parse_header(block)

    def finish(self) -> None:
        if self._zero_blocks < 2:
            raise UstarError("ustar_truncated", "the archive has no end: two blocks of zeros")


def blocks_of(entry: Entry) -> int:
    """How many blocks the entry's content takes."""
    return (entry.size_bytes + BLOCK_BYTES - 1) // BLOCK_BYTES


def parse_header(block: bytes) -> Entry:
    """One header of an entry; UstarError says what is wrong with it."""
    if block[257:263] != b"ustar\0" or block[263:265] != b"00":
        raise UstarError("ustar_magic", "not a POSIX ustar header; pack with tar --format=ustar")
    _check_sum(block)
    kind = _KINDS.get(block[156:157], 0)
    if not kind:
        raise UstarError("ustar_type", "entry type %r: only files, directories and symbolic links" % block[156:157])
    path = _path(block)
    size_bytes = _octal(block[124:136])
    if kind != FILE and size_bytes:
        raise UstarError("ustar_number", path + ": only a file has content")
    target = _text(block[157:257]) if kind == SYMLINK else ""
    if kind == SYMLINK:
        _check_target(path, target)
    return Entry(path, kind, size_bytes, _octal(block[100:108]) & 0o755 | 0o400, target)


def _check_sum(block: bytes) -> None:
    """The sum of all bytes, the checksum field itself counted as spaces."""
    total = sum(block) - sum(block[148:156]) + 8 * 0x20
    if _octal(block[148:156]) != total:
        raise UstarError("ustar_checksum", "the header's sum is %d" % total)


def _octal(field: bytes) -> int:
    """Octal digits, then spaces or NULs, as POSIX has it; GNU's base-256 form is refused."""
    digits = field.rstrip(b" \0").lstrip(b" ")
    value = 0
    for digit in digits:
        if not 0x30 <= digit <= 0x37:
            raise UstarError("ustar_number", "%r is no octal number" % field)
        value = value * 8 + digit - 0x30
    if not digits:
        raise UstarError("ustar_number", "a number is missing")
    return value


def _text(field: bytes) -> str:
    """Up to the first NUL; behind it nothing but NULs."""
    head = field.split(b"\0")[0]
    if field[len(head) :] != bytes(len(field) - len(head)):
        raise UstarError("ustar_path", "something is hidden behind a name's end")
    try:
        return head.decode("utf-8")
    except ValueError as error:  # UnicodeError is one, on both runtimes
        raise UstarError("ustar_path", "%r is not UTF-8" % head) from error


def _path(block: bytes) -> str:
    prefix, name = _text(block[345:500]), _text(block[0:100])
    path = prefix + "/" + name if prefix else name
    parts = split_path(path)
    if block[156:157] == b"5" and not parts:
        return "."
    if not parts or len(parts) > DEPTH_MAX or (block[156:157] != b"5" and path.endswith("/")):
        raise UstarError("ustar_path", "%r names no place in an artifact" % path)
    return "/".join(parts)


def split_path(path: str) -> "list[str]":
    """The parts of a relative path, without "." and empty ones; UstarError for any other path."""
    if path.startswith("/"):
        raise UstarError("ustar_path", "%r is absolute" % path)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UstarError("ustar_path", "%r leads upwards" % path)
    return parts


def _check_target(path: str, target: str) -> None:
    """A link may climb from its own directory at most to the root, and only before it goes down.

    The directory that a link stands in is a real one (a port creates nothing through a link), so as many ".." as
    it is deep stay inside; behind a name, ".." could climb out of what that name links to.
    """
    if not target or target.startswith("/"):
        raise UstarError("ustar_link", "%s -> %s: the target must be relative" % (path, target))
    parts = [part for part in target.split("/") if part not in ("", ".")]
    climbs = 0
    while climbs < len(parts) and parts[climbs] == "..":
        climbs += 1
    if ".." in parts[climbs:] or climbs > len(path.split("/")) - 1:
        raise UstarError("ustar_link", "%s -> %s could lead out of the artifact" % (path, target))
