"""Configuration of a Modbus server: where it listens, and which twin each register shows.

docs/modbus-server.md has every field in a table. How a value lies in its registers is what the client has too.
"""

from edgelite_drivers.fields import Fields, is_digits
from edgelite_drivers.modbus.config import PROTOCOL_PATH, TABLES, VISITOR_FIELDS, VISITOR_PATH
from edgelite_drivers.modbus.config import check_visitor as check_place
from edgelite_drivers.modbus.values import encode
from edgelite_protocol.messages import PROPERTY_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite_drivers.modbus.representation import Visitor

SERIAL_FIELDS = ("serialPort", "baudRate", "dataBits", "parity", "stopBits", "rs485")
PROTOCOL_FIELDS = ("listen", "clients", "framing", "unitId", "slaveID", "gaps")
TWIN_FIELDS = ("device", "property", "onBad", "substitute")
ON_BAD = ("exception", "last", "substitute")
CLIENTS_MAX = 16
NAME_CHARACTERS_MAX = 253


class Protocol:
    """`target` is ("listen", host, port, framing, clients), or ("serial", path, settings, framing)."""

    def __init__(self, target: "tuple[Any, ...]", unit: int, fills_gaps: bool) -> None:
        self.target = target
        self.unit = unit
        self.fills_gaps = fills_gaps


class Served:
    """A twin and its place: `key` is "namespace/name" of its device. `substitute` is the bytes that are read where the
    twin has no good value; None for an exception, or, with `shows_last`, for the last value."""

    def __init__(self, place: "Visitor", key: str, name: str) -> None:
        self.place = place
        self.key = key
        self.name = name
        self.shows_last = False
        self.substitute: bytes | None = None


def check_protocol(config: object) -> Protocol:
    fields = Fields(config, PROTOCOL_PATH, PROTOCOL_FIELDS + SERIAL_FIELDS)
    if fields.has("slaveID") and fields.has("unitId"):
        raise fields.refuse("unitId", "says the same as slaveID; give one of them")
    target = _serial_target(fields, config) if fields.has("serialPort") else _tcp_target(fields)
    lowest = 1 if target[3] != "tcp" else 0
    unit = fields.integer("slaveID" if fields.has("slaveID") else "unitId", lowest, 255 if not lowest else 247, 1)
    return Protocol(target, unit, fields.choice("gaps", ("refuse", "zero"), "refuse") == "zero")


def _tcp_target(fields: Fields) -> "tuple[Any, ...]":
    for name in SERIAL_FIELDS:
        if fields.has(name):
            raise fields.refuse(name, "is of a serial line; give serialPort, or listen without it")
    host, port = _split(fields.text("listen", 260))
    if not _is_address(host) or not is_digits(port) or len(port) > 5 or not 1 <= int(port) <= 65535:
        raise fields.refuse("listen", "must be ADDRESS:PORT, such as 192.168.10.5:502, or 0.0.0.0:502 for all")
    clients = [name.strip() for name in fields.text("clients", 1000, " ").split(",")]
    clients = sorted({name for name in clients if name})
    if len(clients) > CLIENTS_MAX or not all(_is_address(name) for name in clients):
        raise fields.refuse("clients", "must be at most %d addresses, separated by commas" % CLIENTS_MAX)
    return "listen", host, int(port), fields.choice("framing", ("tcp", "rtu", "ascii"), "tcp"), tuple(clients)


def _split(listen: str) -> "tuple[str, str]":
    """Address and port; an address of IPv6 stands in brackets."""
    place = max(listen.rfind(":"), 0)
    host = listen[:place]
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    return host, listen[place + 1 :]


def _is_address(host: str) -> bool:
    """A name would have to be looked up, and nobody waits for that."""
    if ":" in host:
        return all(one in "0123456789abcdefABCDEF:." for one in host)
    parts = host.split(".")
    return len(parts) == 4 and all(is_digits(part) and len(part) <= 3 and int(part) <= 255 for part in parts)


def _serial_target(fields: Fields, config: object) -> "tuple[Any, ...]":
    from edgelite_drivers.line_settings import line_settings

    for name in ("listen", "clients"):
        if fields.has(name):
            raise fields.refuse(name, "is of TCP; with serialPort there is none")
    settings = line_settings(fields, config, PROTOCOL_PATH)  # type: ignore[arg-type]
    framing = fields.choice("framing", ("rtu", "ascii"), "rtu")
    if framing == "rtu" and settings["data_bits"] != 8:
        raise fields.refuse("dataBits", "framing rtu needs 8")
    return "serial", fields.text("serialPort", 253), settings, framing


def check_visitor(config: object, property: "dict[int, object]") -> Served:
    fields = Fields(config, VISITOR_PATH, VISITOR_FIELDS + TWIN_FIELDS)
    rest = {name: fields.value(name) for name in VISITOR_FIELDS if fields.has(name)}
    place = check_place(rest, property)
    key = fields.text("device", NAME_CHARACTERS_MAX)
    name = fields.text("property", NAME_CHARACTERS_MAX, str(property.get(PROPERTY_NAME, "")) or None)
    served = Served(place, key if "/" in key else "default/" + key, name)
    on_bad = fields.choice("onBad", ON_BAD, "exception")
    served.shows_last = on_bad == "last"
    if on_bad == "substitute":
        if not fields.has("substitute"):
            raise fields.refuse("substitute", "is required with onBad: substitute")
        served.substitute = encode(place, fields.value("substitute"))
    elif fields.has("substitute"):
        raise fields.refuse("substitute", "means something only with onBad: substitute")
    return served


def check_device(protocol: Protocol, visitors: "list[tuple[str, Served]]") -> None:
    """Two properties may be bits of one register; else each register belongs to one."""
    from edgelite.driver import ConfigurationError

    rows = [(TABLES.index(one.place.table), one.place.offset, index) for index, (_, one) in enumerate(visitors)]
    rows.sort()
    for place in range(1, len(rows)):
        one, other = visitors[rows[place - 1][2]], visitors[rows[place][2]]
        first, second = one[1].place, other[1].place
        if first.table != second.table or second.offset >= first.offset + first.count:
            continue
        if not first.bit_mask or not second.bit_mask or first.bit_mask & second.bit_mask:
            path = "properties[%d].%s.offset" % (rows[place][2], VISITOR_PATH)
            raise ConfigurationError(path, "%s and %s share registers" % (one[0], other[0]))
