"""A desired value on its way into the device: read, compare, write, read back.

A desired value is written until it has been read back once; then it is settled, and a later change at the device
itself stands, visible as reported, until another value is desired. (A version alone changes nothing: at the hub it
grows with every edit of the Device.) Nothing is written that was not found different by a reading first, after an
outage or a restart too.

The table names every cell that changes anything; in all others the event is ignored.
"""

from edgelite.driver import ConfigurationError
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.values import from_text, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.devices.config import Property

# States
NONE = "none"  # nothing is desired
UNREAD = "unread"  # the next reading decides
WRITING = "writing"
READING_BACK = "reading back"
FAILED = "failed"  # tried again at retry_ms, from the reading on
SETTLED = "settled"
IMPOSSIBLE = "impossible"  # it can never be written: read-only, no such value, outside minimum and maximum

# Events
EQUAL = "equal"  # a reading, the same as desired
DIFFERENT = "different"
NO_VALUE = "no value"
WRITTEN = "written"
REFUSED = "refused"
RETRY = "retry"

# Actions
NOTHING = ""
WRITE = "write"
READ = "read"
KEEP = "keep"  # over restarts: this text is settled

TABLE = {
    (UNREAD, EQUAL): (SETTLED, KEEP),
    (UNREAD, DIFFERENT): (WRITING, WRITE),
    (UNREAD, NO_VALUE): (FAILED, NOTHING),
    (WRITING, WRITTEN): (READING_BACK, READ),
    (WRITING, REFUSED): (FAILED, NOTHING),
    (READING_BACK, EQUAL): (SETTLED, KEEP),
    (READING_BACK, DIFFERENT): (FAILED, NOTHING),
    (READING_BACK, NO_VALUE): (FAILED, NOTHING),
    (FAILED, EQUAL): (SETTLED, KEEP),
    (FAILED, RETRY): (UNREAD, READ),
}

RETRY_MS_MIN = 5_000
RETRY_MS_MAX = 600_000  # a device that clamps a value is not worn out by writing it again and again


class Desired:
    def __init__(self) -> None:
        self.state = NONE
        self.text: str | None = None
        self.version = 0
        self.value: int | float | str | bool | bytes | None = None
        self.error = ""
        self.retry_ms = 0
        self._pause_ms = RETRY_MS_MIN

    def want(self, property: "Property") -> bool:
        """Take the property's desired value, if it is news; an older version than the last is not. True where the
        property should be read at once."""
        if property.desired is None:
            self.state = NONE
            self.text = None
            self.error = ""
            return False
        if property.desired_version < self.version:
            return False
        self.version = property.desired_version
        if property.desired == self.text:
            return False
        self.text = property.desired
        self._pause_ms = RETRY_MS_MIN
        self.error = _why_impossible(property, property.desired)
        if self.error:
            self.state = IMPOSSIBLE
            return False
        self.value = from_text(property.type, property.desired)
        self.state = UNREAD
        return True

    def want_locally(self, property: "Property", text: str) -> None:
        """Take a value that somebody at this node desires; ConfigurationError where it cannot be."""
        error = _why_impossible(property, text)
        if error:
            raise ConfigurationError("desired.value", error)
        self.text = text
        self.value = from_text(property.type, text)
        self.error = ""
        self._pause_ms = RETRY_MS_MIN
        self.state = UNREAD

    def recall(self, text: "str | None") -> None:
        """Take what an earlier run of the agent has kept as settled; None where it has nothing."""
        if text is not None:
            self.text = text
            self.state = SETTLED

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
        return action


def _why_impossible(property: "Property", text: str) -> str:
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
