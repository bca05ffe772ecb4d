"""Ranges of a simulated slave's registers: what stands in them, fixed or computed when somebody reads it."""

from __future__ import annotations

import struct
from typing import Any

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields
from edgelite_drivers.modbus.pdu import ExceptionAnswer
from edgelite_drivers.modbus.representation import TYPES
from edgelite_drivers.modbus_server.answers import SERVER_FAILURE
from edgelite_drivers.modbus_server.table_unit import Range
from edgelite_sim.devices.values import Counter, Value, Values

TABLES = {"coils": 1, "discrete": 2, "holding": 3, "input": 4}
TABLE_NAMES = {number: name for name, number in TABLES.items()}
ADDRESSES = 65536
DELAY_MS_MAX = 600_000
SCALE_MIN, SCALE_MAX = 1e-9, 1e9
_RANGE_FIELDS = ("table", "address", "type", "values", "count", "access", "byte_swap", "register_swap")
_LIVE_FIELDS = ("value", "scale", "name")
_BEHAVIOUR = ("exception", "dead", "delay_ms")


class Layout:
    """How a number lies in registers: its type, the order of bytes and registers, and what a count of 1 means."""

    def __init__(self, kind: str, byte_swap: bool, register_swap: bool, scale: float = 1.0) -> None:
        self.kind = kind
        self.scale = scale
        code, _, self.low, self.high = TYPES[kind]
        self.is_integer = code not in ("", "f", "d")
        self._struct = struct.Struct(">" + (code or "?"))
        order = list(range(self._struct.size))
        if register_swap:
            order = [place for word in reversed(range(0, len(order), 2)) for place in order[word : word + 2]]
        if byte_swap and len(order) > 1:
            order = [order[place ^ 1] for place in range(len(order))]
        self._order = order if order != sorted(order) else None

    @property
    def size_bytes(self) -> int:
        return self._struct.size

    def encode(self, value: Any) -> bytes:
        """struct.error or OverflowError where the type cannot hold it."""
        data = self._struct.pack(value)
        return data if self._order is None else bytes([data[place] for place in self._order])

    def hold(self, value: float, wraps: bool) -> bytes:
        """What the register has of a value in its unit: the nearest that it can hold; a counter begins again at 0."""
        if self.scale != 1.0:
            value /= self.scale
        if self.is_integer:
            if wraps:
                value = round(value) % (self.high + 1)
            value = round(min(max(value, self.low), self.high))
        try:
            return self.encode(value)
        except OverflowError:
            return self.encode(float("inf") if value > 0 else float("-inf"))

    def decode(self, data: bytes | bytearray) -> int | float | bool:
        if self._order is not None:
            turned = bytearray(len(data))
            for place, byte in zip(self._order, data, strict=True):
                turned[place] = byte
            data = bytes(turned)
        (value,) = self._struct.unpack(data)
        return value if self.scale == 1.0 else float("%.15g" % (value * self.scale))


class SlaveRange(Range):
    is_dead = False
    delay_ms = 0
    name = ""
    layout: Layout | None = None  # None: a text
    reads = 0  # that were answered and had all of it

    def refresh(self, now_ms: int) -> None:
        """Make `data` what it is now."""

    def told(self) -> object:
        """What its bytes say: a value, a text, or a list of values."""
        layout = self.layout
        if layout is None:
            return bytes(self.data).rstrip(b"\0").decode("utf-8", "replace")
        size = layout.size_bytes
        if len(self.data) == size:
            return layout.decode(self.data)
        return [layout.decode(self.data[at : at + size]) for at in range(0, len(self.data), size)]


class LiveRange(SlaveRange):
    """One value that is computed at each read."""

    def __init__(self, table: int, address: int, layout: Layout, value: Value) -> None:
        super().__init__(table, address, bytes(layout.size_bytes))
        self.layout: Layout = layout
        self.value = value
        self._wraps = isinstance(value, Counter)

    def refresh(self, now_ms: int) -> None:
        try:
            value = self.value.at(now_ms, self.reads)
            self.data[:] = self.layout.hold(value, self._wraps)
        except (ConfigurationError, ValueError) as error:  # no value now, or what is no number
            raise ExceptionAnswer(SERVER_FAILURE) from error


def parse_range(row: Any, path: str, values: Values) -> SlaveRange:
    fields = Fields(row, path, (*_RANGE_FIELDS, *_LIVE_FIELDS, *_BEHAVIOUR))
    table = TABLES[fields.choice("table", TABLES)]
    kind = fields.choice("type", TYPES, "bool" if table <= 2 else "uint16")
    if (table <= 2) != (kind == "bool"):
        raise ConfigurationError(path + ".type", f"{kind} is nothing for this table")
    address = fields.integer("address", 0, ADDRESSES - 1)
    layout = None
    if kind not in ("string", "bytes"):
        scale = _scale(fields)
        layout = Layout(kind, fields.boolean("byte_swap", False), fields.boolean("register_swap", False), scale)
    access = fields.choice("access", ("r", "rw"), "rw" if table in (1, 3) and not fields.has("value") else "r")
    if access == "rw" and table in (2, 4):
        raise ConfigurationError(path + ".access", "discrete inputs and input registers cannot be written")
    if fields.has("value"):
        found = _live(fields, row, path, address, table, layout, values)
    else:
        found = SlaveRange(table, address, _data(fields, row, path, layout), access == "rw")
        found.layout = layout
    if found.end > ADDRESSES:
        raise ConfigurationError(path + ".address", f"the last address would be {found.end - 1}, above 65535")
    found.name = fields.text("name", 100, f"{TABLE_NAMES[table]} {address}")
    found.exception = fields.integer("exception", 0, 255, 0)
    found.is_dead = fields.boolean("dead", False)
    found.delay_ms = fields.integer("delay_ms", 0, DELAY_MS_MAX, 0)
    return found


def _scale(fields: Fields) -> float:
    scale = fields.number("scale", 1.0)
    if not SCALE_MIN <= scale <= SCALE_MAX or (scale != 1.0 and not fields.has("value")):
        raise fields.refuse("scale", f"must be a number from {SCALE_MIN:g} to {SCALE_MAX:g}, beside a `value`")
    return scale


def _live(
    fields: Fields, row: dict[str, Any], path: str, address: int, table: int, layout: Layout | None, values: Values
) -> SlaveRange:
    for name in ("values", "count"):
        if fields.has(name):
            raise ConfigurationError(f"{path}.{name}", "is nothing beside `value`, which is one value")
    if layout is None:
        raise ConfigurationError(path + ".type", "a text has no `value` that changes; give `values`")
    if fields.choice("access", ("r", "rw"), "r") == "rw":
        raise ConfigurationError(path + ".access", "what a `value` computes cannot be written")
    return LiveRange(table, address, layout, values.parse(row["value"], path + ".value"))


def _data(fields: Fields, row: dict[str, Any], path: str, layout: Layout | None) -> bytes:
    values = row.get("values", [])
    values = values if isinstance(values, list) else [values]
    if layout is None:
        text = "".join(str(value) for value in values).encode()
        return text.ljust(2 * fields.integer("count", 1, ADDRESSES, max(1, (len(text) + 1) // 2)), b"\0")
    values = values or [0] * fields.integer("count", 1, ADDRESSES)
    if layout.kind == "bool":
        return bytes(1 if value else 0 for value in values)
    try:
        return b"".join(layout.encode(value) for value in values)
    except (struct.error, OverflowError) as error:
        raise ConfigurationError(path + ".values", f"{layout.kind}: {error}") from error
