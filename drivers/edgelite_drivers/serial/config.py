"""Configuration of line- and frame-oriented devices, checked, in the form that the bus works with.

Protocol, `protocol.configData`: `serialPort`, `baudRate`, `dataBits`, `parity`, `stopBits`, `rs485`; or `ip` and
`port` of a serial server; `framing`, `checksum`, `request`, `listen`, `wakeUp`, `wakeUpWhen`, `timeoutMs`, `silenceMs`,
`pauseMs`.

Visitor, `visitors.configData`: `pattern` (and `field`), or `obis` (and `group`, `unit`); `request` or `listen`;
`write`, `confirm`; `scale`, `offset`, `values`.
"""

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields
from edgelite_drivers.line_settings import LINE_FIELDS, line_settings
from edgelite_drivers.serial import checksum, framing, obis, steps
from edgelite_drivers.serial.conversion import Conversion, ValueRefused, encoded
from edgelite_drivers.serial.pattern import CHECKSUM, Pattern, Template
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE
from edgelite_protocol.values import is_finite, is_number, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Value = int | float | str | bool | bytes

PROTOCOL_PATH = "protocol.configData"
VISITOR_PATH = "visitors.configData"
_OWN_FIELDS = ("framing", "checksum", "request", "listen", "wakeUp", "wakeUpWhen", "timeoutMs", "silenceMs", "pauseMs")
PROTOCOL_FIELDS = LINE_FIELDS + ("ip", "port") + _OWN_FIELDS  # noqa: RUF005 - no syntax of MicroPython
_PLACE_FIELDS = ("pattern", "field", "obis", "group", "unit")
VISITOR_FIELDS = _PLACE_FIELDS + ("request", "listen", "write", "confirm", "scale", "offset", "values")  # noqa: RUF005
TIMEOUT_MS_DEFAULT = 1000
SILENCE_MS_DEFAULT = 10_000
SILENCE_MS_MAX = 86_400_000
VALUES_MAX = 32
NUMBERS = ("INT", "FLOAT", "DOUBLE")


class Protocol:
    """One device. `target` is where it is; `settings` None where it is behind a serial server."""

    def __init__(self, target: "tuple[Any, ...]", made: "framing.Framing") -> None:
        self.target = target
        self.settings: dict[str, Any] | None = target[2] if target[0] == "serial" else None
        self.framing = made
        self.request: bytes | None = None
        self.listens = False  # to whatever property has no `request` and does not say otherwise
        self.wake_up: list[steps.Step] = []
        self.wakes_each_time = True
        self.timeout_ms = TIMEOUT_MS_DEFAULT
        self.silence_ms = SILENCE_MS_DEFAULT
        self.pause_ms = 0
        self.silence: Any = None  # the bus' own: what it knows of a device that does not answer


