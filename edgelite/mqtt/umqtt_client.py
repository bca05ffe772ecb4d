"""umqtt makes and reads the packets, without a socket: it writes into memory, and reads there what has come whole.

Its calls that wait for an answer are made twice. The first time nothing is there to read: all that the call has to
say is in memory when it wants to wait, and `Waiting` ends it there. The second time, with the whole answer in memory,
it says the same again, which is thrown away, and reads what the answer means. So nothing waits, and what umqtt would
assert of an answer was checked before (frames.py).
"""

import sys

from edgelite.driver import ConfigurationError
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FILTER_BYTES_MAX = 122  # umqtt writes the length of a SUBSCRIBE into one byte: 127 less numbers and lengths
_MODULE = "edgelite.vendored.umqtt"
_FILTER_LONG = "a filter that the broker is asked for has at most %d bytes"


class Waiting(Exception):
    """umqtt wants to read what has not come."""


class Memory:
    """A socket as umqtt uses one."""

    def __init__(self) -> None:
        self.written = b""
        self.unread = b""

    def connect(self, _address: object) -> None:
        return

    def setblocking(self, _flag: bool) -> None:
        return

    def close(self) -> None:
        return

    def write(self, data: "bytes | bytearray", size_bytes: "int | None" = None) -> None:
        self.written += bytes(data if size_bytes is None else data[:size_bytes])

    def read(self, size_bytes: int) -> bytes:
        if size_bytes > len(self.unread):
            raise Waiting
        data = self.unread[:size_bytes]
        self.unread = self.unread[size_bytes:]
        return data


class _Sockets:
    """What umqtt takes for the module of sockets. `memory` is what its next connect gets."""

    def __init__(self) -> None:
        self.memory = Memory()

    def socket(self) -> Memory:
        return self.memory

    def getaddrinfo(self, _host: object, _port: object) -> "list[tuple[None]]":
        return [(None,)]


class _Binascii:
    hexlify = None  # imported, and used only in what is commented out


def load() -> "Any":
    """umqtt's module, loaded once. It imports by MicroPython's names, and gets no real socket under either runtime."""
    loaded = sys.modules.get(_MODULE)
    if loaded is not None:
        return loaded
    import struct

    given: dict[str, Any] = {"usocket": _Sockets(), "ustruct": struct, "ubinascii": _Binascii()}
    before = {name: sys.modules.get(name) for name in given}
    for name, stand_in in given.items():
        sys.modules[name] = stand_in
    try:
        __import__(_MODULE)
    except ImportError as error:
        raise ConfigurationError("mqtt", "umqtt is missing here: in a checkout, ./dev setup fetches it") from error
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    return sys.modules[_MODULE]


class RefusedError(ProtocolError):
    """The broker understood and said no; `number` is its return code."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__("mqtt_refused", text)
        self.number = number


class UmqttClient:
    """Packets to send as bytes, and what packets that came mean. Topics are text, payloads bytes; `number` is the
    packet's identifier, 1 to 65535. `will`: (topic, payload) that the broker publishes when this end is lost."""

    def __init__(
        self,
        name: str,
        keepalive_s: int,
        user: str = "",
        password: bytes = b"",
        will: "tuple[str, bytes] | None" = None,
    ) -> None:
        self._umqtt = load()
        self._memory = Memory()
        login = user.encode() if user else None
        self._client = self._umqtt.MQTTClient(name.encode(), "", 0, login, password, keepalive_s)
        self._client.sock = self._memory
        self._client.set_callback(self._take)
        if will is not None:
            self._client.set_last_will(will[0].encode(), will[1])
        self._taken = (b"", b"")
        self._code = 0  # with which the broker refused in the packet that was heard last

    # ---- what this end says

    def connect(self) -> bytes:
        return self._say(self._connect)

    def subscribe(self, text: str, number: int) -> bytes:
        """QoS 1. ProtocolError where the filter is longer than umqtt can say."""
        if len(text.encode()) > FILTER_BYTES_MAX:
            raise ProtocolError("mqtt_filter", _FILTER_LONG % FILTER_BYTES_MAX)
        return self._say(lambda: self._subscribe(text, number))

    def publish(self, topic: str, payload: bytes, retain: bool, number: int) -> bytes:
        """QoS 1, or 0 where `number` is 0."""
        return self._say(lambda: self._publish(topic, payload, retain, number))

    def ping(self) -> bytes:
        return self._say(self._client.ping)

    def disconnect(self) -> bytes:
        return self._say(self._client.disconnect)

    # ---- what whole packets of the broker mean; each ProtocolError ends the connection

    def connected(self, packet: bytes) -> None:
        """RefusedError."""
        self._hear(packet, self._connect)
        if self._code:
            raise RefusedError(self._code, _refusal(self._code))

    def subscribed(self, text: str, number: int, packet: bytes) -> None:
        """RefusedError."""
        self._hear(packet, lambda: self._subscribe(text, number))
        if self._code:
            raise RefusedError(self._code, "it allows no subscription to " + text)

    def published(self, topic: str, payload: bytes, retain: bool, number: int, packet: bytes) -> None:
        self._hear(packet, lambda: self._publish(topic, payload, retain, number))

    def message(self, packet: bytes) -> "tuple[str, bytes, bytes]":
        """Topic, payload, and what is to be answered."""
        answer = self._hear(packet, self._client.wait_msg)
        topic, payload = self._taken
        self._taken = (b"", b"")
        return topic.decode(), payload, answer

    def acknowledge(self, number: int) -> bytes:
        """What is answered to a message of QoS 1 that was passed over: as to a short one of that number."""
        return self._hear(b"\x32\x05\0\1-" + bytes([number >> 8, number & 0xFF]), self._client.wait_msg)

    def ponged(self, packet: bytes) -> None:
        self._hear(packet, self._client.wait_msg)

    # ---- inside

    def _connect(self) -> None:
        self._umqtt.socket.memory = self._memory
        self._client.connect()

    def _subscribe(self, text: str, number: int) -> None:
        self._client.pid = number - 1  # it counts before it writes
        self._client.subscribe(text.encode(), 1)

    def _publish(self, topic: str, payload: bytes, retain: bool, number: int) -> None:
        self._client.pid = number - 1
        self._client.publish(topic.encode(), payload, retain, 1 if number else 0)

    def _take(self, topic: bytes, payload: bytes) -> None:
        self._taken = (topic, payload)

    def _say(self, call: "Callable[[], object]") -> bytes:
        try:
            call()
        except Waiting:
            pass  # all is said
        return self._written()

    def _hear(self, packet: bytes, call: "Callable[[], object]") -> bytes:
        self._memory.unread = packet
        self._code = 0
        wants_more = False
        try:
            call()
        except Waiting:
            wants_more = True
        except self._umqtt.MQTTException as error:
            self._code = error.args[0]
        written = self._written()
        if wants_more or self._memory.unread:
            raise ProtocolError("mqtt_packet", "a packet is shorter than it says, or longer")
        return written

    def _written(self) -> bytes:
        written = self._memory.written
        self._memory.written = b""
        return written


def _refusal(number: int) -> str:
    """MQTT 3.1.1, section 3.2.2.3."""
    return _REFUSALS[number] if 0 < number < len(_REFUSALS) else "it refuses with code %d" % number


_REFUSALS = (
    "",
    "it speaks another version of MQTT",
    "it refuses this node's name",
    "it is not available",
    "user or password is wrong",
    "this node may not connect",
)
