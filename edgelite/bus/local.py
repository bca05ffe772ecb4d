"""Local processes on the bus, over a Unix socket: one Session each, and what all of them share.

Requests are taken by turns, a few in each step, and a process that sends faster than that waits at its socket: whoever
floods delays neither the agent nor the others. Whoever breaks a rule is told which and closed.
"""

from edgelite.backoff import Backoff
from edgelite.bus import frames
from edgelite.bus.bus import MessageBus, Subscriber
from edgelite.effects import Acceptor, Channel, Close, Listen, Log
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.frames import FrameReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SESSIONS_MAX = 12  # processes that are connected: each may hold a frame that is coming, one that waits, one that goes
REQUESTS_MAX = 16  # of one process, and answers that it has not taken; then it waits
WAITING_BYTES = 8 * 1024  # then too
WAITING_BYTES_MAX = 4 * frames.FRAME_BYTES_MAX  # what a port may have read before it lets a process wait fits in
FRAMES_PER_STEP = 4  # of all together: half a millisecond on a PC, and no step of the agent waits longer
HELLO_TIMEOUT_MS = 5_000
END_TIMEOUT_MS = 1_000  # for the words of an END to be taken; then it is closed without
LISTEN_BASE_MS = 1_000
LISTEN_CAP_MS = 60_000
COMPLAIN_MS = 10_000

NEW = "new"  # connected, HELLO is awaited
READY = "ready"
ENDING = "ending"  # the last words wait to be taken
OVER = "over"


class Session(Channel, Subscriber):
    """One process."""

    def __init__(self, server: "LocalServer", number: int, now_ms: int) -> None:
        Subscriber.__init__(self)
        self.state = NEW
        self.name = "process %d" % number
        self.deadline_ms: int | None = now_ms + HELLO_TIMEOUT_MS
        self._server = server
        self._reader = FrameReader(frames.FRAME_BYTES_MAX)
        self._waiting: list[bytes] = []  # payloads of requests
        self._waiting_bytes = 0
        self._control: list[bytes] = []  # frames that go before messages
        self._unsent = b""

    # ---- Channel

    def opened(self, now_ms: int) -> None:
        return

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        """Only cut and counted here; `turn` does what it asks."""
        if self.state not in (NEW, READY):
            return
        try:
            self._cut(data)
        except ProtocolError as error:
            self.end(error, now_ms)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        if not self._unsent:
            self._unsent = self._next_frame()
        piece = self._unsent[:size_bytes_max]
        self._unsent = self._unsent[size_bytes_max:]
        return piece

    def closed(self, reason: str, now_ms: int) -> None:
        self.state = OVER
        self._server.forget(self)

    # ---- of the server

    @property
    def is_waiting(self) -> bool:
        """Something can be done for it: it has asked, and takes the answers."""
        return self.state in (NEW, READY) and bool(self._waiting) and len(self._control) < REQUESTS_MAX

    def turn(self, now_ms: int) -> None:
        """Do what the oldest request asks."""
        payload = self._waiting.pop(0)
        self._waiting_bytes -= len(payload)
        self._note_full()
        try:
            request = frames.decode(payload)
            handler = _HANDLERS[request[frames.KIND]]
            if (handler is Session._hello) != (self.state == NEW):
                raise ProtocolError("bus_frame", "HELLO comes first, and once")
            handler(self, request)
        except ProtocolError as error:
            self.end(error, now_ms)

    def expire(self, now_ms: int) -> None:
        if self.deadline_ms is None or now_ms < self.deadline_ms:
            return
        if self.state == NEW:
            self.end(ProtocolError("bus_timeout", "no HELLO within %d ms" % HELLO_TIMEOUT_MS), now_ms)
        else:
            self._close()

    def end(self, error: ProtocolError, now_ms: int) -> None:
        """Tell why, and close once that is taken."""
        self._server.complain("%s is closed: %s" % (self.name, error), now_ms)
        self._server.bus.leave(self)
        self._waiting = []
        text = error.text[: frames.TEXT_LENGTH_MAX]
        self._control.append(frames.encode(frames.END, {frames.CODE: error.code, frames.TEXT: text}))
        self.state = ENDING
        self.deadline_ms = now_ms + END_TIMEOUT_MS

    # ---- inside

    def _cut(self, data: "bytes | memoryview") -> None:
        """At most one unfinished frame lies in the reader."""
        view = memoryview(data)
        start = 0
        while start < len(view):
            room = frames.FRAME_BYTES_MAX + 3 - self._reader.buffered_bytes
            self._reader.feed(view[start : start + room])
            start += room
            frame = self._reader.next_frame()
            while frame is not None:
                self._take(frame[0], frame[1])
                frame = self._reader.next_frame()

    def _take(self, stream: int, payload: bytes) -> None:
        if stream != frames.STREAM:
            raise ProtocolError("bus_frame", "stream %d, where there is only %d" % (stream, frames.STREAM))
        self._waiting.append(payload)
        self._waiting_bytes += len(payload)
        if self._waiting_bytes > WAITING_BYTES_MAX:
            raise ProtocolError("bus_flood", "more than %d bytes of requests wait here" % WAITING_BYTES_MAX)
        self._note_full()

    def _note_full(self) -> None:
        self.is_full = len(self._waiting) >= REQUESTS_MAX or self._waiting_bytes > WAITING_BYTES

    def _next_frame(self) -> bytes:
        if self._control:
            return self._control.pop(0)
        if self.state == ENDING:
            self._close()
            return b""
        dropped = self.take_dropped()
        if dropped:
            return frames.encode(frames.DROPPED, {frames.COUNT: dropped})
        message = self.take()
        if message is None:
            return b""
        fields: dict[int, object] = {frames.TOPIC: message.topic, frames.PAYLOAD: message.payload}
        if message.is_retained:
            fields[frames.RETAIN] = True
        return frames.encode(frames.MESSAGE, fields)

    def _close(self) -> None:
        if self.state != OVER:
            self.state = OVER
            self.deadline_ms = None
            self._server.emit(Close(self))

    def _hello(self, request: "dict[int, Any]") -> None:
        if request[frames.PROTOCOL_VERSION] != frames.VERSION:
            raise ProtocolError("bus_version", "this agent's bus speaks version %d" % frames.VERSION)
        name = request.get(frames.NAME, "")
        if name and min(name) >= " ":  # it goes into the log's lines
            self.name = name
        self.state = READY
        self.deadline_ms = None
        fields: dict[int, object] = {frames.PROTOCOL_VERSION: frames.VERSION, frames.NAME: self._server.node}
        self._control.append(frames.encode(frames.WELCOME, fields))

    def _subscribe(self, request: "dict[int, Any]") -> None:
        self._answer(request, lambda: self._server.bus.subscribe(self, request[frames.TOPIC]))

    def _unsubscribe(self, request: "dict[int, Any]") -> None:
        self._answer(request, lambda: self._server.bus.unsubscribe(self, request[frames.TOPIC]))

    def _publish(self, request: "dict[int, Any]") -> None:
        retain = request.get(frames.RETAIN, False)
        topic, payload = request[frames.TOPIC], request[frames.PAYLOAD]
        self._answer(request, lambda: self._server.bus.publish(topic, payload, retain, from_outside=True))

    def _ping(self, request: "dict[int, Any]") -> None:
        self._answer(request, lambda: None)

    def _answer(self, request: "dict[int, Any]", act: "Callable[[], object]") -> None:
        """A request that cannot be is refused, and the process stays."""
        fields: dict[int, object] = {frames.NUMBER: request[frames.NUMBER]}
        try:
            act()
        except ProtocolError as error:
            fields[frames.CODE] = error.code
            fields[frames.TEXT] = error.text[: frames.TEXT_LENGTH_MAX]
        self._control.append(frames.encode(frames.ACKNOWLEDGE, fields))


