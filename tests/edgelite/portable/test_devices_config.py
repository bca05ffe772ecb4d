"""A device that comes over the link is hostile until parsed; errors name the path."""

from device_fakes import FakeDriver, device_map, property_row

from edgelite.devices.config import PROPERTIES_MAX, parse_device
from edgelite.driver import ConfigurationError
from edgelite_protocol import messages


def changed(key, value):
    row = property_row("b")
    row[key] = value
    return device_map([property_row("a"), row])


BAD = (
    (device_map([], protocol={"bad": True}), "protocol.configData.bad"),
    (device_map([property_row("a"), property_row("a")]), "properties[1].name"),
    (device_map("nothing"), "properties"),
    (device_map([property_row("a")] * (PROPERTIES_MAX + 1)), "properties"),
    (device_map([None]), "properties[0].name"),
    (device_map([], uid=5), "metadata.uid"),
    (changed(messages.PROPERTY_NAME, ""), "properties[1].name"),
    (changed(messages.PROPERTY_NAME, "x" * 254), "properties[1].name"),
    (changed(messages.PROPERTY_TYPE, "STREAM"), "properties[1].type"),
    (changed(messages.PROPERTY_TYPE, []), "properties[1].type"),
    (changed(messages.PROPERTY_VISITOR, {"offset": -1}), "properties[1].visitors.configData.offset"),
    (changed(messages.PROPERTY_COLLECT_MS, 9), "properties[1].collectCycle"),
    (changed(messages.PROPERTY_COLLECT_MS, -1), "properties[1].collectCycle"),
    (changed(messages.PROPERTY_COLLECT_MS, True), "properties[1].collectCycle"),
    (changed(messages.PROPERTY_REPORT_MS, "5"), "properties[1].reportCycle"),
    (changed(messages.PROPERTY_DEADBAND, -0.5), "properties[1].deadband"),
    (changed(messages.PROPERTY_DEADBAND, float("nan")), "properties[1].deadband"),
    (changed(messages.PROPERTY_DEADBAND, True), "properties[1].deadband"),
    (changed(messages.PROPERTY_MINIMUM, "low"), "properties[1].minimum"),
    (changed(messages.PROPERTY_MAXIMUM, 5), "properties[1].maximum"),
    (changed(messages.PROPERTY_DESIRED, 5), "properties[1].desired.value"),
    (changed(messages.PROPERTY_DESIRED_VERSION, -1), "properties[1].desired.version"),
    (changed(messages.PROPERTY_DESIRED_TIME, "now"), "properties[1].desired.metadata.timestamp"),
    (changed(messages.PROPERTY_DESIRED_EXPIRES, True), "properties[1].desired.metadata.expires"),
    (changed(messages.PROPERTY_DEADBAND_PERCENT, "5"), "properties[1].deadbandPercent"),
    (changed(messages.PROPERTY_WINDOW_MS, 99), "properties[1].aggregate.windowMs"),
    (changed(messages.PROPERTY_WINDOW_MS, -1), "properties[1].aggregate.windowMs"),
    (device_map([property_row("a", "STRING", window_ms=1000)]), "properties[0].aggregate"),
    (device_map([property_row("a", window_ms=1000, window_functions=16)]), "properties[0].aggregate.functions"),
    (
        device_map([property_row("a.min"), property_row("a", window_ms=1000, window_functions=1)]),
        "properties[1].aggregate",
    ),
    (device_map([property_row("x" * 250, window_ms=1000, window_functions=4)]), "properties[0].aggregate"),
    (changed(messages.PROPERTY_FAIL_SAFE, 5), "properties[1].failSafe.value"),
    (
        device_map([property_row("a", writable=True, fail_safe="5", fail_safe_ms=-1)]),
        "properties[0].failSafe.afterMs",
    ),
)


def test_bad_devices_are_named():
    driver = FakeDriver({})
    for device, path in BAD:
        try:
            parse_device(device, driver)
        except ConfigurationError as error:
            assert error.path == path, (error.path, path)
        else:
            raise AssertionError(path + " was taken")


def test_a_limit_is_for_numbers():
    row = property_row("a", "STRING", minimum="1")
    try:
        parse_device(device_map([row]), FakeDriver({}))
    except ConfigurationError as error:
        assert error.path == "properties[0].minimum"
    else:
        raise AssertionError("a STRING with a minimum was taken")


def test_what_is_left_out_has_a_default():
    row = {messages.PROPERTY_NAME: "a", messages.PROPERTY_TYPE: "INT"}
    device = {messages.DEVICE_UID: "u", messages.DEVICE_PROPERTIES: [row]}
    property = parse_device(device, FakeDriver({})).properties[0]
    assert (property.collect_ms, property.report_ms, property.report_to_cloud) == (0, 0, True)
    assert (property.writable, property.deadband, property.desired) == (False, None, None)
