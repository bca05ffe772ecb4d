"""The boards' radio against a fake of MicroPython's `bluetooth`: no board is here. The fake keeps to the module's
documentation, and the radio on it passes the suite that Bumble's and bleak's pass too."""

import fake_bluetooth

from edgelite.driver import Request
from edgelite_drivers import ble
from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.uuids import parse_uuid
from edgelite_drivers.remote import RemoteBus
from edgelite_ports.common.driver_half import Halves
from edgelite_ports.micropython.ble import BoardHalf
from edgelite_ports.micropython.ble.board_radio import BoardRadio
from edgelite_ports.testing import radio_contract
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE

ADDRESS = "C4:11:22:33:44:55"


class BoardSubject:
    seam = seam
    address = ADDRESS
    absent = "C4:99:99:99:99:99"
    is_random = True
    name = "Thermometer"
    temperature = parse_uuid("2a6e")
    period = parse_uuid("2a21")
    alarm = parse_uuid("2a06")
    secret = parse_uuid("2a99")
    value = b"\x66\x08"

    def __init__(self):
        self.ble = fake_bluetooth.BLE()
        self.radio = BoardRadio(self.ble)
        self.notify = self.ble.notify
        self.drop = self.ble.end

    def wait(self, condition):
        for _ in range(100):
            if condition():
                return True
            self.ble.turn()
        return False

    def settle(self):
        for _ in range(5):
            self.ble.turn()


def test_the_boards_radio_keeps_the_contract():
    for check in radio_contract.CHECKS:
        check(BoardSubject())


def test_a_characteristic_without_a_descriptor_cannot_be_subscribed_to():
    subject = BoardSubject()
    ear = radio_contract.Ear(subject)
    ear.start()
    ear.connect()
    ear.discover()
    subject.radio.subscribe(ADDRESS, fake_bluetooth.PERIOD, True)
    assert ear.expect(seam.SUBSCRIBED, "subscribed")[3] == "the characteristic cannot notify"


def test_a_radio_that_does_not_start_says_so():
    subject = BoardSubject()

    def active(on):
        raise OSError(19)

    subject.ble.active = active
    subject.radio.start()
    event = subject.radio.next_event()
    assert event[0] == seam.DOWN and "does not start" in event[1]


def test_an_interrupt_that_nobody_knows_is_nothing():
    subject = BoardSubject()
    ear = radio_contract.Ear(subject)
    ear.start()
    for event in ((99, ()), (15, (7, 3, b"x")), (16, (7, 3, 0)), (9, (7, 1, 2, b"ab")), (8, (7, 1, bytes(6)))):
        subject.ble.handler(*event)
    assert ear.hear() == []


class Node:
    """The agent's bus and the firmware's half, joined by memory as a board's port does it."""

    def __init__(self):
        self.ble = fake_bluetooth.BLE()
        self.now_ms = 1_000_000
        self.halves = Halves(lambda: self.now_ms, lambda name: BoardHalf(BoardRadio(self.ble), random_bytes))
        self.bus = ble.make_bus(("driver", "ble"), random_bytes)
        assert isinstance(self.bus, RemoteBus)
        self.number = 0

    def request(self, kind, value=None, **config):
        self.number += 1
        row = {PROPERTY_TYPE: kind, PROPERTY_WRITABLE: value is not None}
        visitors = {"t": ble.check_visitor(config, row)}
        return Request(self.number, ble.check_protocol({"macAddress": ADDRESS}), visitors, value)

    def result(self):
        for _ in range(1_000):
            self.now_ms += 10
            self.bus.step(self.now_ms)
            if self.bus.wants_open(self.now_ms):
                self.halves.open(Opened(self.bus))
            self.halves.step(self.now_ms)
            self.ble.turn()
            result = self.bus.next_result()
            if result is not None:
                return result
        raise AssertionError("no result")


class Opened:
    target = ("driver", "ble")

    def __init__(self, channel):
        self.channel = channel


def random_bytes(count):
    return b"\x80" * count


def test_on_a_board_the_agents_bus_reads_writes_and_hears_through_memory():
    node = Node()
    node.bus.submit(node.request("FLOAT", characteristicUUID="2A6E", type="int16", scale=0.01), node.now_ms)
    assert node.result().values == {"t": 21.5}
    node.bus.submit(node.request("INT", 300, characteristicUUID="2A21", type="uint16"), node.now_ms)
    result = node.result()
    assert result.answered and not result.errors and node.ble.values[fake_bluetooth.PERIOD] == b"\x2c\x01"
    node.bus.listen(
        node.request("FLOAT", characteristicUUID="2A6E", type="int16", scale=0.01, notify=True), node.now_ms
    )
    assert node.result().values == {"t": 21.5}
    node.ble.notify(b"\xb8\x0b")
    assert node.result().values == {"t": 30.0}
    node.ble.end()
    assert not node.result().answered
    assert node.result().values == {"t": 30.0}


def test_a_firmware_without_bluetooth_says_so():
    node = Node()
    node.halves = Halves(lambda: node.now_ms)  # which loads the real half, and finds no module `bluetooth` here
    node.bus.submit(node.request("FLOAT", characteristicUUID="2A6E", type="int16"), node.now_ms)
    result = node.result()
    assert not result.answered and "this firmware has no driver ble" in result.errors["t"]
