"""Types, byte orders and scales: register bytes on the left, the value on the right, both ways."""

import struct

from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus import check_visitor, same_value
from edgelite_drivers.modbus.values import ValueRefused, decode, encode
from edgelite_protocol import messages
from edgelite_protocol.values import to_text


def visitor(property_type, **config):
    config["register"] = config.get("register", "HoldingRegister")
    config["offset"] = 0
    return check_visitor(config, {messages.PROPERTY_TYPE: property_type})


ROWS = (
    ("INT", {}, "8000", -32768),
    ("INT", {"type": "uint16"}, "8000", 32768),
    ("INT", {"limit": 2}, "fffffffe", -2),
    ("INT", {"type": "uint32"}, "fffffffe", 4294967294),
    ("INT", {"limit": 4}, "8000000000000000", -9223372036854775808),
    ("INT", {"type": "uint64"}, "ffffffffffffffff", 18446744073709551615),
    ("INT", {"type": "int16", "scale": 10}, "ffff", -10),
    ("FLOAT", {"limit": 2}, "43660000", 230.0),
    ("FLOAT", {"limit": 2, "isRegisterSwap": True}, "00004366", 230.0),
    ("FLOAT", {"limit": 2, "isSwap": True}, "66430000", 230.0),
    ("FLOAT", {"limit": 2, "isSwap": True, "isRegisterSwap": True}, "00006643", 230.0),
    ("DOUBLE", {"limit": 4}, "400921fb54442d18", 3.141592653589793),
    ("DOUBLE", {"type": "float64", "isRegisterSwap": True}, "2d18544421fb4009", 3.141592653589793),
    ("FLOAT", {"scale": 0.5}, "0003", 1.5),
    ("BOOLEAN", {"type": "bool"}, "0001", True),
    ("BOOLEAN", {}, "0000", False),
    ("BOOLEAN", {"register": "CoilRegister"}, "0001", True),
    ("STRING", {"limit": 3}, "53444d363330", "SDM630"),
    ("STRING", {"limit": 3}, "53444d000000", "SDM"),
    ("STRING", {"limit": 2, "isSwap": True}, "4453004d", "SDM"),
    ("BYTES", {"limit": 2}, "00ff10fe", b"\x00\xff\x10\xfe"),
)


def test_registers_to_values_and_back():
    for property_type, config, data_hex, value in ROWS:
        found = decode(visitor(property_type, **config), bytes.fromhex(data_hex))
        assert found == value, (property_type, config, found)
        assert isinstance(found, type(value)), (property_type, config, found)
        assert encode(visitor(property_type, **config), value) == bytes.fromhex(data_hex), (property_type, config)


def test_any_register_that_is_not_zero_is_true():
    assert decode(visitor("BOOLEAN"), b"\1\0") is True
    assert decode(visitor("BOOLEAN"), b"\0\x80") is True


def test_what_is_no_value_is_refused():
    for property_type, config, data_hex in (
        ("FLOAT", {"limit": 2}, "7fc00000"),
        ("FLOAT", {"limit": 2}, "ff800000"),
        ("DOUBLE", {"limit": 4}, "7ff0000000000000"),
        ("INT", {"type": "float32"}, "7f800000"),
        ("STRING", {"limit": 1}, "c3a9"),
        ("STRING", {"limit": 1}, "0741"),
    ):
        try:
            decode(visitor(property_type, **config), bytes.fromhex(data_hex))
        except ValueRefused:
            continue
        raise AssertionError(data_hex + " was taken")


def test_values_that_do_not_fit_are_refused():
    for property_type, config, value in (
        ("INT", {}, 32768),
        ("INT", {}, -32769),
        ("INT", {"type": "uint16"}, -1),
        ("INT", {"type": "uint64"}, 18446744073709551616),
        ("FLOAT", {"scale": 0.1}, 3276.8),
        ("FLOAT", {"limit": 2}, 1e39),
        ("FLOAT", {"limit": 2}, "5"),
        ("STRING", {"limit": 1}, "abc"),
        ("STRING", {"limit": 1}, "\x07"),
        ("BYTES", {"limit": 1}, b"abc"),
    ):
        try:
            encode(visitor(property_type, **config), value)
        except ConfigurationError:
            continue
        raise AssertionError("%r was taken" % (value,))


def test_same_value_is_what_the_registers_can_tell_apart():
    tenths = visitor("FLOAT", scale=0.1)
    assert same_value(tenths, 23.44, 23.4)
    assert not same_value(tenths, 23.5, 23.4)
    assert same_value(visitor("FLOAT", limit=2), 0.1, 0.10000000149011612)


def test_a_scaled_register_has_no_more_digits_than_it_was_given():
    for config, data_hex, text in (
        ({"scale": 0.1}, "08fd", "230.1"),
        ({"scale": 0.001}, "8000", "-32.768"),
        ({"type": "uint16", "scale": 0.01}, "ffff", "655.35"),
        ({"type": "float32"}, "4364de08", "228.86731"),
        ({"type": "float32", "scale": 0.1}, "436619a0", "23.01001"),
        ({"type": "int32", "scale": 0.1}, "0000000d", "1.3"),
        ({"type": "uint32", "scale": 0.001}, "ffffffff", "4294967.295"),
        ({"type": "int64", "scale": 0.001}, "0000000000bc614b", "12345.675"),
        ({"type": "float64", "scale": 0.1}, "3fd3333333333333", "0.03"),
    ):
        found = to_text(decode(visitor("FLOAT", **config), bytes.fromhex(data_hex)))
        assert found == text, (config, found)


def test_every_16_bit_register_in_tenths_reads_as_it_would_be_written():
    tenths = visitor("FLOAT", scale=0.1)
    for raw in range(-32768, 32768, 7):
        digits = "%02d" % abs(raw)
        text = ("-" if raw < 0 else "") + digits[:-1] + "." + digits[-1]
        data = struct.pack(">h", raw)
        value = decode(tenths, data)
        assert to_text(value) == text, (raw, value)
        assert encode(tenths, value) == data


def test_a_value_keeps_what_its_digits_alone_would_lose():
    for config, raw in (
        ({"type": "int64", "scale": 0.5}, "00071afd498d0002"),
        ({"type": "float32", "scale": 90.5}, "484f1320"),
    ):
        scaled = visitor("DOUBLE", **config)
        assert encode(scaled, decode(scaled, bytes.fromhex(raw))) == bytes.fromhex(raw), config
