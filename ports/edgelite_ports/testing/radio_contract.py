"""The contract suite of the BLE radio seam (edgelite_drivers/ble/radio.py): what every radio must do, against a real
GATT server behind it. Runs under CPython and MicroPython.

A subject is the radio, a simulated thermometer that it can reach, and the time between them:

    seam                     the module edgelite_drivers.ble.radio
    radio
    address, is_random       of the thermometer; `absent` an address where nobody takes a connection
    name                     that it advertises
    temperature              UUID of a characteristic that can be read and notifies; it holds `value`
    period                   UUID of one that can be read and written, two bytes
    alarm                    UUID of one that is written without a response
    secret                   UUID of one that can be read, and refuses
    wait(condition)          let things happen until condition() holds; False where it does not within some seconds
    settle()                 let things happen for a little while
    notify(data)             the thermometer holds and sends this now
    drop()                   the thermometer ends the connection

`make_subject()` gives a fresh one, and `close()` of it ends it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Event = tuple[Any, ...]


class ContractBroken(AssertionError):
    """The radio does not keep the contract."""


class Ear:
    """Gathers what the radio tells."""

    def __init__(self, subject: "Any") -> None:
        self.subject = subject
        self.seam = subject.seam
        self.radio = subject.radio
        self.events: list[Event] = []

    def hear(self) -> "list[Event]":
        event = self.radio.next_event()
        while event is not None:
            self.events.append(event)
            event = self.radio.next_event()
        return self.events

    def named(self, name: str) -> "list[Event]":
        return [event for event in self.hear() if event[0] == name]

    def forget(self) -> None:
        self.hear()
        self.events = []

    def expect(self, name: str, what: str) -> "Event":
        """Exactly one of these, and nothing more of it a little later."""
        if not self.subject.wait(lambda: self.named(name)):
            raise ContractBroken("%s, and no %r came but %r" % (what, name, self._told()))
        self.subject.settle()
        found = self.named(name)
        if len(found) != 1:
            raise ContractBroken("%s, and %r came %d times: %r" % (what, name, len(found), found))
        self.events = []
        return found[0]

    def _told(self) -> "list[Event]":
        return [event for event in self.events if event[0] != self.seam.ADVERTISED][-5:]

    # ---- on the way to a connection

    def start(self) -> None:
        self.radio.start()
        self.expect(self.seam.UP, "started")

    def find(self) -> "Any":
        """The thermometer's advertisement."""
        self.radio.scan(True)
        found: list[Any] = []

        def is_found() -> bool:
            rows = [event[1] for event in self.named(self.seam.ADVERTISED)]
            found.extend([row for row in rows if row.address == self.subject.address and row.name])
            return len(found) > 0

        if not self.subject.wait(is_found):
            raise ContractBroken("the thermometer advertises, and was not told of with its name")
        self.radio.stop_scan()
        self.subject.settle()
        self.forget()
        return found[0]

    def connect(self) -> None:
        self.find()
        self.radio.connect(self.subject.address, self.subject.is_random)
        event = self.expect(self.seam.CONNECTED, "connected")
        _must_be(event[1], self.subject.address, "the address of CONNECTED")

    def discover(self) -> "dict[str, Any]":
        """The characteristics by UUID."""
        self.radio.discover(self.subject.address)
        event = self.expect(self.seam.DISCOVERED, "discovered")
        _must_be(event[3], "", "the reason of DISCOVERED")
        return {one.uuid: one for one in event[2]}

    def read(self, handle: int) -> "Event":
        self.radio.read(self.subject.address, handle)
        event = self.expect(self.seam.READ, "read")
        _must_be(event[1:3], (self.subject.address, handle), "what READ is about")
        return event

    def write(self, handle: int, data: bytes, with_response: bool) -> None:
        self.radio.write(self.subject.address, handle, data, with_response)
        event = self.expect(self.seam.WRITTEN, "written")
        _must_be(event[1:], (self.subject.address, handle, ""), "WRITTEN")

    def subscribe(self, handle: int, on: bool) -> None:
        self.radio.subscribe(self.subject.address, handle, on)
        event = self.expect(self.seam.SUBSCRIBED, "subscribed")
        _must_be(event[1:], (self.subject.address, handle, ""), "SUBSCRIBED")


def check_scan(subject: "Any") -> None:
    """Advertisements are told while the scan runs, and no more of them after it."""
    ear = Ear(subject)
    ear.start()
    advertisement = ear.find()
    _must_be(advertisement.name, subject.name, "the advertised name")
    _must_be(advertisement.is_random in (None, subject.is_random), True, "the address' type")
    subject.settle()
    _must_be(ear.named(ear.seam.ADVERTISED), [], "advertisements after the scan")
    ear.find()  # and it can begin again


