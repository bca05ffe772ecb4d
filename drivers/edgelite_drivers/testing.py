"""The contract suite: what every driver must do, checked without a device, a socket or a clock.

    from edgelite_drivers.testing import Subject, check_driver

    check_driver(Subject(driver, protocol_config, {"temperature": (visitor_config, property)},
                         {"temperature": 21.5}, MakePeer))

A peer is the device in memory: `answer(data) -> bytes` takes what the bus sent and gives what the device sends back;
where the driver listens, `say() -> bytes` gives what the device sends by itself.
Each check raises ContractBroken, which says what the driver did and which rule of edgelite/driver.py it broke. Runs
under CPython and MicroPython.
"""

from edgelite.devices.lines import key_of
from edgelite.driver import ConfigurationError, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.driver import Bus, Result

    Value = int | float | str | bool | bytes

PATIENCE_MS = 120_000  # a driver that gives no result within that many virtual milliseconds gives none
STEPS_MAX = 10_000
PIECE_BYTES = 4096
GARBAGE = (b"\0" * 300, b"\xff" * 300, b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(range(256)), b"\r\n\r\n", b"{}")


class ContractBroken(AssertionError):
    """The driver does not keep the contract."""


class Subject:
    """A driver and one device that it can talk to.

    `visitors`: property name to (visitor configuration, compact property); `values`: what the peer's device holds
    for each that is asked for, `heard` what it says of the others by itself; `bad_protocols` and `bad_visitors`:
    [(configuration, path that the error must name), ...]; `write`: (property name, another value) of one that can be
    written.
    """

    def __init__(
        self,
        driver: "Any",
        protocol: object,
        visitors: "dict[str, tuple[object, dict[int, object]]]",
        values: "dict[str, Value]",
        make_peer: "Callable[[], Any]",
        bad_protocols: "tuple[tuple[object, str], ...]" = (),
        bad_visitors: "tuple[tuple[object, str], ...]" = (),
        write: "tuple[str, Value] | None" = None,
        heard: "dict[str, Value] | None" = None,
    ) -> None:
        self.driver = driver
        self.protocol_config = protocol
        self.visitor_configs = visitors
        self.values = values
        self.make_peer = make_peer
        self.bad_protocols = bad_protocols
        self.bad_visitors = bad_visitors
        self.write = write
        self.heard = heard or {}


