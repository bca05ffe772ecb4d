"""BTHome version 2: sensors that broadcast named measurements as service data of UUID FCD2 (bthome.io, "Format").

    40 02 CA09 03 BF13      not encrypted; temperature 25.06, humidity 50.55

The first byte holds the version (bits 5 to 7), whether the sensor only sends when something happens (2), and whether
what follows is encrypted (0). Then objects: an id, and as many little-endian bytes as the id has. An id that is not in
the table has no known length, so what comes from there on cannot be read.
"""

from edgelite_drivers.ble.uuids import parse_uuid
from edgelite_drivers.ble.values import ValueRefused, integer, number_of
from edgelite_protocol import utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    Value = int | float | str | bool | bytes

UUID = parse_uuid("fcd2")
VERSION = 2
_UUID_BYTES = b"\xd2\xfc"
_COUNTER_BYTES = 4
_TAG_BYTES = 4
PACKET_ID = 0x00

# Kinds of content, beside the factor of a number.
_BOOL = 0
_EVENT = -1
_TEXT = -2
_RAW = -3
_TYPES = {_BOOL: "BOOLEAN", _EVENT: "STRING", _TEXT: "STRING", _RAW: "BYTES"}

# id: name, bytes (negative: signed), factor or kind. Several ids of one name differ in range and resolution.
OBJECTS = {
    0x00: ("packet_id", 1, 1),
    0x01: ("battery", 1, 1),
    0x02: ("temperature", -2, 0.01),
    0x03: ("humidity", 2, 0.01),
    0x04: ("pressure", 3, 0.01),
    0x05: ("illuminance", 3, 0.01),
    0x06: ("mass_kg", 2, 0.01),
    0x07: ("mass_lb", 2, 0.01),
    0x08: ("dewpoint", -2, 0.01),
    0x09: ("count", 1, 1),
    0x0A: ("energy", 3, 0.001),
    0x0B: ("power", 3, 0.01),
    0x0C: ("voltage", 2, 0.001),
    0x0D: ("pm2_5", 2, 1),
    0x0E: ("pm10", 2, 1),
    0x0F: ("generic_boolean", 1, _BOOL),
    0x10: ("power_on", 1, _BOOL),
    0x11: ("opening", 1, _BOOL),
    0x12: ("co2", 2, 1),
    0x13: ("tvoc", 2, 1),
    0x14: ("moisture", 2, 0.01),
    0x15: ("battery_low", 1, _BOOL),
    0x16: ("battery_charging", 1, _BOOL),
    0x17: ("carbon_monoxide", 1, _BOOL),
    0x18: ("cold", 1, _BOOL),
    0x19: ("connectivity", 1, _BOOL),
    0x1A: ("door", 1, _BOOL),
    0x1B: ("garage_door", 1, _BOOL),
    0x1C: ("gas_detected", 1, _BOOL),
    0x1D: ("heat", 1, _BOOL),
    0x1E: ("light", 1, _BOOL),
    0x1F: ("lock", 1, _BOOL),
    0x20: ("moisture_detected", 1, _BOOL),
    0x21: ("motion", 1, _BOOL),
    0x22: ("moving", 1, _BOOL),
    0x23: ("occupancy", 1, _BOOL),
    0x24: ("plug", 1, _BOOL),
    0x25: ("presence", 1, _BOOL),
    0x26: ("problem", 1, _BOOL),
    0x27: ("running", 1, _BOOL),
    0x28: ("safety", 1, _BOOL),
    0x29: ("smoke", 1, _BOOL),
    0x2A: ("sound", 1, _BOOL),
    0x2B: ("tamper", 1, _BOOL),
    0x2C: ("vibration", 1, _BOOL),
    0x2D: ("window", 1, _BOOL),
    0x2E: ("humidity", 1, 1),
    0x2F: ("moisture", 1, 1),
    0x3A: ("button", 1, _EVENT),
    0x3C: ("dimmer", 2, _EVENT),
    0x3D: ("count", 2, 1),
    0x3E: ("count", 4, 1),
    0x3F: ("rotation", -2, 0.1),
    0x40: ("distance_mm", 2, 1),
    0x41: ("distance_m", 2, 0.1),
    0x42: ("duration", 3, 0.001),
    0x43: ("current", 2, 0.001),
    0x44: ("speed", 2, 0.01),
    0x45: ("temperature", -2, 0.1),
    0x46: ("uv_index", 1, 0.1),
    0x47: ("volume", 2, 0.1),
    0x48: ("volume_ml", 2, 1),
    0x49: ("volume_flow_rate", 2, 0.001),
    0x4A: ("voltage", 2, 0.1),
    0x4B: ("gas", 3, 0.001),
    0x4C: ("gas", 4, 0.001),
    0x4D: ("energy", 4, 0.001),
    0x4E: ("volume", 4, 0.001),
    0x4F: ("water", 4, 0.001),
    0x50: ("timestamp", 4, 1),
    0x51: ("acceleration", 2, 0.001),
    0x52: ("gyroscope", 2, 0.001),
    0x53: ("text", 0, _TEXT),
    0x54: ("raw", 0, _RAW),
    0x55: ("volume_storage", 4, 0.001),
    0x56: ("conductivity", 2, 1),
    0x57: ("temperature", -1, 1),
    0x58: ("temperature", -1, 0.35),
    0x59: ("count", -1, 1),
    0x5A: ("count", -2, 1),
    0x5B: ("count", -4, 1),
    0x5C: ("power", -4, 0.01),
    0x5D: ("current", -2, 0.001),
    0x5E: ("direction", 2, 0.01),
    0x5F: ("precipitation", 2, 0.1),
    0x60: ("channel", 1, 1),
    0x61: ("rotational_speed", 2, 1),
    0x62: ("speed", -4, 0.000001),
    0x63: ("acceleration", -4, 0.000001),
    0x64: ("light_level", 1, 1),
    0xF0: ("device_type", 2, 1),
    0xF1: ("firmware_version", 4, _RAW),
    0xF2: ("firmware_version", 3, _RAW),
}
BUTTON_EVENTS = {
    0x00: "none",
    0x01: "press",
    0x02: "double_press",
    0x03: "triple_press",
    0x04: "long_press",
    0x05: "long_double_press",
    0x06: "long_triple_press",
    0x80: "hold_press",
}
DIMMER_EVENTS = {0x00: "none", 0x01: "rotate_left", 0x02: "rotate_right"}
EVENTS = ("button", "dimmer")


