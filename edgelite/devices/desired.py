"""A desired value: whose word counts, and its way into the device: read, compare, write, read back.

Three may desire something: the hub; somebody at this node (a PLC, a person, an application); and the property's
fail-safe rule, for when the hub is lost. WHOSE says whose word counts after whatever happens. The last one at the node
wins, and is told to the hub with its origin; docs/twins.md explains it to users.

A desired value is written until it has been read back once; then it is settled, and a later change at the device
itself stands, visible as reported, until another value is desired. The hub's wish is another one where its text or its
time differs. (A version alone changes nothing.) Nothing is written that was not found different by a reading first,
after an outage or a restart too.

The tables name every cell that changes anything; in all others the event is ignored.
"""

from edgelite.driver import ConfigurationError
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.values import from_text, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.devices.config import Property

# Whose word counts
NOBODY = ""
HUB = "hub"
LOCAL = "local"
FAIL_SAFE = "fail-safe"

# What may change it
HUB_WANTS = "hub wants"  # a wish that is news
HUB_WANTS_LATE = "hub wants late"  # one that has expired on its way
HUB_WITHDRAWS = "hub withdraws"
LOCAL_WANTS = "local wants"
HUB_LOST = "hub lost"  # for as long as the property waits for it
HUB_BACK = "hub back"

WHOSE = {
    (NOBODY, HUB_WANTS): HUB,
    (HUB, HUB_WANTS): HUB,
    (LOCAL, HUB_WANTS): HUB,
    (FAIL_SAFE, HUB_WANTS): HUB,
    (NOBODY, HUB_WANTS_LATE): HUB,
    (HUB, HUB_WANTS_LATE): HUB,
    (HUB, HUB_WITHDRAWS): NOBODY,
    (NOBODY, LOCAL_WANTS): LOCAL,
    (HUB, LOCAL_WANTS): LOCAL,
    (LOCAL, LOCAL_WANTS): LOCAL,
    (FAIL_SAFE, LOCAL_WANTS): LOCAL,
    (NOBODY, HUB_LOST): FAIL_SAFE,
    (HUB, HUB_LOST): FAIL_SAFE,  # not LOCAL: who is at the machine does not depend on the hub
    (FAIL_SAFE, HUB_BACK): HUB,  # its last wish again; nobody's word counts where it has none
}

# States
NONE = "none"  # nothing is desired
UNREAD = "unread"  # the next reading decides
WRITING = "writing"
READING_BACK = "reading back"
FAILED = "failed"  # tried again at retry_ms, from the reading on
SETTLED = "settled"
IMPOSSIBLE = "impossible"  # it can never be written: read-only, no such value, outside minimum and maximum
EXPIRED = "expired"  # its time ended before it was written

# Events
EQUAL = "equal"  # a reading, the same as desired
DIFFERENT = "different"
NO_VALUE = "no value"
WRITTEN = "written"
REFUSED = "refused"
RETRY = "retry"
EXPIRES = "expires"
UNDATED = "undated"  # different, and nobody here knows whether its time has ended

# Actions
NOTHING = ""
WRITE = "write"
READ = "read"
KEEP = "keep"  # over restarts: this text is settled

TABLE = {
    (UNREAD, EQUAL): (SETTLED, KEEP),
    (UNREAD, DIFFERENT): (WRITING, WRITE),
    (UNREAD, NO_VALUE): (FAILED, NOTHING),
    (UNREAD, EXPIRES): (EXPIRED, NOTHING),
    (UNREAD, UNDATED): (FAILED, NOTHING),
    (WRITING, WRITTEN): (READING_BACK, READ),
    (WRITING, REFUSED): (FAILED, NOTHING),
    (READING_BACK, EQUAL): (SETTLED, KEEP),
    (READING_BACK, DIFFERENT): (FAILED, NOTHING),
    (READING_BACK, NO_VALUE): (FAILED, NOTHING),
    (FAILED, EQUAL): (SETTLED, KEEP),
    (FAILED, RETRY): (UNREAD, READ),
    (FAILED, EXPIRES): (EXPIRED, NOTHING),
}

RETRY_MS_MIN = 5_000
RETRY_MS_MAX = 600_000  # a device that clamps a value is not worn out by writing it again and again
EXPIRED_TEXT = "it expired before the device had taken it"
UNDATED_TEXT = "it may have expired: the hub's time is not known yet"


