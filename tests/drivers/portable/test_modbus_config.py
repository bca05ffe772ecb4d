"""Configuration: KubeEdge's names, and errors that name the path."""

from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus import check_device, check_protocol, check_visitor, make_bus, target
from edgelite_protocol import messages

BAD_PROTOCOLS = (
    (None, "protocol.configData"),
    ({}, "protocol.configData.ip"),
    ({"ip": ""}, "protocol.configData.ip"),
    ({"ip": 5}, "protocol.configData.ip"),
    ({"ip": "meter", "port": 0}, "protocol.configData.port"),
    ({"ip": "meter", "port": "502"}, "protocol.configData.port"),
    ({"ip": "meter", "port": True}, "protocol.configData.port"),
    ({"ip": "meter", "slaveID": 256}, "protocol.configData.slaveID"),
    ({"ip": "meter", "slaveID": 1, "unitId": 1}, "protocol.configData.unitId"),
    ({"ip": "meter", "timeoutMs": 0}, "protocol.configData.timeoutMs"),
    ({"ip": "meter", "maxRegisters": 126}, "protocol.configData.maxRegisters"),
    ({"ip": "meter", "baudRate": 9600}, "protocol.configData.baudRate"),
    ({"ip": "meter", "serialPort": "/dev/ttyS0"}, "protocol.configData.serialPort"),
    ({"ip": "meter", "framing": "RTU"}, "protocol.configData.framing"),
    ({"ip": "meter", "framing": "rtu", "transactionIds": "strict"}, "protocol.configData.transactionIds"),
    ({"ip": "meter", "transactionIds": "loose"}, "protocol.configData.transactionIds"),
    ({"ip": "meter", "echo": "no"}, "protocol.configData.echo"),
    ({"ip": "meter", "retries": 11}, "protocol.configData.retries"),
    ({"ip": "meter", "turnaroundMs": -1}, "protocol.configData.turnaroundMs"),
    ({"ip": "meter", "maxGap": 126}, "protocol.configData.maxGap"),
    ({"ip": "meter", "slaveId": 1}, "protocol.configData.slaveId"),
    ({"serialPort": ""}, "protocol.configData.serialPort"),
    ({"serialPort": "/dev/ttyS0", "port": 502}, "protocol.configData.port"),
    ({"serialPort": "/dev/ttyS0", "framing": "tcp"}, "protocol.configData.framing"),
    ({"serialPort": "/dev/ttyS0", "dataBits": 7}, "protocol.configData.dataBits"),
    ({"serialPort": "/dev/ttyS0", "baudRate": "9600"}, "protocol.configData.baudRate"),
    ({"serialPort": "/dev/ttyS0", "parity": "E"}, "protocol.configData.parity"),
    ({"serialPort": "/dev/ttyS0", "stopBits": 3}, "protocol.configData.stopBits"),
    ({"serialPort": "/dev/ttyS0", "echo": True}, "protocol.configData.echo"),
    ({"serialPort": "/dev/ttyS0", "idleMs": 1001}, "protocol.configData.idleMs"),
    ({"serialPort": "/dev/ttyS0", "transactionIds": "strict"}, "protocol.configData.transactionIds"),
)

