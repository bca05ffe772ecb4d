"""Types, byte orders and scales: register bytes on the left, the value on the right, both ways."""

import struct

from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus import check_visitor, same_value
from edgelite_drivers.modbus.bits import masks
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
    ("FLOAT", {"limit": 2, "order": "ABCD"}, "43660000", 230.0),
    ("FLOAT", {"limit": 2, "order": "BADC"}, "66430000", 230.0),
    ("FLOAT", {"limit": 2, "order": "CDAB"}, "00004366", 230.0),
    ("FLOAT", {"limit": 2, "order": "DCBA"}, "00006643", 230.0),
    ("FLOAT", {"scale": 0.1, "addend": -40}, "0000", -40.0),
    ("FLOAT", {"scale": 0.1, "addend": -40}, "0271", 22.5),
    ("INT", {"type": "uint16", "addend": 2000}, "001a", 2026),
    ("DOUBLE", {"type": "float64", "addend": 273.15}, "0000000000000000", 273.15),
    ("BOOLEAN", {"bit": 0}, "0001", True),
    ("BOOLEAN", {"bit": 15}, "8000", True),
    ("BOOLEAN", {"bit": 15}, "0000", False),
    ("BOOLEAN", {"bit": 8, "isSwap": True}, "0001", True),
    ("BOOLEAN", {"bits": [4, 4]}, "0010", True),
    ("INT", {"bits": [4, 7]}, "00a0", 10),
    ("INT", {"bits": [0, 15]}, "fffe", 65534),
    ("INT", {"bits": (4, 7), "scale": 10, "addend": 5}, "00a0", 105),
    ("STRING", {"values": {0: "off", 1: "on"}}, "0001", "on"),
    ("STRING", {"values": {"-1": "fault", "0": "off"}, "type": "int16"}, "ffff", "fault"),
    ("STRING", {"values": {70000: "far"}, "limit": 2, "order": "CDAB"}, "11700001", "far"),
    ("STRING", {"values": {"0": "auto", "3": "hand"}, "bits": [2, 3]}, "000c", "hand"),
)


def test_registers_to_values_and_back():
    for property_type, config, data_hex, value in ROWS:
        found = decode(visitor(property_type, **config), bytes.fromhex(data_hex))
        assert found == value, (property_type, config, found)
        assert isinstance(found, type(value)), (property_type, config, found)
        assert encode(visitor(property_type, **config), value) == bytes.fromhex(data_hex), (property_type, config)


def test_bits_leave_the_others_alone():
    low = visitor("INT", bits=[4, 7])
    assert decode(low, b"\xff\x5f") == 5
    assert masks(low, encode(low, 10)) == (0xFF0F, 0x00A0)
    swapped = visitor("BOOLEAN", bit=8, isSwap=True)
    assert masks(swapped, encode(swapped, True)) == (0xFFFE, 0x0001)
    assert masks(swapped, encode(swapped, False)) == (0xFFFE, 0x0000)


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
        ("STRING", {"values": {0: "off"}}, "0001"),
        ("STRING", {"values": {0: "off"}, "bits": [0, 1]}, "0003"),
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
        ("INT", {"bits": [4, 7]}, 16),
        ("INT", {"bits": [4, 7]}, -1),
        ("INT", {"bits": [4, 7]}, "1"),
        ("INT", {"type": "uint16", "addend": 10}, 9),
        ("STRING", {"values": {0: "off"}}, "on"),
        ("STRING", {"values": {0: "off"}}, 0),
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
        ({"scale": 0.1, "addend": -40}, "0192", "0.2"),
        ({"scale": 0.1, "addend": 273.15}, "00fb", "298.25"),
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
