"""The pattern language of the serial driver, and its templates."""

from edgelite.driver import ConfigurationError
from edgelite_drivers.serial import check_visitor, same_value
from edgelite_drivers.serial.checksum import check as check_checksum
from edgelite_drivers.serial.pattern import Pattern, Template
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def matched(pattern: str, data: bytes) -> "Any":
    return Pattern(pattern, "pattern").match(data)


def value(pattern: str, data: bytes) -> "Any":
    found = matched(pattern, data)
    assert found is not None, "does not fit"
    assert not found[1], found[1]
    return found[0]["value"]


def near(one: float, other: float) -> bool:
    return abs(one - other) < 1e-4


def test_literals_and_fields() -> None:
    assert value("T={value:float};", b"T=21.5;rest") == 21.5
    assert value("{:2}GGA,{},{value},", b"GPGGA,1,abc,") == "abc"
    assert value("{{{value}}}", b"{x}") == "x"
    assert value("{}Temp:{value:int}", b"noise Temp: 12 C") == 12
    assert matched("T={value:float}", b"H=21.5") is None
    assert matched("{value:4}x", b"abc") is None, "cut short"
    assert matched("{value},", b"no end") is None


def test_numbers_as_instruments_write_them() -> None:
    assert value("{value:float}kg", b"+  1.234kg") == 1.234
    assert value("{value:float}", b"  -0.5E+2 ") == -50.0
    assert value("{value:float comma}", b"3,25") == 3.25
    assert value("{value:int}", b"-007,") == -7
    assert value("{value:hex 4}", b"01fFx") == 511
    assert value("{value:hex}", b" 1F,") == 31
    assert value("{value:float}", b".5") == 0.5
    assert value("{value:float}", b"5.") == 5.0
    assert value("{value:float}{:1}", b"1e") == 1.0, "an exponent without digits is none"


def test_degrees_of_nmea() -> None:
    pattern = "{value:ddmm},{value:sign},"
    assert near(value(pattern, b"4807.038,N,"), 48.1173)
    assert near(value(pattern, b"01131.000,W,"), -11.516667)
    assert near(value(pattern, b"0000.600,S,"), -0.01)
    assert matched(pattern, b",,") == ({}, {"value": "the field is empty"})
    assert matched(pattern, b"4807.038,X,") is None
    assert matched("{value:ddmm},", b"4860.0,") == ({}, {"value": "the field holds no degrees and minutes"})


def test_binary_numbers() -> None:
    data = b"\x01\x02\x03\x04\x80\x00\x00\x00"
    assert value("{value:u8}", data) == 1
    assert value("{value:u16}", data) == 0x0102
    assert value("{value:u16 le}", data) == 0x0201
    assert value("{value:u24}", data) == 0x010203
    assert value("{:4}{value:i32}", data) == -(1 << 31)
    assert value("{value:i64 le}", b"\xff" * 8) == -1
    assert value("{value:f32}", b"\x41\xac\0\0") == 21.5
    assert value("{value:f32 le}", b"\0\0\xac\x41") == 21.5
    assert value("{value:bcd 3}", b"\x01\x23\x45") == 12345
    assert value("{value:bcd 2 le}", b"\x45\x01") == 145
    assert matched("{value:bcd 1}", b"\x1a") == ({}, {"value": "the field holds no number"})
    assert matched("{value:f32}", b"\x7f\xc0\0\0") == ({}, {"value": "the field holds no number"})
    assert value("{value:bytes 2}", b"\0\xff") == b"\0\xff"
    assert matched("{value:2}", b"\0\xff") == ({}, {"value": "the field holds no printable ASCII text"})


def test_patterns_that_are_none_are_refused_with_the_reason() -> None:
    for pattern, reason in (
        ("{value", "has a { without its }"),
        ("value}", "has a } without its {"),
        ("{value:flaot}", "what is 'flaot'"),
        ("{value:int 0}", "what is '0'"),
        ("{a}{b}", "a field without width needs a literal behind it"),
        ("{}{value:int}", "a field without width needs a literal behind it"),
        ("{a:int},{a:int}", "has two fields of the name a"),
        ("{value:bcd}", "bcd needs a width"),
        ("\u20ac{value}", "a byte for each character"),
        ("{:1}" * 49, "more than 48 parts"),
        ("", "1 to 256 characters"),
    ):
        try:
            Pattern(pattern, "pattern")
        except ConfigurationError as error:
            assert error.path == "pattern" and reason in error.text, (pattern, error.text)
        else:
            raise AssertionError(pattern)


