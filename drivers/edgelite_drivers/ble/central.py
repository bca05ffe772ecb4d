"""The central: all BLE devices of a node on one radio. A state machine without I/O.

It is given requests, the radio's events and `now_ms`; it gives results and its next deadline, and asks the radio
(`radio.Radio`). One connection attempt is under way at a time, and the scan rests meanwhile: with many controllers
neither does well beside the other.
"""

from edgelite.driver import Request, Result
from edgelite_drivers.backoff import Backoff
from edgelite_drivers.ble import peer as states
from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.heard import matches
from edgelite_drivers.ble.peer import Peer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite_drivers.ble.advertisements import Advertisement
    from edgelite_drivers.ble.config import Protocol
    from edgelite_drivers.ble.heard import Heard
    from edgelite_drivers.ble.radio import Characteristic, Event, Radio

PEERS_MAX = 64  # devices of one radio; a controller's scan hears more, its connections are fewer by far
RESULTS_MAX = 512  # that wait to be taken; beyond, results of listening requests are joined
START_MS = 20_000  # for the adapter to come up
SCAN_RENEW_MS = 60_000  # a Bluetooth daemon that was restarted has forgotten the scan
RESTART_MS_MIN = 1_000
RESTART_MS_MAX = 30_000
MOVED_MS = 10_000  # unheard for so long, the device that filters mean may have another address now

# The radio's states
OFF = "off"
STARTING = "starting"
ON = "on"
FAILED = "failed"

_ATTACHED = (states.CONNECTING, states.DISCOVERING, states.OPEN, states.LEAVING)