class Wire:
    """A bus, its peer and the time between them: the port, in short."""

    def __init__(self, subject: Subject, peer: "Any" = None) -> None:
        driver = subject.driver
        self.protocol = driver.check_protocol(subject.protocol_config)
        self.visitors: dict[str, object] = {}
        for name in subject.visitor_configs:
            config, property = subject.visitor_configs[name]
            self.visitors[name] = driver.check_visitor(config, property)
        self.bus: Bus = driver.make_bus(driver.target(self.protocol), _half)
        self.peer = peer if peer is not None else subject.make_peer()
        self.now_ms = 0
        self.is_open = False
        self.piece_bytes = PIECE_BYTES
        self._last_number = 0
        self._asked_for = [name for name in self.visitors if name not in subject.heard]

    def listen(self, names: "list[str]") -> int:
        self._last_number += 1
        visitors = {name: self.visitors[name] for name in names}
        self.bus.listen(Request(self._last_number, self.protocol, visitors), self.now_ms)
        return self._last_number

    def hear(self) -> "list[Result]":
        """The device says its values; the results."""
        self._deliver(self.peer.say())
        return self.settle()

    def submit(self, value: "Value | None" = None, names: "list[str] | None" = None) -> int:
        self._last_number += 1
        visitors = {name: self.visitors[name] for name in (names or self._asked_for)}
        self.bus.submit(Request(self._last_number, self.protocol, visitors, value), self.now_ms)
        return self._last_number

    def settle(self) -> "list[Result]":
        """Open the channel where the bus wants it, carry bytes both ways until nothing moves; the results."""
        self.bus.step(self.now_ms)
        if not self.is_open and self.bus.wants_open(self.now_ms):
            self.is_open = True
            self.bus.opened(self.now_ms)
        data = self._sent() if self.is_open else b""
        while data or self._sets_line():
            if data:
                self._deliver(self.peer.answer(data))
            data = self._sent()
        if self.is_open and self.bus.wants_close(self.now_ms):
            self.close("closed")
        return self._results()

    def _sets_line(self) -> bool:
        """The port gives a serial line the settings that the bus wants, and steps it again."""
        if not self.is_open or self.bus.wants_settings(self.now_ms) is None:
            return False
        self.bus.step(self.now_ms)
        return True

    def close(self, reason: str) -> None:
        self.is_open = False
        self.bus.closed(reason, self.now_ms)

    def wait(self, count: int) -> "list[Result]":
        """Let time pass from deadline to deadline until there are `count` results."""
        results = self.settle()
        start_ms = self.now_ms
        steps = 0
        while len(results) < count:
            deadline_ms = self.bus.step(self.now_ms)
            self._must_wait(deadline_ms)
            self.now_ms = max(self.now_ms, deadline_ms if deadline_ms is not None else self.now_ms + 1000)
            results.extend(self.settle())
            steps += 1
            if self.now_ms - start_ms > PATIENCE_MS or steps > STEPS_MAX:
                raise ContractBroken("%d of %d requests had no result" % (count - len(results), count))
        return results

    def _must_wait(self, deadline_ms: "int | None") -> None:
        if deadline_ms is None and not self.bus.wants_open(self.now_ms) and self.is_open:
            raise ContractBroken("a request is under way, and step() names no deadline: it would wait for ever")

    def _sent(self) -> bytes:
        data = self.bus.data_to_send(self.piece_bytes)
        if not isinstance(data, bytes) or len(data) > self.piece_bytes:
            raise ContractBroken("data_to_send(%d) gave %r" % (self.piece_bytes, data))
        return data

    def _deliver(self, data: bytes) -> None:
        for offset in range(0, len(data), self.piece_bytes):
            self.bus.received(data[offset : offset + self.piece_bytes], self.now_ms)

    def _results(self) -> "list[Result]":
        results = []
        result = self.bus.next_result()
        while result is not None:
            results.append(result)
            result = self.bus.next_result()
        return results


class SilentPeer:
    def answer(self, data: bytes) -> bytes:
        return b""


class GarbagePeer:
    def __init__(self, garbage: bytes) -> None:
        self.garbage = garbage

    def answer(self, data: bytes) -> bytes:
        return self.garbage


def check_driver(subject: Subject) -> None:
    """All checks, one after another."""
    for check in CHECKS:
        if subject.values or check not in OF_ASKING:
            check(subject)


def check_module(subject: Subject) -> None:
    for name in ("NAME", "check_protocol", "check_visitor", "target", "make_bus", "same_value"):
        if not hasattr(subject.driver, name):
            raise ContractBroken("the module has no " + name)


def check_configuration(subject: Subject) -> None:
    """Good configurations are taken, bad ones refused by path, and equal targets share a bus."""
    driver = subject.driver
    targets = [driver.target(driver.check_protocol(subject.protocol_config)) for _ in range(2)]
    if targets[0] != targets[1] or {key_of(driver, targets[0]): True}.get(key_of(driver, targets[1])) is None:
        raise ContractBroken("target() of equal configurations differs")
    for config, path in subject.bad_protocols:
        _must_refuse(path, driver.check_protocol, config)
    for name in subject.visitor_configs:
        property = subject.visitor_configs[name][1]
        for config, path in subject.bad_visitors:
            _must_refuse(path, driver.check_visitor, config, property)
        break


def check_rest(subject: Subject) -> None:
    """A bus without work wants nothing and says nothing."""
    bus = Wire(subject).bus
    if bus.wants_open(0) or bus.wants_close(0) or bus.next_result() is not None or bus.step(0) is not None:
        raise ContractBroken("an idle bus wants something")


def check_read(subject: Subject) -> None:
    """One result for a request, with the values that the device holds, however the bytes are cut."""
    for piece_bytes in (PIECE_BYTES, 1):
        wire = Wire(subject)
        wire.piece_bytes = piece_bytes
        for _ in range(3):
            number = wire.submit()
            results = wire.wait(1)
            _must_be(subject, results, number)


