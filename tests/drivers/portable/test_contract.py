"""The contract suite, run on the Modbus driver and on the documented example; and the suite itself, on broken ones."""

import example_driver
from modbus_peer import Peer, Unit, registers

from edgelite_drivers import modbus
from edgelite_drivers.testing import CHECKS, ContractBroken, Subject, check_driver
from edgelite_protocol import messages


def modbus_subject(driver=modbus):
    def make_peer():
        unit = Unit(inputs=registers(b"\x43\x66\0\0\xff\xff", 0x10), holding={7: 0, 8: 60})
        return Peer({1: unit})

    def visitor(register, offset, property_type, **options):
        config = {"register": register, "offset": offset}
        config.update(options)
        property = {messages.PROPERTY_TYPE: property_type, messages.PROPERTY_WRITABLE: register == "HoldingRegister"}
        return config, property

    return Subject(
        driver,
        {"ip": "127.0.0.1", "port": 502, "slaveID": 1, "timeoutMs": 500},
        {
            "voltage": visitor("InputRegister", 0x10, "FLOAT", limit=2),
            "balance": visitor("InputRegister", 0x12, "INT"),
            "period": visitor("HoldingRegister", 7, "INT", limit=2),
        },
        {"voltage": 230.0, "balance": -1, "period": 60},
        make_peer,
        (({}, "protocol.configData.ip"), ({"ip": "a", "port": -1}, "protocol.configData.port")),
        (({"register": "InputRegister", "offset": 70000}, "visitors.configData.offset"),),
        ("period", 30),
    )


class ThermometerPeer:
    def answer(self, data):
        lines = {b"indoor?": b"indoor=21.5\n", b"outdoor?": b"outdoor=-3.25\n"}
        self.buffer = getattr(self, "buffer", b"") + data
        output = b""
        while b"\n" in self.buffer:
            line, self.buffer = self.buffer.split(b"\n", 1)
            output += lines.get(line, b"?\n")
        return output


def example_subject(driver=example_driver):
    row = {messages.PROPERTY_TYPE: "FLOAT"}
    return Subject(
        driver,
        {"ip": "127.0.0.1", "port": 7000},
        {"inside": ({"sensor": "indoor"}, row), "outside": ({"sensor": "outdoor"}, row)},
        {"inside": 21.5, "outside": -3.25},
        ThermometerPeer,
        (({"ip": "127.0.0.1"}, "protocol.configData.port"), ({"IP": "a"}, "protocol.configData.IP")),
        (({"sensor": 5}, "visitors.configData.sensor"),),
    )


def test_modbus_keeps_the_contract():
    check_driver(modbus_subject())


def test_the_example_keeps_the_contract():
    check_driver(example_subject())


class Broken:
    """The example driver with one method of its bus replaced."""

    NAME = "broken"
    check_protocol = staticmethod(example_driver.check_protocol)
    check_visitor = staticmethod(example_driver.check_visitor)
    target = staticmethod(example_driver.target)
    same_value = staticmethod(example_driver.same_value)

    def __init__(self, method, replacement):
        self.method = method
        self.replacement = replacement

    def make_bus(self, target, random_bytes):
        bus = example_driver.make_bus(target, random_bytes)
        original = getattr(bus, self.method)
        setattr(bus, self.method, lambda *arguments: self.replacement(bus, original, *arguments))
        return bus


def twice(bus, original):
    result = original()
    if result is not None and not getattr(bus, "is_repeated", False):
        bus.is_repeated = True
        bus._results.insert(0, result)
    return result


def deaf(bus, original, now_ms):
    return None


def hungry(bus, original, size_bytes_max):
    return original(4096)


def forgetful(bus, original, reason, now_ms):
    bus._queue = []
    bus._must_close = ""
    original(reason, now_ms)


def early(bus, original, now_ms):
    return not bus._is_open


BROKEN = (
    ("next_result", twice),
    ("step", deaf),
    ("data_to_send", hungry),
    ("closed", forgetful),
    ("wants_open", early),
)


def test_the_suite_notices_drivers_that_break_the_contract():
    for method, replacement in BROKEN:
        try:
            check_driver(example_subject(Broken(method, replacement)))
        except ContractBroken:
            continue
        raise AssertionError("the suite let %s through" % replacement.__name__)


def test_the_suite_notices_a_loose_configuration():
    subject = example_subject()
    subject.bad_protocols = (({"ip": "127.0.0.1", "port": 1}, "protocol.configData.port"),)
    try:
        check_driver(subject)
    except ContractBroken:
        return
    raise AssertionError("a configuration that should be refused was taken")


def test_every_check_is_in_the_list():
    import edgelite_drivers.testing as suite

    names = [name for name in dir(suite) if name.startswith("check_") and name != "check_driver"]
    assert len(names) == len(CHECKS)