class Central:
    def __init__(self, radio: "Radio", random_bytes: "Callable[[int], bytes]") -> None:
        self.state = OFF
        self.is_scanning = False
        self._radio = radio
        self._random_bytes = random_bytes
        self._backoff = Backoff(RESTART_MS_MIN, RESTART_MS_MAX, random_bytes)
        self._peers: dict[tuple[object, ...], Peer] = {}
        self._peer_of: dict[int, Peer] = {}  # by number of a listening request
        self._results: list[Result] = []
        self._failure = ""
        self._deadline_ms: int | None = None  # of the radio's state
        self._renew_ms = 0
        self._handlers: dict[str, Callable[..., None]] = {
            seam.UP: self._up,
            seam.DOWN: self._down,
            seam.ADVERTISED: self._advertised,
            seam.CONNECTED: self._connected,
            seam.DISCONNECTED: self._disconnected,
            seam.DISCOVERED: self._discovered,
            seam.READ: self._read,
            seam.WRITTEN: self._written,
            seam.SUBSCRIBED: self._subscribed,
            seam.NOTIFIED: self._notified,
        }

    # ---- what is asked, and what comes of it

    def submit(self, request: Request, now_ms: int) -> None:
        peer = self._peer(request, now_ms)
        if peer is None:
            return
        if self.state == FAILED:
            self._refuse(request, self._failure, False, now_ms)
        elif any(visitor.advertisement for visitor in request.visitors.values()):  # type: ignore[attr-defined]
            self._refuse(request, "an advertisement is listened to, not read", True, now_ms)
        else:
            peer.submit(request, now_ms)

    def listen(self, request: Request, now_ms: int) -> None:
        peer = self._peer(request, now_ms)
        if peer is None:
            return
        self._peer_of[request.number] = peer
        peer.listen(request, now_ms)
        if self.state == FAILED:
            self._refuse(request, self._failure, False, now_ms)

    def ignore(self, number: int, now_ms: int) -> None:
        peer = self._peer_of.pop(number, None)
        if peer is not None:
            peer.ignore(number, now_ms)

    def forget(self, now_ms: int) -> None:
        """Whoever asked is gone: ignore all it listened to. What is under way ends, its results are nobody's."""
        for number in list(self._peer_of):
            self.ignore(number, now_ms)
        self._results = []

    @property
    def is_busy(self) -> bool:
        """Whether the radio may tell something."""
        return self.state != OFF

    def next_result(self) -> "Result | None":
        return self._results.pop(0) if self._results else None

    def step(self, now_ms: int) -> "int | None":
        """Let timeouts pass, start what can be; the next deadline."""
        self._step_radio(now_ms)
        deadlines = [self._deadline_ms]
        if self.state == ON:
            for peer in list(self._peers.values()):
                peer.step(now_ms)
            self._give_turn(now_ms)
            self._renew_scan(now_ms)
            deadlines.append(self._renew_ms if self.is_scanning else None)
        for peer in self._peers.values():
            for number, heard in peer.listeners.items():
                deadlines.append(self._tell_heard(peer, number, heard, now_ms))
            deadlines.append(peer.deadline_ms if self.state == ON else None)
        known = [deadline_ms for deadline_ms in deadlines if deadline_ms is not None]
        return min(known) if known else None

    # ---- what the radio tells

    def handle(self, event: "Event", now_ms: int) -> None:
        self._handlers[event[0]](now_ms, *event[1:])

    def _up(self, now_ms: int) -> None:
        if self.state == STARTING:
            self.state = ON
            self._deadline_ms = None

    def _down(self, now_ms: int, reason: str) -> None:
        self.state = FAILED
        self.is_scanning = False
        self._failure = "no Bluetooth: " + reason
        self._deadline_ms = now_ms + self._backoff.pause_ms()
        for peer in self._peers.values():
            peer.lose(self._failure, now_ms)
            for number, heard in peer.listeners.items():
                if heard.names and not heard.is_silent:
                    heard.is_silent = True
                    self._tell(Result(number, {}, dict.fromkeys(heard.names, self._failure), False, now_ms))

    def _advertised(self, now_ms: int, advertisement: "Advertisement") -> None:
        self._backoff.reset()  # not before: a stack may say that it is up and have no adapter
        for peer in self._peers.values():
            if not self._is_it(peer, advertisement, now_ms):
                continue
            if peer.state not in _ATTACHED:
                peer.address = advertisement.address
                if advertisement.is_random is not None:
                    peer.is_random = advertisement.is_random
            peer.heard_ms = now_ms
            for number, heard in peer.listeners.items():
                if heard.take(advertisement, peer.protocol, now_ms):
                    self._tell_heard(peer, number, heard, now_ms, True)
            if advertisement.is_connectable and (peer.state == states.SEEKING or peer.state == states.ABSENT):
                peer.happen(states.SEEN, now_ms)

    def _is_it(self, peer: Peer, advertisement: "Advertisement", now_ms: int) -> bool:
        if peer.protocol.address:
            return matches(peer.protocol, advertisement)
        if peer.address == advertisement.address:
            return True
        is_known = peer.heard_ms is not None and now_ms - peer.heard_ms < MOVED_MS
        if peer.address and (is_known or peer.state in _ATTACHED):
            return False
        return matches(peer.protocol, advertisement)

    def _connected(self, now_ms: int, address: str) -> None:
        for peer in self._at(address):
            peer.happen(states.UP, now_ms)

    def _disconnected(self, now_ms: int, address: str, reason: str) -> None:
        for peer in self._at(address):
            peer.happen(states.DOWN, now_ms, reason)

    def _discovered(self, now_ms: int, address: str, characteristics: "list[Characteristic]", reason: str) -> None:
        for peer in self._at(address):
            peer.discovered(characteristics, reason, now_ms)

    def _read(self, now_ms: int, address: str, handle: int, data: "bytes | None", reason: str) -> None:
        for peer in self._at(address):
            peer.answered(seam.READ, handle, data, reason, now_ms)

    def _written(self, now_ms: int, address: str, handle: int, reason: str) -> None:
        for peer in self._at(address):
            peer.answered(seam.WRITTEN, handle, None, reason, now_ms)

    def _subscribed(self, now_ms: int, address: str, handle: int, reason: str) -> None:
        for peer in self._at(address):
            peer.answered(seam.SUBSCRIBED, handle, None, reason, now_ms)

    def _notified(self, now_ms: int, address: str, handle: int, data: bytes) -> None:
        for peer in self._at(address):
            peer.notified(handle, data, now_ms)

    def _at(self, address: str) -> "list[Peer]":
        """The device that has the connection; two configurations may mean one device, and only one at a time has it."""
        return [peer for peer in self._peers.values() if peer.address == address and peer.state in _ATTACHED]

    # ---- inside

    def _peer(self, request: Request, now_ms: int) -> "Peer | None":
        """The device of a request, None where there are too many."""
        protocol: Protocol = request.protocol  # type: ignore[assignment]
        peer = self._peers.get(protocol.key)
        if peer is None:
            if len(self._peers) >= PEERS_MAX:
                self._peers = {key: one for key, one in self._peers.items() if not one.is_useless()}
            if len(self._peers) >= PEERS_MAX:
                self._refuse(request, "more than %d Bluetooth devices" % PEERS_MAX, True, now_ms)
                return None
            peer = self._peers[protocol.key] = Peer(protocol, self._radio, self._random_bytes, self._tell)
        peer.protocol = protocol
        return peer

    def _refuse(self, request: Request, reason: str, answered: bool, now_ms: int) -> None:
        self._tell(Result(request.number, {}, dict.fromkeys(request.visitors, reason), answered, now_ms))

    def _tell(self, result: Result) -> None:
        """A result that listens joins the one before it where nobody takes them."""
        if len(self._results) >= RESULTS_MAX and result.number in self._peer_of:
            for waiting in self._results:
                if waiting.number == result.number:
                    waiting.values.update(result.values)
                    waiting.errors.update(result.errors)
                    return
        self._results.append(result)

    def _tell_heard(self, peer: Peer, number: int, heard: "Heard", now_ms: int, at_once: bool = False) -> "int | None":
        """What a listening request has heard, or that it hears nothing, when it is due; when it will be."""
        due_ms = heard.due_ms(peer.protocol.silent_after_ms)
        if due_ms is None or (due_ms > now_ms and not at_once) or (self.state != ON and not heard.values):
            return due_ms if self.state == ON else None
        if heard.values or heard.errors:
            self._tell(Result(number, heard.values, heard.errors, True, heard.heard_ms))
            heard.told(now_ms)
        else:
            heard.is_silent = True
            reason = "no advertisement within %d ms" % peer.protocol.silent_after_ms
            self._tell(Result(number, {}, dict.fromkeys(heard.names, reason), False, now_ms))
        return heard.due_ms(peer.protocol.silent_after_ms)

    def _step_radio(self, now_ms: int) -> None:
        has_work = any(not peer.is_useless() for peer in self._peers.values())
        is_late = self._deadline_ms is not None and now_ms >= self._deadline_ms
        if self.state == STARTING and is_late:
            self._down(now_ms, "the adapter did not come up within %d ms" % START_MS)
        elif has_work and (self.state == OFF or (self.state == FAILED and is_late)):
            self.state = STARTING
            self._deadline_ms = now_ms + START_MS
            self._radio.start()
        elif self.state == FAILED and is_late:
            self.state = OFF
            self._deadline_ms = None

    def _give_turn(self, now_ms: int) -> None:
        """Let the device that has waited longest be connected to, if there is a connection for it."""
        waiting = [peer for peer in self._peers.values() if peer.state == states.WAITING]
        attached = [peer for peer in self._peers.values() if peer.state in _ATTACHED]
        if not waiting or any(peer.state == states.CONNECTING for peer in attached):
            return
        if len(attached) >= self._radio.connections_max:
            if not any(peer.state == states.LEAVING for peer in attached):
                for peer in attached:
                    if peer.is_idle():
                        peer.happen(states.UNWANTED, now_ms)
                        break
            return
        first = min(waiting, key=lambda peer: peer.since_ms)
        if any(peer.address == first.address for peer in attached):
            return  # another configuration means the same device, and has its connection
        if self.is_scanning:
            self._stop_scan()
        first.happen(states.TURN, now_ms)

    def _renew_scan(self, now_ms: int) -> None:
        wanted = self._scan_wanted()
        if self.is_scanning and not wanted:
            self._stop_scan()
        elif wanted and (not self.is_scanning or now_ms >= self._renew_ms):
            self.is_scanning = True
            self._renew_ms = now_ms + SCAN_RENEW_MS
            self._radio.scan(True)

    def _scan_wanted(self) -> bool:
        peers = self._peers.values()
        if any(peer.state == states.CONNECTING for peer in peers):
            return False
        for peer in peers:
            if peer.state == states.SEEKING or (peer.state == states.ABSENT and peer.holds()):
                return True
            if any(heard.names for heard in peer.listeners.values()):
                return True
        return False

    def _stop_scan(self) -> None:
        self.is_scanning = False
        self._radio.stop_scan()


def run(radio: "Radio", central: Central, now_ms: int) -> "int | None":
    """Hand on what the radio has told until it tells nothing more; the next deadline."""
    while True:
        event = radio.next_event()
        while event is not None:
            central.handle(event, now_ms)
            event = radio.next_event()
        deadline_ms = central.step(now_ms)
        if not radio.has_events:
            return deadline_ms
