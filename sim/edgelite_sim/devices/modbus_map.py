"""Register maps of simulated Modbus slaves, as TOML:

    absent = 11                # TCP: the exception for units that are not here (11); 0: silence
    seed = 1                   # of `chance`

    [[unit]]
    number = 1
    vendor = "Example"         # and product, revision, url, name, model: function 43/14; also server_id (17)
    exception_status = 0       # function 7
    delay_ms = 0               # before each answer
    dead = false               # true: answers nothing
    one_range_only = false     # true: refuses a request across two ranges, as devices that read block by block
    max_registers = 125        # refuses to give more at once (exception 3)

    [[unit.range]]
    table = "holding"          # coils, discrete, holding, input
    address = 0                # as on the wire
    type = "uint16"            # int16 ... float64, string, bool (coils, discrete)
    values = [1, 2]            # or count = 2 for as many zeros; string: one text, padded to `count` registers
    access = "rw"              # or "r"; coils and holding registers are "rw" if nothing else is said
    byte_swap = false
    register_swap = false
    exception = 0              # any access is refused with this
    dead = false               # a request that touches it is not answered
    delay_ms = 0               # a request that touches it is answered so much later

    [[fault]]
    kind = "silent"            # late, twice, noise, bad_crc, exception, wrong_transaction, wrong_unit, short, drop
    unit = 1                   # only of this unit
    every = 10                 # each tenth request; or chance = 0.1
    after = 0                  # not before so many requests
    delay_ms = 1500            # late
    code = 6                   # exception

Addresses that no range has are refused with exception 2.
"""

from __future__ import annotations

import random
import struct
import tomllib
from dataclasses import dataclass, field
from typing import Any

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields
from edgelite_drivers.modbus.pdu import ExceptionAnswer
from edgelite_drivers.modbus.representation import TYPES
from edgelite_drivers.modbus_server.answers import ILLEGAL_VALUE
from edgelite_drivers.modbus_server.table_unit import Range, TableUnit

TABLES = {"coils": 1, "discrete": 2, "holding": 3, "input": 4}
FAULTS = (
    "silent",
    "late",
    "twice",
    "noise",
    "bad_crc",
    "exception",
    "wrong_transaction",
    "wrong_unit",
    "short",
    "drop",
)
ADDRESSES = 65536
DELAY_MS_MAX = 600_000
IDENTIFICATION = {"vendor": 0, "product": 1, "revision": 2, "url": 3, "name": 4, "model": 5}
_UNIT_FIELDS = (
    "number",
    "delay_ms",
    "dead",
    "one_range_only",
    "max_registers",
    "server_id",
    "exception_status",
    "range",
)
_RANGE_FIELDS = ("table", "address", "type", "values", "count", "access", "byte_swap", "register_swap")
_BEHAVIOUR = ("exception", "dead", "delay_ms")
_FAULT_FIELDS = ("kind", "unit", "every", "chance", "after", "delay_ms", "code")


class SlaveRange(Range):
    is_dead = False
    delay_ms = 0


class SlaveUnit(TableUnit):
    """`touched` are the ranges that the request under way has touched."""

    is_dead = False
    delay_ms = 0
    registers_max = 125

    def __init__(self, ranges: list[Range], one_range_only: bool) -> None:
        super().__init__(ranges, one_range_only)
        self.touched: list[Range] = []

    def parts(self, table: int, address: int, count: int) -> list[Range]:
        if table > 2 and count > self.registers_max:
            raise ExceptionAnswer(ILLEGAL_VALUE)
        found = super().parts(table, address, count)
        self.touched += found
        return found


@dataclass(slots=True)
class Fault:
    kind: str
    unit: int | None = None
    every: int = 1
    chance: float = 1.0
    after: int = 0
    delay_ms: int = 0
    code: int = 6
    seen: int = 0

    def strikes(self, unit: int, draw: random.Random) -> bool:
        if self.unit is not None and unit != self.unit:
            return False
        self.seen += 1
        return self.seen > self.after and self.seen % self.every == 0 and draw.random() < self.chance


@dataclass(slots=True)
class SlaveMap:
    units: dict[int, SlaveUnit] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    absent: int = 11
    seed: int = 1


