"""When something is reported: the deadband and report cycle of a sample, the hold of a state.

Each report is bytes on the flash and on the wire, so what says nothing new is never made.
"""

from edgelite_protocol.values import is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.devices.config import Property


class SampleRule:
    """Whether a reading becomes telemetry: `passes(property, value, due_ms)` takes note when it does.

    1. The first value, and the first after an error, always.
    2. Not sooner than `report_ms` after the last, counted in the schedule's times, so that a cycle whose answer
       came a little early is not put off to the next.
    3. With a deadband: only when the value is further than that from the last one reported (a number), or another
       one (anything else). A percentage is one of the last value reported; beside an absolute deadband, which then is
       the least that counts near zero, a value must be further away than both.
    """

    def __init__(self) -> None:
        self._value: int | float | str | bool | bytes | None = None
        self._due_ms = 0

    def passes(self, property: "Property", value: "int | float | str | bool | bytes", due_ms: int) -> bool:
        if self._value is not None:
            if due_ms - self._due_ms < property.report_ms:
                return False
            if not self._has_moved(property, value):
                return False
        self._value = value
        self._due_ms = due_ms
        return True

    def start_again(self) -> None:
        self._value = None

    def _has_moved(self, property: "Property", value: "int | float | str | bool | bytes") -> bool:
        percent = property.deadband_percent
        if percent is None and property.deadband is None:
            return True
        if not is_number(value) or not is_number(self._value):
            return value != self._value
        deadband = property.deadband or 0
        if percent is not None:
            deadband = max(deadband, abs(self._value) * percent / 100)  # type: ignore[arg-type]
        return bool(abs(value - self._value) > deadband)  # type: ignore[operator]


class Hold:
    """A state worth telling at once, but not more often than each `hold_ms`: a flapping line must not wear out the
    flash. What is told late is the latest."""

    def __init__(self, hold_ms: int) -> None:
        self.hold_ms = hold_ms
        self._told: object = None
        self._told_ms: int | None = None

    def deadline_ms(self, state: object) -> "int | None":
        """When `state` may be told; None when it has been."""
        if state == self._told:
            return None
        return 0 if self._told_ms is None else self._told_ms + self.hold_ms

    def tell(self, state: object, now_ms: int) -> None:
        self._told = state
        self._told_ms = now_ms
