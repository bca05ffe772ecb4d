"""KubeEdge's data converter, the types of bytes, and names for bytes: to values and back."""

import struct

from ble_fakes import visitor

from edgelite.driver import ConfigurationError
from edgelite_drivers import ble
from edgelite_drivers.ble.data_converter import check_converter, convert, convert_back
from edgelite_drivers.ble.values import ValueRefused, decode, encode


def converter(writable=False, **config):
    return check_converter(config, writable)


def steps(*rows):
    return [{"operationType": name, "operationValue": value} for name, value in rows]


def refusal(check, *arguments, **more):
    try:
        check(*arguments, **more)
    except ConfigurationError as error:
        return error.path
    return "nothing"


def refused_value(codec, data):
    try:
        decode(codec, data)
    except ValueRefused as error:
        return str(error)
    return "nothing"


def test_bytes_from_start_to_end_are_one_number_and_a_start_above_the_end_reverses_them():
    data = b"\x01\x02\x03\x04"
    assert convert(converter(startIndex=1, endIndex=2), data) == 0x0203
    assert convert(converter(startIndex=2, endIndex=1), data) == 0x0302
    assert convert(converter(startIndex=3, endIndex=3), data) == 4
    assert convert(converter(startIndex=3, endIndex=0), data) == 0x04030201


def test_shifts_come_before_operations_and_left_is_the_one_where_both_are_given():
    data = b"\x12\x34"
    assert convert(converter(startIndex=0, endIndex=1, shiftRight=4), data) == 0x123
    assert convert(converter(startIndex=0, endIndex=1, shiftLeft=4), data) == 0x12340
    assert convert(converter(startIndex=0, endIndex=1, shiftLeft=4, shiftRight=8), data) == 0x12340
    assert convert(converter(startIndex=0, endIndex=7, shiftLeft=8), b"\xff" * 8) == 0xFFFFFFFFFFFFFF00


def test_operations_are_done_in_their_order_whatever_the_case():
    data = b"\x0a"
    rows = steps(("Multiply", 3), ("add", 5), ("DIVIDE", 7), ("Subtract", 1.5))
    assert convert(converter(startIndex=0, endIndex=0, orderOfOperations=rows), data) == 3.5
    rows = steps(("Add", 5), ("Multiply", 3))
    assert convert(converter(startIndex=0, endIndex=0, orderOfOperations=rows), data) == 45


def test_the_sensor_tag_of_kubeedges_example():
    """Its ambient temperature: two bytes, the low one first, two bits of status, 1/32 degree."""
    config = {
        "startIndex": 1,
        "endIndex": 0,
        "shiftRight": 2,
        "orderOfOperations": steps(("Multiply", 0.03125)),
    }
    codec = visitor("DOUBLE", characteristicUUID="f000aa0104514000b000000000000000", dataConverter=config).codec
    assert decode(codec, struct.pack("<H", 800 << 2 | 3)) == 25.0


def test_what_is_written_reads_back():
    rows = steps(("Multiply", 0.5), ("Subtract", 40))
    for start, end, shift in ((0, 0, {}), (1, 0, {}), (0, 1, {"shiftRight": 2}), (0, 1, {"shiftLeft": 1})):
        one = converter(True, startIndex=start, endIndex=end, orderOfOperations=rows, **shift)
        data = convert_back(one, -20)
        assert len(data) == abs(end - start) + 1 and convert(one, data) == -20, (start, end, shift)


def test_a_value_that_the_bytes_cannot_hold_is_not_written():
    one = converter(True, startIndex=0, endIndex=0)
    for value in (-1, 256, 1e300, float("nan"), float("inf"), "5", True):
        assert refusal(convert_back, one, value) == "value", value
    assert convert_back(one, 255) == b"\xff"