BAD_VISITORS = (
    ("INT", None, ""),
    ("INT", {"offset": 1}, ".register"),
    ("INT", {"register": "Holding", "offset": 1}, ".register"),
    ("INT", {"register": "HoldingRegister"}, ".offset"),
    ("INT", {"register": "HoldingRegister", "offset": -1}, ".offset"),
    ("INT", {"register": "HoldingRegister", "offset": 65536}, ".offset"),
    ("INT", {"register": "HoldingRegister", "offset": 65535, "limit": 2}, ".offset"),
    ("INT", {"register": "HoldingRegister", "offset": "1"}, ".offset"),
    ("INT", {"register": "HoldingRegister", "offset": 1.5}, ".offset"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "limit": 3}, ".limit"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "type": "int32", "limit": 1}, ".limit"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "type": "string"}, ".type"),
    ("INT", {"register": "CoilRegister", "offset": 1}, ".register"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "scale": 0}, ".scale"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "scale": float("nan")}, ".scale"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "scale": True}, ".scale"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "isSwap": 1}, ".isSwap"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "isregisterswap": True}, ".isregisterswap"),
    ("BOOLEAN", {"register": "CoilRegister", "offset": 1, "limit": 2}, ".limit"),
    ("BOOLEAN", {"register": "CoilRegister", "offset": 1, "scale": 2}, ".scale"),
    ("STRING", {"register": "HoldingRegister", "offset": 1}, ".limit"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "order": "abcd"}, ".order"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "order": "BADC", "isSwap": True}, ".order"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "addend": 1e13}, ".addend"),
    ("BOOLEAN", {"register": "HoldingRegister", "offset": 1, "addend": 1}, ".addend"),
    ("BOOLEAN", {"register": "HoldingRegister", "offset": 1, "bit": 16}, ".bit"),
    ("BOOLEAN", {"register": "HoldingRegister", "offset": 1, "bits": [1, 2]}, ".bits"),
    ("BOOLEAN", {"register": "CoilRegister", "offset": 1, "bit": 0}, ".bit"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "bit": 1, "bits": [1, 2]}, ".bits"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "bits": [2, 1]}, ".bits"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "bits": "1-2"}, ".bits"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "bits": [1, 2], "limit": 2}, ".limit"),
    ("FLOAT", {"register": "HoldingRegister", "offset": 1, "bits": [1, 2]}, ".bits"),
    ("INT", {"register": "HoldingRegister", "offset": 1, "values": {0: "off"}}, ".values"),
    ("STRING", {"register": "HoldingRegister", "offset": 1, "values": {}}, ".values"),
    ("STRING", {"register": "HoldingRegister", "offset": 1, "values": ["off"]}, ".values"),
    ("STRING", {"register": "HoldingRegister", "offset": 1, "values": {0: False}}, ".values.0"),
    ("STRING", {"register": "HoldingRegister", "offset": 1, "values": {"x": "off"}}, ".values.x"),
    ("STRING", {"register": "HoldingRegister", "offset": 1, "values": {65536: "off"}}, ".values.65536"),
    ("STRING", {"register": "HoldingRegister", "offset": 1, "values": {4: "a"}, "bits": [0, 1]}, ".values.4"),
    ("STRING", {"register": "HoldingRegister", "offset": 1, "values": {0: "a"}, "scale": 2}, ".scale"),
    ("STREAM", {"register": "HoldingRegister", "offset": 1}, ".register"),
)


def path_of(check, *arguments):
    try:
        check(*arguments)
    except ConfigurationError as error:
        return error.path
    return None


def test_a_protocol_and_its_defaults():
    protocol = check_protocol({"ip": "192.0.2.7"})
    assert (protocol.unit, protocol.timeout_ms, protocol.registers_max, protocol.retries) == (1, 1000, 125, 0)
    assert target(protocol) == ("tcp", "192.0.2.7", 502)
    assert check_protocol({"ip": "meter", "unitId": 0}).unit == 0
    assert check_protocol({"ip": "meter", "slaveID": 247}).unit == 247


def test_bad_protocols_are_named():
    for config, path in BAD_PROTOCOLS:
        assert path_of(check_protocol, config) == path, (config, path)


def test_bad_visitors_are_named():
    for property_type, config, path in BAD_VISITORS:
        found = path_of(check_visitor, config, {messages.PROPERTY_TYPE: property_type})
        assert found == "visitors.configData" + path, (config, found)


def test_only_a_table_that_can_be_written_makes_a_writable_property():
    for table, is_writable in (
        ("CoilRegister", True),
        ("HoldingRegister", True),
        ("DiscreteInputRegister", False),
        ("InputRegister", False),
    ):
        property = {messages.PROPERTY_TYPE: "BOOLEAN", messages.PROPERTY_WRITABLE: True}
        path = path_of(check_visitor, {"register": table, "offset": 0}, property)
        assert path == (None if is_writable else "visitors.configData.register")


def test_one_text_may_not_stand_for_two_values():
    config = {"register": "HoldingRegister", "offset": 1, "values": {0: "off", 1: "off"}}
    path = path_of(check_visitor, config, {messages.PROPERTY_TYPE: "STRING"})
    assert path in ("visitors.configData.values.0", "visitors.configData.values.1")


