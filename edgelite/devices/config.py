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
WINDOW_MS_MIN = 100  # a shorter one would be a report for each reading
CYCLE_MS_MAX = 31 * 86_400_000
PROPERTY_TYPES = ("INT", "FLOAT", "DOUBLE", "STRING", "BOOLEAN", "BYTES")


class Property:
    """One property as configured. `visitor` is the driver's; `source` tells whether another configuration reads the
    same thing. What few properties have stands in the class, where it costs the others nothing."""

    deadband_percent: "int | float | None" = None
    window_ms = 0  # 0: each reading is a report
    window_functions = 0  # messages.WINDOW_*
    desired_time = 0  # of the hub's wish, in its Unix milliseconds; 0: it did not tell
    desired_expires: "int | None" = None  # Unix milliseconds by the hub's clock
    fail_safe: "str | None" = None
    fail_safe_ms = 0

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

    heard: "tuple[str, ...]" = ()  # the properties that the device sends by itself

    def __init__(self, uid: str, driver: "Any", protocol: object, properties: "list[Property]") -> None:
        self.uid = uid
        self.driver = driver
        self.protocol = protocol
        self.properties = properties
        self.is_state_told = True
        self.state_ms = 0  # at least so long between two reports of its state
        self.has_fail_safe = any(property.fail_safe is not None for property in properties)


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
    for index in range(len(properties)):
        if properties[index].window_functions:
            _check_window_names(properties[index], names, index)
    if hasattr(driver, "check_device"):
        driver.check_device(protocol, [(property.name, property.visitor) for property in properties])
    config = DeviceConfig(uid, driver, protocol, properties)
    config.is_state_told = device.get(messages.DEVICE_STATE_TO_CLOUD, True) is not False
    config.state_ms = _milliseconds(device, messages.DEVICE_STATE_MS, "stateReport.reportCycle")
    return config


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
    _set_window(property, row)
    _set_desired(property, row)
    _set_fail_safe(property, row)
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
    property.deadband = _deadband(row, messages.PROPERTY_DEADBAND, "deadband")
    percent = _deadband(row, messages.PROPERTY_DEADBAND_PERCENT, "deadbandPercent")
    if percent is not None:
        property.deadband_percent = percent
    property.minimum = _limit(property, row, messages.PROPERTY_MINIMUM, "minimum")
    property.maximum = _limit(property, row, messages.PROPERTY_MAXIMUM, "maximum")


def _deadband(row: "dict[int, object]", key: int, path: str) -> "int | float | None":
    deadband = row.get(key)
    if deadband is None:
        return None
    if not is_number(deadband) or not 0 <= deadband <= 3e38:  # type: ignore[operator]
        raise ConfigurationError(path, "must be a number that is not negative")
    return deadband  # type: ignore[return-value]


def _set_window(property: Property, row: "dict[int, object]") -> None:
    window_ms = _milliseconds(row, messages.PROPERTY_WINDOW_MS, "aggregate.windowMs")
    if window_ms == 0:
        return
    functions = row.get(messages.PROPERTY_WINDOW_FUNCTIONS, 0)
    if not isinstance(functions, int) or not 0 <= functions <= messages.WINDOW_FUNCTIONS_MAX:
        raise ConfigurationError("aggregate.functions", "are not known here")
    if property.type not in ("INT", "FLOAT", "DOUBLE"):
        raise ConfigurationError("aggregate", "only numbers have one, not " + property.type)
    if window_ms < WINDOW_MS_MIN:
        raise ConfigurationError("aggregate.windowMs", "must be at least %d" % WINDOW_MS_MIN)
    property.window_ms = window_ms
    property.window_functions = functions


def _check_window_names(property: Property, names: "set[str]", index: int) -> None:
    from edgelite.devices.window import names_of  # most devices have none

    for name in names_of(property):
        if name in names or not is_name(name):
            raise ConfigurationError("properties[%d].aggregate" % index, "%s cannot be told beside it" % name)


def _set_fail_safe(property: Property, row: "dict[int, object]") -> None:
    text = row.get(messages.PROPERTY_FAIL_SAFE)
    if text is None:
        return
    if not isinstance(text, str):
        raise ConfigurationError("failSafe.value", "must be text")
    property.fail_safe = text
    property.fail_safe_ms = _milliseconds(row, messages.PROPERTY_FAIL_SAFE_MS, "failSafe.afterMs")


def _set_desired(property: Property, row: "dict[int, object]") -> None:
    desired = row.get(messages.PROPERTY_DESIRED)
    version = row.get(messages.PROPERTY_DESIRED_VERSION, 0)
    if desired is not None and not isinstance(desired, str):
        raise ConfigurationError("desired.value", "must be text")
    if version is True or version is False or not isinstance(version, int) or version < 0:
        raise ConfigurationError("desired.version", "must be an integer that is not negative")
    property.desired = desired
    property.desired_version = version
    for key, path in ((messages.PROPERTY_DESIRED_TIME, "timestamp"), (messages.PROPERTY_DESIRED_EXPIRES, "expires")):
        moment = row.get(key)
        if moment is None:
            continue
        if moment is True or moment is False or not isinstance(moment, int) or not 0 <= moment < 1 << 63:
            raise ConfigurationError("desired.metadata." + path, "must be Unix milliseconds")
        if key == messages.PROPERTY_DESIRED_TIME:
            property.desired_time = moment
        else:
            property.desired_expires = moment


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