def check_discovery(subject: "Any") -> None:
    """Characteristics have UUIDs in their one form, integers as handles, and their properties."""
    ear = Ear(subject)
    ear.start()
    ear.connect()
    found = ear.discover()
    seam = ear.seam
    for uuid, properties in (
        (subject.temperature, seam.CAN_READ | seam.CAN_NOTIFY),
        (subject.period, seam.CAN_READ | seam.CAN_WRITE),
        (subject.alarm, seam.CAN_WRITE_WITHOUT_RESPONSE),
        (subject.secret, seam.CAN_READ),
    ):
        if uuid not in found:
            raise ContractBroken("no characteristic %s among %r" % (uuid, sorted(found)))
        _must_be(found[uuid].properties & properties, properties, "the properties of " + uuid)
        _must_be(isinstance(found[uuid].handle, int), True, "a handle is an integer")
    _must_be(len({one.handle for one in found.values()}), len(found), "handles are different")


def check_reading(subject: "Any") -> None:
    """A value is bytes; a refusal is a reason, and the connection goes on."""
    ear = Ear(subject)
    ear.start()
    ear.connect()
    found = ear.discover()
    event = ear.read(found[subject.temperature].handle)
    _must_be(event[3:], (subject.value, ""), "what was read")
    refused = ear.read(found[subject.secret].handle)
    if refused[3] is not None or not refused[4]:
        raise ContractBroken("a read that was refused gave %r" % (refused,))
    event = ear.read(found[subject.temperature].handle)
    _must_be(event[3:], (subject.value, ""), "what was read after a refusal")


def check_writing(subject: "Any") -> None:
    """What was written is read back; a write without a response is told as done too."""
    ear = Ear(subject)
    ear.start()
    ear.connect()
    found = ear.discover()
    handle = found[subject.period].handle
    ear.write(handle, b"\x2c\x01", True)
    _must_be(ear.read(handle)[3], b"\x2c\x01", "what was written")
    ear.write(found[subject.alarm].handle, b"\x02", False)


def check_notifications(subject: "Any") -> None:
    """They come while subscribed, in their order, and not after."""
    ear = Ear(subject)
    ear.start()
    ear.connect()
    handle = ear.discover()[subject.temperature].handle
    ear.subscribe(handle, True)
    for data in (b"\1\2", b"\3\4", b"\5\6"):
        subject.notify(data)
    if not subject.wait(lambda: len(ear.named(ear.seam.NOTIFIED)) >= 3):
        raise ContractBroken("3 notifications were sent, %d came" % len(ear.named(ear.seam.NOTIFIED)))
    told = [event[1:] for event in ear.named(ear.seam.NOTIFIED)]
    _must_be(told, [(subject.address, handle, data) for data in (b"\1\2", b"\3\4", b"\5\6")], "notifications")
    ear.forget()
    ear.subscribe(handle, False)
    subject.notify(b"\7\x08")
    subject.settle()
    _must_be(ear.named(ear.seam.NOTIFIED), [], "notifications after the subscription")


def check_disconnecting(subject: "Any") -> None:
    """One DISCONNECTED for each connection, whoever ended it; then it can be made again."""
    ear = Ear(subject)
    ear.start()
    for end in (lambda: subject.radio.disconnect(subject.address), subject.drop):
        ear.connect()
        handle = ear.discover()[subject.temperature].handle
        end()
        event = ear.expect(ear.seam.DISCONNECTED, "disconnected")
        _must_be(event[1], subject.address, "the address of DISCONNECTED")
        subject.radio.read(subject.address, handle)  # too late, and no more than that
        subject.radio.subscribe(subject.address, handle, True)
        subject.settle()
        ear.forget()


def check_loss_while_reading(subject: "Any") -> None:
    """A device that goes amid a read leaves DISCONNECTED, and at most one READ without a value."""
    ear = Ear(subject)
    ear.start()
    ear.connect()
    handle = ear.discover()[subject.temperature].handle
    subject.radio.read(subject.address, handle)
    subject.drop()
    ear.expect(ear.seam.DISCONNECTED, "dropped")


def check_giving_up(subject: "Any") -> None:
    """An attempt that is given up ends in one DISCONNECTED, and does not stand in the way of the next."""
    ear = Ear(subject)
    ear.start()
    ear.find()
    subject.radio.connect(subject.absent, subject.is_random)
    subject.settle()
    subject.radio.disconnect(subject.absent)
    event = ear.expect(ear.seam.DISCONNECTED, "gave up")
    _must_be(event[1], subject.absent, "the address of DISCONNECTED")
    ear.connect()


def check_nobody(subject: "Any") -> None:
    """What is asked of an address without a connection raises nothing, and a disconnect is answered."""
    ear = Ear(subject)
    ear.start()
    subject.radio.discover(subject.absent)
    subject.radio.read(subject.absent, 1)
    subject.radio.write(subject.absent, 1, b"", True)
    subject.radio.subscribe(subject.absent, 1, True)
    subject.radio.stop_scan()
    subject.settle()
    ear.forget()
    subject.radio.disconnect(subject.absent)
    ear.expect(ear.seam.DISCONNECTED, "disconnected what was not connected")


CHECKS: "tuple[Callable[[Any], None], ...]" = (
    check_scan,
    check_discovery,
    check_reading,
    check_writing,
    check_notifications,
    check_disconnecting,
    check_loss_while_reading,
    check_giving_up,
    check_nobody,
)


def _must_be(told: object, expected: object, what: str) -> None:
    if told != expected:
        raise ContractBroken("%s: %r, not %r" % (what, told, expected))