def test_a_converter_that_cannot_be_is_refused_by_path():
    path = "visitors.configData.dataConverter"
    for config, field in (
        ({}, ".startIndex"),
        ({"startIndex": 0}, ".endIndex"),
        ({"startIndex": -1, "endIndex": 0}, ".startIndex"),
        ({"startIndex": 0, "endIndex": 512}, ".endIndex"),
        ({"startIndex": 0, "endIndex": 8}, ".endIndex"),
        ({"startIndex": 0, "endIndex": 0, "shiftLeft": 64}, ".shiftLeft"),
        ({"startIndex": 0, "endIndex": 0, "shift": 1}, ".shift"),
        ({"startIndex": 0, "endIndex": 0, "orderOfOperations": {}}, ".orderOfOperations"),
        ({"startIndex": 0, "endIndex": 0, "orderOfOperations": [5]}, ".orderOfOperations[0]"),
        (
            {"startIndex": 0, "endIndex": 0, "orderOfOperations": steps(("Add", 1), ("Modulo", 2))},
            ".orderOfOperations[1].operationType",
        ),
        (
            {"startIndex": 0, "endIndex": 0, "orderOfOperations": steps(("Divide", 0))},
            ".orderOfOperations[0].operationValue",
        ),
        (
            {"startIndex": 0, "endIndex": 0, "orderOfOperations": [{"operationType": "Add"}]},
            ".orderOfOperations[0].operationValue",
        ),
    ):
        assert refusal(check_converter, config, False) == path + field, config
    assert refusal(check_converter, {"startIndex": 1, "endIndex": 2}, True) == path + ".startIndex"
    rows = steps(("Multiply", 0))
    config = {"startIndex": 0, "endIndex": 0, "orderOfOperations": rows}
    assert refusal(check_converter, config, True) == path + ".orderOfOperations[0].operationValue"
    assert refusal(check_converter, None, False) == path


def test_bytes_that_are_too_few_for_the_converter_are_no_value():
    codec = visitor("INT", characteristicUUID="2A6E", dataConverter={"startIndex": 0, "endIndex": 3}).codec
    assert refused_value(codec, b"\1\2\3") == "the value has 3 bytes, the converter reads byte 3"
    assert refused_value(codec, b"") == "the value has 0 bytes, the converter reads byte 3"


def test_an_integer_that_no_report_could_carry_is_no_value():
    config = {"startIndex": 0, "endIndex": 7, "orderOfOperations": steps(("Multiply", 1000))}
    codec = visitor("INT", characteristicUUID="2A6E", dataConverter=config).codec
    assert refused_value(codec, b"\xff" * 8) == "the number has more than 64 bits"
    codec = visitor("INT", characteristicUUID="2A6E", type="int64", scale=1e9).codec
    assert refused_value(codec, b"\0" * 7 + b"\x80") == "the number has more than 64 bits"


def test_each_type_decodes_and_encodes():
    for type, data, value in (
        ("uint8", b"\xff", 255),
        ("int8", b"\xff", -1),
        ("uint16", b"\x34\x12", 0x1234),
        ("int16", b"\xfe\xff", -2),
        ("uint24", b"\x56\x34\x12", 0x123456),
        ("int24", b"\xff\xff\xff", -1),
        ("uint32", b"\x78\x56\x34\x12", 0x12345678),
        ("int32", b"\0\0\0\x80", -0x80000000),
        ("uint48", b"\6\5\4\3\2\1", 0x010203040506),
        ("uint64", b"\xff" * 8, 0xFFFFFFFFFFFFFFFF),
        ("int64", b"\xff" * 8, -1),
    ):
        codec = visitor("INT", True, characteristicUUID="2A6E", type=type).codec
        assert decode(codec, data) == value and encode(codec, value) == data, type
        assert refused_value(codec, data[1:]) != "nothing"
        backwards = visitor("INT", True, characteristicUUID="2A6E", type=type, bigEndian=True).codec
        assert decode(backwards, bytes(reversed(data))) == value
        assert encode(backwards, value) == bytes(reversed(data))
    codec = visitor("FLOAT", True, characteristicUUID="2A6E", type="float32").codec
    assert decode(codec, struct.pack("<f", 21.5)) == 21.5 and encode(codec, 21.5) == struct.pack("<f", 21.5)
    codec = visitor("BOOLEAN", True, characteristicUUID="2A6E").codec
    assert decode(codec, b"\2") is True and decode(codec, b"\0") is False and encode(codec, True) == b"\1"
    codec = visitor("STRING", True, characteristicUUID="2A00").codec
    assert decode(codec, "Küche".encode() + b"\0\0") == "Küche" and encode(codec, "Küche") == "Küche".encode()
    assert refused_value(codec, b"\xff\xfe") == "the device holds no UTF-8 text"
    codec = visitor("BYTES", True, characteristicUUID="2A00", length=2).codec
    assert decode(codec, b"\1\2\3") == b"\1\2" and refusal(encode, codec, b"\1\2\3") == "value"