def test_lines_and_framings_make_different_targets():
    found = []
    for config in (
        {"ip": "gate"},
        {"ip": "gate", "slaveID": 7, "timeoutMs": 50, "maxGap": 0, "framing": "tcp", "transactionIds": "strict"},
        {"ip": "gate", "transactionIds": "lenient"},
        {"ip": "gate", "framing": "rtu"},
        {"ip": "gate", "framing": "ascii"},
        {"serialPort": "/dev/ttyS0", "baudRate": 19200, "parity": "even"},
        {"serialPort": "/dev/ttyS0", "baudRate": 19200, "parity": "even", "framing": "ascii"},
        {"serialPort": "/dev/ttyS0", "baudRate": 9600, "parity": "even", "idleMs": 40},
    ):
        found.append(target(check_protocol(config)))
    assert found[0] == found[1] == ("tcp", "gate", 502), "devices of one gateway share its connection"
    kinds = [type(make_bus(one, lambda count: b"\0" * count)._framing).__name__ for one in found]
    assert kinds == ["TcpFraming"] * 3 + ["RtuFraming", "AsciiFraming", "RtuFraming", "AsciiFraming", "RtuFraming"]
    for index in range(1, len(found)):
        for other in range(index):
            assert (found[index] == found[other]) == ((other, index) == (0, 1))
    serial = found[5]
    assert serial[:2] == ("serial", "/dev/ttyS0")
    assert serial[2] == {"baud": 19200, "data_bits": 8, "parity": "even", "stop_bits": 1}


def test_retries_and_turnaround_have_defaults_that_fit_the_line():
    for config, expected in (
        ({"ip": "gate"}, (0, 0, False)),
        ({"ip": "gate", "slaveID": 0}, (0, 0, False)),
        ({"ip": "gate", "framing": "rtu"}, (1, 0, False)),
        ({"serialPort": "/dev/ttyS0"}, (1, 0, False)),
        ({"serialPort": "/dev/ttyS0", "slaveID": 0}, (1, 100, True)),
        ({"serialPort": "/dev/ttyS0", "slaveID": 0, "turnaroundMs": 150, "retries": 0}, (0, 150, True)),
    ):
        protocol = check_protocol(config)
        assert (protocol.retries, protocol.turnaround_ms, protocol.is_broadcast) == expected, config


def device(protocol, *rows):
    """The path that is refused of a device whose properties are (type, is writable, visitor configuration)."""
    visitors = []
    for index, (property_type, is_writable, config) in enumerate(rows):
        config["register"] = config.get("register", "HoldingRegister")
        property = {messages.PROPERTY_TYPE: property_type, messages.PROPERTY_WRITABLE: is_writable}
        visitors.append(("p%d" % index, check_visitor(config, property)))
    return path_of(check_device, check_protocol(protocol), visitors)


def test_registers_may_be_shared_by_readers_but_only_whole_by_writers():
    path = "properties[1].visitors.configData.offset"
    for rows, expected in (
        ((("INT", True, {"offset": 0}), ("INT", True, {"offset": 1})), None),
        ((("INT", True, {"offset": 0}), ("FLOAT", True, {"offset": 0, "scale": 0.1})), None),
        ((("INT", True, {"offset": 0, "limit": 2}), ("INT", True, {"offset": 1})), path),
        ((("INT", True, {"offset": 1}), ("INT", True, {"offset": 0, "limit": 2})), path),
        ((("INT", True, {"offset": 0, "limit": 2}), ("INT", False, {"offset": 1})), None),
        ((("INT", False, {"offset": 0, "limit": 2}), ("INT", False, {"offset": 1})), None),
        ((("BOOLEAN", True, {"offset": 5, "bit": 1}), ("BOOLEAN", True, {"offset": 5, "bit": 2})), None),
        ((("BOOLEAN", True, {"offset": 5, "bit": 1}), ("BOOLEAN", True, {"offset": 5, "bit": 1})), None),
        ((("BOOLEAN", True, {"offset": 5, "bit": 1}), ("INT", True, {"offset": 5, "bits": [0, 3]})), path),
        ((("BOOLEAN", True, {"offset": 5, "bit": 1}), ("INT", True, {"offset": 5})), path),
        (
            (("BOOLEAN", True, {"offset": 5, "register": "CoilRegister"}), ("INT", True, {"offset": 5})),
            None,
        ),
    ):
        assert device({"ip": "meter"}, *rows) == expected, rows


def test_a_property_larger_than_the_device_gives_is_refused():
    row = ("BYTES", False, {"offset": 0, "limit": 60})
    assert device({"ip": "meter", "maxRegisters": 60}, row) is None
    assert device({"ip": "meter", "maxRegisters": 59}, row) == "properties[0].visitors.configData.limit"


def test_everybody_can_only_be_written():
    line = {"serialPort": "/dev/ttyS0", "slaveID": 0}
    assert device(line, ("INT", True, {"offset": 0})) is None
    assert device(line, ("INT", False, {"offset": 0})) == "properties[0].visitors.configData.register"
    assert device({"ip": "meter", "slaveID": 0}, ("INT", False, {"offset": 0})) is None, "a unit like any other"