class Visitor:
    """How to ask for a property, and where its value is in the answer."""

    def __init__(self, property_type: str) -> None:
        self.type = property_type
        self.pattern: Pattern | None = None
        self.field = "value"
        self.obis = b""
        self.group = 1
        self.unit = b""
        self.request: Template | None = None
        self.listens: bool | None = None  # None: as the device does
        self.write: Template | None = None
        self.confirm: Pattern | None = None
        self.scale: int | float = 1
        self.offset: int | float = 0
        self.values: dict[str, Value] = {}

    def read(self, content: bytes) -> "tuple[bool, Value | None, str]":
        """(whether the frame is this property's, its value, why it has none)."""
        try:
            if self.pattern is None:
                return self._read_obis(content)
            found = self.pattern.match(content)
            if found is None:
                return False, None, ""
            values, errors = found
            if self.field in errors:
                return True, None, errors[self.field]
            return True, self._value(values[self.field]), ""
        except ValueRefused as error:
            return True, None, str(error)

    def frame(self, value: "Value", check: "checksum.Checksum | None") -> bytes:
        """What writes it; ConfigurationError where it cannot be written."""
        if self.write is None:
            raise ConfigurationError("value", "the property has no `write`")
        return self.write.data({"value": self._raw(value)}, check)

    def _raw(self, value: "Any") -> "Any":
        for name in self.values:
            if self.values[name] == value:
                return name
        if not is_number(value) or (self.scale == 1 and self.offset == 0):
            return value
        raw = (value - self.offset) / self.scale
        nearest = round(raw)  # without the digits that only the division made
        return nearest if abs(raw - nearest) < 1e-9 * max(1, abs(raw)) else raw

    def _read_obis(self, content: bytes) -> "tuple[bool, Value | None, str]":
        found = obis.find(content, self.obis, self.group)
        if found is None:
            return b"(" in content, None, "the answer has no " + str(self.obis, "ascii")
        value, unit = found
        if self.unit and unit != self.unit:
            raise ValueRefused("its unit is not " + str(self.unit, "ascii"))
        word = "float" if self.type in NUMBERS and not self.values else "bytes" if self.type == "BYTES" else "text"
        return True, self._value(Conversion(word, False, False, None).value(value)), ""

    def _value(self, raw: "Any") -> "Value":
        if self.values:
            text = to_text(raw)
            if text not in self.values:
                raise ValueRefused("%r is none of its values" % text)
            return self.values[text]
        if self.type == "STRING":
            return to_text(raw)
        if self.type == "BYTES":
            return raw if isinstance(raw, bytes) else encoded(to_text(raw))
        if not is_number(raw):
            raise ValueRefused("the field holds no number")
        scaled: Any = raw * self.scale + self.offset
        if not is_finite(scaled):
            raise ValueRefused("the field holds no number")
        if self.type == "BOOLEAN":
            return bool(scaled != 0)
        if self.type == "INT":
            return scaled if isinstance(scaled, int) else round(scaled)
        return float(scaled)


def check_protocol(config: object) -> Protocol:
    fields = Fields(config, PROTOCOL_PATH, PROTOCOL_FIELDS)
    values: Any = config
    made = framing.check(values.get("framing"), PROTOCOL_PATH + ".framing")
    if fields.has("checksum"):
        made.checksum = checksum.check(values["checksum"], PROTOCOL_PATH + ".checksum")
    protocol = Protocol(_target(fields, values), made)
    if fields.has("request"):
        protocol.request = _asked(Template(fields.text("request", 256), PROTOCOL_PATH + ".request"), made)
    protocol.listens = fields.boolean("listen", False)
    if fields.has("wakeUp"):
        has_line = protocol.settings is not None
        path = PROTOCOL_PATH + ".wakeUp"
        protocol.wake_up = steps.check(values["wakeUp"], path, has_line, made.checksum is not None)
    protocol.wakes_each_time = fields.choice("wakeUpWhen", ("read", "open"), "read") == "read"
    protocol.timeout_ms = fields.integer("timeoutMs", 1, steps.TIMEOUT_MS_MAX, TIMEOUT_MS_DEFAULT)
    protocol.silence_ms = fields.integer("silenceMs", 1, SILENCE_MS_MAX, SILENCE_MS_DEFAULT)
    protocol.pause_ms = fields.integer("pauseMs", 0, steps.PAUSE_MS_MAX, 0)
    return protocol


def check_visitor(config: object, property: "dict[int, object]") -> Visitor:
    fields = Fields(config, VISITOR_PATH, VISITOR_FIELDS)
    values: Any = config
    visitor = Visitor(str(property.get(PROPERTY_TYPE)))
    if fields.has("pattern") == fields.has("obis"):
        raise fields.refuse("pattern", "give either a pattern or an OBIS code: where is the value?")
    if fields.has("obis"):
        visitor.obis = _ascii(fields, "obis")
        visitor.group = fields.integer("group", 1, 16, 1)
        visitor.unit = _ascii(fields, "unit") if fields.has("unit") else b""
    else:
        visitor.pattern = Pattern(fields.text("pattern", 256), VISITOR_PATH + ".pattern")
        visitor.field = fields.text("field", 64, "value")
        if visitor.field not in visitor.pattern.names:
            raise fields.refuse("pattern", "has no field {%s}" % visitor.field)
    visitor.listens = fields.boolean("listen", False) if fields.has("listen") else None
    if fields.has("request"):
        visitor.request = Template(fields.text("request", 256), VISITOR_PATH + ".request")
        _only_checksum(visitor.request, VISITOR_PATH + ".request")
        if visitor.listens:
            raise fields.refuse("request", "is for what is asked, and this property is listened for")
    visitor.scale = _factor(fields, "scale", 1)
    visitor.offset = _factor(fields, "offset", 0)
    if fields.has("values"):
        visitor.values = _values(values["values"], visitor.type)
    _check_write(fields, visitor, bool(property.get(PROPERTY_WRITABLE)))
    return visitor