def test_templates() -> None:
    assert Template("SP {value:float .1}\r\n", "write").data({"value": 21.55}) in (b"SP 21.6\r\n", b"SP 21.5\r\n")
    assert Template("{value:hex 4}", "write").data({"value": 511}) == b"01FF"
    assert Template("{value:int 5}", "write").data({"value": 42}) == b"00042"
    assert Template("{value:u16 le}", "write").data({"value": 0x0102}) == b"\x02\x01"
    assert Template("{value:i8}", "write").data({"value": -1}) == b"\xff"
    assert Template("{value:bcd 2}", "write").data({"value": 1234}) == b"\x12\x34"
    assert Template("{value:f32}", "write").data({"value": 21.5}) == b"\x41\xac\0\0"
    assert Template("{value}", "write").data({"value": True}) == b"true"
    assert Template("{value:float comma}", "write").data({"value": 1.5}) == b"1,5"


def test_a_template_with_a_checksum() -> None:
    checksum = check_checksum({"name": "xor", "encoding": "hex", "from": 1, "to": -5, "at": -4}, "checksum")
    data = Template("$PMTK220,{value:int}*{checksum}\r\n", "write").data({"value": 1000}, checksum)
    assert data == b"$PMTK220,1000*1F\r\n"
    assert checksum.fits(data)


def test_values_that_a_template_cannot_hold() -> None:
    for template, bad in (
        ("{value:u8}", 256),
        ("{value:u8}", -1),
        ("{value:i8}", 128),
        ("{value:bcd 1}", 100),
        ("{value:hex 2}", 256),
        ("{value:hex}", -1),
        ("{value:int 2}", 100),
        ("{value:float}", "warm"),
        ("{value:f32}", 1e300),
        ("{value:2}", "abc"),
        ("{value}", "\u20ac"),
    ):
        try:
            Template(template, "write").data({"value": bad})
        except ConfigurationError as error:
            assert error.path == "value", error.path
        else:
            raise AssertionError((template, bad))


def test_scale_offset_and_named_values() -> None:
    visitor = check_visitor(
        {"pattern": "{value:int}", "scale": 0.1, "offset": -40, "write": "{value:int}"},
        {PROPERTY_TYPE: "FLOAT", PROPERTY_WRITABLE: True},
    )
    assert visitor.read(b"615") == (True, 615 * 0.1 - 40, "")
    assert visitor.frame(21.5, None) == b"615"
    assert same_value(visitor, 21.5, 21.52) and not same_value(visitor, 21.5, 21.7)
    named = check_visitor(
        {"pattern": "{value}", "values": {"ON": True, "OFF": False}, "write": "{value}"},
        {PROPERTY_TYPE: "BOOLEAN", PROPERTY_WRITABLE: True},
    )
    assert named.read(b"ON") == (True, True, "")
    assert named.read(b"ERR") == (True, None, "'ERR' is none of its values")
    assert named.frame(False, None) == b"OFF"


def test_obis_codes() -> None:
    data = (
        b"0.0.0(12345678)\r\n1-0:1.8.0*255(000123.4*kWh)\r\n1-0:11.8.0*255(5*kWh)\r\n"
        b"0-1:24.2.1(101209112500W)(12785.123*m3)\r\n!\r\n"
    )

    def read(config: "dict[str, Any]", type: str = "FLOAT") -> object:
        return check_visitor(config, {PROPERTY_TYPE: type}).read(data)

    assert read({"obis": "1.8.0", "unit": "kWh"}) == (True, 123.4, "")
    assert read({"obis": "1-0:1.8.0*255"}) == (True, 123.4, "")
    assert read({"obis": "24.2.1", "group": 2, "unit": "m3"}) == (True, 12785.123, "")
    assert read({"obis": "0.0.0"}, "STRING") == (True, "12345678", "")
    assert read({"obis": "0.0.0"}, "INT") == (True, 12345678, "")
    assert read({"obis": "1.8.0", "unit": "Wh"}) == (True, None, "its unit is not Wh")
    assert read({"obis": "8.0"}) == (True, None, "the answer has no 8.0"), "no part of a code"
    assert read({"obis": "24.2.1"}) == (True, None, "the field holds no number"), "a time is no number"
    visitor = check_visitor({"obis": "1.8.0"}, {PROPERTY_TYPE: "FLOAT"})
    assert visitor.read(b"1.8.0(000123.4*kWh") == (True, None, "the answer has no 1.8.0"), "cut short"
    assert visitor.read(b"ERROR") == (False, None, "the answer has no 1.8.0")
