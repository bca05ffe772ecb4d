"""What the parts of the agent have in common that answer messages about devices and tell what changes at them."""

from edgelite.bus import json_text
from edgelite.bus.bus import Message, MessageBus, Subscriber
from edgelite.bus.json_text import encode
from edgelite.devices.watch import Watcher
from edgelite.driver import ConfigurationError
from edgelite.effects import Log
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.context import Context
    from edgelite.devices import Devices

MESSAGES_PER_STEP = 1  # each may be 4 KiB of JSON, which takes longest of all
DEVICES_PER_STEP = 1  # whose changes are told
QUEUE_MESSAGES_MAX = 32  # of requests


class Refused(Exception):
    """A request that cannot be done; `code` as HTTP has them: 400, 404, 409, 500."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Serving(Subscriber, Watcher):
    """A part of the agent on the bus. Subclasses have `answer(message, now_ms)` for a request and
    `tell(key, names, now_ms)` for a device at which these properties changed (none: its state)."""

    def __init__(self, bus: MessageBus, devices: "Devices", context: "Context") -> None:
        Subscriber.__init__(self, QUEUE_MESSAGES_MAX)
        self.bus = bus
        self.devices = devices
        self.context = context
        self._has_complained = False
        self._changed: dict[str, dict[str, bool]] = {}  # by device, the names of properties; "" for its state

    def answer(self, message: Message, now_ms: int) -> None:
        raise NotImplementedError

    def tell(self, key: str, names: "list[str]", now_ms: int) -> None:
        raise NotImplementedError

    def listen(self, topic: str) -> None:
        self.bus.serve(topic)
        self.bus.subscribe(self, topic)

    # ---- Watcher: noted here, told in `step`, so that what changes often is told once

    def device_added(self, key: str) -> None:
        self._changed[key] = {}

    def device_removed(self, key: str) -> None:
        self._changed[key] = {}

    def state_changed(self, key: str) -> None:
        self._changed.setdefault(key, {})[""] = True

    def twin_changed(self, key: str, name: str) -> None:
        self._changed.setdefault(key, {})[name] = True

    def forget_changes(self, key: str) -> "list[str]":
        return sorted(self._changed.pop(key, {}))

    # ---- of the service

    def step(self, now_ms: int) -> "int | None":
        """Answer and tell a little; now where more waits, or where devices may have got something to do."""
        dropped = self.take_dropped()
        if dropped:
            self._complain("bus: %d requests came faster than they are answered" % dropped)
        messages = 0
        while messages < MESSAGES_PER_STEP:
            message = self.take()
            if message is None:
                break
            messages += 1
            self.answer(message, now_ms)
        for key in sorted(self._changed)[:DEVICES_PER_STEP]:
            self.tell(key, self.forget_changes(key), now_ms)
        return now_ms if messages or self._changed or self.has_messages else None

    def stop(self, now_ms: int) -> None:
        return

    # ---- of subclasses

    def send(self, topic: str, value: "dict[str, Any]") -> bool:
        """False where it is too long to be sent."""
        try:
            self.bus.publish(topic, encode(value))
        except ProtocolError as error:
            self._complain("bus: cannot publish %s: %s" % (topic, error.text))
            return False
        return True

    def _complain(self, text: str) -> None:
        """Once: what one program does again and again must not fill the log."""
        if not self._has_complained:
            self._has_complained = True
            self.context.emit(Log("warning", text))

    def unix_ms(self, monotonic_ms: int) -> int:
        """Unix time of a moment of this boot; the last that is known while no hub has told the time since then."""
        clock = self.context.clock
        return clock.floor_ms if clock.offset_ms is None else clock.offset_ms + monotonic_ms


def request_of(payload: bytes) -> "dict[str, Any]":
    """A request's JSON object. Refused, 400."""
    request: Any = None
    reason = "the payload must be a JSON object"
    try:
        request = json_text.decode(payload)
    except ProtocolError as error:
        reason = "the payload is not JSON as it should be: " + error.text
    if not isinstance(request, dict):
        raise Refused(400, reason)
    return request


def refusal_of(call: "Callable[..., object]", *arguments: object) -> str:
    """Why the call cannot be; "" where it was done. (To raise anew while handling an error makes MicroPython print a
    line each time, and strangers decide how often that is.)"""
    try:
        call(*arguments)
    except ConfigurationError as error:
        return error.text if error.path == "device" else str(error)
    except ProtocolError as error:
        return error.text
    return ""


def text_of(request: "dict[str, Any]", name: str, length_max: int) -> str:
    """A text of at most that many characters. Refused, 400."""
    text = request.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= length_max:
        raise Refused(400, "%s must be a text of 1 to %d characters" % (name, length_max))
    return text
