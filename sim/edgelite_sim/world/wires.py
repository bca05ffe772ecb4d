"""Where two ends meet: a node's channel and a hub's peer over a flow of the network, or a channel and a device."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from edgelite_sim.network.directions import DOWN, UP
from edgelite_sim.network.flow import Flow
from edgelite_sim.world.queue import Event, EventQueue
from edgelite_sim.world.trace import Trace

if TYPE_CHECKING:
    from edgelite_sim.world.hub import HubPeer

PIECE_BYTES = 4096
# A TLS 1.3 handshake with certificates of P-256 keys on both sides: what each of its three flights weighs.
CLIENT_HELLO_BYTES, SERVER_FLIGHT_BYTES, CLIENT_FLIGHT_BYTES = 320, 1500, 1250
RECORD_BYTES = 22  # TLS adds to each record: header, content type, tag
WORDS = {"reset": "connection reset by peer", "closed": "closed by the other end"}


class Near(Protocol):
    """The node's end of a wire, as the wire sees it."""

    def opened(self) -> None: ...
    def received(self, data: bytes) -> None: ...
    def data_to_send(self, size_bytes_max: int) -> bytes: ...
    def ended(self, reason: str) -> None:
        """Once, last; not after `close`, `die` or `vanish`."""
        ...

    def woken(self) -> None:
        """After all that came at this moment."""
        ...


class HubWire:
    """One connection of a node to a hub, over a flow: TLS's handshake by its size, then the session's bytes."""

    def __init__(
        self, queue: EventQueue, trace: Trace, name: str, near: Near, flow: Flow, accept: Callable[[], HubPeer | None]
    ) -> None:
        self._queue = queue
        self._trace = trace
        self._name = name
        self._near: Near | None = near
        self._accept = accept
        self._flights = [CLIENT_HELLO_BYTES, SERVER_FLIGHT_BYTES, CLIENT_FLIGHT_BYTES]  # what is still to come of each
        self._event: Event | None = None
        self.flow = flow
        self.peer: HubPeer | None = None

    def begin(self) -> None:
        self.flow.send(UP, bytes(CLIENT_HELLO_BYTES), self._queue.now_ms)
        self._schedule()

    def _shake_hands(self, size_bytes: int) -> None:
        flights = self._flights
        flights[0] -= size_bytes
        if flights[0] > 0:
            return
        flights.pop(0)
        now_ms = self._queue.now_ms
        if len(flights) == 2:
            self.flow.send(DOWN, bytes(SERVER_FLIGHT_BYTES), now_ms)
        elif len(flights) == 1:
            self.flow.send(UP, bytes(CLIENT_FLIGHT_BYTES), now_ms)
            if self._near is not None:
                self._near.opened()
        else:
            self._begin_session()

    def _begin_session(self) -> None:
        peer = self._accept()
        if peer is None:
            self.flow.reset(self._queue.now_ms, DOWN)
            return
        self.peer = peer
        peer.on_ready = self.pump_down
        self.pump_down()

    # ---- carrying bytes

    def pump_up(self) -> None:
        """What the node has to send, as far as its kernel takes it."""
        near, flow = self._near, self.flow
        if near is None or len(self._flights) > 1:
            return
        sent, lane = False, flow.lanes[UP]
        while lane.room_bytes() > 0:
            data = near.data_to_send(PIECE_BYTES)
            if not data:
                break
            flow.wire_bytes[UP] += RECORD_BYTES
            flow.send(UP, data, self._queue.now_ms)
            sent = True
        if sent:
            self._schedule()

    def pump_down(self) -> None:
        peer, flow = self.peer, self.flow
        if peer is None:
            return
        sent, lane = False, flow.lanes[DOWN]
        while lane.room_bytes() > 0:
            data = peer.data_to_send(PIECE_BYTES)
            if not data:
                break
            flow.wire_bytes[DOWN] += RECORD_BYTES
            flow.send(DOWN, data, self._queue.now_ms)
            sent = True
        if peer.is_closed:
            self.peer = None
            if peer.is_reset:
                flow.reset(self._queue.now_ms, DOWN)
            else:
                flow.close(DOWN, self._queue.now_ms)
            sent = True
        if sent:
            self._schedule()

    def _schedule(self) -> None:
        flow = self.flow
        deadline_ms = flow.step(self._queue.now_ms)
        if (self._near is not None and flow.ended(DOWN)) or (self.peer is not None and flow.ended(UP)):
            deadline_ms = self._queue.now_ms  # a link without latency: the end is there already, and has to be told
        event = self._event
        if event is not None and event.call is not None:
            if event.time_ms == deadline_ms:
                return
            event.cancel()
        self._event = None if deadline_ms is None else self._queue.at(deadline_ms, self.turn)

    def turn(self) -> None:
        """Take what has arrived, and send what there is room for now."""
        flow, now_ms = self.flow, self._queue.now_ms
        flow.step(now_ms)
        for data in flow.arrived(UP):
            self._trace.note(now_ms, self._name, f"up {len(data)} {zlib.crc32(data):08x}")
            if self._flights:
                self._shake_hands(len(data))
            elif self.peer is not None:
                self.peer.received(data)
        came = False
        for data in flow.arrived(DOWN):
            self._trace.note(now_ms, self._name, f"down {len(data)} {zlib.crc32(data):08x}")
            if len(self._flights) == 2:
                self._shake_hands(len(data))
            elif self._near is not None:
                self._near.received(data)
            came = True
        if flow.ended(UP) and self.peer is not None:
            peer, self.peer = self.peer, None
            peer.lost()
        if (reason := flow.ended(DOWN)) and self._near is not None:
            near, self._near = self._near, None
            near.ended(WORDS.get(reason, reason))
            near.woken()
        elif came and self._near is not None:
            self._near.woken()  # its round offers what there is to send
        else:
            self.pump_up()
        self.pump_down()
        self._schedule()

    # ---- the end

    def close(self) -> None:
        """The node closes, after what it still has to say was offered once."""
        self.pump_up()
        self._near = None
        self.flow.close(UP, self._queue.now_ms)
        self._schedule()

    def die(self) -> None:
        """The node's process is gone, and its kernel says so."""
        self._near = None
        self.flow.reset(self._queue.now_ms, UP)
        self._schedule()

    def vanish(self) -> None:
        """The node has lost its power: the hub has to notice by itself."""
        self._near = None
        self.flow.lose_power(UP)
        self._schedule()


