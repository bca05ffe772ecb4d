"""Containers' output to the hub, on request: as much as the stream's credit allows, followed by what comes later
where the request says so. The lowest priority of the link; at most a few at once (the session bounds them)."""

from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_protocol.events import LogRequest
    from edgelite_protocol.node_session import NodeSession

FOLLOW_INTERVAL_MS = 1000  # how often a followed log is looked at; only while somebody follows
PIECES_MAX = 16  # one stream's share of a round of the loop


class LogReader:
    """One container's output, as a port reads it."""

    def read(self, size_bytes_max: int) -> bytes:
        """The next bytes; b"" at the end of what there is now. PlatformError."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class LogStore:
    """Where a port keeps containers' output."""

    def open(self, uid: str, container: str, tail_lines: int, previous: bool, since_ms: int) -> LogReader:
        """PlatformError where there is none."""
        raise NotImplementedError


class LogStreams:
    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._readers: dict[int, tuple[LogReader, bool]] = {}  # stream: (reader, follow)

    def request(self, session: "NodeSession", event: "LogRequest") -> None:
        try:
            reader = self._store.open(event.uid, event.container, event.tail_lines, event.previous, event.since_ms)
        except PlatformError as error:
            session.close_stream(event.stream, "not_found", error.text)
            return
        self._readers[event.stream] = (reader, event.follow)

    def step(self, session: "NodeSession | None", now_ms: int) -> "int | None":
        """Send what credit allows; when to look again where a log is followed or has more to send at once."""
        if session is None or not self._readers:
            return None
        deadlines = [self._send(session, stream, now_ms) for stream in sorted(self._readers)]
        due = [deadline_ms for deadline_ms in deadlines if deadline_ms is not None]
        return min(due) if due else None

    def _send(self, session: "NodeSession", stream: int, now_ms: int) -> "int | None":
        reader, follow = self._readers[stream]
        for _ in range(PIECES_MAX):
            room_bytes = session.can_send_bulk(stream)
            if room_bytes <= 0:
                return None  # the next credit wakes the node
            try:
                data = reader.read(room_bytes)
            except PlatformError as error:
                self._close(session, stream, "storage", error.text)
                return None
            if not data:
                return self._at_end(session, stream, follow, now_ms)
            session.log_data(stream, data)
        return now_ms

    def _at_end(self, session: "NodeSession", stream: int, follow: bool, now_ms: int) -> "int | None":
        if follow:
            return now_ms + FOLLOW_INTERVAL_MS
        self._close(session, stream, "", "")
        return None

    def stream_closed(self, stream: int) -> None:
        if stream in self._readers:
            self._readers.pop(stream)[0].close()

    def session_over(self) -> None:
        for stream in sorted(self._readers):
            self.stream_closed(stream)

    def _close(self, session: "NodeSession", stream: int, code: str, text: str) -> None:
        session.close_stream(stream, code, text)
        self.stream_closed(stream)
