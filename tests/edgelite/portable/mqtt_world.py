"""A broker in memory, as small as a test of the bridge needs it, with a codec of its own; and a bridge around it."""

from edgelite.bus.bus import MessageBus, Subscriber
from edgelite.clock import Clock
from edgelite.config import parse
from edgelite.context import Context
from edgelite.effects import Close, Log, Open
from edgelite.mqtt.bridge import Bridge

CONFIG = "node = kitchen\nhub = hub.example\nmqtt = broker.example\n"


def packet(first, body):
    """A whole packet."""
    rest = len(body)
    data = bytes([first])
    while rest > 0x7F:
        data += bytes([rest & 0x7F | 0x80])
        rest >>= 7
    return data + bytes([rest]) + body


def text(data):
    return len(data).to_bytes(2, "big") + data


def message(topic, payload, qos=0, number=7):
    identifier = number.to_bytes(2, "big") if qos else b""
    return packet(0x30 | qos << 1, text(topic.encode()) + identifier + payload)


class Heard:
    """One packet of the client: `first`, and by its type `topic`, `payload`, `number`, `will`, ..."""

    def __init__(self, first, body):
        self.first = first
        self.kind = first >> 4
        self.body = body
        if self.kind == 1:
            self._connect()
        elif self.kind == 3:
            self.topic, rest = _text(body)
            self.qos = first >> 1 & 3
            self.number = int.from_bytes(rest[:2], "big") if self.qos else 0
            self.payload = rest[2:] if self.qos else rest
        elif self.kind == 8:
            self.number = int.from_bytes(body[:2], "big")
            self.topic, rest = _text(body[2:])
            self.qos = rest[0]

    def _connect(self):
        name, rest = _text(self.body)
        assert (name, rest[0]) == ("MQTT", 4)
        flags = rest[1]
        self.is_clean = bool(flags & 2)
        self.keepalive_s = int.from_bytes(rest[2:4], "big")
        self.client, rest = _text(rest[4:])
        self.will = self.user = self.password = None
        if flags & 4:
            topic, rest = _text(rest)
            payload, rest = _text(rest)
            self.will = (topic, payload)
        if flags & 0x80:
            self.user, rest = _text(rest)
            self.password, rest = _text(rest)
        assert rest == b""


def _text(data):
    size = int.from_bytes(data[:2], "big")
    assert len(data) >= 2 + size
    return data[2 : 2 + size].decode(), data[2 + size :]


def heard(data):
    """All packets in `data`, which must be whole."""
    found = []
    while data:
        size, shift, at = 0, 0, 1
        while True:
            size |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 0x80:
                break
        assert len(data) >= at + size
        found.append(Heard(data[0], data[at : at + size]))
        data = data[at + size :]
    return found


class World:
    """A bridge, its bus, its port played by the test; `now_ms` goes on only when a test says so."""

    def __init__(self, config=CONFIG):
        self.now_ms = 1000
        self.effects = []
        self.clock = Clock(b"b" * 16)
        context = Context(None, self.effects.append, None, self.clock, lambda count: b"\x80" * count, b"b" * 16)
        self.bus = MessageBus()
        self.has_hub = True
        self.bridge = Bridge(parse(config), context, self.bus, lambda: self.has_hub)
        self.local = Subscriber()
        self.bus.subscribe(self.local, "#")
        self.bus.subscribe(self.local, "$hw/#")
        self.numbers = []  # of publishes that wait for an answer

    def step(self):
        return self.bridge.step(self.now_ms)

    def wait(self, time_ms):
        self.now_ms += time_ms
        return self.step()

    def taken(self, kind):
        found = [effect for effect in self.effects if isinstance(effect, kind)]
        self.effects[:] = [effect for effect in self.effects if not isinstance(effect, kind)]
        return found

    def logs(self):
        return [effect.text for effect in self.taken(Log)]

    def sent(self, piece=4096):
        data = b""
        while True:
            more = self.bridge.data_to_send(piece)
            if not more:
                return heard(data)
            data += more

    def say(self, data):
        """The broker says it; stepped until all of it is taken."""
        self.bridge.received(data, self.now_ms)
        while self.step() == self.now_ms:
            pass

    def open(self):
        """Connected; what the client said first."""
        self.step()
        assert len(self.taken(Open)) == 1
        self.bridge.opened(self.now_ms)
        self.step()
        return self.sent()

    def live(self):
        """Accepted and subscribed; what the client published at once."""
        self.open()
        self.say(b"\x20\x02\0\0")
        packets = self.sent()
        for one in packets:
            if one.kind == 8:
                self.say(packet(0x90, one.number.to_bytes(2, "big") + b"\x01"))
        return [one for one in packets if one.kind == 3]

    def acknowledge(self, packets):
        for one in packets:
            if one.kind == 3 and one.qos:
                self.say(packet(0x40, one.number.to_bytes(2, "big")))

    def lose(self, reason="closed by the other end"):
        self.bridge.closed(reason, self.now_ms)

    def is_closing(self):
        return bool(self.taken(Close))

    def told(self):
        """Topics and payloads that the bus has for a local program."""
        found = []
        while True:
            one = self.local.take()
            if one is None:
                return found
            found.append((one.topic, one.payload))
