"""The node's bus (docs/bus.md) from a program on the node: publish, subscribe, and read and set its devices.

    from edgelite_bus import Client                      # a copy of this file; or edgelite_ports.common.bus_client

    client = Client()                                    # finds the bus by EDGELITE_BUS
    client.subscribe("line-1/+")
    client.publish("line-1/count", "17")
    for message in client.messages():                    # waits; finds the bus again when the agent was restarted
        print(message.topic, message.payload)

Needs nothing but the standard library, of CPython 3.11 or later or of MicroPython on Linux. Not for several threads.
"""

import os
import select
import socket
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

VERSION = 1
TIMEOUT_S = 10.0
INBOX_MAX = 1024  # messages that came while an answer was awaited; then the oldest go, and `dropped` counts them
FRAME_BYTES_MAX = 65535
_PAUSES_S = (0.05, 0.2, 1.0, 2.0)  # between tries to find the bus

_KIND, _NUMBER, _TOPIC, _PAYLOAD, _RETAIN, _CODE, _TEXT, _COUNT, _VERSION, _NAME = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
_HELLO, _WELCOME, _SUBSCRIBE, _UNSUBSCRIBE, _PUBLISH, _PING, _ACKNOWLEDGE, _MESSAGE, _DROPPED, _END = range(1, 11)
_POLLIN = 1