def check_many(subject: Subject) -> None:
    """A result for each request, none twice."""
    wire = Wire(subject)
    numbers = [wire.submit() for _ in range(10)]
    found = sorted([result.number for result in wire.wait(10)])
    if found != numbers:
        raise ContractBroken("requests %r had results %r" % (numbers, found))


def check_write(subject: Subject) -> None:
    """What was written is read back, and counts as the same value."""
    if subject.write is None:
        return
    name, value = subject.write
    wire = Wire(subject)
    wire.submit(value, [name])
    (written,) = wire.wait(1)
    if written.errors or not written.answered:
        raise ContractBroken("the write failed: %r" % (written.errors,))
    wire.submit(None, [name])
    (result,) = wire.wait(1)
    if not subject.driver.same_value(wire.visitors[name], value, result.values.get(name)):
        raise ContractBroken("%r was written and %r read back" % (value, result.values))


def check_silence(subject: Subject) -> None:
    """A device that says nothing costs a timeout, and its request is answered as such."""
    wire = Wire(subject, SilentPeer())
    number = wire.submit()
    _must_fail(subject, wire.wait(1), number)
    if wire.now_ms == 0:
        raise ContractBroken("a silent device was given no time at all")


def check_refused_connection(subject: Subject) -> None:
    """Each try that fails ends the requests that wait for it, and the next one waits for a backoff."""
    wire = Wire(subject)
    opens = 0
    for now_ms in range(0, 60_000, 100):
        wire.now_ms = now_ms
        number = wire.submit()
        wire.bus.step(now_ms)
        if wire.bus.wants_open(now_ms):
            opens += 1
            wire.bus.closed("refused", now_ms)
        wire.bus.step(now_ms)
        results = wire._results()
        if results:
            _must_fail(subject, results[-1:], number)
    if not 2 <= opens <= 60:
        raise ContractBroken("%d connections were tried in a minute of refusals" % opens)


def check_lost_connection(subject: Subject) -> None:
    """A connection that ends in the middle loses no request, and the next one is served over a new one."""
    wire = Wire(subject)
    wire.submit()
    wire.wait(1)
    number = wire.submit()
    wire.bus.data_to_send(PIECE_BYTES)
    wire.close("reset by peer")
    results = wire.wait(1)
    if [result.number for result in results] != [number]:
        raise ContractBroken("the request under way had no result")
    wire.now_ms += 60_000
    wire.bus.step(wire.now_ms)
    number = wire.submit()
    _must_be(subject, wire.wait(1), number)


def check_garbage(subject: Subject) -> None:
    """Whatever a peer sends raises nothing and is never taken for a value; afterwards the bus works again."""
    for garbage in GARBAGE:
        wire = Wire(subject, GarbagePeer(garbage))
        number = wire.submit()
        results = wire.wait(1)
        if len(results) != 1 or results[0].number != number or not results[0].errors:
            raise ContractBroken("garbage was taken for values: %r" % (results[0].values,))
        if wire.is_open:
            wire.close("closed")
        wire.peer = subject.make_peer()
        wire.now_ms += 120_000
        wire.bus.step(wire.now_ms)
        number = wire.submit()
        _must_be(subject, wire.wait(1), number)


def check_listening(subject: Subject) -> None:
    """What a device says by itself is told each time, to who listens, as long as it does."""
    if not subject.heard:
        return
    for piece_bytes in (PIECE_BYTES, 1):
        wire = Wire(subject)
        _must_listen(subject, wire)
        wire.piece_bytes = piece_bytes
        number = wire.listen(list(subject.heard))
        wire.settle()
        if not wire.is_open:
            raise ContractBroken("listen() does not open the channel")
        for _ in range(3):
            _must_hear(subject, wire, number)
        if subject.values:  # what is asked for meanwhile is answered as ever
            asked = wire.submit()
            _must_be(subject, [result for result in wire.wait(1) if result.number == asked], asked)
        wire.bus.ignore(number, wire.now_ms)
        late = [result.number for result in wire.settle() + wire.hear()]
        if late:
            raise ContractBroken("ignore() was called, and requests %r have results" % late)


