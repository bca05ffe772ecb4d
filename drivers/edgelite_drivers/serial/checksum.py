"""Checksums by name or by parameters, and where a frame has them.

A CRC is given as the package `crc` of PyPI defines one: width, polynomial, initial value, value to XOR at the end, the
bits of each byte of the input reversed, the bits of the result reversed. The width is a multiple of 8.
"""

from binascii import hexlify

from edgelite_drivers.fields import Fields

# name: width, polynomial, initial value, final XOR, reversed input, reversed output
CRCS = {
    "crc8-ccitt": (8, 0x07, 0, 0, False, False),
    "crc8-saej1850": (8, 0x1D, 0xFF, 0xFF, False, False),
    "crc8-saej1850-zero": (8, 0x1D, 0, 0, False, False),
    "crc8-autosar": (8, 0x2F, 0xFF, 0xFF, False, False),
    "crc8-bluetooth": (8, 0xA7, 0, 0, True, True),
    "crc8-maxim-dow": (8, 0x31, 0, 0, True, True),
    "crc8-itu": (8, 0x07, 0, 0x55, False, False),
    "crc8-rohc": (8, 0x07, 0xFF, 0, True, True),
    "crc16-xmodem": (16, 0x1021, 0, 0, False, False),
    "crc16-gsm": (16, 0x1021, 0, 0xFFFF, False, False),
    "crc16-profibus": (16, 0x1DCF, 0xFFFF, 0xFFFF, False, False),
    "crc16-modbus": (16, 0x8005, 0xFFFF, 0, True, True),
    "crc16-ibm-3740": (16, 0x1021, 0xFFFF, 0, False, False),
    "crc16-kermit": (16, 0x1021, 0, 0, True, True),
    "crc16-ibm": (16, 0x8005, 0, 0, True, True),
    "crc16-maxim": (16, 0x8005, 0, 0xFFFF, True, True),
    "crc16-usb": (16, 0x8005, 0xFFFF, 0xFFFF, True, True),
    "crc16-x25": (16, 0x1021, 0xFFFF, 0xFFFF, True, True),
    "crc16-dnp": (16, 0x3D65, 0, 0xFFFF, True, True),
    "crc32": (32, 0x04C11DB7, 0xFFFFFFFF, 0xFFFFFFFF, True, True),
    "crc32-autosar": (32, 0xF4ACFB13, 0xFFFFFFFF, 0xFFFFFFFF, True, True),
    "crc32-bzip2": (32, 0x04C11DB7, 0xFFFFFFFF, 0xFFFFFFFF, False, False),
    "crc32-posix": (32, 0x04C11DB7, 0, 0xFFFFFFFF, False, False),
    "crc64": (64, 0x42F0E1EBA9EA3693, 0, 0, False, False),
}
SUMS = ("xor", "sum", "lrc")  # xor of the bytes (NMEA, IEC 62056-21's BCC); their sum; its two's complement
WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64)
ENCODINGS = ("hex", "big", "little")
PLACE_MAX = 8192
PARAMETERS = ("width", "polynomial", "initValue", "finalXorValue", "reverseInput", "reverseOutput")
FIELDS = ("name", "encoding", "from", "to", "at") + PARAMETERS  # noqa: RUF005 - no syntax of MicroPython


class Crc:
    """With a table of 16 rows: two look-ups a byte, and no kilobytes for the table."""

    def __init__(self, parameters: "tuple[int, int, int, int, bool, bool]") -> None:
        self.width, polynomial, self._initial, self._final, self._reverse_input, self._reverse_output = parameters
        self._mask = (1 << self.width) - 1
        top = 1 << (self.width - 1)
        self._table = []
        for row in range(16):
            register = row << (self.width - 4)
            for _ in range(4):
                register = (register << 1 ^ polynomial if register & top else register << 1) & self._mask
            self._table.append(register)

    def of(self, data: bytes) -> int:
        register, shift, mask, table = self._initial, self.width - 4, self._mask, self._table
        for byte in data:
            if self._reverse_input:
                byte = _reversed(byte, 8)
            register = (register << 4 & mask) ^ table[(register >> shift) ^ (byte >> 4)]
            register = (register << 4 & mask) ^ table[(register >> shift) ^ (byte & 15)]
        return (_reversed(register, self.width) if self._reverse_output else register) ^ self._final


