"""Advertisements as they were published: BTHome's documented examples, iBeacon's and Eddystone's formats; and what is
malformed."""

from binascii import unhexlify

from ble_fakes import ADDRESS, World, visitor

from edgelite_drivers.ble import bthome
from edgelite_drivers.ble.advertisements import Advertisement, eddystone, ibeacon, structures, take_structures
from edgelite_drivers.ble.heard import matches
from edgelite_drivers.ble.uuids import parse_uuid
from edgelite_drivers.ble.values import ValueRefused

# bthome.io, "Format": the packet of the introduction
BTHOME = "020106 0b094449592d73656e736f72 0a16d2fc4002c40903bf13"
# bthome.io, "Encryption": address 5448E68F80A5, key and counter as there
BTHOME_SEALED = "41 a47266c95f73 00112233 78237214"
BTHOME_KEY = unhexlify("231d39c1d7cc1ab1aee224cd096db932")
BTHOME_ADDRESS = "54:48:E6:8F:80:A5"
# Apple, "Proximity Beacon Specification": prefix, UUID, major, minor, measured power
BEACON_UUID = "e2c56db5-dffb-48d2-b060-d0f5a71096e0"
IBEACON = "020106 1aff4c000215 e2c56db5dffb48d2b060d0f5a71096e0 0001 0102 c5"
EDDYSTONE_URL = "020106 0303aafe 1216aafe10 ee 03 6769746875622e636f6d 00".replace(" 1216", " 1116")
EDDYSTONE_TLM = "020106 0303aafe 1116aafe 20 00 0bb8 1580 0000000a 00000064"

# bthome.io, "Format": object, bytes and value of its table
TABLE = (
    ("0161", "battery", 97),
    ("12e204", "co2", 1250),
    ("0960", "count", 96),
    ("3d0960", "count", 24585),
    ("3e2a2c0960", "count", 1611213866),
    ("434e34", "current", 13.39),
    ("08ca06", "dewpoint", 17.38),
    ("400c00", "distance_mm", 12),
    ("414e00", "distance_m", 7.8),
    ("424e3400", "duration", 13.39),
    ("4d12138a14", "energy", 344593.17),
    ("0a138a14", "energy", 1346.067),
    ("4b138a14", "gas", 1346.067),
    ("4c41018a01", "gas", 25821.505),
    ("03bf13", "humidity", 50.55),
    ("2e23", "humidity", 35),
    ("05138a14", "illuminance", 13460.67),
    ("065e1f", "mass_kg", 80.3),
    ("073e1d", "mass_lb", 74.86),
    ("14020c", "moisture", 30.74),
    ("2f23", "moisture", 35),
    ("0d120c", "pm2_5", 3090),
    ("0e021c", "pm10", 7170),
    ("0b021b00", "power", 69.14),
    ("04138a01", "pressure", 1008.83),
    ("3f020c", "rotation", 307.4),
    ("444e34", "speed", 133.9),
    ("451101", "temperature", 27.3),
    ("02ca09", "temperature", 25.06),
    ("133301", "tvoc", 307),
    ("0c020c", "voltage", 3.074),
    ("4a020c", "voltage", 307.4),
    ("4e87562a01", "volume", 19551.879),
    ("478756", "volume", 2215.1),
    ("48dc87", "volume_ml", 34780),
    ("49dc87", "volume_flow_rate", 34.78),
    ("4632", "uv_index", 5.0),
    ("4f87562a01", "water", 19551.879),
    ("2101", "motion", True),
    ("2d00", "window", False),
    ("3a01", "button", "press"),
    ("3a04", "button", "long_press"),
    ("3c0103", "dimmer", "rotate_left 3"),
    ("53 0c 48656c6c6f20576f726c6421", "text", "Hello World!"),
    ("540c48656c6c6f20576f726c6421", "raw", b"Hello World!"),
    ("50 5d396164", "timestamp", 1684093277),
)


def hexadecimal(text):
    return unhexlify(text.replace(" ", ""))


def heard(text, address=ADDRESS):
    advertisement = Advertisement(address, False, -60)
    take_structures(advertisement, hexadecimal(text))
    return advertisement


def refused(data, address=BTHOME_ADDRESS, key=None):
    try:
        bthome.payload(data, address, key)
    except ValueRefused as error:
        return str(error)
    return "nothing"


def test_the_structures_of_a_recorded_packet():
    advertisement = heard(BTHOME)
    assert advertisement.name == "DIY-sensor"
    assert advertisement.service_data == {bthome.UUID: hexadecimal("4002c40903bf13")}
    objects = bthome.payload(advertisement.service_data[bthome.UUID], ADDRESS, None)
    assert bthome.measurements(objects) == [("temperature", 25.0), ("humidity", 50.55)]


def test_every_example_of_bthomes_table():
    for text, name, value in TABLE:
        assert bthome.measurements(hexadecimal(text)) == [(name, value)], text


def test_an_object_id_that_is_not_known_ends_what_can_be_read():
    assert bthome.measurements(hexadecimal("0161 ee 02ca09")) == [("battery", 97)]
    assert bthome.measurements(hexadecimal("0161 02ca")) == [("battery", 97)]
    assert bthome.measurements(hexadecimal("53")) == [] and bthome.measurements(hexadecimal("53ff00")) == []