class Desired:
    """`text` is None while nothing is desired, and where what this node desired was settled before a restart."""

    hub_text: "str | None" = None  # the hub's last wish, whether it counts or not
    hub_time = 0

    def __init__(self) -> None:
        self.origin = NOBODY
        self.state = NONE
        self.text: str | None = None
        self.version = 0  # of the hub's last wish
        self.value: int | float | str | bool | bytes | None = None
        self.error = ""
        self.retry_ms = 0
        self._pause_ms = RETRY_MS_MIN

    def want(self, property: "Property", is_late: bool = False) -> bool:
        """Take the hub's wish out of the property's configuration, if it is news; an older version than the last is
        not. True where the property should be read at once."""
        if property.desired is None:
            if self.hub_text is not None:
                self.hub_text = None
                self.hub_time = 0
                if self._turn(HUB_WITHDRAWS):
                    self._clear()
            return False
        if property.desired_version < self.version:
            return False
        self.version = property.desired_version
        if property.desired == self.hub_text and property.desired_time == self.hub_time:
            return False
        self.hub_text = property.desired
        self.hub_time = property.desired_time
        if not self._turn(HUB_WANTS_LATE if is_late else HUB_WANTS):
            return False
        return self._begin(property, property.desired, is_late)

    def want_locally(self, property: "Property", text: str) -> bool:
        """Take what somebody at this node desires; ConfigurationError where it cannot be. True where the property
        should be read at once: not where this very wish is on its way already."""
        error = why_impossible(property, text)
        if error:
            raise ConfigurationError("desired.value", error)
        if self.origin == LOCAL and self.text == text and self.state in (UNREAD, WRITING, READING_BACK):
            return False
        self._turn(LOCAL_WANTS)
        return self._begin(property, text, False)

    def lose_hub(self, property: "Property") -> bool:
        """There has been no hub for as long as the property waits for it. True where it should be read at once."""
        if property.fail_safe is None or not self._turn(HUB_LOST):
            return False
        return self._begin(property, property.fail_safe, False)

    def find_hub(self, property: "Property", is_late: bool) -> bool:
        """The hub is back: what it desired counts again. True where the property should be read at once."""
        if not self._turn(HUB_BACK):
            return False
        if property.desired is None:
            self.origin = NOBODY
            self._clear()
            return False
        return self._begin(property, property.desired, is_late)

    def recall(self, origin: str, text: "str | None", is_settled: bool, hub_text: "str | None", hub_time: int) -> None:
        """Take what an earlier run of the agent has kept; `resume` follows where it is not settled."""
        self.origin = origin
        self.text = text
        if text is not None:
            self.state = SETTLED if is_settled else UNREAD
        if hub_text is not None:
            self.hub_text = hub_text
            self.hub_time = hub_time

    def resume(self, property: "Property") -> bool:
        """After `recall` and `want`: go on with what this node itself desired. True where it should be read."""
        if self.origin == FAIL_SAFE and property.fail_safe is None:
            return self.find_hub(property, False)
        if self.state != UNREAD or self.origin not in (LOCAL, FAIL_SAFE) or self.text is None:
            return False
        return self._begin(property, self.text, False)

    def impossible(self, text: str) -> None:
        self.state = IMPOSSIBLE
        self.error = text

    def happen(self, event: str, error: str, now_ms: int) -> str:
        """The action to take. `error` says what went wrong, should this event lead to FAILED."""
        cell = TABLE.get((self.state, event))
        if cell is None:
            return NOTHING
        self.state, action = cell
        if self.state == FAILED:
            self.error = error
            self.retry_ms = now_ms + self._pause_ms
            self._pause_ms = min(2 * self._pause_ms, RETRY_MS_MAX)
        elif self.state == SETTLED:
            self.error = ""
        elif self.state == EXPIRED:
            self.error = EXPIRED_TEXT
        return action

    def _turn(self, event: str) -> bool:
        """Whether the event leaves another wish in force than before."""
        origin = WHOSE.get((self.origin, event))
        if origin is None:
            return False
        self.origin = origin
        return True

    def _begin(self, property: "Property", text: str, is_late: bool) -> bool:
        self.text = text
        self._pause_ms = RETRY_MS_MIN
        self.error = why_impossible(property, text)
        if self.error:
            self.state = IMPOSSIBLE
            return False
        self.value = from_text(property.type, text)
        self.state = UNREAD
        if is_late:
            self.happen(EXPIRES, "", 0)
        return not is_late

    def _clear(self) -> None:
        self.state = NONE
        self.text = None
        self.error = ""


def why_impossible(property: "Property", text: str) -> str:
    """ "" where the text can be a desired value of the property."""
    if not property.writable:
        return "the property is read-only"
    try:
        value = from_text(property.type, text)
    except ProtocolError as error:
        return error.text
    if is_number(value):
        if property.minimum is not None and value < property.minimum:  # type: ignore[operator]
            return "%s is below the minimum %s" % (text, property.minimum)
        if property.maximum is not None and value > property.maximum:  # type: ignore[operator]
            return "%s is above the maximum %s" % (text, property.maximum)
    return ""