class BusError(Exception):
    """`code` says what went wrong ("bus_topic", "bus_gone", "timeout", ...), `text` what to know about it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code + ": " + text)
        self.code = code
        self.text = text


class Message:
    """`payload` is bytes. `is_retained`: it was published before you subscribed."""

    def __init__(self, topic: str, payload: bytes, is_retained: bool = False) -> None:
        self.topic = topic
        self.payload = payload
        self.is_retained = is_retained

    def json(self) -> "Any":
        """ValueError where the payload is no JSON."""
        import json

        return json.loads(self.payload.decode())


class Client:
    """Connects when first used. `path` is the bus' socket; `name` shows in the agent's log; `timeout_s` bounds every
    call but those that wait for messages. `dropped` counts the messages that came faster than they were taken, `node`
    is the node's name once there was a connection."""

    def __init__(self, path: "str | None" = None, name: str = "", timeout_s: float = TIMEOUT_S) -> None:
        path = path or os.getenv("EDGELITE_BUS")
        if not path:
            raise BusError("bus_gone", "EDGELITE_BUS is not set: has the node `bus = yes` in its agent.conf?")
        self.path = path
        self.name = name
        self.timeout_s = timeout_s
        self.dropped = 0
        self.node = ""
        self._socket: Any = None
        self._poller: Any = None
        self._buffer = b""
        self._number = 0
        self._filters: list[str] = []
        self._inbox: list[Message] = []

    # ---- publish and subscribe

    def publish(self, topic: str, payload: "bytes | str", retain: bool = False) -> None:
        """Returns when the agent has it. Where the connection breaks it is tried again, so it may come twice."""
        data = payload.encode() if isinstance(payload, str) else payload
        fields = {_TOPIC: topic, _PAYLOAD: data}
        self._request(_PUBLISH, _with_retain(fields) if retain else fields)

    def subscribe(self, filter: str) -> None:
        self._request(_SUBSCRIBE, {_TOPIC: filter})
        if filter not in self._filters:
            self._filters.append(filter)

    def unsubscribe(self, filter: str) -> None:
        if filter in self._filters:
            self._filters.remove(filter)
        self._request(_UNSUBSCRIBE, {_TOPIC: filter})

    def ping(self) -> None:
        """Returns when the agent has answered."""
        self._request(_PING, {})

    def next(self, timeout_s: "float | None" = None) -> "Message | None":
        """The next message; None when there was none for so long. Without a time it waits for ever."""
        end_ms = None if timeout_s is None else _now_ms() + int(timeout_s * 1000)
        while not self._inbox:
            try:
                self._connect(end_ms)
                if not self._receive(end_ms):
                    return None
            except BusError as error:
                if error.code == "timeout":
                    return None
                self._must_be_passing(error)
        return self._inbox.pop(0)

    def messages(self, timeout_s: "float | None" = None) -> "Iterator[Message]":
        """Each next message, until there was none for `timeout_s`."""
        message = self.next(timeout_s)
        while message is not None:
            yield message
            message = self.next(timeout_s)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._buffer = b""

    # ---- devices of this node

    def devices(self) -> "list[dict[str, Any]]":
        """What the node has: {"device": "namespace/name", "state", "reason"} each."""
        answer = self._ask("list", {})
        found: list[dict[str, Any]] = answer["devices"]
        while "more" in answer:
            answer = self._ask("list", {"after": answer["more"]})
            found += answer["devices"]
        return found

    def get(self, device: str) -> "dict[str, Any]":
        """One device with its properties: {"device", "state", "reason", "properties": {name: {"value", ...}}}."""
        found = answer = self._ask("get", {"device": device})
        while "more" in answer:
            answer = self._ask("get", {"device": device, "after": answer["more"]})
            found["properties"].update(answer["properties"])
        return found

    def set(self, device: str, property: str, value: str) -> None:
        """Desire a value, as the hub may; BusError says why that cannot be."""
        self._ask("set", {"device": device, "property": property, "value": value})

    def watch(self, device: "str | None" = None, timeout_s: "float | None" = None) -> "Iterator[dict[str, Any]]":
        """What changes at one device, or at all: {"device", "property", "value", ...} or {"device", "state", ...}."""
        self.subscribe("edgelite/devices/changed/" + (device + "/#" if device else "#"))
        for message in self.messages(timeout_s):
            if message.topic.startswith("edgelite/devices/changed/"):
                yield message.json()

    def _ask(self, what: str, fields: "dict[str, Any]") -> "dict[str, Any]":
        import json

        topic = "edgelite/devices/" + what
        if topic + "/result" not in self._filters:
            self.subscribe(topic + "/result")
        identity = "".join(["%02x" % byte for byte in os.urandom(8)])
        self.publish(topic, json.dumps(dict(fields, id=identity)))
        end_ms = _now_ms() + int(self.timeout_s * 1000)
        kept: list[Message] = []
        try:
            while _now_ms() < end_ms:
                message = self.next((end_ms - _now_ms()) / 1000)
                if message is None:
                    break
                answer = message.json() if message.topic == topic + "/result" else None
                if answer is None:
                    kept.append(message)
                elif answer.get("id") == identity:
                    return _checked(answer)
        finally:
            self._inbox = kept + self._inbox
        raise BusError("timeout", "the agent did not answer within %d s" % self.timeout_s)

    # ---- inside

    def _request(self, kind: int, fields: "dict[int, Any]") -> None:
        end_ms = _now_ms() + int(self.timeout_s * 1000)
        while True:
            try:
                self._connect(end_ms)
                return self._exchange(kind, fields, end_ms)
            except BusError as error:
                self._must_be_passing(error)

    def _exchange(self, kind: int, fields: "dict[int, Any]", end_ms: "int | None") -> None:
        self._number = (self._number + 1) & 0xFFFFFFFF
        number = self._number
        self._send(kind, dict([(_NUMBER, number)] + [(key, fields[key]) for key in fields]))
        while True:
            frame = self._frame(end_ms)
            if frame.get(_KIND) == _ACKNOWLEDGE and frame.get(_NUMBER) == number:
                if _CODE in frame:
                    raise BusError(frame[_CODE], frame.get(_TEXT, ""))
                return
            self._take(frame)

    def _receive(self, end_ms: "int | None") -> bool:
        """Take one frame; False when the time is over."""
        try:
            self._take(self._frame(end_ms))
        except BusError as error:
            if error.code == "timeout":
                return False
            raise
        return True

    def _take(self, frame: "dict[int, Any]") -> None:
        kind = frame.get(_KIND)
        if kind == _MESSAGE:
            self._inbox.append(Message(frame[_TOPIC], frame[_PAYLOAD], frame.get(_RETAIN, False)))
            if len(self._inbox) > INBOX_MAX:
                self._inbox.pop(0)
                self.dropped += 1
        elif kind == _DROPPED:
            self.dropped += frame[_COUNT]
        elif kind == _END:
            self.close()
            raise BusError(frame[_CODE], frame.get(_TEXT, ""))

    def _must_be_passing(self, error: BusError) -> None:
        """Raise it unless trying again is what helps."""
        if error.code not in ("bus_gone", "bus_stopped"):
            raise error

    def _connect(self, end_ms: "int | None") -> None:
        """Have a connection, with all that was subscribed to."""
        tries = 0
        while self._socket is None:
            try:
                self._open()
                self._greet(end_ms)
            except (OSError, BusError) as error:
                self.close()
                if isinstance(error, BusError):
                    self._must_be_passing(error)
                pause_s = _PAUSES_S[min(tries, len(_PAUSES_S) - 1)]
                tries += 1
                if end_ms is not None and _now_ms() + pause_s * 1000 > end_ms:
                    raise BusError("timeout", "no bus at " + self.path) from error
                time.sleep(pause_s)

    def _open(self) -> None:
        new = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        new.settimeout(self.timeout_s)  # for sending: an agent that is stopped takes nothing
        try:
            if sys.implementation.name == "micropython":
                new.connect(struct.pack("H", socket.AF_UNIX) + self.path.encode() + b"\0")  # struct sockaddr_un
            else:
                new.connect(self.path)
        except OSError:
            new.close()
            raise
        self._poller = select.poll()
        self._poller.register(new, _POLLIN)
        self._socket = new

    def _greet(self, end_ms: "int | None") -> None:
        fields: dict[int, Any] = {_VERSION: VERSION}
        if self.name:
            fields[_NAME] = self.name
        self._send(_HELLO, fields)
        greeting_end_ms = _now_ms() + int(self.timeout_s * 1000)
        end_ms = greeting_end_ms if end_ms is None else min(end_ms, greeting_end_ms)
        welcome = self._frame(end_ms)
        self._take(welcome)
        self.node = welcome.get(_NAME, "")
        for filter in self._filters:
            self._exchange(_SUBSCRIBE, {_TOPIC: filter}, end_ms)

    def _send(self, kind: int, fields: "dict[int, Any]") -> None:
        payload = _encode(dict([(_KIND, kind)] + [(key, fields[key]) for key in fields]))
        if len(payload) >= FRAME_BYTES_MAX:
            raise BusError("bus_full", "a frame of %d bytes" % len(payload))
        try:
            _send_all(self._socket, struct.pack(">HB", len(payload) + 1, 0) + payload)
        except OSError as error:
            self.close()
            raise BusError("bus_gone", str(error)) from error

    def _frame(self, end_ms: "int | None") -> "dict[int, Any]":
        while True:
            if len(self._buffer) >= 2:
                size = 2 + (self._buffer[0] << 8 | self._buffer[1])
                if len(self._buffer) >= size:
                    payload, self._buffer = self._buffer[3:size], self._buffer[size:]
                    frame: dict[int, Any] = _decode(payload, 0)[0]
                    return frame
            self._fill(end_ms)

    def _fill(self, end_ms: "int | None") -> None:
        wait_ms = -1 if end_ms is None else max(0, end_ms - _now_ms())
        if not self._poller.poll(wait_ms):
            raise BusError("timeout", "no answer from the agent")
        try:
            data = self._socket.recv(4096)
        except OSError:
            data = b""
        if not data:
            self.close()
            raise BusError("bus_gone", "the agent closed the connection")
        self._buffer += data