def test_medical_floats_of_the_health_thermometer():
    """IEEE 11073-20601: 36.4 is 364 times ten to the -1."""
    codec = visitor("FLOAT", characteristicUUID="2A1C", type="medfloat32", offset=1).codec
    assert decode(codec, b"\0\x6c\x01\0\xff") == 36.4
    codec = visitor("FLOAT", characteristicUUID="2A35", type="medfloat16").codec
    assert decode(codec, b"\x72\xf0") == 11.4 and decode(codec, b"\x8e\xff") == -11.4
    for special in (0x07FE, 0x07FF, 0x0800, 0x0801, 0x0802):
        assert refused_value(codec, struct.pack("<H", special)) == "the device holds no number"


def test_numbers_that_are_none_or_do_not_fit():
    codec = visitor("FLOAT", True, characteristicUUID="2A6E", type="float32").codec
    for data in (b"\0\0\xc0\x7f", b"\0\0\x80\x7f"):
        assert refused_value(codec, data) == "the device holds no number"
    assert refusal(encode, codec, 1e300) == "value"
    codec = visitor("FLOAT", True, characteristicUUID="2A6E", type="int16", scale=0.01).codec
    assert encode(codec, -327.68) == b"\0\x80" and encode(codec, 25.06) == b"\xca\x09"
    for value in (327.68, -327.7, 1e30, float("nan"), "1", False):
        assert refusal(encode, codec, value) == "value", value


def test_names_for_bytes_are_written_and_read():
    """KubeEdge's dataWrite; Kubernetes writes bytes as base64, people as lists."""
    codec = visitor("STRING", True, characteristicUUID="aa02", dataWrite={"ON": [1], "OFF": "AA=="}).codec
    assert encode(codec, "ON") == b"\1" and encode(codec, "OFF") == b"\0"
    assert decode(codec, b"\1") == "ON"
    assert refused_value(codec, b"\7") == "the device holds bytes that dataWrite does not name"
    assert refusal(encode, codec, "AUTO") == "value"
    codec = visitor("BOOLEAN", True, characteristicUUID="aa02", dataWrite={"true": [1, 2], "false": [0]}).codec
    assert encode(codec, True) == b"\1\2" and decode(codec, b"\0") is False
    codec = visitor("INT", True, characteristicUUID="aa02", dataWrite={"10": [0], "20": [1]}).codec
    assert encode(codec, 20) == b"\1" and decode(codec, b"\0") == 10


def test_names_beside_a_converter_are_written_and_the_converter_reads():
    """As KubeEdge's visitors may have both."""
    level = visitor(
        "INT",
        True,
        characteristicUUID="aa02",
        dataWrite={"10": [0xA], "20": [0xB]},
        dataConverter={"startIndex": 1, "endIndex": 1},
    )
    assert encode(level.codec, 20) == b"\x0b" and decode(level.codec, b"\0\x14") == 20
    assert ble.same_value(level, 20, 20) and not ble.same_value(level, 20, 15)


def test_two_values_that_the_device_cannot_tell_apart_are_the_same():
    one = visitor("FLOAT", True, characteristicUUID="2A6E", type="int16", scale=0.01)
    assert ble.same_value(one, 25.061, 25.06) and not ble.same_value(one, 25.07, 25.06)
