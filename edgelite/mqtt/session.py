"""One connection to a broker, from CONNECT to its end: what is said, what is awaited, and until when."""

from edgelite.mqtt import frames
from edgelite.mqtt.umqtt_client import RefusedError
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.bus.bus import Message
    from edgelite.mqtt.umqtt_client import UmqttClient

KEEPALIVE_S = 60  # after one and a half of these the broker calls a silent node lost
PING_MS = 30_000
ANSWER_TIMEOUT_MS = 15_000  # for each thing that the broker owes
IN_FLIGHT_MAX = 8  # messages of QoS 1 without an answer: each is kept for sending it again ...
IN_FLIGHT_BYTES_MAX = 16 * 1024  # ... and from so many bytes on no further one goes: on a board they are its heap
PACKETS_PER_STEP = 8  # 0.1 ms of a PC under CPython, 0.7 ms under MicroPython: no step waits longer for a broker
OUTPUT_BYTES_MAX = 4096  # answers that the broker does not take: from here on nothing more is read from it


class SessionOwner:
    """What a session tells, and where it takes messages from."""

    def accepted(self, now_ms: int) -> None:
        """The broker took this node; messages may go."""
        raise NotImplementedError

    def refused_filter(self, text: str) -> None:
        raise NotImplementedError

    def arrived(self, topic: str, payload: bytes) -> None:
        raise NotImplementedError

    def too_long(self) -> None:
        """A message was passed over."""
        raise NotImplementedError

    def next_message(self) -> "Message | None":
        """The next one to publish, its topic as the broker shall have it."""
        raise NotImplementedError


