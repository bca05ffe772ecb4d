"""BLE configuration: KubeEdge's field names and ours, checked, in the form that the driver works with.

Protocol, `protocol.configData`: which device it is, by `macAddress`, or by what it advertises (`name`, `namePrefix`,
`serviceUUID`, `manufacturerId`, `iBeacon`); `addressType`; `bindKey`; `scanTimeoutMs`, `connectTimeoutMs`, `timeoutMs`,
`idleDisconnectMs`, `silentAfterMs`. Pairing is left out.

Visitor, `visitors.configData`: `characteristicUUID` (read, written, or with `notify` listened to) or `advertisement`
(listened to), and how its bytes are a value: `dataConverter`, `dataWrite`, or `type`, `offset`, `length`, `bigEndian`,
`scale`.
"""

from binascii import unhexlify

from edgelite.driver import ConfigurationError
from edgelite_drivers.ble.uuids import uuid_field
from edgelite_drivers.ble.values import FLOATS, INTEGERS, OTHERS, Codec, size_bytes
from edgelite_drivers.fields import Fields
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE

PROTOCOL_PATH = "protocol.configData"
VISITOR_PATH = "visitors.configData"
PROTOCOL_FIELDS = (
    "macAddress",
    "name",
    "namePrefix",
    "serviceUUID",
    "manufacturerId",
    "iBeacon",
    "addressType",
    "bindKey",
    "scanTimeoutMs",
    "connectTimeoutMs",
    "timeoutMs",
    "idleDisconnectMs",
    "silentAfterMs",
)
CODEC_FIELDS = ("dataConverter", "dataWrite", "type", "offset", "length", "bigEndian", "scale")
GATT_FIELDS = ("characteristicUUID", "serviceUUID", "notify", "writeWithoutResponse")
MANUFACTURER_FIELDS = ("manufacturerId",)
SERVICE_DATA_FIELDS = ("serviceUUID",)
ADVERTISEMENT_FIELDS = ("advertisement", "field", "object", "index", "serviceUUID", "manufacturerId")

VALUE_BYTES_MAX = 512  # of an attribute (Core Specification, Vol 3, Part F, 3.2.9)
NAMES_MAX = 64  # of dataWrite
SCALE_MIN = 1e-9
SCALE_MAX = 1e9
DAY_MS = 86_400_000

# Advertisement: what its field `field` may be, () where it has none.
IBEACON = "iBeacon"
BTHOME = "BTHome"
EDDYSTONE = "Eddystone"
MANUFACTURER = "manufacturer"
SERVICE_DATA = "serviceData"
NAME = "name"
RSSI = "rssi"
TX_POWER = "txPower"
_KINDS = (IBEACON, BTHOME, EDDYSTONE, MANUFACTURER, SERVICE_DATA, NAME, RSSI, TX_POWER)
_CODED = (MANUFACTURER, SERVICE_DATA)  # whose bytes are a value by the visitor's own word

_UNNAMED = ("",)
_NUMERIC = tuple(INTEGERS) + tuple(FLOATS)
# property type: which types of bytes may hold it; the first is the default, "" where one must be named
_TYPES_OF = {
    "INT": _UNNAMED + _NUMERIC,
    "FLOAT": _UNNAMED + _NUMERIC,
    "DOUBLE": _UNNAMED + _NUMERIC,
    "BOOLEAN": ("bool",),
    "STRING": ("string",),
    "BYTES": ("bytes",),
    "STREAM": ("bytes",),
}


