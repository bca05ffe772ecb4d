"""The agent's configuration: lines of `key = value`, read once at start.

    node = kitchen-1
    hub = hub.example.com:7444, 192.0.2.7:7444

A node behind a gateway has `link = serial:/dev/ttyAMA0:115200` in place of `hub`, a gateway `gateway =
/dev/ttyUSB0:115200, /dev/ttyUSB1:9600` beside it.

Unknown keys are refused, so that a misspelt one isn't silently without effect.
"""

from edgelite.driver import ConfigurationError
from edgelite.journal import JournalLimits
from edgelite_protocol.errors import MisuseError
from edgelite_protocol.messages import NAME_BYTES_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HUB_PORT = 7444
MQTT_PORT = 1883
MQTT_TEXT_BYTES_MAX = 255
MQTT_PREFIX_BYTES_MAX = 64  # the filters that a broker is asked for have 122 bytes in all
LINES_MAX = 16  # serial lines of one gateway
DRIVERS_MAX = 32  # of others, beside those that edgelite brings
DRIVER_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789_"
DRIVER_NAME_LENGTH_MAX = 64
BAUD_MIN, BAUD_MAX = 9600, 4_000_000  # slower, one frame takes longer than a silent link is waited for
ADDRESS_MAX = 254
HUBS_MAX = 8  # addresses of one hub; each is tried in turn
TEXT_BYTES_MAX = 65536


class SerialSettings:
    """One serial line: what the port calls it ("/dev/ttyAMA0", "uart1"), its baud rate, this node's address on it."""

    def __init__(self, path: str, baud: int, address: int = 1) -> None:
        self.path = path
        self.baud = baud
        self.address = address


class DriverSource:
    """Where a driver of others comes from: a module, or the words of a command that is its process."""

    def __init__(self, module: str, command: "list[str]") -> None:
        self.module = module
        self.command = command


class Config:
    """Times are milliseconds. The defaults are what DESIGN's figures were measured with."""

    def __init__(self, node: str, hubs: "list[tuple[str, int]]") -> None:
        self.node = node
        self.hubs = hubs  # (host, port), tried in this order; none where there is a serial link
        self.link: SerialSettings | None = None  # to a gateway, in place of the network
        self.link_address = 1
        self.gateway: list[SerialSettings] = []  # the lines that this node serves as a gateway
        self.segment_bytes = 256 * 1024  # of one journal file; what a sync and the wear of a card are best with
        self.journal_bytes_max = 4 * 1024 * 1024
        self.telemetry_bytes_max = 2 * 1024 * 1024  # of these; what doesn't fit is dropped, counted and reported
        self.group_window_ms = 1000  # how long a report may wait for others to share its sync
        self.backoff_base_ms = 1000
        self.backoff_cap_ms = 300_000
        self.session_lasted_ms = 60_000  # a session of this length resets the backoff
        self.greeting_timeout_ms = 20_000
        self.tls_in_kernel = True  # where the platform has it
        self.bus = False  # whether local processes may publish and subscribe
        self.mqtt: tuple[str, int] | None = None  # a broker that the bus is bridged to
        self.mqtt_user = ""
        self.mqtt_password_file = ""  # in the state directory, where it is no absolute path
        self.mqtt_password = b""  # what the port read there
        self.mqtt_prefix = ""  # in front of each topic at the broker
        self.mqtt_qos = 1  # of what is published there
        self.drivers: dict[str, DriverSource] = {}  # of others, by name
        self.driver_path: list[str] = []  # directories that their modules are in
        self.driver_environment: dict[str, str] = {}  # of drivers that run in a process of their own
        self.driver_python = ""  # the interpreter for drivers that run in a process of their own
        self.log_level = "info"

    def journal_limits(self) -> JournalLimits:
        """ConfigurationError where the sizes don't go together."""
        try:
            return JournalLimits(
                segment_bytes=self.segment_bytes,
                size_bytes_max=self.journal_bytes_max,
                telemetry_bytes_max=self.telemetry_bytes_max,
                group_window_ms=self.group_window_ms,
            )
        except MisuseError as error:
            raise ConfigurationError("journal_bytes_max", str(error)) from error


