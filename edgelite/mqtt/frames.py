"""Cuts what a broker sends into whole packets, and lets nothing through that a broker may not send (MQTT 3.1.1).

Everything is hostile until it is here: lengths are bounded before a byte is kept for them, and each packet has the
form that its reader takes for granted. A message that is longer than this node takes is no offence: others may have
published it. It is passed over without being kept, and told by its number, so that the broker is answered.
"""

from edgelite.bus.bus import PAYLOAD_BYTES_MAX
from edgelite.bus.topics import TOPIC_BYTES_MAX as BUS_TOPIC_BYTES_MAX
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.utf8 import is_utf8

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13
PREFIX_BYTES_MAX = 64  # in front of each topic at the broker
TOPIC_BYTES_MAX = PREFIX_BYTES_MAX + BUS_TOPIC_BYTES_MAX

# The first byte, and how many bytes follow the length: all but a PUBLISH are always the same.
_FORMS = {CONNACK: (0x20, 2), PUBACK: (0x40, 2), SUBACK: (0x90, 3), PINGRESP: (0xD0, 0)}
_CODES = {CONNACK: 5, SUBACK: 2}  # the highest return code; 0x80 is a SUBACK's refusal


class Packet:
    """`kind` is the packet's type; `data` all of it, b"" where it was passed over; `number` its identifier or 0."""

    def __init__(self, kind: int, data: bytes, number: int) -> None:
        self.kind = kind
        self.data = data
        self.number = number


class PacketReader:
    def __init__(self) -> None:
        self._buffer = b""
        self._passing = 0  # bytes of a long message that are still to come

    @property
    def buffered_bytes(self) -> int:
        return len(self._buffer)

    def feed(self, data: "bytes | memoryview") -> None:
        passed = min(self._passing, len(data))
        self._passing -= passed
        self._buffer += bytes(data[passed:])

    def next_packet(self) -> "Packet | None":
        """None while the next one is not whole; ProtocolError where it will never be one."""
        if len(self._buffer) < 2:
            return None
        first = self._buffer[0]
        length = _length(self._buffer)
        if length is None:
            return None
        start, size_bytes = length
        if first >> 4 == PUBLISH:
            return self._publish(start, size_bytes)
        form = _FORMS.get(first >> 4)
        if form != (first, size_bytes) or start > 2:  # umqtt takes such a length in one byte, and asserts it
            raise ProtocolError("mqtt_packet", "no packet of a broker is %02x with %d bytes" % (first, size_bytes))
        if len(self._buffer) < start + size_bytes:
            return None
        return _short(self._cut(start + size_bytes))

    def _publish(self, start: int, size_bytes: int) -> "Packet | None":
        qos = self._buffer[0] >> 1 & 3
        if qos > 1:
            raise ProtocolError("mqtt_packet", "a message of QoS %d, which was never asked for" % qos)
        if len(self._buffer) < start + 2:
            return None
        topic_bytes = self._buffer[start] << 8 | self._buffer[start + 1]
        head_bytes = 2 + topic_bytes + 2 * qos
        if size_bytes < head_bytes or not topic_bytes:
            raise ProtocolError("mqtt_packet", "a message whose topic is longer than itself, or has none")
        if topic_bytes > TOPIC_BYTES_MAX or size_bytes - head_bytes > PAYLOAD_BYTES_MAX:
            return self._pass_over(start, size_bytes, head_bytes, qos)
        if len(self._buffer) < start + size_bytes:
            return None
        data = self._cut(start + size_bytes)
        _check_topic(data[start + 2 : start + 2 + topic_bytes])
        return Packet(PUBLISH, data, _number(data, start + head_bytes - 2) if qos else 0)

    def _pass_over(self, start: int, size_bytes: int, head_bytes: int, qos: int) -> "Packet | None":
        """Its head is waited for, 64 KiB at most: the number is behind the topic."""
        if len(self._buffer) < start + head_bytes:
            return None
        number = _number(self._buffer, start + head_bytes - 2) if qos else 0
        whole_bytes = start + size_bytes
        self._passing = max(whole_bytes - len(self._buffer), 0)
        self._buffer = self._buffer[whole_bytes:]
        return Packet(PUBLISH, b"", number)

    def _cut(self, size_bytes: int) -> bytes:
        data = self._buffer[:size_bytes]
        self._buffer = self._buffer[size_bytes:]
        return data


def _length(buffer: bytes) -> "tuple[int, int] | None":
    """Where the rest begins, and how long it is; section 2.2.3."""
    size_bytes = 0
    for index in range(1, 5):
        if index >= len(buffer):
            return None
        size_bytes |= (buffer[index] & 0x7F) << 7 * (index - 1)
        if not buffer[index] & 0x80:
            return index + 1, size_bytes
    raise ProtocolError("mqtt_packet", "a length of more than four bytes")


def _short(data: bytes) -> Packet:
    kind = data[0] >> 4
    code = data[-1] if kind in _CODES else 0
    if code > _CODES.get(kind, 0) and not (kind == SUBACK and code == 0x80):
        raise ProtocolError("mqtt_packet", "return code %d, which there is not" % code)
    if kind == CONNACK and (data[2] > 1 or (data[2] and code)):
        raise ProtocolError("mqtt_packet", "an answer to CONNECT with flags that there are not")
    return Packet(kind, data, _number(data, 2) if kind in (PUBACK, SUBACK) else 0)


def _number(data: bytes, at: int) -> int:
    number = data[at] << 8 | data[at + 1]
    if not number:
        raise ProtocolError("mqtt_packet", "a packet with the number 0")
    return number


def _check_topic(topic: bytes) -> None:
    if not is_utf8(topic) or b"\0" in topic or b"+" in topic or b"#" in topic:
        raise ProtocolError("mqtt_packet", "a message whose topic is no name of one")