class Protocol:
    """`key` tells two devices apart; `beacon` is (uuid, major or None, minor or None)."""

    def __init__(self, fields: Fields, raw: object) -> None:
        self.raw = raw  # for the driver's process, which checks it itself
        self.address = _address(fields)
        self.is_random: bool | None = None
        if fields.has("addressType"):
            self.is_random = fields.choice("addressType", ("public", "random")) == "random"
        self.name = fields.text("name", 248) if fields.has("name") else ""
        self.name_prefix = fields.text("namePrefix", 248) if fields.has("namePrefix") else ""
        self.service = uuid_field(fields, "serviceUUID") if fields.has("serviceUUID") else ""
        self.company = fields.integer("manufacturerId", 0, 0xFFFF) if fields.has("manufacturerId") else None
        self.beacon: tuple[str, int | None, int | None] | None = None
        self.bind_key: bytes | None = None
        self.scan_timeout_ms = fields.integer("scanTimeoutMs", 100, 15_000, 10_000)
        self.connect_timeout_ms = fields.integer("connectTimeoutMs", 100, 15_000, 10_000)
        self.timeout_ms = fields.integer("timeoutMs", 10, 15_000, 5_000)
        self.idle_disconnect_ms = fields.integer("idleDisconnectMs", 0, DAY_MS, 10_000)
        self.silent_after_ms = fields.integer("silentAfterMs", 1_000, DAY_MS, 60_000)

    @property
    def key(self) -> "tuple[object, ...]":
        return (self.address, self.name, self.name_prefix, self.service, self.company, self.beacon)


class Visitor:
    """`characteristic` with its `service` ("" for any), or `advertisement` with the `field`, `index` (from 1),
    `service` or `company` that tell which part of it. `codec` is None where the advertisement's format says how to
    read it."""

    def __init__(self, raw: object, type: str) -> None:
        self.raw = raw
        self.type = type
        self.codec: Codec | None = None
        self.characteristic = ""
        self.service = ""
        self.notify = False
        self.without_response = False
        self.advertisement = ""
        self.field = ""
        self.index = 1
        self.company = 0


def check_protocol(config: object) -> Protocol:
    fields = Fields(config, PROTOCOL_PATH, PROTOCOL_FIELDS)
    protocol = Protocol(fields, config)
    if fields.has("iBeacon"):
        protocol.beacon = _beacon(config["iBeacon"])  # type: ignore[index]
    if fields.has("bindKey"):
        protocol.bind_key = _bytes_of(fields, "bindKey", 32)
    if protocol.key == ("", "", "", "", None, None):
        filters = "name, namePrefix, serviceUUID, manufacturerId or iBeacon"
        raise fields.refuse("macAddress", "is required, or one of " + filters)
    return protocol


def _address(fields: Fields) -> str:
    if not fields.has("macAddress"):
        return ""
    digits = fields.text("macAddress", 17).upper().replace("-", ":").split(":")
    if len(digits) != 6 or any(len(pair) != 2 or not _is_hex(pair) for pair in digits):
        raise fields.refuse("macAddress", "must be six bytes like A4:C1:38:00:11:22")
    return ":".join(digits)


def _beacon(config: object) -> "tuple[str, int | None, int | None]":
    fields = Fields(config, PROTOCOL_PATH + ".iBeacon", ("uuid", "major", "minor"))
    numbers = [fields.integer(name, 0, 0xFFFF) if fields.has(name) else None for name in ("major", "minor")]
    return uuid_field(fields, "uuid"), numbers[0], numbers[1]


def _bytes_of(fields: Fields, name: str, digits: int) -> bytes:
    text = fields.text(name, digits)
    if len(text) != digits or not _is_hex(text):
        raise fields.refuse(name, "must be %d hexadecimal digits" % digits)
    return unhexlify(text)


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in text)


def check_visitor(config: object, property: "dict[int, object]") -> Visitor:
    fields = Fields(config, VISITOR_PATH, _known(config))
    visitor = Visitor(config, str(property.get(PROPERTY_TYPE)))
    if visitor.type not in _TYPES_OF:
        raise fields.refuse("type", "BLE has no properties of type " + visitor.type)
    writable = property.get(PROPERTY_WRITABLE) is True
    if fields.has("advertisement"):
        if writable:
            raise fields.refuse("advertisement", "cannot be written; a writable property needs characteristicUUID")
        _set_advertisement(fields, visitor, config)
    elif fields.has("characteristicUUID"):
        visitor.characteristic = uuid_field(fields, "characteristicUUID")
        visitor.service = uuid_field(fields, "serviceUUID") if fields.has("serviceUUID") else ""
        visitor.notify = fields.boolean("notify", False)
        visitor.without_response = fields.boolean("writeWithoutResponse", False)
        visitor.codec = _codec(fields, visitor.type, config, writable)
    else:
        raise fields.refuse("characteristicUUID", "is required, or advertisement")
    return visitor