def check_listening_again(subject: Subject) -> None:
    """The end of the channel is told to who listens, and what is said over the next one is told again."""
    if not subject.heard:
        return
    wire = Wire(subject)
    number = wire.listen(list(subject.heard))
    wire.settle()
    _must_hear(subject, wire, number)
    wire.close("reset by peer")
    wire.bus.step(wire.now_ms)
    told = [(result.number, result.answered, sorted(result.errors)) for result in wire._results()]
    if told != [(number, False, sorted(subject.heard))]:
        raise ContractBroken("the channel's end was told as (number, answered, errors) %r" % (told,))
    steps = 0
    while not wire.is_open:
        steps += 1
        if steps > STEPS_MAX or wire.now_ms > PATIENCE_MS:
            raise ContractBroken("it listens, and the channel is not wanted again")
        deadline_ms = wire.bus.step(wire.now_ms)
        wire.now_ms = max(wire.now_ms + 100, deadline_ms or 0)
        wire.settle()
    wire.settle()
    _must_hear(subject, wire, number)


def check_listening_to_garbage(subject: Subject) -> None:
    """Garbage raises nothing and is no value."""
    if not subject.heard:
        return
    for garbage in GARBAGE:
        wire = Wire(subject)
        wire.listen(list(subject.heard))
        wire.settle()
        wire._deliver(garbage)
        for result in wire.settle():
            if result.values:
                raise ContractBroken("garbage was taken for values: %r" % (result.values,))


OF_ASKING = (check_read, check_many, check_silence, check_refused_connection, check_lost_connection, check_garbage)
CHECKS = (
    check_module,
    check_configuration,
    check_rest,
    check_read,
    check_many,
    check_write,
    check_silence,
    check_refused_connection,
    check_lost_connection,
    check_garbage,
    check_listening,
    check_listening_again,
    check_listening_to_garbage,
)


def _half(count: int) -> bytes:
    return b"\x80" * count


def _must_refuse(path: str, check: "Callable[..., object]", *arguments: object) -> None:
    try:
        check(*arguments)
    except ConfigurationError as error:
        if error.path != path:
            raise ContractBroken("%r was refused at %s, not at %s" % (arguments[0], error.path, path)) from error
        return
    raise ContractBroken("%r was taken" % (arguments[0],))


def _must_be(subject: Subject, results: "list[Result]", number: int) -> None:
    if len(results) != 1 or results[0].number != number:
        raise ContractBroken("request %d had results %r" % (number, [result.number for result in results]))
    result = results[0]
    if result.values != subject.values or result.errors or not result.answered:
        raise ContractBroken("read %r, errors %r, not %r" % (result.values, result.errors, subject.values))


def _must_fail(subject: Subject, results: "list[Result]", number: int) -> None:
    if len(results) != 1 or results[0].number != number:
        raise ContractBroken("request %d had results %r" % (number, [result.number for result in results]))
    result = results[0]
    if result.answered or result.values or sorted(result.errors) != sorted(subject.values):
        raise ContractBroken(
            "a device that says nothing: answered %r, values %r, errors %r"
            % (result.answered, result.values, result.errors)
        )


def _must_listen(subject: Subject, wire: Wire) -> None:
    for name in wire.visitors:
        if bool(subject.driver.listens(wire.visitors[name])) != (name in subject.heard):
            raise ContractBroken("listens() of %s is %r" % (name, name not in subject.heard))


def _must_hear(subject: Subject, wire: Wire, number: int) -> None:
    """All values, in one result or in several."""
    values: dict[str, Value] = {}
    for result in wire.hear():
        if result.number != number or result.errors or not result.answered:
            raise ContractBroken("heard request %d, errors %r, not %d" % (result.number, result.errors, number))
        values.update(result.values)
    if values != subject.heard:
        raise ContractBroken("heard %r, not %r" % (values, subject.heard))
