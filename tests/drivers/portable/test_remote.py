"""A driver whose other half runs elsewhere: the agent's end, the other end, and what is between them."""

import remote_peer
from remote_peer import Far

from edgelite.driver import Request
from edgelite_drivers import driver_frames as frames
from edgelite_drivers import remote
from edgelite_drivers.process import Session
from edgelite_drivers.remote import Raw, RemoteBus
from edgelite_drivers.testing import Subject, Wire, check_driver
from edgelite_protocol import messages
from edgelite_protocol.errors import ProtocolError

ROW = {messages.PROPERTY_TYPE: "FLOAT"}
VALUES = {"inside": 21.5, "outside": -3.25}


def subject():
    return Subject(
        remote_peer,
        {"place": "roof"},
        {
            "inside": ({"sensor": 1}, ROW),
            "outside": ({"sensor": 2}, ROW),
            "weight": ({"sensor": 3, "listen": True}, ROW),
        },
        VALUES,
        lambda: Far(dict(VALUES, weight=7.5)),
        (({}, "protocol.configData.place"),),
        (("nothing", "visitors.configData"),),
        ("inside", 19.0),
        {"weight": 7.5},
    )


def no_jitter(count):
    return b"\x80" * count


def opened():
    bus = RemoteBus("far", no_jitter)
    bus.opened(0)
    far = Session("far")
    far.receive(bus.data_to_send(4096))
    assert far.next_event() is None
    bus.received(far.data_to_send(), 0)
    return bus, far


def read(number, value=None):
    return Request(number, Raw({"place": "roof"}), {"inside": Raw({"sensor": 1}, "FLOAT")}, value)


def events(bus, far):
    data = bus.data_to_send(1 << 20)
    if data:
        far.receive(data)
    found = []
    event = far.next_event()
    while event is not None:
        found.append(event)
        event = far.next_event()
    return found


def results(bus, far, now_ms=0):
    bus.received(far.data_to_send(1 << 20), now_ms)
    found = []
    result = bus.next_result()
    while result is not None:
        found.append(result)
        result = bus.next_result()
    return found


def test_it_keeps_the_contract():
    check_driver(subject())


def test_configurations_arrive_as_they_were_given():
    bus, far = opened()
    bus.submit(read(1), 0)
    bus.submit(read(2, 19.5), 0)
    asked, write = events(bus, far)
    assert (asked.number, asked.protocol, asked.properties, asked.value, asked.listens) == (
        1,
        {"place": "roof"},
        {"inside": ({"sensor": 1}, "FLOAT")},
        None,
        False,
    )
    assert (write.number, write.value) == (2, 19.5)


def test_results_have_values_errors_and_the_time_when_they_were_said():
    bus, far = opened()
    for number in (1, 2, 3, 4):
        bus.submit(read(number), 500)
    assert len(events(bus, far)) == 4
    assert far.tell(1, {"inside": 21.5}, age_ms=200)
    assert far.tell(2, errors="the sensor is broken")
    assert far.tell(3, errors="no answer", answered=False)
    assert far.tell(4, {"another": 1})
    assert not far.tell(1, {"inside": 22}), "a request has one result"
    found = [(row.number, row.values, row.errors, row.answered, row.time_ms) for row in results(bus, far, 500)]
    assert found == [
        (1, {"inside": 21.5}, {}, True, 300),
        (2, {}, {"inside": "the sensor is broken"}, True, 500),
        (3, {}, {"inside": "no answer"}, False, 500),
        (4, {}, {"inside": "driver far gave no value"}, True, 500),
    ]


def test_who_listens_hears_until_it_ignores():
    bus, far = opened()
    bus.listen(read(7), 0)
    (asked,) = events(bus, far)
    assert asked.listens
    for weight in (1.0, 2.0):
        far.tell(7, {"inside": weight})
    assert [row.values for row in results(bus, far)] == [{"inside": 1.0}, {"inside": 2.0}]
    bus.ignore(7, 0)
    (ignored,) = events(bus, far)
    assert ignored.number == 7
    assert not far.tell(7, {"inside": 3.0})
    assert results(bus, far) == []


