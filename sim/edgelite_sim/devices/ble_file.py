"""Bluetooth Low Energy peripherals from files:

kind = "ble"
seed = 1

[[peripheral]]
name = "Thermometer"
address = "C4:11:22:33:44:55"
interval_ms = 1000             # between advertisements
connectable = true             # if it has services
advertise = ["181A"]           # UUIDs of services that its advertisements name
bthome = { temperature = { formula = "21 + sin(t / 600)" }, humidity = 50 }   # what it broadcasts, BTHome version 2
refresh_s = 60                 # how often it measures what it broadcasts
data = "1aff4c000215..."       # more AD structures, as hexadecimal digits

[[peripheral.service]]
uuid = "181A"

[[peripheral.service.characteristic]]
uuid = "2A6E"
name = "temperature"           # what it is called where values are told; the UUID if nothing is said
type = "int16"                 # int8 ... uint64, float32, float64, string, bytes
scale = 0.01
value = { formula = "21.5 + 2 * sin(t / 600)" }      # or text = "...", or bytes = "0a0b" in hexadecimal digits
access = "r"                   # "rw", "w", "" for one that is only told by itself
notify_s = 10                  # it tells subscribers its value so often
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import Any

from edgelite.driver import ConfigurationError
from edgelite_drivers.ble.bthome import OBJECTS
from edgelite_drivers.ble.uuids import parse_uuid
from edgelite_drivers.fields import Fields
from edgelite_sim.devices.values import Counter, Value, Values

PERIPHERALS_MAX = 64
ADVERTISEMENT_BYTES_MAX = 31
INTERVAL_MS_MIN, INTERVAL_MS_MAX = 20, 10_240
PERIOD_S_MIN, PERIOD_S_MAX = 0.05, 86_400.0
VALUE_BYTES_MAX = 512
# type: bytes, and whether it has a sign
INTEGERS = {
    f"{sign}int{bits}": (bits // 8, not sign) for bits in (8, 16, 24, 32, 48, 64) for sign in ("", "u")
}  # fmt: skip
FLOAT32_MAX = 3.4e38
FLOATS = {"float32": "<f", "float64": "<d"}
_ADDRESS = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}\Z")
_TOP = ("kind", "seed", "peripheral")
_PERIPHERAL = (
    "name", "address", "interval_ms", "connectable", "advertise", "bthome", "refresh_s", "data", "service",
)  # fmt: skip
_CHARACTERISTIC = ("uuid", "name", "type", "scale", "value", "text", "bytes", "access", "notify_s")


class Codec:
    """A number as bytes, the low one first."""

    def __init__(self, kind: str, scale: float) -> None:
        self.kind = kind
        self.scale = scale

    def encode(self, value: float, wraps: bool = False) -> bytes:
        value = value if self.scale == 1 else value / self.scale
        if self.kind == "float32":
            value = min(max(value, -FLOAT32_MAX), FLOAT32_MAX)
        if self.kind in FLOATS:
            return struct.pack(FLOATS[self.kind], value)
        size, is_signed = INTEGERS[self.kind]
        high = (1 << 8 * size - is_signed) - 1
        value = round(value) % (high + 1) if wraps else value
        number = round(min(max(value, -high - 1 if is_signed else 0), high))
        return number.to_bytes(size, "little", signed=is_signed)

    def decode(self, data: bytes) -> float:
        if self.kind in FLOATS:
            value = struct.unpack(FLOATS[self.kind], data)[0]
        else:
            value = int.from_bytes(data, "little", signed=INTEGERS[self.kind][1])
        return value if self.scale == 1 else float("%.15g" % (value * self.scale))


@dataclass
class Characteristic:
    """`data` is what it holds where it has no `value`; `written` counts what came from outside."""

    uuid: str
    name: str
    codec: Codec | None
    value: Value | None
    data: bytes
    access: str
    notify_s: float
    reads: int = 0
    written: int = 0

    def now(self, now_ms: int) -> bytes:
        """ConfigurationError where there is no value now."""
        if self.value is not None and self.codec is not None:
            self.data = self.codec.encode(self.value.at(now_ms, self.reads), isinstance(self.value, Counter))
        return self.data

    def told(self) -> object:
        if self.codec is not None:
            return self.codec.decode(self.data)
        return self.data.decode("utf-8", "replace")


@dataclass
class Peripheral:
    name: str
    address: str
    interval_ms: int
    is_connectable: bool
    advertised: list[str]
    services: list[tuple[str, list[Characteristic]]] = field(default_factory=list)
    bthome: list[tuple[int, str, Value]] = field(default_factory=list)  # object id, name, value
    refresh_s: float = 60.0
    more: bytes = b""
    packets: int = 0

    def advertisement(self, now_ms: int) -> tuple[bytes, dict[str, object]]:
        """AD structures, and the values in them."""
        told: dict[str, object] = {}
        data = bytes.fromhex("020106") + self.more
        short = [uuid[4:8] for uuid in self.advertised if uuid.endswith("-0000-1000-8000-00805f9b34fb")]
        if short:
            data += _structure(0x03, b"".join(bytes.fromhex(uuid)[::-1] for uuid in short))
        for uuid in self.advertised:
            if uuid[4:8] not in short:
                data += _structure(0x07, bytes.fromhex(uuid.replace("-", ""))[::-1])
        if self.bthome:
            body = bytes.fromhex("d2fc40")
            for number, name, value in self.bthome:
                size, factor = OBJECTS[number][1], OBJECTS[number][2]
                codec = Codec(f"{'' if size < 0 else 'u'}int{abs(size) * 8}", factor or 1)
                piece = codec.encode(value.at(now_ms, self.packets))
                told[name] = codec.decode(piece)
                body += bytes([number]) + piece
            data += _structure(0x16, body)
        room = ADVERTISEMENT_BYTES_MAX - len(data) - 2
        name_data = self.name.encode()
        if room > 0 and name_data:
            data += _structure(0x09 if len(name_data) <= room else 0x08, name_data[:room])
        return data, told


def _structure(kind: int, data: bytes) -> bytes:
    return bytes([len(data) + 1, kind]) + data


def parse_peripherals(document: dict[str, Any], values: Values, seed: int | None) -> list[Peripheral]:
    """ConfigurationError names the path of the first field that is wrong."""
    fields = Fields(document, "ble", _TOP)
    values.seed = fields.integer("seed", 0, 1 << 31, 1) if seed is None else seed
    found: list[Peripheral] = []
    for index, row in enumerate(_tables(document, "peripheral", "ble", 1, PERIPHERALS_MAX)):
        one = _peripheral(row, f"peripheral[{index}]", values)
        if any(other.address == one.address for other in found):
            raise ConfigurationError(f"peripheral[{index}].address", f"{one.address} is there twice")
        found.append(one)
    return found


def _tables(table: Any, name: str, path: str, least: int, most: int) -> list[Any]:
    rows = table.get(name, [])
    if not isinstance(rows, list) or not least <= len(rows) <= most:
        raise ConfigurationError(f"{path}.{name}", f"must be a list of {least} to {most} tables")
    return rows


def _peripheral(row: Any, path: str, values: Values) -> Peripheral:
    fields = Fields(row, path, _PERIPHERAL)
    address = fields.text("address", 17).upper()
    if not _ADDRESS.match(address) or int(address[:2], 16) < 0xC0:
        raise fields.refuse("address", 'must be a static random address, "C0:00:00:00:00:00" to "FF:FF:FF:FF:FF:FF"')
    services = [
        _service(one, f"{path}.service[{index}]", values)
        for index, one in enumerate(_tables(row, "service", path, 0, 32))
    ]
    advertised = row.get("advertise", [])
    if not isinstance(advertised, list) or not all(isinstance(one, str) and parse_uuid(one) for one in advertised):
        raise fields.refuse("advertise", "must be a list of UUIDs")
    found = Peripheral(
        fields.text("name", 29, "") if fields.has("name") else "",
        address,
        fields.integer("interval_ms", INTERVAL_MS_MIN, INTERVAL_MS_MAX, 1000),
        fields.boolean("connectable", bool(services)),
        [parse_uuid(one) for one in advertised],
        services,
        _bthome(row.get("bthome", {}), f"{path}.bthome", values),
        _period_s(fields, "refresh_s", 60.0),
        _hexadecimal(fields, "data"),
    )
    size = len(found.advertisement(values.clock.started_ms)[0])
    if size > ADVERTISEMENT_BYTES_MAX:
        raise ConfigurationError(path, f"advertises {size} bytes, and {ADVERTISEMENT_BYTES_MAX} have room")
    return found


def _bthome(rows: Any, path: str, values: Values) -> list[tuple[int, str, Value]]:
    if not isinstance(rows, dict):
        raise ConfigurationError(path, "must be a map of names and values")
    names: dict[str, int] = {}
    for number, (name, _, factor) in OBJECTS.items():
        if factor >= 0:
            names.setdefault(name, number)
    for name in rows:
        if name not in names:
            raise ConfigurationError(f"{path}.{name}", f"is no measurement; known are {', '.join(sorted(names))}")
    found = [(names[name], name, values.parse(row, f"{path}.{name}")) for name, row in rows.items()]
    return sorted(found, key=lambda one: one[0])


def _service(row: Any, path: str, values: Values) -> tuple[str, list[Characteristic]]:
    fields = Fields(row, path, ("uuid", "characteristic"))
    rows = _tables(row, "characteristic", path, 1, 64)
    return _uuid(fields), [_characteristic(one, f"{path}.characteristic[{at}]", values) for at, one in enumerate(rows)]


def _characteristic(row: Any, path: str, values: Values) -> Characteristic:
    fields = Fields(row, path, _CHARACTERISTIC)
    if sum(fields.has(name) for name in ("value", "text", "bytes")) != 1:
        raise ConfigurationError(path, "needs exactly one of value, text, bytes")
    uuid = _uuid(fields)
    access = str(row.get("access", "r"))
    if access not in ("", "r", "w", "rw"):
        raise fields.refuse("access", 'must be one of "r", "rw", "w", ""')
    codec = value = None
    data = _hexadecimal(fields, "bytes") or str(row.get("text", "")).encode()[:VALUE_BYTES_MAX]
    if fields.has("value"):
        scale = fields.number("scale", 1)
        if not 1e-9 <= scale <= 1e9:
            raise fields.refuse("scale", "must be a number from 1e-9 to 1e9")
        codec = Codec(fields.choice("type", (*INTEGERS, *FLOATS)), scale)
        value = values.parse(row["value"], path + ".value")
        data = codec.encode(value.at(values.clock.started_ms, 0))
        if "w" in access:
            if isinstance(row["value"], dict):
                raise fields.refuse("access", "what a formula, recording or walk computes cannot be written")
            value = None  # it holds what is written
    notify_s = _period_s(fields, "notify_s", 0.0)
    return Characteristic(uuid, fields.text("name", 100, row["uuid"]), codec, value, data, access, notify_s)


def _uuid(fields: Fields) -> str:
    uuid = parse_uuid(fields.text("uuid", 40))
    if not uuid:
        raise fields.refuse("uuid", "must be a UUID of 4, 8 or 32 hexadecimal digits")
    return uuid


def _period_s(fields: Fields, name: str, default: float) -> float:
    period_s = fields.number(name, default)
    if fields.has(name) and not PERIOD_S_MIN <= period_s <= PERIOD_S_MAX:
        raise fields.refuse(name, f"must be a number from {PERIOD_S_MIN:g} to {PERIOD_S_MAX:g}")
    return float(period_s)


def _hexadecimal(fields: Fields, name: str) -> bytes:
    if not fields.has(name):
        return b""
    try:
        return bytes.fromhex(fields.text(name, 2 * VALUE_BYTES_MAX))
    except ValueError as error:
        raise fields.refuse(name, "must be hexadecimal digits") from error