def parse_map(text: str) -> SlaveMap:
    """ConfigurationError names the path of the first field that is wrong."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError("map", f"is no TOML: {error}") from error
    fields = Fields(document, "map", ("absent", "seed", "unit", "fault"))
    found = SlaveMap(absent=fields.integer("absent", 0, 255, 11), seed=fields.integer("seed", 0, 1 << 31, 1))
    for index, row in enumerate(_list(document, "unit", "map")):
        path = f"unit[{index}]"
        number = Fields(row, path, (*_UNIT_FIELDS, *IDENTIFICATION)).integer("number", 0, 255)
        if number in found.units:
            raise ConfigurationError(path + ".number", f"{number} is there twice")
        found.units[number] = _unit(row, path)
    found.faults = [_fault(row, f"fault[{index}]") for index, row in enumerate(_list(document, "fault", "map"))]
    return found


def _list(table: dict[str, Any], name: str, path: str) -> list[Any]:
    rows = table.get(name, [])
    if not isinstance(rows, list):
        raise ConfigurationError(f"{path}.{name}", "must be a list of tables")
    return rows


def _unit(row: dict[str, Any], path: str) -> SlaveUnit:
    fields = Fields(row, path, (*_UNIT_FIELDS, *IDENTIFICATION))
    ranges: list[Range] = [_range(one, f"{path}.range[{at}]") for at, one in enumerate(_list(row, "range", path))]
    _must_be_apart(ranges, path)
    unit = SlaveUnit(ranges, fields.boolean("one_range_only", False))
    unit.is_dead = fields.boolean("dead", False)
    unit.delay_ms = fields.integer("delay_ms", 0, DELAY_MS_MAX, 0)
    unit.registers_max = fields.integer("max_registers", 1, 125, 125)
    unit.exception_status = fields.integer("exception_status", 0, 255, 0)
    unit.server_id = fields.text("server_id", 240, "edgelite").encode()
    for name, number in IDENTIFICATION.items():
        if fields.has(name):
            unit.identification[number] = fields.text(name, 240).encode()
    return unit


def _must_be_apart(ranges: list[Range], path: str) -> None:
    for table in TABLES.values():
        end = 0
        for one in sorted((one for one in ranges if one.table == table), key=lambda one: one.address):
            if one.address < end:
                raise ConfigurationError(path + ".range", f"address {one.address} of table {table} is there twice")
            end = one.end


def _range(row: Any, path: str) -> SlaveRange:
    fields = Fields(row, path, (*_RANGE_FIELDS, *_BEHAVIOUR))
    table = TABLES[fields.choice("table", TABLES)]
    kind = fields.choice("type", TYPES, "bool" if table <= 2 else "uint16")
    data = _data(fields, row, path, kind, table)
    access = fields.choice("access", ("r", "rw"), "rw" if table in (1, 3) else "r")
    if access == "rw" and table in (2, 4):
        raise ConfigurationError(path + ".access", "discrete inputs and input registers cannot be written")
    found = SlaveRange(table, fields.integer("address", 0, ADDRESSES - 1), data, access == "rw")
    if found.end > ADDRESSES:
        raise ConfigurationError(path + ".address", f"the last address would be {found.end - 1}, above 65535")
    found.exception = fields.integer("exception", 0, 255, 0)
    found.is_dead = fields.boolean("dead", False)
    found.delay_ms = fields.integer("delay_ms", 0, DELAY_MS_MAX, 0)
    return found


def _data(fields: Fields, row: dict[str, Any], path: str, kind: str, table: int) -> bytes:
    if (table <= 2) != (kind == "bool"):
        raise ConfigurationError(path + ".type", f"{kind} is nothing for this table")
    values = row.get("values", [])
    values = values if isinstance(values, list) else [values]
    code = TYPES[kind][0]
    if kind in ("string", "bytes"):
        text = "".join(str(value) for value in values).encode()
        return text.ljust(2 * fields.integer("count", 1, ADDRESSES, max(1, (len(text) + 1) // 2)), b"\0")
    values = values or [0] * fields.integer("count", 1, ADDRESSES)
    if kind == "bool":
        return bytes(1 if value else 0 for value in values)
    try:
        return b"".join(_swapped(struct.pack(">" + code, value), fields) for value in values)
    except (struct.error, OverflowError) as error:
        raise ConfigurationError(path + ".values", f"{kind}: {error}") from error


def _swapped(data: bytes, fields: Fields) -> bytes:
    words = [data[index : index + 2] for index in range(0, len(data), 2)]
    if fields.boolean("register_swap", False):
        words.reverse()
    return b"".join(word[::-1] if fields.boolean("byte_swap", False) else word for word in words)


def _fault(row: Any, path: str) -> Fault:
    fields = Fields(row, path, _FAULT_FIELDS)
    chance = fields.number("chance", 1.0)
    if not 0 <= chance <= 1:
        raise ConfigurationError(path + ".chance", "must be a number from 0 to 1")
    return Fault(
        fields.choice("kind", FAULTS),
        fields.integer("unit", 0, 255) if fields.has("unit") else None,
        fields.integer("every", 1, 1_000_000, 1),
        float(chance),
        fields.integer("after", 0, 1_000_000, 0),
        fields.integer("delay_ms", 0, DELAY_MS_MAX, 0),
        fields.integer("code", 1, 255, 6),
    )