def _name(text: str) -> str:
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789-."
    if not text or len(text) > NAME_BYTES_MAX or any(character not in allowed for character in text):
        raise ValueError("a name is lower-case letters, digits, '-' and '.', at most 253 of them")
    return text


def _count(text: str) -> int:
    if not text.isdigit():
        raise ValueError("a whole number is needed")
    return int(text)


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("yes or no is needed")
    return text == "yes"


def _level(text: str) -> str:
    if text not in ("debug", "info", "warning", "error"):
        raise ValueError("one of debug, info, warning, error is needed")
    return text


def _broker(text: str) -> "tuple[str, int]":
    return parse_address(text, MQTT_PORT)


def _mqtt_text(text: str) -> str:
    if not 0 < len(text.encode()) <= MQTT_TEXT_BYTES_MAX:
        raise ValueError("1 to %d bytes are needed" % MQTT_TEXT_BYTES_MAX)
    return text


def _mqtt_prefix(text: str) -> str:
    if not text or len(text.encode()) > MQTT_PREFIX_BYTES_MAX or any(one in text for one in "+#\0") or text[0] == "$":
        raise ValueError("a prefix of topics is needed, such as site-1/: without + and #, no $ in front, 64 bytes")
    return text


def _mqtt_qos(text: str) -> int:
    if text not in ("0", "1"):
        raise ValueError("0 (at most once) or 1 (at least once) is needed")
    return int(text)


def parse_address(text: str, port_without: int = HUB_PORT) -> "tuple[str, int]":
    """ "host", "host:port", "[v6]:port"; ValueError."""
    host, separator, port = text.strip().rpartition(":")
    if not separator or text.strip().endswith("]") or (":" in host and not host.startswith("[")):
        host, port = text.strip(), str(port_without)
    host = host.strip("[]")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("an address is host:port")
    return host, int(port)


def _addresses(text: str) -> "list[tuple[str, int]]":
    addresses = [parse_address(part) for part in text.split(",") if part.strip()]
    if not 0 < len(addresses) <= HUBS_MAX:
        raise ValueError("one to %d addresses, separated by commas, are needed" % HUBS_MAX)
    return addresses


def _serial(text: str) -> SerialSettings:
    """ "path:baud"; a path may have colons of its own."""
    path, _, baud = text.strip().rpartition(":")
    if not path or not baud.isdigit() or not BAUD_MIN <= int(baud) <= BAUD_MAX:
        raise ValueError("a serial line is path:baud, such as /dev/ttyUSB0:115200")
    return SerialSettings(path, int(baud))


def _link(text: str) -> SerialSettings:
    kind, _, rest = text.partition(":")
    if kind.strip() != "serial":
        raise ValueError("a link other than the network is serial:path:baud, such as serial:/dev/ttyAMA0:115200")
    return _serial(rest)


def _lines(text: str) -> "list[SerialSettings]":
    lines = [_serial(part) for part in text.split(",") if part.strip()]
    if not 0 < len(lines) <= LINES_MAX or len({one.path for one in lines}) != len(lines):
        raise ValueError("one to %d different lines, separated by commas, are needed" % LINES_MAX)
    return lines