def test_listening_survives_a_new_connection_and_says_when_there_is_none():
    bus, far = opened()
    bus.listen(read(7), 0)
    bus.closed("reset", 1000)
    (silent,) = results(bus, Session("far"), 1000)
    assert (silent.number, silent.answered, silent.errors) == (
        7,
        False,
        {"inside": "no connection to driver far: reset"},
    )
    assert not bus.wants_open(1000)
    deadline_ms = bus.step(1000)
    assert deadline_ms is not None and deadline_ms <= 2000 and bus.wants_open(deadline_ms)
    bus.opened(deadline_ms)
    far = Session("far")
    assert events(bus, far) == []
    bus.received(far.data_to_send(), deadline_ms)
    (asked,) = events(bus, far)
    assert (asked.number, asked.listens) == (7, True)


def test_a_hang_is_noticed_by_a_ping():
    bus, far = opened()
    assert bus.step(0) == remote.PING_MS
    assert bus.step(remote.PING_MS) == 2 * remote.PING_MS
    events(bus, far)
    results(bus, far, remote.PING_MS + 5)
    assert bus.step(remote.PING_MS + 5) == 2 * remote.PING_MS + 5, "it answered"
    now_ms = 2 * remote.PING_MS + 5
    bus.step(now_ms)
    bus.submit(read(1), now_ms)
    assert not bus.wants_close(now_ms)
    bus.step(now_ms + remote.PING_MS)
    assert bus.wants_close(now_ms + remote.PING_MS) and bus.is_hung
    bus.closed("closed", now_ms + remote.PING_MS)
    (result,) = results(bus, Session("far"))
    assert result.errors == {"inside": "driver far hangs: no answer to a ping within 10000 ms"}
    assert not result.answered


def test_one_that_says_no_hello_hangs_too():
    bus = RemoteBus("far", no_jitter)
    bus.submit(read(1), 0)
    bus.opened(0)
    assert bus.step(0) == remote.HELLO_MS
    bus.step(remote.HELLO_MS)
    assert bus.wants_close(remote.HELLO_MS) and bus.is_hung


def test_a_request_that_is_forgotten_ends_all_the_same():
    bus, far = opened()
    bus.submit(read(1), 0)
    for now_ms in range(0, remote.REQUEST_MS, 5000):
        bus.step(now_ms)
        events(bus, far)
        assert results(bus, far, now_ms) == []
    bus.step(remote.REQUEST_MS)
    far.tell(1, {"inside": 1.0})
    (result,) = results(bus, far, remote.REQUEST_MS)
    assert result.errors == {"inside": "driver far gave no result within 60000 ms"}


def test_one_that_never_starts_keeps_nobody_waiting():
    bus = RemoteBus("far", no_jitter)
    bus.submit(read(1), 0)
    assert bus.wants_open(0) and bus.step(0) == remote.OPEN_MS
    bus.step(remote.OPEN_MS)
    assert bus.next_result().errors == {"inside": "driver far did not start within 20000 ms"}


def bad_frames():
    yield b"\0\0", "a frame without a stream id"
    yield b"\xff\xff\0", "a payload of 65534 bytes, at most 16384 agreed"
    yield b"\0\2\0\xff", ""
    yield frames.encode({frames.TYPE: 9}), "type 9"
    yield frames.encode({frames.TYPE: "hello"}), "a message without a type"
    yield frames.encode([1]), "a message without a type"
    yield frames.hello("far", 4096), "hello at this point"
    yield frames.numbered(frames.IGNORE, 1), "what only an agent says"
    yield frames.encode({frames.TYPE: frames.RESULT, frames.NUMBER: 1}), "result.values"
    bad = {frames.TYPE: frames.RESULT, frames.NUMBER: 1, 2: {"inside": [1]}, 3: {}, 4: True}
    yield frames.encode(bad), "result.values.inside"
    bad = {frames.TYPE: frames.RESULT, frames.NUMBER: 1, 2: {}, 3: {"inside": 5}, 4: True}
    yield frames.encode(bad), "result.errors.inside"


