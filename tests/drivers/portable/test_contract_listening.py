"""The contract suite on a driver that listens; and that it notices those that do it wrong."""

import hearing_driver

from edgelite_drivers.hearing import MESSAGE_BYTES_MAX
from edgelite_drivers.testing import ContractBroken, Subject, Wire, check_driver
from edgelite_protocol import messages

ROW = {messages.PROPERTY_TYPE: "FLOAT"}


class Barometer:
    def answer(self, data):
        return b""

    def say(self):
        return b"noise\npressure=1013.25\r\ntemperature=21.5\n"


def subject(driver=hearing_driver):
    return Subject(
        driver,
        {"ip": "127.0.0.1", "port": 7001},
        {"pressure": ({"word": "pressure"}, ROW), "inside": ({"word": "temperature"}, ROW)},
        {},
        Barometer,
        (({"ip": "127.0.0.1"}, "protocol.configData.port"),),
        (({"word": 5}, "visitors.configData.word"),),
        heard={"pressure": 1013.25, "inside": 21.5},
    )


def test_it_keeps_the_contract():
    check_driver(subject())


class Broken:
    """The driver with one method of its bus replaced."""

    NAME = "broken"
    check_protocol = staticmethod(hearing_driver.check_protocol)
    check_visitor = staticmethod(hearing_driver.check_visitor)
    target = staticmethod(hearing_driver.target)
    same_value = staticmethod(hearing_driver.same_value)

    def __init__(self, method, replacement):
        self.method = method
        self.replacement = replacement

    def listens(self, visitor):
        return self.method != "listens"

    def make_bus(self, target, random_bytes):
        bus = hearing_driver.make_bus(target, random_bytes)
        if self.method != "listens":
            original = getattr(bus, self.method)
            setattr(bus, self.method, lambda *arguments: self.replacement(bus, original, *arguments))
        return bus


def never_opens(bus, original, now_ms):
    return False


def opens_once(bus, original, now_ms):
    return original(now_ms) and bus._reopen_ms == 0


def hears_once(bus, original, number, message, now_ms):
    bus.said = getattr(bus, "said", [])
    if message not in bus.said:
        bus.said.append(message)
        original(number, message, now_ms)


def hears_something_else(bus, original, visitor, message):
    value = original(visitor, message)
    return None if value is None else value + 1


def cannot_be_ignored(bus, original, number, now_ms):
    return None


def says_nothing_of_the_end(bus, original, reason, now_ms):
    original(reason, now_ms)
    bus._results = []


def forgets_who_listens(bus, original, reason, now_ms):
    original(reason, now_ms)
    bus._listening = {}


def takes_noise(bus, original, data, now_ms):
    original(data, now_ms)
    if bytes(data)[:1] == b"\xff":
        bus._input = b""
        original(b"pressure=0\n", now_ms)


def raises_at_noise(bus, original, data, now_ms):
    bytes(data).decode()
    original(data, now_ms)


BROKEN = (
    ("wants_open", never_opens),
    ("wants_open", opens_once),
    ("_tell", hears_once),
    ("value", hears_something_else),
    ("ignore", cannot_be_ignored),
    ("closed", says_nothing_of_the_end),
    ("closed", forgets_who_listens),
    ("received", takes_noise),
    ("received", raises_at_noise),
    ("listens", None),
)


def test_the_suite_notices_who_listens_badly():
    for method, replacement in BROKEN:
        try:
            check_driver(subject(Broken(method, replacement)))
        except (ContractBroken, UnicodeError):
            continue
        raise AssertionError("the suite let %s %s through" % (method, replacement))


def test_silence_is_told_each_time_that_it_has_lasted():
    wire = Wire(subject())
    number = wire.listen(["pressure"])
    wire.settle()
    assert [result.values for result in wire.hear()] == [{"pressure": 1013.25}]
    for count in (1, 2):
        wire.now_ms = count * 60_000
        (silent,) = wire.settle()
        assert (silent.number, silent.answered) == (number, False)
        assert silent.errors == {"pressure": "nothing heard for 60000 ms"}
    wire.bus.ignore(number, wire.now_ms)
    wire.settle()
    assert not wire.is_open, "nobody listens any more"


def test_a_message_without_an_end_is_not_kept_for_ever():
    wire = Wire(subject())
    wire.listen(["pressure"])
    wire.settle()
    for _ in range(10):
        wire.bus.received(b"x" * 4000, 0)
    assert len(wire.bus._input) == MESSAGE_BYTES_MAX
    wire.bus.received(b"\npressure=7\n", 0)
    assert [result.values for result in wire.settle()] == [{"pressure": 7.0}]
