"""What a device and a property may say, and at which path each mistake is refused."""

from ble_fakes import ADDRESS, visitor

from edgelite.driver import ConfigurationError
from edgelite_drivers import ble
from edgelite_drivers.ble.uuids import from_bytes, parse_uuid
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE

LONG = "f000aa01-0451-4000-b000-000000000000"


def refusal(check, *arguments):
    try:
        check(*arguments)
    except ConfigurationError as error:
        return error.path
    return "nothing"


def test_uuids_of_every_length_are_one_form():
    assert parse_uuid("2A6E") == parse_uuid("0x2a6e") == parse_uuid("00002A6E") == from_bytes(b"\x6e\x2a")
    assert parse_uuid("2A6E") == "00002a6e-0000-1000-8000-00805f9b34fb"
    assert parse_uuid("F000AA0104514000B000000000000000") == parse_uuid(LONG) == LONG
    for text in ("", "2A6", "2A6EE", "xyzw", LONG + "0", "0x"):
        assert parse_uuid(text) == "", text
    assert from_bytes(b"\1\2\3") == ""


def test_addresses_are_one_form():
    for text in ("a4:c1:38:00:11:22", "A4-C1-38-00-11-22"):
        assert ble.check_protocol({"macAddress": text}).address == ADDRESS


def test_wrong_protocols_are_refused_by_path():
    for config, field in (
        (None, ""),
        ({}, ".macAddress"),
        ({"macAddress": "A4:C1:38:00:11"}, ".macAddress"),
        ({"macAddress": "A4:C1:38:00:11:GG"}, ".macAddress"),
        ({"macAddress": 5}, ".macAddress"),
        ({"macAddress": ADDRESS, "adressType": "random"}, ".adressType"),
        ({"macAddress": ADDRESS, "addressType": "secret"}, ".addressType"),
        ({"name": ""}, ".name"),
        ({"serviceUUID": "thermometer"}, ".serviceUUID"),
        ({"manufacturerId": 65536}, ".manufacturerId"),
        ({"iBeacon": {}}, ".iBeacon.uuid"),
        ({"iBeacon": {"uuid": LONG, "major": -1}}, ".iBeacon.major"),
        ({"macAddress": ADDRESS, "bindKey": "231d39"}, ".bindKey"),
        ({"macAddress": ADDRESS, "bindKey": "z" * 32}, ".bindKey"),
        ({"macAddress": ADDRESS, "timeoutMs": 0}, ".timeoutMs"),
        ({"macAddress": ADDRESS, "scanTimeoutMs": 60_000}, ".scanTimeoutMs"),
        ({"macAddress": ADDRESS, "connectTimeoutMs": True}, ".connectTimeoutMs"),
        ({"macAddress": ADDRESS, "pairing": True}, ".pairing"),
    ):
        assert refusal(ble.check_protocol, config) == "protocol.configData" + field, config


def test_any_one_filter_is_enough():
    for config in (
        {"name": "Thermometer"},
        {"namePrefix": "ATC_"},
        {"serviceUUID": "181A"},
        {"manufacturerId": 0},
        {"iBeacon": {"uuid": LONG}},
    ):
        assert ble.check_protocol(config).key != ble.check_protocol({"macAddress": ADDRESS}).key