class DeviceWire:
    """One connection of a node to a simulated device. What the node sends is there after `delay_ms`, the round trip,
    and an answer takes no time but the device's own."""

    def __init__(self, queue: EventQueue, trace: Trace, name: str, near: Near, peer: Any, delay_ms: int) -> None:
        self._queue = queue
        self._trace = trace
        self._name = name
        self._near: Near | None = near
        self._peer = peer
        self._delay_ms = delay_ms
        self._event: Event | None = None
        self._on_way = b""
        self._settings: dict[str, Any] | None = None  # that hold when what is on its way is there

    def begin(self) -> None:
        self._peer.on_ready = lambda: self._arm(self._queue.now_ms)
        self._peer.opened(self._queue.now_ms)
        self._arm_deadline()
        if self._near is not None:
            self._near.opened()

    def pump_up(self) -> None:
        if self._near is not None and (data := self._near.data_to_send(PIECE_BYTES)):
            self._on_way += data
            self._arm(self._queue.now_ms + self._delay_ms)

    def _arm(self, time_ms: int) -> None:
        event = self._event
        if event is not None and event.call is not None:
            if event.time_ms <= time_ms:
                return
            event.cancel()
        self._event = self._queue.at(time_ms, self._turn)

    def _arm_deadline(self) -> None:
        deadline_ms = self._peer.step(self._queue.now_ms)
        if deadline_ms is not None:
            self._arm(deadline_ms)

    def _turn(self) -> None:
        peer, near, now_ms = self._peer, self._near, self._queue.now_ms
        if self._on_way:
            data, self._on_way = self._on_way, b""
            peer.received(data, now_ms)
            if self._settings is not None:
                self._change_settings()
        self._arm_deadline()
        if near is None:
            return
        answer = peer.data_to_send(PIECE_BYTES)
        if answer:
            self._trace.note(now_ms, self._name, f"answer {len(answer)} {zlib.crc32(answer):08x}")
            near.received(answer)
        if peer.close_reason:
            self._near = None
            near.ended(WORDS["closed"])
        if answer or peer.close_reason:
            near.woken()

    def configure(self, settings: dict[str, Any]) -> None:
        """The node's end of a serial line has these settings; what it had to send goes out under the old ones."""
        self.pump_up()
        self._settings = settings
        if not self._on_way:
            self._change_settings()

    def _change_settings(self) -> None:
        settings, self._settings = self._settings, None
        configured = getattr(self._peer, "configured", None)
        if settings is not None and configured is not None:
            configured(settings, self._queue.now_ms)

    def drop(self, reason: str) -> None:
        """The device is gone."""
        near = self._near
        self.vanish()
        if near is not None:
            near.ended(reason)
            near.woken()

    def close(self) -> None:
        self.pump_up()
        self.vanish()

    def die(self) -> None:
        self.vanish()

    def vanish(self) -> None:
        self._near = None
        if self._event is not None:
            self._event.cancel()
        if not self._peer.close_reason:
            self._peer.closed("closed by the client", self._queue.now_ms)
