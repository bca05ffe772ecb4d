"""A node's and a hub's session with a link between them that delivers in pieces of any size."""

from edgelite_protocol import cbor
from edgelite_protocol import messages as m
from edgelite_protocol.events import Ended
from edgelite_protocol.frames import encode_frame
from edgelite_protocol.hub_session import HubSession
from edgelite_protocol.limits import Limits
from edgelite_protocol.node_session import NodeSession

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite_protocol.session import Session

EPOCH = b"epoch-01"
OTHER_EPOCH = b"epoch-02"
JOURNAL = b"journal1"
DIGEST = b"digest08"
ARTIFACT = bytes(range(32))
WORKLOAD_KEY = "default/hello/uid"
WORKLOAD = {
    1: "uid",
    2: "default",
    3: "hello",
    4: "process",
    5: "Always",
    6: 0,
    7: [{1: "c", 2: "host", 5: ["a"]}],
    9: 1,
}


def make_hello(epoch: "bytes | None" = EPOCH, revision: int = 0) -> "dict[int, Any]":
    hello = {
        m.HELLO_NODE: "node-a",
        m.HELLO_BOOT_ID: bytes(16),
        m.HELLO_JOURNAL_ID: JOURNAL,
        m.HELLO_GENERATION: 3,
        m.HELLO_INSTANCE: b"instance",
        m.HELLO_MONOTONIC_MS: 1000,
        m.HELLO_REVISION: revision,
        m.HELLO_CAPABILITIES: {"agent": "0.1.0"},
        m.HELLO_ACKNOWLEDGED: [],
    }
    if epoch is not None:
        hello[m.HELLO_EPOCH] = epoch
        hello[m.HELLO_DIGEST] = DIGEST
    return hello


def make_welcome(mode: int = m.MODE_DELTA) -> "dict[int, Any]":
    return {m.WELCOME_EPOCH: EPOCH, m.WELCOME_TIME_MS: 1767225600000, m.WELCOME_MODE: mode}


def report(number: int) -> "dict[int, object]":
    return {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: "uid-%d" % number}


def telemetry(number: int) -> "dict[int, object]":
    return {m.REPORT: m.REPORT_TELEMETRY, 1: "default/meter", 2: [number, 1], 3: {"voltage": number}}


def frame(message: "dict[int, Any]", stream: int = m.STREAM_CONTROL) -> bytes:
    return encode_frame(stream, cbor.encode(message))


def names(events: "list[object]") -> "list[str]":
    return [event.__class__.__name__ for event in events]


def take_events(session: "Session") -> "list[object]":
    events: list[object] = []
    while True:
        event = session.next_event()
        if event is None:
            return events
        events.append(event)


def ending(session: "Session") -> str:
    """The code that the session has ended with; fails where it goes on."""
    events = take_events(session)
    assert events and isinstance(events[-1], Ended), names(events)
    return events[-1].code


class Pair:
    """`piece_bytes` is what the link delivers at a time. Events are kept in `node_events` and `hub_events`."""

    def __init__(
        self,
        hello: "dict[int, Any] | None" = None,
        piece_bytes: int = 65536,
        node_limits: "Limits | None" = None,
        hub_limits: "Limits | None" = None,
    ) -> None:
        self.now_ms = 0
        self.piece_bytes = piece_bytes
        self.node = NodeSession(hello or make_hello(), node_limits or Limits(), 0)
        self.hub = HubSession(hub_limits or Limits(), 0)
        self.node_events: list[Any] = []
        self.hub_events: list[Any] = []

    def pump(self) -> None:
        """Deliver until neither end has anything to send."""
        moved = True
        while moved:
            to_hub = self._move(self.node, self.hub, self.hub_events)
            to_node = self._move(self.hub, self.node, self.node_events)
            moved = to_hub or to_node

    def _move(self, source: "Session", target: "Session", events: "list[Any]") -> bool:
        data = source.data_to_send(self.piece_bytes)
        if data:
            target.receive(data, self.now_ms)
        events.extend(take_events(target))
        return len(data) > 0

    def open(self, mode: int = m.MODE_DELTA) -> "Pair":
        """Through hello and welcome."""
        self.pump()
        self.hub.welcome(make_welcome(mode))
        self.pump()
        self.node_events = []
        self.hub_events = []
        return self

    def step(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.node.step(now_ms)
        self.hub.step(now_ms)
        self.node_events.extend(take_events(self.node))
        self.hub_events.extend(take_events(self.hub))
