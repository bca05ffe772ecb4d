"""Register maps of simulated Modbus slaves, as TOML:

    kind = "modbus"            # may be left out here
    framing = "tcp"            # rtu, ascii: what is spoken if nothing else is said
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
    value = {formula = "t"}    # in their place: one value that changes (edgelite_sim.devices.values); it is read-only
    scale = 0.1                # of `value`: the register has value / scale
    name = "power"             # what it is called where values are told; "holding 0" if nothing is said
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
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields
from edgelite_drivers.modbus_server.table_unit import Range
from edgelite_sim.devices.modbus_range import DELAY_MS_MAX, TABLES, SlaveRange, parse_range
from edgelite_sim.devices.modbus_unit import SlaveUnit
from edgelite_sim.devices.values import Clock, Values

__all__ = ["FAULTS", "Fault", "SlaveMap", "SlaveRange", "SlaveUnit", "parse_map", "read_map"]

FRAMINGS = ("tcp", "rtu", "ascii")
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
_FAULT_FIELDS = ("kind", "unit", "every", "chance", "after", "delay_ms", "code")


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
    framing: str = ""  # "": whatever goes with where it is reached
    clock: Clock = field(default_factory=Clock)


def parse_map(text: str, folder: Path | None = None) -> SlaveMap:
    """ConfigurationError names the path of the first field that is wrong. `folder`: where its recordings are."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError("map", f"is no TOML: {error}") from error
    return read_map(document, Values(Clock(), folder))


def read_map(document: dict[str, Any], values: Values, seed: int | None = None) -> SlaveMap:
    """Of TOML that was parsed; `seed` takes the place of the one in it."""
    fields = Fields(document, "map", ("kind", "framing", "absent", "seed", "unit", "fault"))
    fields.choice("kind", ("modbus",), "modbus")
    found = SlaveMap(
        absent=fields.integer("absent", 0, 255, 11),
        seed=fields.integer("seed", 0, 1 << 31, 1) if seed is None else seed,
        framing=fields.choice("framing", FRAMINGS) if fields.has("framing") else "",
        clock=values.clock,
    )
    values.seed = found.seed
    for index, row in enumerate(_list(document, "unit", "map")):
        path = f"unit[{index}]"
        number = Fields(row, path, (*_UNIT_FIELDS, *IDENTIFICATION)).integer("number", 0, 255)
        if number in found.units:
            raise ConfigurationError(path + ".number", f"{number} is there twice")
        found.units[number] = _unit(row, path, values)
    found.faults = [_fault(row, f"fault[{index}]") for index, row in enumerate(_list(document, "fault", "map"))]
    return found


def _list(table: dict[str, Any], name: str, path: str) -> list[Any]:
    rows = table.get(name, [])
    if not isinstance(rows, list):
        raise ConfigurationError(f"{path}.{name}", "must be a list of tables")
    return rows


def _unit(row: dict[str, Any], path: str, values: Values) -> SlaveUnit:
    fields = Fields(row, path, (*_UNIT_FIELDS, *IDENTIFICATION))
    rows = _list(row, "range", path)
    ranges: list[Range] = [parse_range(one, f"{path}.range[{at}]", values) for at, one in enumerate(rows)]
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
