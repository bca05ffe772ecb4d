"""Nodes, a gateway and a hub's end of its relays around one wire, in one program: time, bytes and ports by hand."""

from edgelite.config import Config, SerialSettings
from edgelite.context import Context
from edgelite.effects import Channel, Close, Open
from edgelite.gateway import Gateway
from edgelite.serial_link import SerialLink
from edgelite_protocol import relay
from edgelite_protocol.oscore.context import Keys
from edgelite_protocol.oscore.ends import NONCE_BYTES, PIECE_BYTES_MAX, HubEnd, decode_begin

STEP_MS = 10
WIRE = "/dev/wire"
PUMP_BYTES = 4096
SECRET = bytes(range(16))


class SureCounters:
    """Numbers as they come from a journal that is always durable; `held` gives none for now."""

    def __init__(self, start=0):
        self.next = start
        self.held = False

    def take(self):
        if self.held:
            return None
        self.next += 1
        return self.next - 1


class Upper(Channel):
    """What `Link` is to a serial link: hears of it, and has bytes to say."""

    def __init__(self):
        self.events = []
        self.got = b""
        self.to_say = b""

    def opened(self, now_ms):
        self.events.append("opened")

    def received(self, data, now_ms):
        self.got += bytes(data)

    def data_to_send(self, size_bytes_max):
        piece = self.to_say[:size_bytes_max]
        self.to_say = self.to_say[size_bytes_max:]
        return piece

    def closed(self, reason, now_ms):
        self.events.append(reason)


class NodeSide:
    def __init__(self, number, address=None):
        self.upper = Upper()
        self.effects = []
        self.counters = SureCounters(number * 1000)
        self.keys = Keys(SECRET, b"salt", bytes([number]), b"")
        settings = SerialSettings(WIRE, 115200, address or number)
        self.link = SerialLink(settings, self.keys, self.counters, self.effects.append, lambda count: bytes(count))
        self.link.upper = self.upper

    def step(self, now_ms):
        self.link.step(now_ms)


class GatewaySide:
    def __init__(self, world):
        self.effects = []
        config = Config("gateway", [("hub", 1)])
        config.gateway = [SerialSettings(WIRE, 115200)]
        context = Context(None, self.effects.append, None, None, lambda count: bytes(count), bytes(16))
        self.gateway = Gateway(config, context, lambda: ("hub", 1), lambda: world.gateway_is_live)

    def step(self, now_ms):
        self.gateway.step(now_ms)

    @property
    def line(self):
        return self.gateway._lines[0]


class HubSide:
    """One relay at the hub: says what it is given, keeps what it hears."""

    def __init__(self, world):
        self.world = world
        self.reader = relay.RelayReader()
        self.end = None
        self.credit = 0
        self.credit_most = 0
        self.got = b""
        self.to_say = b""
        self.out = b""
        self.kid = b""

    def received(self, data):
        for kind, payload in self.reader.frames(data):
            if kind == relay.RELAY:
                self.credit = self.credit_most = payload[1]
            elif kind == relay.CREDIT:
                self.credit += payload[0]
                assert self.credit <= self.credit_most, "more credit than the gateway has room for"
            elif kind == relay.MESSAGE and self.end is None:
                self.kid = decode_begin(payload)[0]
                keys = Keys(self.world.hub_secret, b"salt", b"", self.kid)
                self.world.nonces += 1
                self.end = HubEnd(keys, payload, self.world.nonces.to_bytes(NONCE_BYTES, "big"))
                self.put(self.end.challenge)
            elif kind == relay.MESSAGE:
                self.got += self.end.receive(payload)

    def put(self, message):
        self.out += relay.message(message)
        self.credit -= 1

    def data_to_send(self):
        while self.end is not None and self.end.confirmed and self.credit > 0 and self.to_say:
            self.put(self.end.protect(self.to_say[:PIECE_BYTES_MAX]))
            self.to_say = self.to_say[PIECE_BYTES_MAX:]
        out = self.out
        self.out = b""
        return out


class World:
    """`harm` is done to all that passes the wire; None for none."""

    def __init__(self, nodes, harm=None):
        self.now_ms = 0
        self.harm = harm
        self.gateway_is_live = True
        self.hub_refuses = ""
        self.hub_secret = SECRET
        self.nonces = 0
        self.relays = []  # of HubSide, in the order in which they were opened
        self.wire_is_there = True
        self._open = {}  # channel: HubSide for a connection, None for the wire
        self.nodes = [NodeSide(number) for number in range(1, nodes + 1)]
        self.gateway = GatewaySide(self)

    def relay_of(self, number):
        """The newest of a node's."""
        return [one for one in self.relays if one.kid == bytes([number])][-1]

    def open_all(self):
        for node in self.nodes:
            node.link.open(self.now_ms)

    def run(self, until, limit_ms=120_000):
        """False where it did not come about in time."""
        end_ms = self.now_ms + limit_ms
        while self.now_ms < end_ms:
            sides = list(self.nodes)
            sides.append(self.gateway)
            for side in sides:
                side.step(self.now_ms)
                self._effects(side.effects)
            self._pump()
            if until():
                return True
            self.now_ms += STEP_MS
        return False

    def pull_wire(self, reason):
        """The UART of every end goes away."""
        self.wire_is_there = False
        for channel in [one for one in self._open if self._open[one] is None]:
            self._close(channel, reason)

    def restart_gateway(self):
        """As after kill -9: its connections end, its UART is opened anew."""
        for channel in list(self._open):
            if self._open[channel] is not None or channel is self.gateway.line:
                del self._open[channel]
        self.gateway = GatewaySide(self)

    def _effects(self, effects):
        while effects:
            effect = effects.pop(0)
            if isinstance(effect, Open):
                self._do_open(effect)
            elif isinstance(effect, Close):
                assert effect.channel in self._open, "Close of what is not open"
                self._send(effect.channel)
                self._close(effect.channel, "closed")

    def _do_open(self, effect):
        channel = effect.channel
        assert channel not in self._open, "Open of what is open"
        if effect.target[0] == "serial":
            if not self.wire_is_there:
                channel.closed("no such device", self.now_ms)
                return
            self._open[channel] = None
        elif self.hub_refuses:
            channel.closed(self.hub_refuses, self.now_ms)
            return
        else:
            self._open[channel] = HubSide(self)
            self.relays.append(self._open[channel])
        channel.opened(self.now_ms)

    def _close(self, channel, reason):
        if channel in self._open:
            del self._open[channel]
            channel.closed(reason, self.now_ms)

    def _pump(self):
        for channel in list(self._open):
            if channel in self._open:
                self._send(channel)
        for channel in list(self._open):
            hub = self._open.get(channel)
            data = hub.data_to_send() if hub is not None else b""
            if data:
                channel.received(data, self.now_ms)

    def _send(self, channel):
        hub = self._open[channel]
        if hub is not None:
            hub.received(channel.data_to_send(PUMP_BYTES))
            return
        data = channel.data_to_send(PUMP_BYTES)
        if data and self.harm is not None:
            data = self.harm.apply(data)
        from_gateway = channel is self.gateway.line
        for other in list(self._open):
            if data and self._open.get(other, 0) is None and (other is self.gateway.line) != from_gateway:
                other.received(data, self.now_ms)
