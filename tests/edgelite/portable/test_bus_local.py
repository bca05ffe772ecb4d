"""Local processes on the bus: the server without a socket (tests/ports/test_bus.py has it with real ones)."""

from edgelite.bus import frames, local
from edgelite.bus.bus import MessageBus
from edgelite.bus.local import LocalServer
from edgelite.effects import Close, Listen, Log
from edgelite_protocol import cbor
from edgelite_protocol.frames import FrameReader

HELLO = frames.encode(frames.HELLO, {frames.PROTOCOL_VERSION: 1, frames.NAME: "p"})


def ping(number):
    return frames.encode(frames.PING, {frames.NUMBER: number})


def subscribe(text, number=1):
    return frames.encode(frames.SUBSCRIBE, {frames.NUMBER: number, frames.TOPIC: text})


def publish(topic, payload=b"", number=1):
    return frames.encode(frames.PUBLISH, {frames.NUMBER: number, frames.TOPIC: topic, frames.PAYLOAD: payload})


class Place:
    def __init__(self):
        self.effects = []
        self.now_ms = 0
        self.bus = MessageBus()
        self.server = LocalServer(
            self.bus, "/run/bus.sock", "kitchen", self.effects.append, lambda count: b"\x80" * count
        )
        self.readers = {}

    def take(self, kind):
        found = [effect for effect in self.effects if isinstance(effect, kind)]
        self.effects[:] = [effect for effect in self.effects if not isinstance(effect, kind)]
        return found

    def connect(self, greeting=HELLO):
        session = self.server.accept("", self.now_ms)
        if session is not None and greeting:
            session.received(greeting, self.now_ms)
            self.step()
            assert [frame[frames.KIND] for frame in self.sent(session)] == [frames.WELCOME]
        return session

    def step(self, count=1):
        for _ in range(count):
            deadline_ms = self.server.step(self.now_ms)
        return deadline_ms

    def sent(self, session, pieces=100):
        """What the process hears, frame by frame; a few bytes at a time."""
        reader = FrameReader(frames.FRAME_BYTES_MAX)
        found = []
        for _ in range(pieces):
            data = session.data_to_send(7)
            if not data:
                break
            reader.feed(data)
            frame = reader.next_frame()
            if frame is not None:
                found.append(cbor.decode(frame[1]))
        return found


def test_it_listens_and_tries_again_where_that_fails():
    place = Place()
    place.step()
    listens = place.take(Listen)
    assert [one.target for one in listens] == [("unix", "/run/bus.sock")] and listens[0].acceptor is place.server
    place.server.closed("permission denied", 0)
    deadline_ms = place.step()
    assert 0 < deadline_ms <= local.LISTEN_BASE_MS and place.take(Listen) == []
    assert ["permission denied" in one.text for one in place.take(Log)] == [True]
    place.now_ms = deadline_ms
    place.step()
    assert len(place.take(Listen)) == 1


def test_requests_are_answered_in_order_however_they_are_cut():
    place = Place()
    session = place.connect()
    for byte in subscribe("t", 1) + publish("t", b"x", 2) + publish("a/+", b"", 3) + ping(4):
        session.received(bytes([byte]), 0)
    place.step(4)
    heard = place.sent(session)
    assert [frame.get(frames.NUMBER) for frame in heard] == [1, 2, 3, 4, None]
    assert [frame.get(frames.CODE) for frame in heard] == [None, None, "bus_topic", None, None]
    assert heard[4] == {frames.KIND: frames.MESSAGE, frames.TOPIC: "t", frames.PAYLOAD: b"x"}


def test_a_flood_is_served_by_turns_and_waits_at_its_socket():
    place = Place()
    flood, calm = place.connect(), place.connect()
    flood.received(b"".join([ping(number) for number in range(100)]), 0)
    calm.received(ping(7), 0)
    assert flood.is_full and not calm.is_full
    assert place.step() == place.now_ms, "more waits"
    assert [frame[frames.NUMBER] for frame in place.sent(calm)] == [7], "in the first step already"
    assert len(place.sent(flood)) == local.FRAMES_PER_STEP - 1
    while flood.is_full:
        place.step()
        place.sent(flood)
    place.step(20)
    heard = place.sent(flood, 1000)
    assert heard[-1][frames.NUMBER] == 99


def test_one_that_takes_no_answers_is_served_no_more_until_it_does():
    place = Place()
    session = place.connect()
    session.received(b"".join([ping(number) for number in range(60)]), 0)
    place.step(100)
    assert place.step() is None, "nothing can be done for it"
    assert len(place.sent(session, 1000)) == local.REQUESTS_MAX
    assert place.step() == place.now_ms


def test_what_a_port_reads_all_the_same_is_bounded():
    place = Place()
    session = place.connect()
    for _ in range(9):
        session.received(publish("t", bytes(16384)), 0)
    assert place.sent(session, 1000)[-1][frames.CODE] == "bus_flood"
    assert len(place.take(Close)) == 1


def test_one_that_says_no_hello_is_closed():
    place = Place()
    session = place.connect(b"")
    assert place.step() in (0, local.HELLO_TIMEOUT_MS)
    place.now_ms = local.HELLO_TIMEOUT_MS
    place.step()
    assert place.sent(session, 1000)[-1][frames.CODE] == "bus_timeout"
    assert [one.channel for one in place.take(Close)] == [session]
    session.closed("closed", place.now_ms)
    assert place.step() is None


def test_one_that_does_not_take_its_last_words_is_closed_without():
    place = Place()
    session = place.connect()
    session.received(b"\x00\x00", 0)
    assert place.take(Close) == []
    assert place.step() == local.END_TIMEOUT_MS
    place.now_ms = local.END_TIMEOUT_MS
    place.step()
    assert [one.channel for one in place.take(Close)] == [session]
    session.received(ping(1), 0)  # what was on its way
    assert place.step() is None


def test_one_that_left_gets_nothing_more():
    place = Place()
    session = place.connect()
    session.received(subscribe("t"), 0)
    place.step()
    assert place.bus.is_wanted("t")
    session.closed("closed by the other end", 0)
    assert not place.bus.is_wanted("t")


def test_places_are_bounded_and_the_log_is_not_filled():
    place = Place()
    sessions = [place.connect(b"") for _ in range(local.SESSIONS_MAX)]
    place.take(Log)
    assert [place.connect(b"") for _ in range(5)] == [None] * 5
    for session in sessions:
        session.received(b"\x00\x00", 0)
    assert len(place.take(Log)) == 1
    sessions[0].closed("closed", 0)
    assert place.connect() is not None


def test_a_name_cannot_forge_lines_of_the_log():
    place = Place()
    session = place.connect(frames.encode(frames.HELLO, {frames.PROTOCOL_VERSION: 1, frames.NAME: "a\nb"}))
    session.received(b"\x00\x00", 0)
    assert all("\n" not in one.text for one in place.take(Log))


def test_the_end_of_the_agent_is_told():
    place = Place()
    place.step()
    session = place.connect()
    place.take(Listen)
    place.server.stop(0)
    assert place.sent(session, 1000)[-1][frames.CODE] == "bus_stopped"
    assert place.server in [one.channel for one in place.take(Close)]
    assert place.server.accept("", 0) is None
    place.server.closed("closed", 0)
    place.step()
    assert place.take(Listen) == [] and place.take(Log) != []