class Sum:
    width = 8

    def __init__(self, name: str) -> None:
        self._name = name

    def of(self, data: bytes) -> int:
        total = 0
        if self._name == "xor":
            for byte in data:
                total ^= byte
            return total
        total = sum(data) & 0xFF
        return -total & 0xFF if self._name == "lrc" else total


class Checksum:
    """`algorithm` over frame[first:last], found at frame[at:], each counted from the frame's end where negative."""

    def __init__(self, algorithm: "Crc | Sum", encoding: str, first: int, last: "int | None", at: int) -> None:
        self._algorithm = algorithm
        self._encoding = encoding
        self._first = first
        self._last = at if last is None else last
        self._at = at
        self.size_bytes = algorithm.width // (4 if encoding == "hex" else 8)

    def at(self, frame: bytes) -> int:
        """Where in the frame it begins; the frame may be too short."""
        return self._at if self._at >= 0 else len(frame) + self._at

    def fits(self, frame: bytes) -> bool:
        at = self.at(frame)
        found = frame[at : at + self.size_bytes] if at >= 0 else b""
        if len(found) < self.size_bytes:
            return False
        wanted = self.encoded(frame)
        return found == wanted or (self._encoding == "hex" and found.upper() == wanted)

    def encoded(self, frame: bytes) -> bytes:
        """What the frame should have there."""
        value = self._algorithm.of(frame[self._first : self._last])
        size_bytes = self._algorithm.width // 8
        data = bytes([value >> (8 * index) & 0xFF for index in range(size_bytes - 1, -1, -1)])
        if self._encoding == "hex":
            return hexlify(data).upper()
        if self._encoding == "little":
            return bytes([data[index] for index in range(size_bytes - 1, -1, -1)])
        return data


def check(config: object, path: str) -> Checksum:
    """A name alone, or a map. ConfigurationError."""
    if isinstance(config, str):
        config = {"name": config}
    fields = Fields(config, path, FIELDS)
    if fields.has("name"):
        for name in PARAMETERS:
            if fields.has(name):
                raise fields.refuse(name, "give a name, or parameters, not both")
        name = fields.choice("name", SUMS + tuple(sorted(CRCS)))
        algorithm: Crc | Sum = Crc(CRCS[name]) if name in CRCS else Sum(name)
    else:
        algorithm = _by_parameters(fields)
    encoding = fields.choice("encoding", ENCODINGS, "big")
    size_bytes = algorithm.width // (4 if encoding == "hex" else 8)
    at = fields.integer("at", -PLACE_MAX, PLACE_MAX, -size_bytes)
    if -size_bytes < at < 0:
        raise fields.refuse("at", "there is no room for %d bytes before the end of the frame" % size_bytes)
    last = fields.integer("to", -PLACE_MAX, PLACE_MAX) if fields.has("to") else None
    return Checksum(algorithm, encoding, fields.integer("from", -PLACE_MAX, PLACE_MAX, 0), last, at)


def _by_parameters(fields: Fields) -> Crc:
    width = fields.integer("width", 8, 64)
    if width not in WIDTHS:
        raise fields.refuse("width", "must be one of " + ", ".join([str(one) for one in WIDTHS]))
    highest = (1 << width) - 1
    return Crc(
        (
            width,
            fields.integer("polynomial", 0, highest),
            fields.integer("initValue", 0, highest, 0),
            fields.integer("finalXorValue", 0, highest, 0),
            fields.boolean("reverseInput", False),
            fields.boolean("reverseOutput", False),
        )
    )


def _reversed(value: int, width: int) -> int:
    found = 0
    for _ in range(width):
        found = found << 1 | value & 1
        value >>= 1
    return found