class Session:
    """`qos` is that of what it publishes. Every method raises ProtocolError where the connection must end: the broker
    broke a rule, refused ("mqtt_refused"), or owes an answer for too long ("mqtt_timeout")."""

    def __init__(self, client: "UmqttClient", filters: "list[str]", qos: int, owner: SessionOwner, now_ms: int) -> None:
        self.is_live = False
        self.has_more = False  # whole packets may wait for the next step
        self._client = client
        self._filters = filters
        self._qos = qos
        self._owner = owner
        self._reader = frames.PacketReader()
        self._output = client.connect()
        self._greeted_ms = now_ms + ANSWER_TIMEOUT_MS
        self._ping_ms = now_ms + PING_MS
        self._pong_ms: int | None = None
        self._number = 0
        self._asked: dict[int, tuple[str, int]] = {}  # number: filter, until when
        self._in_flight: list[tuple[int, Message, int]] = []  # number, message, until when: the oldest first
        self._now_ms = now_ms

    @property
    def in_flight(self) -> "list[Message]":
        """What the broker has not confirmed, the oldest first."""
        return [message for _, message, _ in self._in_flight]

    def feed(self, data: "bytes | memoryview") -> None:
        self._reader.feed(data)

    def step(self, now_ms: int) -> int:
        """Take a few packets and look at the time; the next deadline, now where more packets may wait."""
        self._now_ms = now_ms
        self._take_packets()
        if self._deadline_ms() <= now_ms:
            raise ProtocolError("mqtt_timeout", "the broker owes an answer for %d s" % (ANSWER_TIMEOUT_MS // 1000))
        if self.is_live and now_ms >= self._ping_ms:
            self._output += self._client.ping()
            self._pong_ms = now_ms + ANSWER_TIMEOUT_MS
            self._ping_ms = now_ms + PING_MS
        if self.has_more and not self.is_stuck:
            return now_ms
        return min(self._deadline_ms(), self._ping_ms) if self.is_live else self._greeted_ms

    @property
    def is_stuck(self) -> bool:
        """The broker takes no answers."""
        return len(self._output) >= OUTPUT_BYTES_MAX

    def data_to_send(self, size_bytes_max: int) -> bytes:
        if not self._output and self.is_live:
            self._output = self._next_publish()
        piece = self._output[:size_bytes_max]
        self._output = self._output[size_bytes_max:]
        return piece

    def say_goodbye(self, last: "tuple[str, bytes]") -> None:
        """One message more, as QoS 0, and the end: the broker forgets the will."""
        if self.is_live:
            self._output += self._client.publish(last[0], last[1], False, 0)
            self.is_live = False
        self._output += self._client.disconnect()

    # ---- inside

    def _deadline_ms(self) -> int:
        if not self.is_live:
            return self._greeted_ms
        due = [self._ping_ms + ANSWER_TIMEOUT_MS]
        if self._pong_ms is not None:
            due.append(self._pong_ms)
        if self._in_flight:
            due.append(self._in_flight[0][2])
        for _, until_ms in self._asked.values():
            due.append(until_ms)
        return min(due)

    def _take_packets(self) -> None:
        self.has_more = True
        for _ in range(PACKETS_PER_STEP):
            if self.is_stuck:
                return
            packet = self._reader.next_packet()
            if packet is None:
                self.has_more = False
                return
            if (packet.kind == frames.CONNACK) == self.is_live:
                raise ProtocolError("mqtt_packet", "a packet of type %d out of turn" % packet.kind)
            _HANDLERS[packet.kind](self, packet)

    def _connack(self, packet: frames.Packet) -> None:
        self._client.connected(packet.data)
        self.is_live = True
        for text in self._filters:
            number = self._next_number()
            self._asked[number] = (text, self._now_ms + ANSWER_TIMEOUT_MS)
            self._output += self._client.subscribe(text, number)
        self._owner.accepted(self._now_ms)

    def _suback(self, packet: frames.Packet) -> None:
        asked = self._asked.pop(packet.number, None)
        if asked is None:
            raise ProtocolError("mqtt_packet", "an answer to a subscription that was not asked for")
        try:
            self._client.subscribed(asked[0], packet.number, packet.data)
        except RefusedError:
            self._owner.refused_filter(asked[0])

    def _publish(self, packet: frames.Packet) -> None:
        if not packet.data:
            self._output += self._client.acknowledge(packet.number) if packet.number else b""
            self._owner.too_long()
            return
        topic, payload, answer = self._client.message(packet.data)
        self._output += answer
        self._owner.arrived(topic, payload)

    def _puback(self, packet: frames.Packet) -> None:
        for index in range(len(self._in_flight)):
            number, message, _ = self._in_flight[index]
            if number == packet.number:
                self._client.published(message.topic, message.payload, False, number, packet.data)
                self._in_flight.pop(index)
                return
        raise ProtocolError("mqtt_packet", "an acknowledgement of what was not published")

    def _pingresp(self, packet: frames.Packet) -> None:
        if self._pong_ms is None:
            raise ProtocolError("mqtt_packet", "an answer to no ping")
        self._client.ponged(packet.data)
        self._pong_ms = None

    def _next_publish(self) -> bytes:
        if not self._may_publish():
            return b""
        message = self._owner.next_message()
        if message is None:
            return b""
        if not self._qos:
            return self._client.publish(message.topic, message.payload, False, 0)
        number = self._next_number()
        self._in_flight.append((number, message, self._now_ms + ANSWER_TIMEOUT_MS))
        return self._client.publish(message.topic, message.payload, False, number)

    def _may_publish(self) -> bool:
        size_bytes = sum([message.size_bytes for _, message, _ in self._in_flight])
        return len(self._in_flight) < IN_FLIGHT_MAX and size_bytes < IN_FLIGHT_BYTES_MAX

    def _next_number(self) -> int:
        """One that is not in use: of those, there are a few at most."""
        used = [number for number, _, _ in self._in_flight]
        self._number = self._number % 0xFFFF + 1
        while self._number in used or self._number in self._asked:
            self._number = self._number % 0xFFFF + 1
        return self._number


_HANDLERS: "dict[int, Callable[[Session, Any], None]]" = {
    frames.CONNACK: Session._connack,
    frames.SUBACK: Session._suback,
    frames.PUBLISH: Session._publish,
    frames.PUBACK: Session._puback,
    frames.PINGRESP: Session._pingresp,
}
