"""The compact form of a device, checked: what came over the link or out of the journal is hostile until then."""

from edgelite.devices.values import is_name
from edgelite.driver import ConfigurationError
from edgelite_protocol import cbor, messages
from edgelite_protocol.digest import sha256
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.values import from_text, is_finite, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROPERTIES_MAX = 512  # as many as the protocol lets an entry have
UID_BYTES_MAX = 64
SOURCE_BYTES = 8
COLLECT_MS_MIN = 10  # a shorter cycle is a busy loop, whatever the bus
CYCLE_MS_MAX = 31 * 86_400_000
PROPERTY_TYPES = ("INT", "FLOAT", "DOUBLE", "STRING", "BOOLEAN", "BYTES")


class Property:
    """One property as configured. `visitor` is the driver's; `source` tells whether another configuration reads the
    same thing."""

    def __init__(self, name: str, type: str, writable: bool, visitor: object, source: bytes) -> None:
        self.name = name
        self.type = type
        self.writable = writable
        self.visitor = visitor
        self.source = source
        self.collect_ms = 0  # 0: read once, when the device comes
        self.report_ms = 0
        self.report_to_cloud = True
        self.deadband: int | float | None = None
        self.minimum: int | float | None = None
        self.maximum: int | float | None = None
        self.desired: str | None = None
        self.desired_version = 0


class DeviceConfig:
    """`driver` is the driver's module, `protocol` what it made of the protocol configuration."""

    def __init__(self, uid: str, driver: "Any", protocol: object, properties: "list[Property]") -> None:
        self.uid = uid
        self.driver = driver
        self.protocol = protocol
        self.properties = properties


def parse_device(device: "dict[int, object]", driver: "Any") -> DeviceConfig:
    """ConfigurationError names the path of the first field that is wrong."""
    uid = device.get(messages.DEVICE_UID)
    rows = device.get(messages.DEVICE_PROPERTIES, [])
    if not isinstance(uid, str) or not 1 <= len(uid) <= UID_BYTES_MAX:
        raise ConfigurationError("metadata.uid", "must be text of 1 to %d characters" % UID_BYTES_MAX)
    if not isinstance(rows, (list, tuple)) or len(rows) > PROPERTIES_MAX:
        raise ConfigurationError("properties", "must be a list of at most %d properties" % PROPERTIES_MAX)
    protocol_config = device.get(messages.DEVICE_PROTOCOL, {})
    protocol = driver.check_protocol(protocol_config)
    properties: list[Property] = []
    names: set[str] = set()
    for index, row in enumerate(rows):
        try:
            property = _parse_property(row, driver, protocol_config)
            if property.name in names:
                raise ConfigurationError("name", "%s is there twice" % property.name)
        except ConfigurationError as error:
            raise ConfigurationError("properties[%d].%s" % (index, error.path), error.text) from error
        names.add(property.name)
        properties.append(property)
    return DeviceConfig(uid, driver, protocol, properties)


def _parse_property(row: object, driver: "Any", protocol_config: object) -> Property:
    if not isinstance(row, dict):
        raise ConfigurationError("name", "is required")
    name = row.get(messages.PROPERTY_NAME)
    if not isinstance(name, str) or not is_name(name):
        raise ConfigurationError("name", "must be text of 1 to %d bytes" % messages.NAME_BYTES_MAX)
    type = row.get(messages.PROPERTY_TYPE)
    if not isinstance(type, str) or type not in PROPERTY_TYPES:
        raise ConfigurationError("type", "must be one of " + ", ".join(PROPERTY_TYPES))
    visitor_config = row.get(messages.PROPERTY_VISITOR, {})
    writable = row.get(messages.PROPERTY_WRITABLE) is True
    visitor = driver.check_visitor(visitor_config, row)
    property = Property(name, type, writable, visitor, _source([driver.NAME, protocol_config, visitor_config, type]))
    _set_cycles(property, row)
    _set_limits(property, row)
    _set_desired(property, row)
    return property


def _source(parts: "list[object]") -> bytes:
    """A digest, because the maps themselves would stay in memory for as long as the device does."""
    return sha256(cbor.encode(parts)).digest()[:SOURCE_BYTES]


def _set_cycles(property: Property, row: "dict[int, object]") -> None:
    property.collect_ms = _milliseconds(row, messages.PROPERTY_COLLECT_MS, "collectCycle")
    property.report_ms = _milliseconds(row, messages.PROPERTY_REPORT_MS, "reportCycle")
    property.report_to_cloud = row.get(messages.PROPERTY_REPORT_TO_CLOUD, True) is True
    if 0 < property.collect_ms < COLLECT_MS_MIN:
        raise ConfigurationError("collectCycle", "must be 0 or at least %d ms" % COLLECT_MS_MIN)


def _set_limits(property: Property, row: "dict[int, object]") -> None:
    deadband = row.get(messages.PROPERTY_DEADBAND)
    if deadband is not None:
        if not is_number(deadband) or not 0 <= deadband <= 3e38:  # type: ignore[operator]
            raise ConfigurationError("deadband", "must be a number that is not negative")
        property.deadband = deadband  # type: ignore[assignment]
    property.minimum = _limit(property, row, messages.PROPERTY_MINIMUM, "minimum")
    property.maximum = _limit(property, row, messages.PROPERTY_MAXIMUM, "maximum")


def _set_desired(property: Property, row: "dict[int, object]") -> None:
    desired = row.get(messages.PROPERTY_DESIRED)
    version = row.get(messages.PROPERTY_DESIRED_VERSION, 0)
    if desired is not None and not isinstance(desired, str):
        raise ConfigurationError("desired.value", "must be text")
    if version is True or version is False or not isinstance(version, int) or version < 0:
        raise ConfigurationError("desired.version", "must be an integer that is not negative")
    property.desired = desired
    property.desired_version = version


def _milliseconds(row: "dict[int, object]", key: int, path: str) -> int:
    value = row.get(key, 0)
    if value is True or value is False or not isinstance(value, int) or not 0 <= value <= CYCLE_MS_MAX:
        raise ConfigurationError(path, "must be milliseconds from 0 to %d" % CYCLE_MS_MAX)
    return value


def _limit(property: Property, row: "dict[int, object]", key: int, path: str) -> "int | float | None":
    text = row.get(key)
    if text is None or text == "":
        return None
    if property.type not in ("INT", "FLOAT", "DOUBLE"):
        raise ConfigurationError(path, "only numbers have one, not " + property.type)
    try:
        value = from_text("DOUBLE", text) if isinstance(text, str) else None
    except ProtocolError as error:
        raise ConfigurationError(path, error.text) from error
    if not isinstance(value, float) or not is_finite(value):
        raise ConfigurationError(path, "must be a number as text")
    return value