def test_a_sealed_packet_opens_with_its_key_and_no_other():
    data = hexadecimal(BTHOME_SEALED)
    objects = bthome.payload(data, BTHOME_ADDRESS, BTHOME_KEY)
    assert bthome.measurements(objects) == [("temperature", 25.06), ("humidity", 50.55)]
    assert refused(data) == "the sensor encrypts: give its key in protocol.configData.bindKey"
    for spoilt in (data[:-1] + b"\0", data[:8], data[:1] + b"\0" + data[2:]):
        assert refused(spoilt, BTHOME_ADDRESS, BTHOME_KEY) == "bindKey does not open what the sensor sends"
    assert refused(data, ADDRESS, BTHOME_KEY) == "bindKey does not open what the sensor sends"
    assert refused(b"") == refused(b"\x20\x02\xca\x09") == "the sensor speaks no BTHome version 2"


def test_an_ibeacon():
    advertisement = heard(IBEACON)
    assert ibeacon(advertisement) == {"uuid": BEACON_UUID, "major": 1, "minor": 258, "power": -59}
    advertisement.manufacturer_data[0x4C] = advertisement.manufacturer_data[0x4C][:-1]
    assert ibeacon(advertisement) is None
    assert ibeacon(heard(BTHOME)) is None


def test_eddystones_frames():
    assert eddystone(heard(EDDYSTONE_URL)) == {"power": -18, "url": "https://github.com.com/"}
    assert eddystone(heard(EDDYSTONE_TLM)) == {"voltage": 3.0, "temperature": 21.5, "count": 10, "uptime": 10.0}
    uid = "020106 0303aafe 1516aafe 00 ee 00010203040506070809 0a0b0c0d0e0f"
    assert eddystone(heard(uid)) == {
        "power": -18,
        "namespace": bytes(range(10)),
        "instance": bytes(range(10, 16)),
    }
    assert eddystone(heard(BTHOME)) is None


def test_malformed_structures_end_the_parsing_and_what_came_before_stands():
    for text, names in (
        ("", []),
        ("00", []),
        ("05", []),
        ("0509 41", []),
        ("020941 ff", [9]),
        ("020941 05ff4c", [9]),
        ("020941 00 020942", [9]),
        ("01ff", [0xFF]),
    ):
        assert [kind for kind, _ in structures(hexadecimal(text))] == names, text
    for text in ("01ff", "02ff4c", "0116", "0216d2", "010a", "0109", "020303", "0407aabbcc"):
        advertisement = heard(text)  # too short for what they say they are
        assert not advertisement.manufacturer_data and not advertisement.service_data and not advertisement.services
    assert heard("0309fffe").name is None  # no UTF-8


def test_every_cut_of_every_packet_is_taken_without_a_word():
    for text in (BTHOME, IBEACON, EDDYSTONE_URL, EDDYSTONE_TLM):
        data = hexadecimal(text)
        for end in range(len(data)):
            advertisement = Advertisement(ADDRESS)
            take_structures(advertisement, data[:end])
            ibeacon(advertisement)
            try:
                eddystone(advertisement)
            except ValueRefused:
                pass


def protocol(**config):
    from edgelite_drivers import ble

    return ble.check_protocol(config)


def test_filters_tell_devices_apart():
    packet, beacon = heard(BTHOME), heard(IBEACON)
    for config, is_packet, is_beacon in (
        ({"macAddress": ADDRESS}, True, True),
        ({"macAddress": BTHOME_ADDRESS}, False, False),
        ({"macAddress": ADDRESS, "addressType": "random"}, False, False),
        ({"name": "DIY-sensor"}, True, False),
        ({"namePrefix": "DIY"}, True, False),
        ({"name": "DIY"}, False, False),
        ({"serviceUUID": "FCD2"}, True, False),
        ({"manufacturerId": 76}, False, True),
        ({"name": "DIY-sensor", "manufacturerId": 76}, False, False),
        ({"iBeacon": {"uuid": BEACON_UUID}}, False, True),
        ({"iBeacon": {"uuid": BEACON_UUID, "major": 1, "minor": 258}}, False, True),
        ({"iBeacon": {"uuid": BEACON_UUID, "major": 2}}, False, False),
    ):
        checked = protocol(**config)
        assert (matches(checked, packet), matches(checked, beacon)) == (is_packet, is_beacon), config


def bthome_world(*objects, **config):
    world = World()
    types = {"motion": "BOOLEAN", "button": "STRING"}
    visitors = {name: visitor(types.get(name, "FLOAT"), advertisement="BTHome", object=name) for name in objects}
    config["macAddress"] = config.get("macAddress", ADDRESS)
    world.listen(visitors, config)
    return world


def send(world, text, address=ADDRESS):
    world.advertise(address, service_data={bthome.UUID: hexadecimal(text)})