def _known(config: object) -> "tuple[str, ...]":
    is_advertisement = isinstance(config, dict) and config.get("advertisement") is not None
    return (ADVERTISEMENT_FIELDS if is_advertisement else GATT_FIELDS) + CODEC_FIELDS


def _set_advertisement(fields: Fields, visitor: Visitor, config: object) -> None:
    kind = visitor.advertisement = fields.choice("advertisement", _KINDS)
    for name in ADVERTISEMENT_FIELDS[1:] + CODEC_FIELDS:
        if fields.has(name) and name not in _fields_of(kind):
            raise fields.refuse(name, "says nothing for advertisement " + kind)
    visitor.index = fields.integer("index", 1, 32, 1)
    if kind in _CODED:
        if kind == MANUFACTURER:
            visitor.company = fields.integer("manufacturerId", 0, 0xFFFF)
        else:
            visitor.service = uuid_field(fields, "serviceUUID")
        visitor.codec = _codec(fields, visitor.type, config, False)
        return
    _set_field(fields, visitor)


def _fields_of(kind: str) -> "tuple[str, ...]":
    if kind == MANUFACTURER:
        return MANUFACTURER_FIELDS + CODEC_FIELDS
    if kind == SERVICE_DATA:
        return SERVICE_DATA_FIELDS + CODEC_FIELDS
    if kind == BTHOME:
        return ("object", "index")
    return ("field",) if kind in (IBEACON, EDDYSTONE) else ()


def _set_field(fields: Fields, visitor: Visitor) -> None:
    """What the format itself says how to read; the modules that know are loaded only here."""
    if visitor.advertisement == BTHOME:
        from edgelite_drivers.ble import bthome

        name = "object"
        visitor.field = fields.choice(name, bthome.names())
        needed = bthome.property_type(visitor.field)
    elif visitor.advertisement in (IBEACON, EDDYSTONE):
        from edgelite_drivers.ble import advertisements

        name = "field"
        is_beacon = visitor.advertisement == IBEACON
        choices = advertisements.IBEACON_FIELDS if is_beacon else advertisements.EDDYSTONE_FIELDS
        visitor.field = fields.choice(name, choices)
        needed = {"uuid": "STRING", "url": "STRING", "namespace": "BYTES", "instance": "BYTES"}.get(visitor.field, "")
    else:
        name = "advertisement"
        needed = "STRING" if visitor.advertisement == NAME else ""
    numbers = ("INT", "FLOAT", "DOUBLE")
    if visitor.type != needed and (needed or visitor.type not in numbers):
        wanted = needed or "INT, FLOAT or DOUBLE"
        raise fields.refuse(name, "needs a property of type %s, not %s" % (wanted, visitor.type))


def _codec(fields: Fields, property_type: str, config: object, writable: bool) -> Codec:
    codec = Codec("", property_type == "INT")
    ways = [name for name in ("dataConverter", "type") if fields.has(name)]
    if len(ways) == 2:
        raise fields.refuse("type", "says another way to read the bytes than dataConverter; give one of them")
    if fields.has("dataWrite"):
        _set_names(fields, codec, config["dataWrite"], property_type)  # type: ignore[index]
        if "type" in ways:
            raise fields.refuse("type", "says another way to read the bytes than dataWrite; give one of them")
        writable = False  # what is written is named; a converter beside it, as KubeEdge has them, only reads
    if fields.has("dataConverter"):
        _set_converter(fields, codec, property_type, config["dataConverter"], writable)  # type: ignore[index]
    if fields.has("dataConverter") or fields.has("dataWrite"):
        return codec
    allowed = _TYPES_OF[property_type]
    codec.type = fields.choice("type", allowed if allowed[0] else allowed[1:], allowed[0] or None)
    if writable and codec.type[:8] == "medfloat":
        raise fields.refuse("type", "%s can be read only" % codec.type)
    codec.offset = fields.integer("offset", 0, VALUE_BYTES_MAX - 1, 0)
    if writable and codec.offset:
        raise fields.refuse("offset", "a value that is written begins at byte 0: what stands before is not known")
    if fields.has("length") and size_bytes(codec.type):
        raise fields.refuse("length", "%s has its own" % codec.type)
    codec.length = fields.integer("length", 1, VALUE_BYTES_MAX) if fields.has("length") else 0
    codec.big_endian = fields.boolean("bigEndian", False)
    codec.scale = _scale(fields, codec.type)
    return codec


