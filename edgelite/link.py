"""The link: one connection to the hub at a time, opened again and again, with a session on it.

The table below is the whole machine; every cell is written out. What a session says is handed to the link's
`owner` (the node), which never sees a channel; what the channel says never reaches the owner.

How a session may end, and what follows:

1. the connection drops, or the keepalive finds it dead: rest, then try again
2. either end says goodbye for a passing reason: the same
3. the hub refuses the node as it is (REFUSALS): the same, at the slowest rate from the start; told once
4. `stop`: say goodbye, close, stay closed
"""

from edgelite.backoff import Backoff
from edgelite.effects import Channel, Close, Log, Open
from edgelite.journal import SPACE_ADDRESS
from edgelite_protocol.errors import MisuseError, PlatformError
from edgelite_protocol.events import Ended, Welcomed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.config import Config
    from edgelite.context import Context
    from edgelite.serial_link import SerialLink
    from edgelite_protocol.session import Session

# States
RESTING = 0  # until the backoff has passed
FENCED = 1  # the same after a refusal
OPENING = 2  # the port is connecting
GREETING = 3  # hello is on its way
LIVE = 4  # welcomed
CLOSING = 5  # the session ended, the port is closing
STOPPING = 6  # the same, for good
STOPPED = 7

STATE_NAMES = ("resting", "fenced", "opening", "greeting", "live", "closing", "stopping", "stopped")

# Events
DUE = 0  # the link's own deadline has come
OPENED = 1  # the port has connected
WELCOMED = 2  # the hub answered hello
ENDED = 3  # the session is over, whoever ended it
LOST = 4  # the port has closed the channel
STOP = 5  # the owner wants no link any more

# fmt: off
#            DUE        OPENED    WELCOMED   ENDED       LOST       STOP
TABLE = (
    ("open",    "bug",    "bug",     "bug",     "bug",     "stopped"),  # RESTING
    ("open",    "bug",    "bug",     "bug",     "bug",     "stopped"),  # FENCED
    ("give_up", "greet",  "bug",     "bug",     "rest",    "abort"),    # OPENING
    ("give_up", "bug",    "live",    "hang_up", "rest",    "goodbye"),  # GREETING
    ("ignore",  "bug",    "bug",     "hang_up", "rest",    "goodbye"),  # LIVE
    ("ignore",  "ignore", "ignore",  "ignore",  "rest",    "abort"),    # CLOSING
    ("ignore",  "ignore", "ignore",  "ignore",  "stopped", "ignore"),   # STOPPING
    ("ignore",  "bug",    "bug",     "bug",     "bug",     "ignore"),   # STOPPED
)
# fmt: on

# Ends that say: as things are, never (SPEC.md, section 15, "rarely"). A person has to act, so the node asks rarely.
REFUSALS = (
    "certificate_required",
    "identity_cloned",
    "must_understand",
    "node_revoked",
    "snapshot_too_large",
    "unsupported_version",
    "wrong_node",
)
NODE_STOPPING = "node_stopping"  # what we say when we stop
LINK_LOST = "link_lost"  # how a session calls the end of its channel
OPEN_TIMEOUT_MS = 90_000  # several addresses of one name, each with the port's own timeout


class Owner:
    """What the link tells. The node is one."""

    def begin_session(self, now_ms: int) -> "Session":
        """A session for a connection that has just opened."""
        raise NotImplementedError

    def session_event(self, event: object, now_ms: int) -> None:
        raise NotImplementedError

    def session_over(self, now_ms: int) -> None:
        """The session named nothing that is still to come: drop what hangs on it."""
        raise NotImplementedError