def test_measurements_are_results_once_a_second_the_latest_ones():
    world = bthome_world("temperature", "humidity")
    send(world, "4002c40903bf13")
    (result,) = world.results()
    assert result.values == {"temperature": 25.0, "humidity": 50.55} and result.answered
    for text in ("4002c509", "4002c609", "4003bf13"):
        send(world, text)
        world.wait(100)
    assert world.results() == []
    world.wait(1_000)
    (result,) = world.results()
    assert result.values == {"temperature": 25.02, "humidity": 50.55}
    assert world.asked() == [("start",), ("scan",)]  # nobody connects to a sensor that only broadcasts


def test_a_sensor_that_falls_silent_is_offline_once_and_comes_back():
    world = bthome_world("temperature", silentAfterMs=5000)
    send(world, "4002c409")
    world.results()
    world.wait(60_000)
    (result,) = world.results()
    assert not result.answered and result.errors == {"temperature": "no advertisement within 5000 ms"}
    send(world, "4002c409")
    assert world.results()[0].values == {"temperature": 25.0}


def test_a_button_is_told_at_once_and_its_repetitions_are_not():
    world = bthome_world("button", "temperature")
    send(world, "44 0007 3a01 02c409")
    assert world.results()[0].values == {"button": "press", "temperature": 25.0}
    for _ in range(5):
        send(world, "44 0007 3a01 02c409")
        world.wait(100)
    send(world, "44 0008 3a01")
    results = world.results()
    assert results[-1].values["button"] == "press"
    assert len([one for one in results if "button" in one.values]) == 1


def test_a_button_without_packet_ids_is_told_again_after_a_while():
    world = bthome_world("button")
    for wait_ms in (100, 100, 3_000, 100):
        send(world, "44 3a01")
        world.wait(wait_ms)
    assert [one.values for one in world.results()] == [{"button": "press"}] * 2


def test_several_objects_of_one_name_are_told_apart_by_index():
    world = World()
    visitors = {
        "first": visitor("FLOAT", advertisement="BTHome", object="temperature"),
        "second": visitor("INT", advertisement="BTHome", object="temperature", index=2),
        "third": visitor("FLOAT", advertisement="BTHome", object="temperature", index=3),
    }
    world.listen(visitors)
    send(world, "4002c40902d007")
    assert world.results()[0].values == {"first": 25.0, "second": 20}


def test_a_sealed_sensor_without_a_key_and_one_that_is_played_back():
    world = bthome_world("temperature", macAddress=BTHOME_ADDRESS)
    send(world, BTHOME_SEALED, BTHOME_ADDRESS)
    (result,) = world.results()
    assert result.answered and "bindKey" in result.errors["temperature"]
    world = bthome_world("temperature", macAddress=BTHOME_ADDRESS, bindKey="231d39c1d7cc1ab1aee224cd096db932")
    send(world, BTHOME_SEALED, BTHOME_ADDRESS)
    assert world.results()[0].values == {"temperature": 25.06}
    world.wait(5_000)
    send(world, BTHOME_SEALED, BTHOME_ADDRESS)  # its counter is old now
    world.wait(5_000)
    assert world.results() == []


def test_manufacturer_and_service_data_are_read_as_configured():
    world = World()
    converter = {
        "startIndex": 0,
        "endIndex": 1,
        "orderOfOperations": [{"operationType": "Divide", "operationValue": 10}],
    }
    world.listen(
        {
            "level": visitor("FLOAT", advertisement="manufacturer", manufacturerId=0x0499, dataConverter=converter),
            "battery": visitor("INT", advertisement="serviceData", serviceUUID="180F", type="uint8"),
            "signal": visitor("INT", advertisement="rssi"),
            "name": visitor("STRING", advertisement="name"),
            "power": visitor("INT", advertisement="txPower"),
        }
    )
    world.advertise(
        manufacturer_data={0x0499: b"\x01\x02"}, service_data={parse_uuid("180f"): b"\x61"}, name="tank", tx_power=4
    )
    (result,) = world.results()
    assert result.values == {"level": 25.8, "battery": 97, "signal": -60, "name": "tank", "power": 4}
    world.advertise(manufacturer_data={0x0499: b"\x01"})
    world.wait(1_000)
    (result,) = world.results()
    assert result.errors == {"level": "the value has 1 bytes, the converter reads byte 1"}


def test_an_ibeacon_is_found_by_its_uuid_under_changing_addresses():
    world = World()
    world.listen(
        {"major": visitor("INT", advertisement="iBeacon", field="major"), "near": visitor("INT", advertisement="rssi")},
        {"iBeacon": {"uuid": BEACON_UUID}},
    )
    data = heard(IBEACON).manufacturer_data
    world.advertise("11:22:33:44:55:66", manufacturer_data=data)
    assert world.results()[0].values == {"major": 1, "near": -60}
    world.wait(20_000)
    world.advertise("11:22:33:44:55:67", manufacturer_data=data)
    assert world.results()[0].values == {"major": 1, "near": -60}


def test_an_advertisement_cannot_be_read_on_request():
    world = World()
    world.submit({"near": visitor("INT", advertisement="rssi")})
    assert world.results()[0].errors == {"near": "an advertisement is listened to, not read"}