def test_a_peer_that_breaks_the_rules_is_closed_and_told_why():
    for data, text in bad_frames():
        bus, _far = opened()
        bus.submit(read(1), 0)
        bus.received(data, 0)
        assert bus.wants_close(0) and not bus.is_hung, data
        bus.received(data, 0)
        bus.closed("closed", 0)
        result = bus.next_result()
        assert result.errors["inside"].startswith("driver far: " + text), result.errors


def test_what_a_newer_peer_says_besides_is_skipped():
    bus, far = opened()
    bus.submit(read(1), 0)
    events(bus, far)
    bus.received(frames.encode({frames.TYPE: 200, 1: "news"}), 0)
    message = {frames.TYPE: frames.RESULT, frames.NUMBER: 1, 2: {"inside": 1.5}, 3: {}, 4: True, 99: "more"}
    bus.received(frames.encode(message), 0)
    assert bus.next_result().values == {"inside": 1.5} and not bus.wants_close(0)


def refusal_of(hello):
    bus = RemoteBus("far", no_jitter)
    bus.submit(read(1), 0)
    bus.opened(0)
    bus.received(hello, 0)
    assert bus.wants_close(0)
    bus.closed("closed", 0)
    return bus.next_result().errors["inside"]


def test_another_version_and_another_driver_are_refused():
    other = {frames.TYPE: 1, 1: 2, 2: 0, 3: "far", 4: 4096}
    assert refusal_of(frames.encode(other)) == "driver far: the other end speaks version 2, this one 1"
    assert refusal_of(frames.hello("near", 4096)) == "driver far: it is near, not far"
    assert refusal_of(frames.numbered(frames.PONG, 1)) == "driver far: pong at this point"


def test_bounds_hold_at_the_agents_end():
    bus, _far = opened()
    for number in range(frames.REQUESTS_MAX):
        bus.submit(read(number), 0)
    bus.submit(read(1000), 0)
    assert bus.next_result().errors == {"inside": "driver far has 256 requests under way"}
    bus, _far = opened()
    long = Request(1, Raw({"place": "x" * 20_000}), {"inside": Raw({}, "FLOAT")})
    bus.submit(long, 0)
    assert bus.next_result().errors == {"inside": "the configuration is longer than driver far takes"}
    bus.submit(Request(2, Raw({"place": object()}), {"inside": Raw({}, "FLOAT")}), 0)
    assert bus.next_result().errors["inside"].startswith("cannot be told to driver far: ")
    bus.listen(read(3), 0)
    flood = frames.encode({frames.TYPE: frames.RESULT, frames.NUMBER: 3, 2: {}, 3: {}, 4: True})
    for _ in range(remote.RESULTS_MAX + 1):
        bus.received(flood, 0)
    assert bus.wants_close(0)


def test_bounds_hold_at_the_other_end():
    bus, far = opened()
    bus.listen(read(3), 0)
    events(bus, far)
    assert far.tell(3, {"inside": b"x" * 20_000})
    assert results(bus, far)[0].errors["inside"].startswith("a result of 200")
    while far.tell(3, {"inside": b"x" * 10_000}):
        pass
    assert far.dropped == 1
    for bad in (frames.numbered(frames.PONG, 1), b"\0\0", b"\xff\xff\0"):
        _bus, far = opened()
        try:
            far.receive(bad)
            assert far.next_event() is None and bad == frames.numbered(frames.PONG, 1)
        except ProtocolError:
            continue


def test_byte_by_byte_is_the_same_as_whole():
    bus, far = opened()
    bus.submit(read(1), 0)
    for byte in bus.data_to_send(4096):
        far.receive(bytes([byte]))
        event = far.next_event()
    assert event.number == 1
    far.tell(1, {"inside": 21.5})
    for byte in far.data_to_send():
        assert bus.next_result() is None
        bus.received(bytes([byte]), 0)
    assert bus.next_result().values == {"inside": 21.5}


def test_the_wire_of_the_suite_speaks_to_it_too():
    wire = Wire(subject())
    wire.submit(22.0, ["inside"])
    assert wire.wait(1)[0].errors == {}
    assert wire.peer.values["inside"] == 22.0