def test_wrong_visitors_are_refused_by_path():
    for type, writable, config, field in (
        ("INT", False, {}, ".characteristicUUID"),
        ("INT", False, {"characteristicUUID": "temperature", "type": "uint8"}, ".characteristicUUID"),
        ("INT", False, {"characteristicUUID": "2A6E"}, ".type"),
        ("INT", False, {"characteristicUUID": "2A6E", "type": "uint7"}, ".type"),
        ("STRING", False, {"characteristicUUID": "2A6E", "type": "uint8"}, ".type"),
        ("INT", False, {"characteristicUUID": "2A6E", "type": "uint8", "offset": 512}, ".offset"),
        ("INT", True, {"characteristicUUID": "2A6E", "type": "uint8", "offset": 1}, ".offset"),
        ("INT", False, {"characteristicUUID": "2A6E", "type": "uint8", "length": 1}, ".length"),
        ("FLOAT", True, {"characteristicUUID": "2A6E", "type": "medfloat16"}, ".type"),
        ("INT", False, {"characteristicUUID": "2A6E", "type": "uint8", "scale": 0}, ".scale"),
        ("BOOLEAN", False, {"characteristicUUID": "2A6E", "scale": 2}, ".scale"),
        ("INT", False, {"characteristicUUID": "2A6E", "type": "uint8", "notify": 1}, ".notify"),
        ("INT", False, {"characteristicUUID": "2A6E", "type": "uint8", "dataConverter": {}}, ".type"),
        ("STRING", False, {"characteristicUUID": "2A6E", "dataConverter": {}}, ".dataConverter"),
        ("INT", False, {"characteristicUUID": "2A6E", "dataConverter": {}, "scale": 2}, ".scale"),
        ("INT", False, {"characteristicUUID": "2A6E", "dataConverter": {}}, ".dataConverter.startIndex"),
        ("STRING", False, {"characteristicUUID": "2A6E", "dataWrite": {}}, ".dataWrite"),
        ("STRING", False, {"characteristicUUID": "2A6E", "dataWrite": {"ON": [256]}}, ".dataWrite.ON"),
        ("STRING", False, {"characteristicUUID": "2A6E", "dataWrite": {"ON": "!"}}, ".dataWrite.ON"),
        ("STRING", False, {"characteristicUUID": "2A6E", "dataWrite": {"ON": []}}, ".dataWrite.ON"),
        ("INT", False, {"characteristicUUID": "2A6E", "dataWrite": {"ON": [1]}}, ".dataWrite.ON"),
        ("BYTES", False, {"characteristicUUID": "2A6E", "dataWrite": {"ON": [1]}}, ".dataWrite"),
        ("STRING", True, {"characteristicUUID": "2A6E", "dataWrite": {"ON": [1]}, "type": "string"}, ".type"),
        ("INT", False, {"advertisement": "BTHome", "object": "warmth"}, ".object"),
        ("INT", True, {"advertisement": "rssi"}, ".advertisement"),
        ("STRING", False, {"advertisement": "rssi"}, ".advertisement"),
        ("FLOAT", False, {"advertisement": "BTHome", "object": "motion"}, ".object"),
        ("FLOAT", False, {"advertisement": "BTHome", "object": "temperature", "index": 0}, ".index"),
        ("FLOAT", False, {"advertisement": "BTHome", "object": "temperature", "scale": 2}, ".scale"),
        ("INT", False, {"advertisement": "iBeacon", "field": "uuid"}, ".field"),
        ("INT", False, {"advertisement": "iBeacon", "field": "majority"}, ".field"),
        ("INT", False, {"advertisement": "manufacturer", "type": "uint8"}, ".manufacturerId"),
        ("INT", False, {"advertisement": "serviceData", "type": "uint8"}, ".serviceUUID"),
        ("INT", False, {"advertisement": "serviceData", "serviceUUID": "fcd2"}, ".type"),
        ("INT", False, {"advertisement": "beacon"}, ".advertisement"),
        ("INT", False, {"advertisement": "rssi", "characteristicUUID": "2A6E"}, ".characteristicUUID"),
    ):
        row = {PROPERTY_TYPE: type, PROPERTY_WRITABLE: writable}
        assert refusal(ble.check_visitor, config, row) == "visitors.configData" + field, config


def test_what_the_device_sends_by_itself_is_listened_to():
    assert ble.listens(visitor("INT", advertisement="rssi"))
    assert ble.listens(visitor("INT", characteristicUUID="2A6E", type="uint8", notify=True))
    assert not ble.listens(visitor("INT", characteristicUUID="2A6E", type="uint8"))


def test_all_devices_share_the_one_radio():
    targets = {ble.target(ble.check_protocol(config)) for config in ({"name": "a"}, {"macAddress": ADDRESS})}
    assert targets == {("driver", "ble")}
