"""Advertisements: the AD structures of the air (Core Specification Supplement, Part A), iBeacon and Eddystone.

What a device broadcasts is anybody's: a structure that is cut off or malformed ends the parsing, and what came before
it stands.
"""

from edgelite_drivers.ble.uuids import beacon_uuid, from_bytes, parse_uuid
from edgelite_drivers.ble.values import ValueRefused, integer
from edgelite_protocol import utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Value = int | float | str | bool | bytes

DATA_BYTES_MAX = 1650  # an extended advertisement's (Core Specification, Vol 4, Part E, 7.8.54)

APPLE = 0x004C
IBEACON_FIELDS = ("uuid", "major", "minor", "power")
EDDYSTONE_UUID = parse_uuid("feaa")
EDDYSTONE_FIELDS = ("namespace", "instance", "url", "power", "voltage", "temperature", "count", "uptime")

# types of AD structures (Assigned Numbers, 2.3)
_UUIDS = {0x02: 2, 0x03: 2, 0x04: 4, 0x05: 4, 0x06: 16, 0x07: 16}
_NAMES = (0x08, 0x09)
_TX_POWER = 0x0A
_SERVICE_DATA = {0x16: 2, 0x20: 4, 0x21: 16}
_MANUFACTURER = 0xFF

_URL_STARTS = ("http://www.", "https://www.", "http://", "https://")
_URL_ENDS = (".com", ".org", ".edu", ".net", ".info", ".biz", ".gov")


class Advertisement:
    """One device's advertisement. `address` in capitals with colons, `is_random` its type (None where unknown), `rssi`
    in dBm (None where unknown); manufacturer data by company, service data by UUID."""

    def __init__(self, address: str, is_random: "bool | None" = None, rssi: "int | None" = None) -> None:
        self.address = address
        self.is_random = is_random
        self.rssi = rssi
        self.is_connectable = True
        self.name: str | None = None
        self.tx_power: int | None = None
        self.services: list[str] = []
        self.manufacturer_data: dict[int, bytes] = {}
        self.service_data: dict[str, bytes] = {}


def structures(data: bytes) -> "Iterator[tuple[int, bytes]]":
    """(type, content) of each AD structure; ends at the first one that is cut off, or at padding."""
    position = 0
    end = min(len(data), DATA_BYTES_MAX)
    while position < end:
        length = data[position]
        if length == 0 or position + 1 + length > end:
            return
        yield data[position + 1], data[position + 2 : position + 1 + length]
        position += 1 + length


def take_structures(advertisement: Advertisement, data: bytes) -> None:
    """Add what the AD structures of `data` (an advertisement or a scan response) say."""
    for kind, content in structures(data):
        if kind in _UUIDS:
            size = _UUIDS[kind]
            for at in range(0, len(content) - size + 1, size):
                uuid = from_bytes(content[at : at + size])
                if uuid not in advertisement.services:
                    advertisement.services.append(uuid)
        elif kind in _NAMES:
            advertisement.name = utf8.decoded(content) or advertisement.name
        elif kind == _TX_POWER and len(content) == 1:
            advertisement.tx_power = integer(content, True)
        elif kind in _SERVICE_DATA and len(content) >= _SERVICE_DATA[kind]:
            size = _SERVICE_DATA[kind]
            advertisement.service_data[from_bytes(content[:size])] = content[size:]
        elif kind == _MANUFACTURER and len(content) >= 2:
            advertisement.manufacturer_data[content[0] | content[1] << 8] = content[2:]


def ibeacon(advertisement: Advertisement) -> "dict[str, Value] | None":
    """uuid, major, minor, power (dBm at 1 m); None where it is no iBeacon."""
    data = advertisement.manufacturer_data.get(APPLE)
    if data is None or len(data) != 23 or data[:2] != b"\x02\x15":
        return None
    return {
        "uuid": beacon_uuid(data[2:18]),
        "major": integer(data[18:20], False, True),
        "minor": integer(data[20:22], False, True),
        "power": integer(data[22:23], True),
    }


def eddystone(advertisement: Advertisement) -> "dict[str, Value] | None":
    """What its frame says: UID has namespace and instance, URL has url, both have power (dBm at 0 m); unencrypted TLM
    has voltage (V), temperature, count (of advertisements) and uptime (s). None where it is no Eddystone."""
    data = advertisement.service_data.get(EDDYSTONE_UUID)
    if not data:
        return None
    if data[0] == 0x00 and len(data) >= 18:
        return {"power": integer(data[1:2], True), "namespace": data[2:12], "instance": data[12:18]}
    if data[0] == 0x10 and len(data) >= 3:
        return {"power": integer(data[1:2], True), "url": _url(data[2:])}
    if data[0] == 0x20 and len(data) == 14 and data[1] == 0:
        return _telemetry(data)
    return {}


def _telemetry(data: bytes) -> "dict[str, Value]":
    values: dict[str, Value] = {
        "count": integer(data[6:10], False, True),
        "uptime": integer(data[10:14], False, True) / 10,
    }
    if data[2:4] != b"\0\0":  # a beacon without a battery
        values["voltage"] = integer(data[2:4], False, True) / 1000
    if data[4:6] != b"\x80\0":  # a beacon without a thermometer
        values["temperature"] = integer(data[4:6], True, True) / 256
    return values


def _url(data: bytes) -> str:
    """Eddystone-URL: a code for the beginning, and codes among the text."""
    if data[0] >= len(_URL_STARTS):
        raise ValueRefused("the beacon holds no URL")
    text = _URL_STARTS[data[0]]
    for byte in data[1:]:
        if 0x20 < byte < 0x7F:
            text += chr(byte)
        elif byte < 2 * len(_URL_ENDS):
            text += _URL_ENDS[byte % len(_URL_ENDS)] + ("/" if byte < len(_URL_ENDS) else "")
        else:
            raise ValueRefused("the beacon holds no URL")
    return text
