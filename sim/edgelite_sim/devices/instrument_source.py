"""Serial instruments from files, as devices of the world:

kind = "gps"               # or "scale", "meter62056"
seed = 1                   # of walks
period_s = 1.0             # gps; scale: says its weight so often, without it only when asked

latitude = 48.1173         # gps: each of these is a value (edgelite_sim.devices.values)
longitude = 11.516667
altitude = 545.4           # metres
satellites = 8
speed_kmh = 41.5
course = 84.4              # degrees
fix = 1                    # 0: it has none, and its fields are empty

weight_kg = 1.234          # scale
stable = 1
target_kg = 2.0            # a number: what may be set by "TARGET,1.500"

maker = "EDL"              # meter62056: three letters
model = "SIMULATED-1"
baud = 9600                # that it sends its data at
[[row]]
obis = "1-0:1.8.0*255"
value = 1234.5             # or text = "12345678"
unit = "kWh"
decimals = 3
digits = 6                 # before the point
name = "energy"            # what it is called where values are told; the obis if nothing is said
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields
from edgelite_sim.devices.condition import Condition
from edgelite_sim.devices.gps import Gps
from edgelite_sim.devices.instrument import INSTRUMENT_FAULTS, Instrument, InstrumentChannel
from edgelite_sim.devices.meter62056 import BAUD_CODES, Meter, Row
from edgelite_sim.devices.scale import Scale
from edgelite_sim.devices.source import DeviceSource
from edgelite_sim.devices.values import Values

PERIOD_S_MIN, PERIOD_S_MAX = 0.05, 86_400.0
ROWS_MAX = 200
_GPS_VALUES = {
    "latitude": "latitude",
    "longitude": "longitude",
    "altitude": "altitude",
    "satellites": "satellites",
    "speed_kmh": "speed_kmh",
    "course": "course",
    "fix": "has_fix",
}
_SCALE_VALUES = {"weight_kg": "weight_kg", "stable": "is_stable"}
_ROW_FIELDS = ("obis", "value", "text", "unit", "decimals", "digits", "name")


class InstrumentSource(DeviceSource):
    """One line with one instrument. Whoever opens it anew takes it over: an earlier peer is closed."""

    def __init__(self, kind: str, instrument: Instrument, seed: int) -> None:
        super().__init__(instrument.clock, Condition(INSTRUMENT_FAULTS, random.Random(seed)))
        self.kind = kind
        self.instrument = instrument
        self._peer: InstrumentChannel | None = None

    def make_peer(self, now_ms: int = 0) -> InstrumentChannel:
        if self._peer is not None:
            self._peer.close_reason = "somebody else has opened the line"
            self._peer.ready()
        self._peer = InstrumentChannel(self.instrument, self.condition)
        self._peer.on_answered = lambda: self.on_answered
        self._peer.on_closed = self._closed
        return self._peer

    def current(self, now_ms: int) -> dict[str, object]:
        self.instrument.now_ms = now_ms
        self.instrument.refresh(self.instrument.reads - 1)
        return self.instrument.readings()

    def peers(self) -> list[InstrumentChannel]:
        return [] if self._peer is None else [self._peer]

    def _closed(self, peer: InstrumentChannel) -> None:
        if peer is self._peer:
            self._peer = None


def make_instrument(kind: str, document: dict[str, Any], values: Values, seed: int | None) -> InstrumentSource:
    known: tuple[str, ...] = ("kind", "seed", *_KNOWN[kind])
    fields = Fields(document, kind, known)
    values.seed = fields.integer("seed", 0, 1 << 31, 1) if seed is None else seed
    instrument = _MAKERS[kind](document, fields, values)
    instrument.clock = values.clock
    return InstrumentSource(kind, instrument, values.seed)


def _period_s(fields: Fields, default: float) -> float:
    period_s = fields.number("period_s", default)
    if not PERIOD_S_MIN <= period_s <= PERIOD_S_MAX:
        raise fields.refuse("period_s", f"must be a number from {PERIOD_S_MIN:g} to {PERIOD_S_MAX:g}")
    return float(period_s)


def _set_values(instrument: Instrument, document: dict[str, Any], values: Values, names: dict[str, str]) -> None:
    for name, attribute in names.items():
        if name in document:
            instrument.values[attribute] = values.parse(document[name], name)
    instrument.refresh()


def _gps(document: dict[str, Any], fields: Fields, values: Values) -> Gps:
    gps = Gps(_period_s(fields, 1.0))
    _set_values(gps, document, values, _GPS_VALUES)
    for name, limit in (("latitude", 90), ("longitude", 180)):
        if not -limit <= getattr(gps, name) <= limit:
            raise fields.refuse(name, f"must be degrees from -{limit} to {limit}")
    return gps


def _scale(document: dict[str, Any], fields: Fields, values: Values) -> Scale:
    scale = Scale(_period_s(fields, 1.0) if fields.has("period_s") else None)
    scale.target_kg = float(fields.number("target_kg", 2.0))
    _set_values(scale, document, values, _SCALE_VALUES)
    return scale


def _meter(document: dict[str, Any], fields: Fields, values: Values) -> Meter:
    meter = Meter()
    meter.energy_kwh = None
    meter.maker = _ascii(fields, "maker", 3, "EDL")
    if len(meter.maker) != 3:
        raise fields.refuse("maker", "must be three letters")
    meter.model = _ascii(fields, "model", 16, "SIMULATED-1")
    meter.baud_rate = fields.integer("baud", 300, 19200, 9600)
    if meter.baud_rate not in BAUD_CODES:
        raise fields.refuse("baud", f"must be one of {', '.join(map(str, BAUD_CODES))}")
    rows = document.get("row")
    if not isinstance(rows, list) or not 0 < len(rows) <= ROWS_MAX:
        raise fields.refuse("row", f"must be 1 to {ROWS_MAX} tables")
    meter.rows = [_row(row, f"row[{index}]", values) for index, row in enumerate(rows)]
    meter.refresh()
    return meter


def _row(row: Any, path: str, values: Values) -> Row:
    fields = Fields(row, path, _ROW_FIELDS)
    if fields.has("value") == fields.has("text"):
        raise ConfigurationError(path, "needs either value or text")
    made = Row(
        _ascii(fields, "obis", 32),
        values.parse(row["value"], path + ".value") if fields.has("value") else None,
        _ascii(fields, "unit", 16) if fields.has("unit") else "",
        fields.integer("decimals", 0, 9, 3),
        fields.integer("digits", 1, 12, 6),
        _ascii(fields, "text", 128) if fields.has("text") else "",
    )
    made.name = fields.text("name", 100, made.obis)
    return made


def _ascii(fields: Fields, name: str, size_max: int, default: str | None = None) -> str:
    text = fields.text(name, size_max, default)
    if not text.isascii() or not text.isprintable():
        raise fields.refuse(name, "must be printable ASCII")
    return text


_KNOWN: dict[str, tuple[str, ...]] = {
    "gps": ("period_s", *_GPS_VALUES),
    "scale": ("period_s", "target_kg", *_SCALE_VALUES),
    "meter62056": ("maker", "model", "baud", "row"),
}
_MAKERS: dict[str, Callable[[dict[str, Any], Fields, Values], Instrument]] = {
    "gps": _gps,
    "scale": _scale,
    "meter62056": _meter,
}