def check_device(protocol: Protocol, visitors: "list[tuple[str, Visitor]]") -> None:
    """Settle who is asked and who is listened for, and whether each that is asked has a question."""
    for index, (_, visitor) in enumerate(visitors):
        if visitor.listens is None:
            visitor.listens = protocol.listens and visitor.request is None
        path = "properties[%d].%s.request" % (index, VISITOR_PATH)
        if not visitor.listens and visitor.request is None and protocol.request is None and not protocol.wake_up:
            raise ConfigurationError(path, "is required, here or as protocol.configData.request, or `listen: true`")
        for template in (visitor.request, visitor.write):
            if template is not None and CHECKSUM in template.names and protocol.framing.checksum is None:
                raise ConfigurationError(path, "has a {checksum}, and the device has none")


def _target(fields: Fields, config: "Any") -> "tuple[Any, ...]":
    if fields.has("ip"):
        for name in LINE_FIELDS:
            if fields.has(name):
                raise fields.refuse(name, "is set at the serial server that `ip` names")
        return ("tcp", fields.text("ip", 253), fields.integer("port", 1, 65535))
    if fields.has("port"):
        raise fields.refuse("port", "is of a serial server, which `ip` names; a line here is serialPort")
    return ("serial", fields.text("serialPort", 253), line_settings(fields, config, PROTOCOL_PATH))


def _asked(template: Template, made: "framing.Framing") -> bytes:
    _only_checksum(template, PROTOCOL_PATH + ".request")
    if template.names and made.checksum is None:
        raise ConfigurationError(PROTOCOL_PATH + ".request", "has a {checksum}, and the device has none")
    return template.data({}, made.checksum)


def _only_checksum(template: Template, path: str) -> None:
    for name in template.names:
        if name != CHECKSUM:
            raise ConfigurationError(path, "what is {%s}? a question has no field but {checksum}" % name)


def _check_write(fields: Fields, visitor: Visitor, is_writable: bool) -> None:
    if fields.has("write"):
        visitor.write = Template(fields.text("write", 256), VISITOR_PATH + ".write")
        if [name for name in visitor.write.names if name not in ("value", CHECKSUM)]:
            raise fields.refuse("write", "has no field but {value} and {checksum}")
    elif is_writable:
        raise fields.refuse("write", "a writable property needs it: what is sent, with {value}")
    if fields.has("confirm"):
        visitor.confirm = Pattern(fields.text("confirm", 256), VISITOR_PATH + ".confirm")


def _factor(fields: Fields, name: str, default: int) -> "int | float":
    value = fields.number(name, default)
    if not is_finite(value) or abs(value) > 1e12 or (name == "scale" and abs(value) < 1e-12):
        raise fields.refuse(name, "must be a number from 1e-12 to 1e12, or below 0 from -1e12")
    return value


def _ascii(fields: Fields, name: str) -> bytes:
    text = fields.text(name, 32)
    for character in text:
        if not "!" <= character <= "~":
            raise fields.refuse(name, "must be printable ASCII text without blanks")
    return text.encode()


def _values(config: object, property_type: str) -> "dict[str, Value]":
    path = VISITOR_PATH + ".values"
    if not isinstance(config, dict) or not 0 < len(config) <= VALUES_MAX:
        raise ConfigurationError(path, "must be a map of 1 to %d texts to values" % VALUES_MAX)
    made: dict[str, Value] = {}
    for name in config:
        value = config[name]
        good = {
            "STRING": isinstance(value, str),
            "BOOLEAN": value is True or value is False,
            "INT": is_number(value) and isinstance(value, int),
            "FLOAT": is_number(value),
            "DOUBLE": is_number(value),
        }
        if not good.get(property_type, False):
            raise ConfigurationError("%s.%s" % (path, name), "must be a value of the type " + property_type)
        made[name if isinstance(name, str) else to_text(name)] = value
    return made