def _line_address(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= ADDRESS_MAX:
        raise ValueError("an address on a line is a number from 1 to %d" % ADDRESS_MAX)
    return int(text)


def is_driver_name(name: str) -> bool:
    return 0 < len(name) <= DRIVER_NAME_LENGTH_MAX and all(one in DRIVER_NAME_CHARACTERS for one in name)


def _drivers(text: str) -> "dict[str, DriverSource]":
    """ "name:module", "name:process:command word word"."""
    drivers: dict[str, DriverSource] = {}
    for part in text.split(","):
        name, _, source = part.strip().partition(":")
        kind, _, command = source.partition(":")
        words = command.split() if kind.strip() == "process" else []
        module = "" if words else source.strip()
        is_module = bool(module) and all(is_module_part(one) for one in module.split("."))
        if not is_driver_name(name) or name in drivers or not (words or is_module):
            raise ValueError("drivers are name:module or name:process:command, each name once: not " + part.strip())
        drivers[name] = DriverSource(module, words)
    if len(drivers) > DRIVERS_MAX:
        raise ValueError("at most %d drivers" % DRIVERS_MAX)
    return drivers


def is_module_part(name: str) -> bool:
    return bool(name) and not name[0].isdigit() and all(one in DRIVER_NAME_CHARACTERS for one in name.lower())


def _directories(text: str) -> "list[str]":
    paths = [part.strip() for part in text.split(",") if part.strip()]
    if not paths or not all(path.startswith("/") for path in paths):
        raise ValueError("absolute paths, separated by commas, are needed")
    return paths


def _variables(text: str) -> "dict[str, str]":
    """ "NAME=value, NAME=value"."""
    variables = {}
    for part in text.split(","):
        name, separator, value = part.strip().partition("=")
        if not separator or not is_module_part(name):
            raise ValueError("variables are NAME=value, separated by commas: not " + part.strip())
        variables[name] = value.strip()
    return variables


def _program(text: str) -> str:
    if not text:
        raise ValueError("the name or path of a Python is needed")
    return text


_KEYS: "dict[str, tuple[str, Callable[[str], object]]]" = {
    "node": ("node", _name),
    "hub": ("hubs", _addresses),
    "link": ("link", _link),
    "link_address": ("link_address", _line_address),
    "gateway": ("gateway", _lines),
    "segment_bytes": ("segment_bytes", _count),
    "journal_bytes_max": ("journal_bytes_max", _count),
    "telemetry_bytes_max": ("telemetry_bytes_max", _count),
    "group_window_ms": ("group_window_ms", _count),
    "backoff_base_ms": ("backoff_base_ms", _count),
    "backoff_cap_ms": ("backoff_cap_ms", _count),
    "tls_in_kernel": ("tls_in_kernel", _yes_or_no),
    "bus": ("bus", _yes_or_no),
    "mqtt": ("mqtt", _broker),
    "mqtt_user": ("mqtt_user", _mqtt_text),
    "mqtt_password_file": ("mqtt_password_file", _mqtt_text),
    "mqtt_prefix": ("mqtt_prefix", _mqtt_prefix),
    "mqtt_qos": ("mqtt_qos", _mqtt_qos),
    "drivers": ("drivers", _drivers),
    "driver_path": ("driver_path", _directories),
    "driver_environment": ("driver_environment", _variables),
    "driver_python": ("driver_python", _program),
    "log_level": ("log_level", _level),
}


def parse(text: str) -> Config:
    """ConfigurationError names the line and says what would be right."""
    config = Config("", [])
    for number, line in enumerate(text.split("\n"), 1):
        _parse_line(config, number, line.split("#")[0].strip())
    if not config.node:
        raise ConfigurationError("node", "is missing: the name that this node joined with")
    if config.link is None and not config.hubs:
        raise ConfigurationError("hub", "is missing: host:port of the hub")
    if config.link is not None:
        if config.hubs or config.gateway:
            raise ConfigurationError("link", "a node with a serial link has neither hub nor gateway: remove those")
        config.link.address = config.link_address
    if config.mqtt is None and (config.mqtt_user or config.mqtt_password_file or config.mqtt_prefix):
        raise ConfigurationError("mqtt", "is missing: host:port of the broker that the other mqtt lines are for")
    if config.mqtt_password_file and not config.mqtt_user:
        raise ConfigurationError("mqtt_user", "is missing: MQTT knows no password without a user")
    return config


def _parse_line(config: Config, number: int, line: str) -> None:
    if not line:
        return
    key, separator, value = line.partition("=")
    entry = _KEYS.get(key.strip())
    if not separator or entry is None:
        raise ConfigurationError("line %d" % number, "is none of: " + ", ".join(sorted(_KEYS)))
    try:
        setattr(config, entry[0], entry[1](value.strip()))
    except ValueError as error:
        raise ConfigurationError("line %d, %s" % (number, key.strip()), str(error)) from error