def _set_converter(fields: Fields, codec: Codec, property_type: str, config: object, writable: bool) -> None:
    from edgelite_drivers.ble.data_converter import check_converter

    if property_type not in ("INT", "FLOAT", "DOUBLE"):
        raise fields.refuse("dataConverter", "gives a number, and the property is a " + property_type)
    for name in ("offset", "length", "bigEndian", "scale"):
        if fields.has(name):
            raise fields.refuse(name, "says nothing beside dataConverter")
    codec.converter = check_converter(config, writable)


def _scale(fields: Fields, type: str) -> "int | float":
    scale = fields.number("scale", 1)
    if not SCALE_MIN <= abs(scale) <= SCALE_MAX:
        raise fields.refuse("scale", "must be a number between 1e-9 and 1e9 or their negatives")
    if scale != 1 and type in OTHERS:
        raise fields.refuse("scale", "only numbers can be scaled, not " + type)
    return scale


def _set_names(fields: Fields, codec: Codec, config: object, property_type: str) -> None:
    """KubeEdge's `dataWrite`: a map of a value's text to the bytes that mean it."""
    codec.type = {"BOOLEAN": "bool", "STRING": "string"}.get(property_type, "")
    if property_type in ("BYTES", "STREAM"):
        raise fields.refuse("dataWrite", "names values, and the property has none but bytes")
    if not isinstance(config, dict) or not 1 <= len(config) <= NAMES_MAX:
        raise fields.refuse("dataWrite", "must be a map of 1 to %d names to bytes" % NAMES_MAX)
    codec.names = {}
    for name in sorted(str(key) for key in config):
        path = "%s.dataWrite.%s" % (VISITOR_PATH, name[:64])
        if not _is_name_of(name, property_type):
            raise ConfigurationError(path, "is no value of a property of type " + property_type)
        codec.names[name] = _written_bytes(path, config.get(name))


def _is_name_of(name: str, property_type: str) -> bool:
    """Whether `name` is how a value of that type is written, so that desired values find it."""
    from edgelite_protocol.errors import ProtocolError
    from edgelite_protocol.values import from_text, to_text

    try:
        return to_text(from_text(property_type, name)) == name
    except ProtocolError:
        return False


def _written_bytes(path: str, value: object) -> bytes:
    """A list of bytes, or base64 as Kubernetes writes bytes in JSON."""
    if isinstance(value, (list, tuple)):
        if any(byte is True or byte is False or not isinstance(byte, int) or not 0 <= byte <= 255 for byte in value):
            raise ConfigurationError(path, "must be a list of bytes from 0 to 255")
        data = bytes(value)
    elif isinstance(value, str):
        data = _from_base64(path, value)
    else:
        data = value if isinstance(value, bytes) else b""
    if not 1 <= len(data) <= VALUE_BYTES_MAX:
        raise ConfigurationError(path, "must be 1 to %d bytes, as a list of numbers or base64" % VALUE_BYTES_MAX)
    return data


def _from_base64(path: str, text: str) -> bytes:
    from binascii import a2b_base64, b2a_base64

    try:
        data = a2b_base64(text)
    except ValueError:
        data = b""
    if b2a_base64(data).strip() != text.encode():
        raise ConfigurationError(path, "must be base64, like AQ== for the byte 1, or a list of bytes like [1]")
    return data