def _checked(answer: "dict[str, Any]") -> "dict[str, Any]":
    if "error" in answer:
        raise BusError("refused", answer["error"])
    return answer


def _with_retain(fields: "dict[int, Any]") -> "dict[int, Any]":
    fields[_RETAIN] = True
    return fields


def _now_ms() -> int:
    return time.time_ns() // 1_000_000 if not hasattr(time, "monotonic_ns") else time.monotonic_ns() // 1_000_000


def _send_all(channel: "Any", data: bytes) -> None:
    while data:
        data = data[channel.send(data) :]


def _encode(value: "Any") -> bytes:
    """CBOR (RFC 8949) of what the frames have: a map with small integers as keys, in their order."""
    if value is True or value is False:
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0x00, value)
    if isinstance(value, str):
        data = value.encode()
        return _head(0x60, len(data)) + data
    if isinstance(value, dict):
        return _head(0xA0, len(value)) + b"".join([_encode(key) + _encode(value[key]) for key in sorted(value)])
    return _head(0x40, len(value)) + bytes(value)


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major | argument])
    if argument < 0x100:
        return bytes([major | 24, argument])
    if argument < 0x10000:
        return struct.pack(">BH", major | 25, argument)
    return struct.pack(">BI", major | 26, argument)


def _decode(data: bytes, start: int) -> "tuple[Any, int]":
    """The item at `start`, and where it ends."""
    major, argument = data[start] >> 5, data[start] & 31
    start += 1
    if 24 <= argument <= 27 and major < 7:
        size = 1 << (argument - 24)
        argument = int.from_bytes(data[start : start + size], "big")
        start += size
    if major == 0:
        return argument, start
    if major in (2, 3):
        piece = data[start : start + argument]
        return (piece if major == 2 else piece.decode()), start + argument
    if major == 5:
        found: dict[Any, Any] = {}
        for _ in range(argument):
            key, start = _decode(data, start)
            found[key], start = _decode(data, start)
        return found, start
    return argument == 21, start
