"""Configuration: KubeEdge's names, and errors that name the path."""

from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus import check_protocol, check_visitor, target
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