class Link(Channel):
    """`serial` carries it where the node has no network; else the port opens TLS connections to the hubs."""

    def __init__(self, context: "Context", config: "Config", owner: Owner, serial: "SerialLink | None" = None) -> None:
        self._context = context
        self._serial = serial
        if serial is not None:
            serial.upper = self
        self._hubs = config.hubs
        self._hub_index = 0
        self._greeting_timeout_ms = config.greeting_timeout_ms
        self._lasted_ms = config.session_lasted_ms
        self._owner = owner
        self._backoff = Backoff(config.backoff_base_ms, config.backoff_cap_ms, context.random_bytes)
        self._deadline_ms: int | None = 0  # the first attempt is at once
        self._live_since_ms = 0
        self._was_live = False  # this connection, or the last one
        self._refusal = ""
        self._close_reason = ""
        self._quick = False
        self.state = RESTING
        self.session: Session | None = None
        self.last_end = ""  # why the last session or attempt ended, for a person

    @property
    def live(self) -> bool:
        return self.state == LIVE

    @property
    def stopped(self) -> bool:
        return self.state == STOPPED

    def step(self, now_ms: int) -> "int | None":
        """Let time pass and hand the session's events on; the next deadline."""
        if self._deadline_ms is not None and now_ms >= self._deadline_ms:
            self._fire(DUE, now_ms)
        deadline_ms: int | None = None
        if self.session is not None:
            deadline_ms = self.session.step(now_ms)
            self._drain(now_ms)
        if self._serial is not None:
            serial_ms = self._serial.step(now_ms)
            if deadline_ms is None or (serial_ms is not None and serial_ms < deadline_ms):
                deadline_ms = serial_ms
        if deadline_ms is None or (self._deadline_ms is not None and self._deadline_ms < deadline_ms):
            deadline_ms = self._deadline_ms
        return deadline_ms

    def stop(self, now_ms: int) -> None:
        self._fire(STOP, now_ms)

    def reconnect(self, now_ms: int) -> None:
        """A person asked: connect now, dropping the session that there is."""
        if self.state in (RESTING, FENCED):
            self._deadline_ms = now_ms
        elif self.session is not None and self.state in (GREETING, LIVE):
            self._quick = True
            self.session.end("", "reconnecting", now_ms)

    def end_session(self, code: str, text: str, now_ms: int) -> None:
        """Say goodbye to the hub for a reason of this end."""
        if self.session is not None:
            self.session.end(code, text, now_ms)

    # ---- Channel: the port's side

    def opened(self, now_ms: int) -> None:
        self._fire(OPENED, now_ms)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        if self.session is not None:
            self.session.receive(data, now_ms)
            self._drain(now_ms)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        return b"" if self.session is None else self.session.data_to_send(size_bytes_max)

    def closed(self, reason: str, now_ms: int) -> None:
        """`reason` says more than the session can: that the link ended."""
        if self.session is None:
            self._note_end(reason)
        else:
            self._close_reason = reason
            self.session.receive_eof(now_ms)
            self._drain(now_ms)
        self._fire(LOST, now_ms)

    # ---- the machine

    def _fire(self, event: int, now_ms: int) -> None:
        getattr(self, "_do_" + TABLE[self.state][event])(now_ms)

    def _drain(self, now_ms: int) -> None:
        while self.session is not None:
            event = self.session.next_event()
            if event is None:
                return
            if isinstance(event, Ended):
                self._session_ended(event, now_ms)
                return
            if isinstance(event, Welcomed):
                self._fire(WELCOMED, now_ms)
            self._owner.session_event(event, now_ms)

    def _session_ended(self, event: Ended, now_ms: int) -> None:
        self._owner.session_event(event, now_ms)
        if event.code == LINK_LOST:
            self._note_end(self._close_reason)
        elif event.code in REFUSALS:
            self._refuse(event)
        elif event.by_peer or event.code != NODE_STOPPING:  # our own stop has its line already
            self._note_end(": ".join([part for part in (event.code, event.text) if part]) or "ended")
        self._fire(ENDED, now_ms)

    def _refuse(self, event: Ended) -> None:
        if event.code != self._refusal:
            who = "the hub refuses this node: " if event.by_peer else "this node cannot follow the hub: "
            self._context.emit(Log("error", who + event.code + ": " + event.text))
        self._refusal = event.code
        self.last_end = event.code
        self._backoff.slow_down()

    def _note_end(self, reason: str) -> None:
        """One line for each change of reason: a hub that is away for a week isn't a log of a week."""
        if reason != self.last_end:
            self._context.emit(Log("info", "no link to the hub: " + reason))
        self.last_end = reason

    # ---- actions

    def _do_bug(self, _now_ms: int) -> None:
        raise MisuseError("the link cannot take this while " + STATE_NAMES[self.state])

    def _do_ignore(self, _now_ms: int) -> None:
        if self.state in (LIVE, CLOSING, STOPPING, STOPPED):
            self._deadline_ms = None

    def hub(self) -> "tuple[str, int]":
        """Where the hub was found last, or is tried next."""
        return self._hubs[self._hub_index]

    def _do_open(self, now_ms: int) -> None:
        self.state = OPENING
        self._was_live = False
        self._deadline_ms = now_ms + OPEN_TIMEOUT_MS
        if self._serial is not None:
            self._serial.open(now_ms)
            return
        host, port = self.hub()
        self._context.emit(Open(self, ("tls", host, port), self._last_addresses(host)))

    def _do_greet(self, now_ms: int) -> None:
        self.state = GREETING
        self._deadline_ms = now_ms + self._greeting_timeout_ms
        self.session = self._owner.begin_session(now_ms)

    def _do_live(self, now_ms: int) -> None:
        self.state = LIVE
        self._was_live = True
        self._deadline_ms = None
        self._live_since_ms = now_ms
        self._refusal = ""
        self.last_end = ""
        self._keep_address()

    def _do_give_up(self, now_ms: int) -> None:
        self._note_end("timed out")
        self._do_hang_up(now_ms)

    def _do_hang_up(self, now_ms: int) -> None:
        self._credit_lasting(now_ms)
        self.state = CLOSING
        self._deadline_ms = None
        self._close(now_ms)

    def _close(self, now_ms: int) -> None:
        if self._serial is not None:
            self._serial.close(now_ms)
        else:
            self._context.emit(Close(self))

    def _do_rest(self, now_ms: int) -> None:
        self._credit_lasting(now_ms)
        self.state = FENCED if self._refusal else RESTING
        self._drop_session(now_ms)
        if not self._was_live and self._hubs:
            self._hub_index = (self._hub_index + 1) % len(self._hubs)
        self._deadline_ms = now_ms + (0 if self._quick else self._backoff.next_ms())
        self._quick = False

    def _credit_lasting(self, now_ms: int) -> None:
        if self.state == LIVE and now_ms - self._live_since_ms >= self._lasted_ms:
            self._backoff.reset()

    def _do_goodbye(self, now_ms: int) -> None:
        if self.session is not None:
            self.session.end(NODE_STOPPING, "", now_ms)
        self._do_abort(now_ms)

    def _do_abort(self, now_ms: int) -> None:
        if self.state != CLOSING:
            self._close(now_ms)
        self.state = STOPPING
        self._deadline_ms = None

    def _do_stopped(self, now_ms: int) -> None:
        self.state = STOPPED
        self._deadline_ms = None
        self._drop_session(now_ms)

    def _drop_session(self, now_ms: int) -> None:
        if self.session is not None:
            self.session = None
            self._owner.session_over(now_ms)

    # ---- the last good address of each hub name

    def _last_addresses(self, host: str) -> "list[str]":
        try:
            kept = self._context.journal.get(SPACE_ADDRESS, host)
        except PlatformError:
            kept = None  # not readable at present, and only a hint
        return [] if kept is None else [kept.decode()]

    def _keep_address(self) -> None:
        if self._serial is not None:
            return
        host = self._hubs[self._hub_index][0]
        address = self.peer_address
        if address and address != host and self._last_addresses(host) != [address]:
            self._context.journal.write([("put", SPACE_ADDRESS, host, address.encode())])
