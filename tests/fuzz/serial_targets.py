"""What a serial driver decodes: frames, fields, a meter's data, and its bus as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Function = Callable[[bytes], None]

NMEA_SUM = {"name": "xor", "encoding": "hex", "from": 1, "to": -5, "at": -4}
FRAMINGS: tuple[tuple[dict[str, Any] | None, object], ...] = (
    (None, None),
    ({"start": "$", "end": "\r\n", "maxBytes": 40}, NMEA_SUM),
    ({"start": "\x02", "end": "\x03", "trailer": 1, "maxBytes": 40}, {"name": "xor", "from": 1}),
    ({"start": "\xaa\x55", "length": 6}, "crc16-modbus"),
    ({"start": "\xaa", "lengthField": {"at": 1, "size": 2, "order": "little", "add": 3}, "maxBytes": 40}, None),
    ({"lengthField": {"at": 0, "add": 1}, "maxBytes": 40}, "sum"),
    ({"idleGapMs": 5}, "lrc"),
)
PATTERNS = (
    "{:2}GGA,{},{value:ddmm},{value:sign},",
    "{value:float}kg",
    "{value:int}{:1}{other:hex}",
    "{value:bcd 3 le}{other:f32}",
    "{value:f64}{other:i24 le}",
    "{value:u64}{other:text 3}{rest:bytes}",
    "{}={value:float comma};{other}",
)


def serial_frames() -> Function:
    from edgelite_drivers.serial import checksum, framing

    made = []
    for config, sum_config in FRAMINGS:
        one = framing.check(config, "framing")
        one.checksum = checksum.check(sum_config, "checksum") if sum_config else None
        made.append(one)

    def function(data: bytes) -> None:
        """The first byte chooses the framing, the second where the rest is cut in two."""
        chosen = made[data[0] % len(made)] if data else made[0]
        framer = framing.Framer(chosen)
        cut = 2 + data[1] if len(data) > 1 else 2
        for now_ms, piece in ((0, data[2:cut]), (3, data[cut:])):
            framer.feed(piece, now_ms)
            content = framer.next_frame(now_ms)
            while content is not None:
                assert len(content) <= chosen.bytes_max
                content = framer.next_frame(now_ms)
        framer.next_frame(1000)

    return function


def serial_patterns() -> Function:
    from edgelite_drivers.serial.pattern import Pattern

    made = [Pattern(text, "pattern") for text in PATTERNS]

    def function(data: bytes) -> None:
        chosen = made[data[0] % len(made)] if data else made[0]
        found = chosen.match(data[1:])
        if found is not None:
            values, errors = found
            assert sorted([*values, *errors]) == sorted(chosen.names)

    return function


def serial_pattern_texts() -> Function:
    """What a user writes: refused as a configuration, or a pattern that can be matched."""
    from edgelite.driver import ConfigurationError
    from edgelite_drivers.serial.pattern import Pattern, Template

    def function(data: bytes) -> None:
        text = data.decode("latin-1")
        for kind in (Pattern, Template):
            try:
                made: Any = kind(text, "pattern")
            except ConfigurationError as error:
                assert error.path == "pattern"
                continue
            if kind is Pattern:
                made.match(data)

    return function


def serial_obis() -> Function:
    from edgelite_drivers.serial.config import check_visitor
    from edgelite_protocol.messages import PROPERTY_TYPE

    visitors = [
        check_visitor({"obis": "1.8.0", "unit": "kWh"}, {PROPERTY_TYPE: "FLOAT"}),
        check_visitor({"obis": "24.2.1", "group": 2}, {PROPERTY_TYPE: "STRING"}),
    ]

    def function(data: bytes) -> None:
        for visitor in visitors:
            fits, value, error = visitor.read(data)
            assert value is None or (fits and not error)

    return function


def serial_bus() -> Function:
    from edgelite.driver import Request
    from edgelite_drivers import serial
    from edgelite_protocol.messages import PROPERTY_TYPE

    kind: dict[int, object] = {PROPERTY_TYPE: "FLOAT"}
    heard: dict[str, object] = {"a": serial.check_visitor({"listen": True, "pattern": PATTERNS[0]}, kind)}
    read: dict[str, object] = {"energy": serial.check_visitor({"obis": "1.8.0"}, kind)}
    config = {
        "serialPort": "/dev/ttyS0",
        "framing": {"start": "\x02", "end": "\x03", "trailer": 1},
        "checksum": {"name": "xor", "from": 1},
        "wakeUp": [
            {"send": "/?!\r\n"},
            {"expect": "/{:3}{code:1}{type}"},
            {"send": "\x060{code}0\r\n"},
            {"baudRate": "code", "bauds": {"5": 9600}},
        ],
    }

    def function(data: bytes) -> None:
        protocol = serial.check_protocol(config)
        bus: Any = serial.make_bus(protocol.target, bytes)
        bus.listen(Request(1, protocol, heard), 0)
        bus.submit(Request(2, protocol, read), 0)
        bus.opened(0)
        now_ms = 0
        for piece in (b"/XYZ5m\r\n", data[: len(data) // 2], data[len(data) // 2 :]):
            bus.received(piece, now_ms)
            bus.wants_settings(now_ms)
            bus.step(now_ms)
            now_ms += 10
        bus.closed("gone", now_ms)
        numbers = []
        while (result := bus.next_result()) is not None:
            numbers.append(result.number)
        assert numbers.count(2) == 1, "each question has one result"

    return function