def names() -> "list[str]":
    return sorted({row[0] for row in OBJECTS.values()})


def property_type(name: str) -> str:
    """The type of property that holds an object's value: "BOOLEAN", "STRING", "BYTES", or "" for a number."""
    for row in OBJECTS.values():
        if row[0] == name:
            return _TYPES.get(int(row[2]), "") if row[2] <= 0 else ""
    return ""


def payload(data: bytes, address: str, key: "bytes | None") -> bytes:
    """The objects of service data `data`, opened where they are sealed; ValueRefused says what stands against it."""
    if not data or data[0] >> 5 != VERSION:
        raise ValueRefused("the sensor speaks no BTHome version 2")
    if not data[0] & 1:
        return data[1:]
    if key is None:
        raise ValueRefused("the sensor encrypts: give its key in protocol.configData.bindKey")
    opened = _open(data, address, key)
    if opened is None:
        raise ValueRefused("bindKey does not open what the sensor sends")
    return opened


def _open(data: bytes, address: str, key: bytes) -> "bytes | None":
    """AES-CCM with a tag of 4 bytes; the nonce is address, UUID, first byte and counter (bthome.io, "Encryption")."""
    from binascii import unhexlify

    from edgelite_protocol.oscore.ccm import Ccm
    from edgelite_protocol.oscore.ciphers import aes

    sealed = 1 + _COUNTER_BYTES + _TAG_BYTES
    if len(data) < sealed:
        return None
    nonce = unhexlify(address.replace(":", "")) + _UUID_BYTES + data[:1] + counter(data)
    ciphertext = data[1 : len(data) - _COUNTER_BYTES - _TAG_BYTES] + data[len(data) - _TAG_BYTES :]
    return Ccm(aes(key), _TAG_BYTES).open(nonce, ciphertext, b"")


def counter(data: bytes) -> bytes:
    """Of an encrypted advertisement, little-endian."""
    return data[len(data) - _COUNTER_BYTES - _TAG_BYTES : len(data) - _TAG_BYTES]


def measurements(objects: bytes) -> "list[tuple[str, Value]]":
    """(name, value) in the order of the air; what cannot be read ends it."""
    found: list[tuple[str, Value]] = []
    position = 0
    while position < len(objects):
        row = OBJECTS.get(objects[position])
        if row is None:
            break
        name, size, factor = row
        position += 1
        if size == 0:
            if position >= len(objects):
                break
            size = objects[position]
            position += 1
        content = objects[position : position + abs(size)]
        if len(content) < abs(size):
            break
        position += abs(size)
        value = _value(name, content, size < 0, factor)
        if value is not None:
            found.append((name, value))
    return found


def _value(name: str, content: bytes, signed: bool, factor: "int | float") -> "Value | None":
    if factor == _BOOL:
        return content[0] != 0
    if factor == _TEXT:
        return utf8.decoded(content)
    if factor == _RAW:
        return content
    if factor == _EVENT:
        return _event(name, content)
    number = integer(content, signed)
    return number if factor == 1 else number_of(number * factor, False)


def _event(name: str, content: bytes) -> "str | None":
    if name == "button":
        return BUTTON_EVENTS.get(content[0])
    event = DIMMER_EVENTS.get(content[0])
    return event if event is None or event == "none" else "%s %d" % (event, content[1])