_HANDLERS: "dict[int, Callable[[Session, dict[int, Any]], None]]" = {
    frames.HELLO: Session._hello,
    frames.SUBSCRIBE: Session._subscribe,
    frames.UNSUBSCRIBE: Session._unsubscribe,
    frames.PUBLISH: Session._publish,
    frames.PING: Session._ping,
}


class LocalServer(Acceptor):
    """`path` is where local processes find the bus; `node` this node's name."""

    def __init__(
        self,
        bus: MessageBus,
        path: str,
        node: str,
        emit: "Callable[[object], None]",
        random_bytes: "Callable[[int], bytes]",
    ) -> None:
        self.bus = bus
        self.node = node
        self.emit = emit
        self._path = path
        self._sessions: list[Session] = []
        self._count = 0
        self._turn = 0
        self._is_stopping = False
        self._told_ms: int | None = None
        self._listen_ms: int | None = 0
        self._backoff = Backoff(LISTEN_BASE_MS, LISTEN_CAP_MS, random_bytes)

    def step(self, now_ms: int) -> "int | None":
        """Do what processes ask, by turns; when to call again, now where more waits."""
        if self._listen_ms is not None and now_ms >= self._listen_ms:
            self._listen_ms = None
            self.emit(Listen(self, ("unix", self._path)))
        for _ in range(FRAMES_PER_STEP):
            session = self._next_waiting()
            if session is None:
                break
            session.turn(now_ms)
        due = [self._listen_ms]
        for session in list(self._sessions):
            session.expire(now_ms)
            due.append(now_ms if session.is_waiting else session.deadline_ms)
        times = [due_ms for due_ms in due if due_ms is not None]
        return min(times) if times else None

    def stop(self, now_ms: int) -> None:
        """The agent ends: processes are told, and find it again when it is back."""
        if self._listen_ms is None:
            self.emit(Close(self))
        self._listen_ms = None
        self._is_stopping = True
        for session in list(self._sessions):
            if session.state in (NEW, READY):
                session.end(ProtocolError("bus_stopped", "the agent stops"), now_ms)

    def complain(self, text: str, now_ms: int) -> None:
        """A line about a process, seldom: one that comes again and again must not fill the log."""
        if self._told_ms is None or now_ms - self._told_ms >= COMPLAIN_MS:
            self._told_ms = now_ms
            self.emit(Log("warning", "bus: " + text))

    # ---- Acceptor

    def accept(self, peer_address: str, now_ms: int) -> "Channel | None":
        if self._is_stopping:
            return None
        if len(self._sessions) >= SESSIONS_MAX:
            self.complain("%d processes are connected and no more may be" % SESSIONS_MAX, now_ms)
            return None
        self._backoff.reset()
        self._count += 1
        session = Session(self, self._count, now_ms)
        self._sessions.append(session)
        return session

    def closed(self, reason: str, now_ms: int) -> None:
        if not self._is_stopping:
            self.complain("local processes cannot reach it: " + reason, now_ms)
            self._listen_ms = now_ms + self._backoff.next_ms()

    def forget(self, session: Session) -> None:
        self.bus.leave(session)
        if session in self._sessions:
            self._sessions.remove(session)

    # ---- inside

    def _next_waiting(self) -> "Session | None":
        count = len(self._sessions)
        for step in range(count):
            session = self._sessions[(self._turn + step) % count]
            if session.is_waiting:
                self._turn = (self._turn + step + 1) % count
                return session
        return None
