"""What both ends of a session share: frames in, frames out, the state table's dispatch, keepalive, bulk streams.

A session does no I/O and reads no clock. Feed it with `receive`, take events with `next_event` until None, send
what `data_to_send` gives, call `step` at the deadline that it returned. What a peer does wrong never raises: the
session says goodbye with the error's code and its last event is `Ended`. What the caller does wrong is
MisuseError.
"""

from edgelite_protocol import messages as m
from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.events import Ended, StreamClosed
from edgelite_protocol.frames import FrameReader
from edgelite_protocol.keepalive import DEAD, PROBE, Keepalive
from edgelite_protocol.limits import (
    BULK_BYTES_LEAST,
    DATA_OVERHEAD_BYTES,
    LINGER_MS,
    WINDOW_FRAMES,
    Limits,
)
from edgelite_protocol.message import check_message, check_open, encode_message, is_known, read_type
from edgelite_protocol.message_tables import MESSAGES, ON_BULK, ON_CONTROL, ON_CONTROL_OR_BULK, ON_STATE
from edgelite_protocol.outgoing import Outgoing
from edgelite_protocol.streams import (
    ANSWER,
    CLOSING,
    DELIVER,
    GRANT,
    ON_CLOSE,
    ON_CREDIT,
    ON_DATA,
    Stream,
    Streams,
    Window,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ENDED = 0  # the one state that both ends name alike: nothing from the peer counts any more

CONTROL_WAITING_MAX = 16  # control messages are small; more than these and the caller outruns the link
TEXT_CHARACTERS_MAX = 128  # of a reason that is sent: fits the smallest frame in every script
STREAM_WAITING_MAX = 2  # one on its way to the link, one behind it: little queued, nothing idle

# What both ends take in every state after the welcome: {message type: handler}.
COMMON = (
    (m.PING, "_on_ping"),
    (m.PONG, "_on_pong"),
    (m.GOODBYE, "_on_goodbye"),
    (m.CREDIT, "_on_credit"),
    (m.OPEN, "_on_open"),
    (m.DATA, "_on_data"),
    (m.CLOSE, "_on_close"),
)


def table_row(common: "tuple[tuple[int, str], ...]", *own: "tuple[int, str]") -> "dict[int, str]":
    """One state's row: {message type: handler}; a type that is not in it is "unexpected_message"."""
    row = dict(common)
    row.update(own)
    return row


class Session:
    """The common part; `table`, `handshake_states`, `parity` and `purposes` are the end's own."""

    table: "dict[int, dict[int, str]]" = {}
    handshake_states: "tuple[int, ...]" = ()
    parity = 0
    purposes: "tuple[int, ...]" = ()  # of OPEN that this end serves

    def __init__(self, state: int, limits: Limits, frame_bytes_max: int, now_ms: int) -> None:
        self.state = state
        self.limits = limits
        self._reader = FrameReader(frame_bytes_max)
        self._outgoing = Outgoing()
        self._streams = Streams(self.parity)
        self._windows: dict[int, Window] = {}
        self._keepalive = Keepalive(self.parity == 1, now_ms)
        self._peer_frame_bytes_max = m.FRAME_BYTES_MAX_DEFAULT
        self._started_ms = now_ms
        self._ended: Ended | None = None  # waits to be taken
        self._ended_ms = now_ms
        self._at_end = False  # the link has ended
        self._pong: int | None = None  # the number of a ping that waits for its answer
        self._ping_number = 0

    # ---- what arrives

    def receive(self, data: "bytes | memoryview", now_ms: int) -> None:
        if self.state == ENDED:
            return
        self._keepalive.received(now_ms)
        self._reader.feed(data)

    def receive_eof(self, now_ms: int) -> None:
        """The link has ended; what came before still counts."""
        self._at_end = True
        if self.state == ENDED:
            self._outgoing.abandon()

    def next_event(self) -> "object | None":
        """The next event; None until more arrives. Nothing that the peer sent raises."""
        try:
            while self.state != ENDED:
                frame = self._reader.next_frame()
                if frame is None:
                    break
                event = self._take_frame(frame[0], frame[1])
                if event is not None:
                    return event
        except ProtocolError as error:
            self._finish(error.code, error.text)
        if self._at_end and self.state != ENDED:
            self._lose("link_lost", "the link ended without a goodbye", True)
        ended = self._ended
        self._ended = None
        return ended

    def _take_frame(self, stream: int, payload: bytes) -> "object | None":
        message = read_type(payload)
        number = message[m.TYPE]
        if not is_known(number):
            self._charge(stream, len(payload))
            if stream in self._windows:
                self._windows[stream].consumed(len(payload))
            return None
        handler = self.table[self.state].get(number)
        if handler is None:
            raise ProtocolError("unexpected_message", "%s in this state" % MESSAGES[number][0])
        check_message(message)
        self._check_place(message, stream)
        self._charge(stream, len(payload))
        event: object | None = getattr(self, handler)(message, stream, payload)
        return event

    def _charge(self, stream: int, size_bytes: int) -> None:
        """Everything on the lanes' streams costs credit; on bulk streams only DATA does."""
        if stream in (m.STREAM_STATE, m.STREAM_TELEMETRY):
            window = self._windows.get(stream)
            if window is None:
                raise ProtocolError("wrong_stream", "nothing comes on stream %d" % stream)
            window.spend(size_bytes, stream)

    def _check_place(self, message: "dict[Any, Any]", stream: int) -> None:
        name, place, _ = MESSAGES[message[m.TYPE]]
        if place == ON_CONTROL:
            right = stream == m.STREAM_CONTROL
        elif place == ON_STATE:
            right = stream == m.STREAM_STATE
        elif place == ON_BULK:
            right = stream >= m.STREAM_FIRST_DYNAMIC
        elif place == ON_CONTROL_OR_BULK:
            peer_opened = message[1] % 2 != self.parity
            right = stream == (m.STREAM_CONTROL if peer_opened else message[1])
        else:
            right = stream == m.STREAM_STATE + message[1]
        if not right:
            raise ProtocolError("wrong_stream", "%s on stream %d" % (name, stream))

    # ---- what leaves

    def data_to_send(self, size_bytes_max: int) -> bytes:
        """The next bytes, by priority, at most one bulk frame a call; b"" when nothing may go now."""
        if self.state != ENDED:
            self._queue_answers()
        return self._outgoing.take(size_bytes_max)

    def _queue_answers(self) -> None:
        """Pongs and credit are made when the link has room for them, so they never pile up."""
        if self._pong is not None:
            self._put_control({m.TYPE: m.PONG, 1: self._pong})
            self._pong = None
        for stream, window in self._windows.items():
            if window.is_due:
                self._grant(stream, window)
        if not self._streams.is_any():
            return
        for bulk in self._streams.all():
            if bulk.window is not None and bulk.state != CLOSING:
                self._grant(bulk.number, bulk.window)

    def _grant(self, stream: int, window: Window) -> None:
        size_bytes = window.take_credit()
        if size_bytes:
            self._put_control({m.TYPE: m.CREDIT, 1: stream, 2: size_bytes})

    def _put_control(self, message: "dict[int, object]") -> None:
        """Nothing follows a goodbye: on an ended session this does nothing, as every action does."""
        if self.state == ENDED:
            return
        self._outgoing.put(m.STREAM_CONTROL, encode_message(message), False)

    def _put(self, stream: int, payload: bytes) -> None:
        """What the caller sends, by credit; refused where it does not fit or the caller did not ask first."""
        if len(payload) > self._peer_frame_bytes_max:
            raise MisuseError("%d bytes, the peer takes %d" % (len(payload), self._peer_frame_bytes_max))
        if self._outgoing.waiting_on(stream)[0] >= STREAM_WAITING_MAX:
            raise MisuseError("stream %d: ask before sending" % stream)
        self._outgoing.put(stream, payload, True)

    def can_send(self, priority: int) -> bool:
        """True while little waits at this priority."""
        if self.state == ENDED or self.state in self.handshake_states:
            return False
        bound = CONTROL_WAITING_MAX if priority == m.PRIORITY_CONTROL else STREAM_WAITING_MAX
        return self._outgoing.waiting(priority) < bound

    # ---- time

    def step(self, now_ms: int) -> "int | None":
        """Let time pass: probe, give up. The next deadline, None once closed."""
        if self.state == ENDED:
            return self._step_ended(now_ms)
        if self.state in self.handshake_states:
            deadline_ms = self._started_ms + self.limits.handshake_ms
            if now_ms < deadline_ms:
                return deadline_ms
            self._ended_ms = now_ms
            self._finish("handshake_timeout", "no welcome within %d ms" % self.limits.handshake_ms)
            return self._step_ended(now_ms)
        what = self._keepalive.step(now_ms, self._answer_owed())
        if what == DEAD:
            self._lose("silent", "nothing arrived for too long", False)
            return None
        if what == PROBE:
            self._ping_number += 1
            self._put_control({m.TYPE: m.PING, 1: self._ping_number})
        return self._keepalive.deadline_ms

    def _step_ended(self, now_ms: int) -> "int | None":
        """A goodbye that the link does not take is given up."""
        if self._outgoing.is_empty():
            return None
        if now_ms < self._ended_ms + LINGER_MS:
            return self._ended_ms + LINGER_MS
        self._outgoing.abandon()
        return None

    def _answer_owed(self) -> bool:
        """Whether something that was sent waits for the peer's answer, so that a dead link is noticed soon."""
        return any(stream.state == CLOSING or stream.window is not None for stream in self._streams.all())

    # ---- the end

    @property
    def closed(self) -> bool:
        """Ended, and nothing more to send: close the link."""
        return self.state == ENDED and self._outgoing.is_empty()

    def end(self, code: str, text: str, now_ms: int) -> None:
        """Say goodbye, then close. `code` "" where nothing is wrong."""
        if self.state != ENDED:
            self._ended_ms = now_ms
            self._finish(code, text)

    def _finish(self, code: str, text: str) -> None:
        """This end ends the session: what is in the control queue still goes, then the goodbye."""
        text = text[:TEXT_CHARACTERS_MAX]
        self._outgoing.clear_data()
        self._put_control({m.TYPE: m.GOODBYE, 1: code, 2: text})
        self.state = ENDED
        self._ended = Ended(code, text, False)

    def _lose(self, code: str, text: str, by_peer: bool) -> None:
        """Nothing can be said any more."""
        self._outgoing.abandon()
        self.state = ENDED
        self._ended = Ended(code, text, by_peer)

    # ---- handlers that both ends share

    def _on_ping(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> None:
        self._pong = message[1]

    def _on_pong(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> None:
        if not self._keepalive.probing or message[1] != self._ping_number:
            raise ProtocolError("unexpected_message", "pong %d answers no ping" % message[1])
        self._keepalive.answered()

    def _on_goodbye(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> None:
        self._lose(message[1], message[2], True)

    def _on_credit(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> None:
        number = message[1]
        if number < m.STREAM_FIRST_DYNAMIC:
            self._outgoing.grant(number, message[2])
            return
        if self._streams.get(number).on(ON_CREDIT) == GRANT:
            self._outgoing.grant(number, message[2])

    def _on_open(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> "object | None":
        number, purpose = message[1], message[2]
        bulk = self._streams.accept(number, purpose)
        if purpose not in self.purposes or not check_open(message):
            self.close_stream(number, "unknown_purpose", "purpose %d" % purpose)
            return None
        self._outgoing.grant(number, message[4])
        return self._opened(bulk, message[3])

    def _opened(self, bulk: Stream, parameters: "dict[Any, Any]") -> "object | None":
        raise NotImplementedError

    def _on_data(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> "object | None":
        bulk = self._streams.get(stream)
        if bulk.window is None:
            raise ProtocolError("wrong_stream", "data against the direction of stream %d" % stream)
        bulk.window.spend(len(payload), stream)
        bulk.window.consumed(len(payload))
        if bulk.on(ON_DATA) != DELIVER:
            return None
        return self._data(bulk, message[1])

    def _data(self, bulk: Stream, data: bytes) -> "object | None":
        raise NotImplementedError

    def _on_close(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> "object | None":
        bulk = self._streams.get(message[1])
        answer = bulk.on(ON_CLOSE) == ANSWER
        if answer:
            self._outgoing.drop(bulk.number)
            self._put_close(bulk, "", "")
        self._streams.forget(bulk.number)
        self._outgoing.forget_credit(bulk.number)
        return StreamClosed(bulk.number, bulk.purpose, message[2], message[3]) if answer else None

    # ---- bulk streams

    def can_send_bulk(self, stream: int) -> int:
        """How many bytes of data the stream takes now; 0 for none, or where it is closed."""
        bulk = self._streams.find(stream)
        if bulk is None or bulk.state == CLOSING or bulk.window is not None:
            return 0
        if self._outgoing.waiting_on(stream)[0] >= STREAM_WAITING_MAX:
            return 0
        room = min(self.limits.bulk_bytes_max, self._peer_frame_bytes_max, self._outgoing.credit(stream))
        room -= DATA_OVERHEAD_BYTES
        return room if room >= BULK_BYTES_LEAST else 0

    def _send_bulk(self, stream: int, data: bytes) -> None:
        if not 0 < len(data) <= self.can_send_bulk(stream):
            raise MisuseError("stream %d takes %d bytes, not %d" % (stream, self.can_send_bulk(stream), len(data)))
        self._outgoing.put(stream, encode_message({m.TYPE: m.DATA, 1: bytes(data)}), True)

    def close_stream(self, stream: int, code: str, text: str) -> None:
        """Close a bulk stream: `code` "" behind all of its data. One that the peer has closed is left alone."""
        bulk = self._streams.find(stream)
        if bulk is None or bulk.state == CLOSING:
            return
        if code:
            self._outgoing.drop(stream)
        self._put_close(bulk, code, text)
        bulk.state = CLOSING

    def _put_close(self, bulk: Stream, code: str, text: str) -> None:
        """Who sends data closes behind it; who opened the stream may overtake."""
        on = bulk.number if bulk.window is None else m.STREAM_CONTROL
        payload = encode_message({m.TYPE: m.CLOSE, 1: bulk.number, 2: code, 3: text[:TEXT_CHARACTERS_MAX]})
        self._outgoing.put(on, payload, False)

    def _open_stream(self, purpose: int, parameters: "dict[int, object]") -> Stream:
        window = Window(self.limits.bulk_window_bytes)
        bulk = self._streams.open_own(purpose, window)
        self._put_control(
            {m.TYPE: m.OPEN, 1: bulk.number, 2: purpose, 3: parameters, 4: window.size_bytes},
        )
        return bulk

    def can_open_stream(self) -> bool:
        return self.can_send(m.PRIORITY_CONTROL) and self._streams.can_open()

    def pause(self, stream: int, paused: bool) -> None:
        """While paused, a bulk stream that comes in gets no more credit: for a caller whose own way out is slow."""
        bulk = self._streams.find(stream)
        if bulk is not None and bulk.window is not None:
            bulk.window.paused = paused

    def _open_lane_window(self, stream: int) -> None:
        self._windows[stream] = Window(WINDOW_FRAMES * self.limits.frame_bytes_max)
