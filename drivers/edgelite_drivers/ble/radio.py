"""The radio seam: what the driver asks of a Bluetooth stack, and what the stack tells it.

A radio's methods return at once, never raise for what the stack does, and never tell an event from inside: what comes
of them is an event, taken by `next_event` and handed to `Central.handle`. Events are tuples that begin with a name of
below. Addresses are text, capitals with colons; a characteristic is known by a handle, an integer that the radio gives
it at discovery and that holds for this connection.

`edgelite_ports.testing.radio_contract` holds the suite that every radio passes.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Event = tuple[Any, ...]

UP = "up"  # (): the adapter is there
DOWN = "down"  # (reason): it is not, or no more; every connection and the scan are gone with it
ADVERTISED = "advertised"  # (Advertisement)
CONNECTED = "connected"  # (address)
DISCONNECTED = "disconnected"  # (address, reason): the end of a connection or of the attempt; once for each `connect`
DISCOVERED = "discovered"  # (address, [Characteristic], reason): "" or why there are none
READ = "read"  # (address, handle, bytes or None, reason)
WRITTEN = "written"  # (address, handle, reason): "" when the device has confirmed
SUBSCRIBED = "subscribed"  # (address, handle, reason): the end of `subscribe`, either way
NOTIFIED = "notified"  # (address, handle, bytes)

# Properties of a characteristic (Core Specification, Vol 3, Part G, 3.3.1.1)
CAN_READ = 0x02
CAN_WRITE_WITHOUT_RESPONSE = 0x04
CAN_WRITE = 0x08
CAN_NOTIFY = 0x10
CAN_INDICATE = 0x20

EVENTS_MAX = 512  # beyond, advertisements and notifications are dropped: the owner takes no events any more
CHARACTERISTICS_MAX = 512  # of one device; a hostile one could go on for as long as it likes


class Characteristic:
    def __init__(self, service: str, uuid: str, handle: int, properties: int) -> None:
        self.service = service
        self.uuid = uuid
        self.handle = handle
        self.properties = properties


class Radio:
    """The base of radios: a queue of events. `wake` is called after each one, from wherever it came."""

    connections_max = 4  # at a time; controllers differ, few hold less

    def __init__(self) -> None:
        self.wake: Callable[[], None] | None = None
        self.dropped_events = 0
        self._events: list[Event] = []

    def tell(self, *event: "Any") -> None:
        if len(self._events) >= EVENTS_MAX and event[0] in (ADVERTISED, NOTIFIED):
            self.dropped_events += 1
            return
        self._events.append(event)
        if self.wake is not None:
            self.wake()

    def next_event(self) -> "Event | None":
        return self._events.pop(0) if self._events else None

    @property
    def has_events(self) -> bool:
        return len(self._events) > 0

    # ---- what a radio does

    def start(self) -> None:
        """Bring the adapter up; ends in UP or DOWN."""
        raise NotImplementedError

    def scan(self, active: bool) -> None:
        """Tell ADVERTISED from now on; `active` asks the devices for their scan responses. Scanning already, it begins
        anew. A scan that cannot be is DOWN."""
        raise NotImplementedError

    def stop_scan(self) -> None:
        raise NotImplementedError

    def connect(self, address: str, is_random: "bool | None") -> None:
        """Ends in CONNECTED or DISCONNECTED. No deadline of its own: `disconnect` gives it up."""
        raise NotImplementedError

    def disconnect(self, address: str) -> None:
        """Ends in DISCONNECTED, also where the connection was only asked for."""
        raise NotImplementedError

    def discover(self, address: str) -> None:
        """Ends in DISCOVERED, at least where DISCONNECTED does not come first; so do the four that follow in theirs."""
        raise NotImplementedError

    def read(self, address: str, handle: int) -> None:
        raise NotImplementedError

    def write(self, address: str, handle: int, data: bytes, with_response: bool) -> None:
        raise NotImplementedError

    def subscribe(self, address: str, handle: int, on: bool) -> None:
        """Notifications, or indications where the characteristic has only these; told as NOTIFIED."""
        raise NotImplementedError
