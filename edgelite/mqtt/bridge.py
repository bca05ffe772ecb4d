"""The bridge: what the node says on its local bus goes to a broker, what is said to it there comes to the bus.

Which topics go which way is a table (`outgoing`, `incoming`), and no topic is in both, so nothing goes round. The
connection is opened again and again, with backoff and full jitter; meanwhile what is to be said waits in the bridge's
queue on the bus, which drops the oldest where it is full.
"""

from edgelite.backoff import Backoff
from edgelite.bus.bus import Message, Subscriber
from edgelite.bus.topics import filter_levels, matches
from edgelite.driver import ConfigurationError
from edgelite.effects import Channel, Close, Log, Open
from edgelite.mqtt.session import KEEPALIVE_S, Session, SessionOwner
from edgelite.mqtt.umqtt_client import FILTER_BYTES_MAX, UmqttClient
from edgelite_protocol.errors import MisuseError, ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite.bus.bus import MessageBus
    from edgelite.config import Config
    from edgelite.context import Context

BACKOFF_CAP_MS = 60_000  # a broker is near: the hub's five minutes would be long
LASTED_MS = 60_000  # a connection of this length resets the backoff
OPEN_TIMEOUT_MS = 90_000  # several addresses of one name, each with the port's own timeout
DROPS_TOLD_MS = 60_000

RESTING = 0  # until the backoff has passed
OPENING = 1  # the port is connecting
GREETING = 2  # CONNECT is on its way
LIVE = 3
CLOSING = 4  # the port is closing
STOPPING = 5  # the same, for good
STOPPED = 6

STATE_NAMES = ("resting", "opening", "greeting", "live", "closing", "stopping", "stopped")

DUE = 0  # the bridge's own deadline has come
OPENED = 1
ACCEPTED = 2  # the broker took this node
FAILED = 3  # the session must end
LOST = 4  # the port has closed the channel
STOP = 5

# fmt: off
#            DUE        OPENED    ACCEPTED  FAILED     LOST       STOP
TABLE = (
    ("open",    "bug",    "bug",    "bug",     "bug",     "stopped"),  # RESTING
    ("hang_up", "greet",  "bug",    "bug",     "rest",    "abort"),    # OPENING
    ("ignore",  "bug",    "live",   "hang_up", "rest",    "abort"),    # GREETING
    ("ignore",  "bug",    "bug",    "hang_up", "rest",    "goodbye"),  # LIVE
    ("ignore",  "ignore", "bug",    "bug",     "rest",    "for_good"), # CLOSING
    ("ignore",  "ignore", "bug",    "bug",     "stopped", "ignore"),   # STOPPING
    ("ignore",  "bug",    "bug",    "bug",     "bug",     "ignore"),   # STOPPED
)
# fmt: on

_DEVICE = "$hw/events/device/+/+/"
IN, OUT = "edgelite/to/%s/#", "edgelite/from/%s/#"
_MEMBERSHIP = "$hw/events/node/%s/membership/"


def incoming(node: str) -> "list[str]":
    """What the broker is asked for, and the bus is told."""
    filters = [_DEVICE + rest for rest in ("state/update", "twin/update", "twin/get")]
    filters += [_MEMBERSHIP % node + "get", IN % node]
    return filters


def outgoing(node: str) -> "list[str]":
    """What the broker is told of the bus."""
    membership = _MEMBERSHIP % node
    filters = [_DEVICE + "twin/" + rest for rest in ("update/result", "update/delta", "update/document", "get/result")]
    filters += [_DEVICE + "state/update/result", _DEVICE + "updated"]
    filters += [membership + "updated", membership + "get/result", OUT % node]
    return filters


