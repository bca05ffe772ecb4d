"""A property's twin on the node: the last value and its quality, what is desired, and what the hub is told of it.

The value itself goes up as telemetry, and the hub takes it into the twin from there: a twin report for each reading
would double what a fast counter costs on the flash. A twin report is made for the first value after a start, for a
change of quality, and for what became of a desired value (docs/devices.md, "What goes up").
"""

from edgelite.devices.desired import HUB, NOBODY, SETTLED, Desired
from edgelite.devices.rules import Hold, SampleRule
from edgelite.devices.values import shortened
from edgelite_protocol import messages
from edgelite_protocol.values import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.devices.config import Property
    from edgelite.devices.window import Window

GOOD = "good"
BAD = "bad"
TWIN_HOLD_MS = 60_000  # between two twin reports of one property that only tell of quality
VERSION_RUN_BITS = 20  # of a twin's version: counts within one run of the agent, the journal's generation above
NOTHING_DESIRED = Desired()  # of all twins of which nothing was ever desired


class Twin:
    desired = NOTHING_DESIRED  # to be read; `own_desired` to change
    window: "Window | None" = None  # where the property is reported in windows
    is_gone = False
    is_heard = False  # the device sends it by itself: nobody asks for it
    _told_desired: object = None

    def __init__(self, property: "Property") -> None:
        self.property = property
        self.rule = SampleRule()
        self.quality = ""  # "" while nothing was read
        self.error = ""
        self.value: int | float | str | bool | bytes | None = None
        self.time_ms = 0  # of the last reading, good or bad
        self._hold = Hold(TWIN_HOLD_MS)
        self._count = 0

    def own_desired(self) -> Desired:
        if self.desired is NOTHING_DESIRED:
            self.desired = Desired()
        return self.desired

    def take_value(self, value: "int | float | str | bool | bytes", time_ms: int) -> None:
        if self.quality == BAD:
            self.rule.start_again()
        self.value = value
        self.quality = GOOD
        self.error = ""
        self.time_ms = time_ms

    def take_error(self, text: str, time_ms: int) -> None:
        self.quality = BAD
        self.error = text
        self.time_ms = time_ms

    def report_deadline_ms(self) -> "int | None":
        """When a twin report is due; None when there is nothing to tell."""
        if not self.quality:
            return None  # the first reading says all at once
        if self._desired_state() != self._told_desired:
            return 0
        return self._hold.deadline_ms((self.quality, self.error))

    def version(self, generation: int) -> int:
        """Of the last report: it grows with each, over restarts too, as the journal's generation does."""
        return generation << VERSION_RUN_BITS | self._count

    def report(self, now_ms: int) -> "dict[int, object]":
        """What the twin itself says in a report; it counts as told from now on."""
        self._hold.tell((self.quality, self.error), now_ms)
        self._told_desired = self._desired_state()
        self._count += 1
        body: dict[int, object] = {
            messages.REPORT: messages.REPORT_TWIN,
            messages.TWIN_PROPERTY: self.property.name,
            messages.TWIN_QUALITY: self.quality,
        }
        if self.value is not None and self.property.report_to_cloud:
            body[messages.TWIN_REPORTED] = to_text(self.value)
        error = self._error_text()
        if error:
            body[messages.TWIN_ERROR] = shortened(error)
        if self.desired.text is not None:
            body[messages.TWIN_DESIRED] = self.desired.text
            body[messages.TWIN_DESIRED_VERSION] = self.desired.version
            if self.desired.origin not in (HUB, NOBODY):
                body[messages.TWIN_DESIRED_ORIGIN] = self.desired.origin
        return body

    def _error_text(self) -> str:
        if self.error or not self.desired.error:
            return self.error
        return "desired %s is not applied: %s" % (self.desired.text, self.desired.error)

    def _desired_state(self) -> object:
        desired = self.desired
        if desired.text is None:
            return None
        return (desired.origin, desired.version, desired.text, desired.error, desired.state == SETTLED)