class Bridge(Channel, SessionOwner):
    """A part of the bus' service. `has_hub()`: whether the node's session with the hub is live. ConfigurationError
    where the names are too long for the broker's filters."""

    def __init__(self, config: "Config", context: "Context", bus: "MessageBus", has_hub: "Callable[[], bool]") -> None:
        self.state = RESTING
        self._target = config.mqtt
        self._qos = config.mqtt_qos
        self._prefix = config.mqtt_prefix
        self._node = config.node
        self._context = context
        self._bus = bus
        self._has_hub = has_hub
        self._said_hub: bool | None = None  # whether it is live, as this connection's broker knows it
        self._filters = [self._prefix + text for text in incoming(self._node)]
        if max([len(text.encode()) for text in self._filters]) > FILTER_BYTES_MAX:
            text = "the node's name and mqtt_prefix are too long together: a filter may have %d bytes"
            raise ConfigurationError("mqtt", text % FILTER_BYTES_MAX)
        self._wanted = [filter_levels(text) for text in incoming(self._node)]
        will = (self._presence("disconnected"), b'{"event_id":"","timestamp":0}')
        self._client = UmqttClient(self._node, KEEPALIVE_S, config.mqtt_user, config.mqtt_password, will)
        self._queue = Subscriber()
        for text in outgoing(self._node):
            bus.subscribe(self._queue, text)
        for text in (OUT % self._node, IN % self._node):
            bus.serve(text)  # programs of the node talk with programs at the broker
        self._again: list[Message] = []  # published in an earlier connection, never confirmed
        cap_ms = min(config.backoff_cap_ms, BACKOFF_CAP_MS)
        self._backoff = Backoff(config.backoff_base_ms, cap_ms, context.random_bytes)
        self._session: Session | None = None
        self._deadline_ms: int | None = 0
        self._live_since_ms = 0
        self._told = ""
        self._reason = ""
        self._dropped_out = 0
        self._dropped_in = 0
        self._drops_ms = 0

    # ---- a part of the bus' service

    def step(self, now_ms: int) -> "int | None":
        if self._deadline_ms is not None and now_ms >= self._deadline_ms:
            self._fire(DUE, now_ms)
        due = [self._deadline_ms, self._step_session(now_ms), self._tell_drops(now_ms)]
        times = [due_ms for due_ms in due if due_ms is not None]
        return min(times) if times else None

    def stop(self, now_ms: int) -> None:
        self._fire(STOP, now_ms)

    # ---- Channel

    def opened(self, now_ms: int) -> None:
        self._fire(OPENED, now_ms)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        """Kept for the next step. As long as a step leaves some over, the port reads nothing more."""
        if self._session is not None:
            self._session.feed(data)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        return b"" if self._session is None else self._session.data_to_send(size_bytes_max)

    def closed(self, reason: str, now_ms: int) -> None:
        self._hear_out(now_ms)
        self._reason = self._reason or reason
        self._fire(LOST, now_ms)

    # ---- the session's owner

    def accepted(self, now_ms: int) -> None:
        self._fire(ACCEPTED, now_ms)

    def refused_filter(self, text: str) -> None:
        self._log("warning", "the broker allows no subscription to " + text)

    def arrived(self, topic: str, payload: bytes) -> None:
        name = topic[len(self._prefix) :]
        levels = name.split("/")
        if not topic.startswith(self._prefix) or not any(matches(wanted, levels) for wanted in self._wanted):
            self._dropped_in += 1
            return
        try:
            self._bus.publish(name, payload, besides=self._queue, from_outside=True)
        except ProtocolError:
            self._dropped_in += 1

    def too_long(self) -> None:
        self._dropped_in += 1

    def next_message(self) -> "Message | None":
        if self._again:
            return self._again.pop(0)
        message = self._queue.take()
        return None if message is None else Message(self._prefix + message.topic, message.payload)

    def _hear_out(self, now_ms: int) -> None:
        """A broker that refuses says why, and closes."""
        if self._session is not None and self.state in (GREETING, LIVE):
            try:
                self._session.step(now_ms)
            except ProtocolError as error:
                self._reason = error.text

    # ---- the machine

    def _fire(self, event: int, now_ms: int) -> None:
        getattr(self, "_do_" + TABLE[self.state][event])(now_ms)

    def _step_session(self, now_ms: int) -> "int | None":
        if self._session is None or self.state not in (GREETING, LIVE):
            return None
        try:
            deadline_ms = self._session.step(now_ms)
            self._say_hub(now_ms)
        except ProtocolError as error:
            self._reason = error.text
            self._fire(FAILED, now_ms)
            return self._deadline_ms
        self.is_full = self._session.has_more
        return deadline_ms

    def _do_bug(self, _now_ms: int) -> None:
        raise MisuseError("the bridge to the broker cannot take this while " + STATE_NAMES[self.state])

    def _do_ignore(self, _now_ms: int) -> None:
        self._deadline_ms = None

    def _do_open(self, now_ms: int) -> None:
        self.state = OPENING
        self._reason = ""
        self._deadline_ms = now_ms + OPEN_TIMEOUT_MS
        assert self._target is not None
        host, port = self._target
        self._context.emit(Open(self, ("tcp", host, port)))

    def _do_greet(self, now_ms: int) -> None:
        self.state = GREETING
        self._deadline_ms = None
        self._session = Session(self._client, self._filters, self._qos, self, now_ms)

    def _do_live(self, now_ms: int) -> None:
        self.state = LIVE
        self._live_since_ms = now_ms
        self._said_hub = None
        self._tell("info", "the broker %s:%d answered" % (self._target or ("", 0)))

    def _do_hang_up(self, now_ms: int) -> None:
        self._reason = self._reason or "timed out"
        self._credit_lasting(now_ms)
        self.state = CLOSING
        self._deadline_ms = None
        self._drop_session()
        self._context.emit(Close(self))

    def _do_rest(self, now_ms: int) -> None:
        self._credit_lasting(now_ms)
        self.state = RESTING
        self._drop_session()
        self._tell("warning", "no broker at %s:%d: " % (self._target or ("", 0)) + self._reason)
        self._deadline_ms = now_ms + self._backoff.next_ms()

    def _do_goodbye(self, now_ms: int) -> None:
        if self._session is not None:
            self._session.say_goodbye((self._presence("disconnected"), self._now_text(now_ms)))
        self._do_abort(now_ms)

    def _do_abort(self, now_ms: int) -> None:
        self.state = STOPPING
        self.is_full = False
        self._deadline_ms = None
        self._context.emit(Close(self))

    def _do_for_good(self, _now_ms: int) -> None:
        self.state = STOPPING

    def _do_stopped(self, _now_ms: int) -> None:
        self.state = STOPPED
        self._deadline_ms = None
        self._session = None
        self._bus.leave(self._queue)

    # ---- inside

    def _credit_lasting(self, now_ms: int) -> None:
        if self.state == LIVE and now_ms - self._live_since_ms >= LASTED_MS:
            self._backoff.reset()

    def _drop_session(self) -> None:
        """What the broker has not confirmed is said again in the next connection."""
        if self._session is not None:
            presence = (self._presence("connected"), self._presence("disconnected"))
            again = self._session.in_flight + self._again
            self._again = [message for message in again if message.topic not in presence]
        self._session = None
        self.is_full = False

    def _say_hub(self, now_ms: int) -> None:
        """In front of all that waits, and never what it was earlier."""
        has_hub = self._has_hub()
        if self.state == LIVE and has_hub != self._said_hub:
            self._said_hub = has_hub
            topic = self._presence("connected" if has_hub else "disconnected")
            self._again.insert(0, Message(topic, self._now_text(now_ms)))

    def _presence(self, what: str) -> str:
        return "%s$hw/events/%s/%s" % (self._prefix, what, self._node)

    def _now_text(self, now_ms: int) -> bytes:
        """Before the hub has told the time, 0."""
        offset_ms = self._context.clock.offset_ms
        event_id = "".join(["%02x" % one for one in self._context.random_bytes(8)])
        timestamp_ms = 0 if offset_ms is None else now_ms + offset_ms
        return ('{"event_id":"%s","timestamp":%d}' % (event_id, timestamp_ms)).encode()

    def _tell_drops(self, now_ms: int) -> "int | None":
        """One line a minute at most; when to call again where something is untold."""
        self._dropped_out += self._queue.take_dropped()
        if not self._dropped_out and not self._dropped_in:
            return None
        if now_ms < self._drops_ms:
            return self._drops_ms
        text = "dropped %d messages to the broker, the oldest, and %d from it: too long, or not for this node's bus"
        self._log("warning", text % (self._dropped_out, self._dropped_in))
        self._dropped_out = 0
        self._dropped_in = 0
        self._drops_ms = now_ms + DROPS_TOLD_MS
        return None

    def _tell(self, level: str, text: str) -> None:
        """One line for each change: a broker that is away for a week is no log of a week."""
        if text != self._told:
            self._log(level, text)
        self._told = text

    def _log(self, level: str, text: str) -> None:
        self._context.emit(Log(level, "mqtt: " + text))
