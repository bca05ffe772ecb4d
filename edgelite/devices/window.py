"""Readings gathered into one report for a window of time: the last value, and what else is asked for."""

from edgelite_protocol import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.devices.config import Property

    Number = int | float

SUFFIXES = (
    (messages.WINDOW_MIN, ".min"),
    (messages.WINDOW_MAX, ".max"),
    (messages.WINDOW_MEAN, ".mean"),
    (messages.WINDOW_COUNT, ".count"),
)


def names_of(property: "Property") -> "list[str]":
    """The telemetry values that come beside the property's own."""
    return [property.name + suffix for bit, suffix in SUFFIXES if property.window_functions & bit]


class Window:
    """Of one property, five numbers whatever comes. Windows lie on the grid of the monotonic clock, so all of one
    length end together; one without a reading is never told."""

    def __init__(self) -> None:
        self.end_ms: int | None = None  # None: no reading yet
        self._count = 0
        self._minimum: Number = 0
        self._maximum: Number = 0
        self._mean: Number = 0
        self._last: Number = 0

    def take(self, value: "Number", time_ms: int, window_ms: int) -> None:
        """`end_ms` is that of the window that the first reading fell into; whoever owns it calls `close` then."""
        if self.end_ms is None:
            self.end_ms = time_ms - time_ms % window_ms + window_ms
            self._count = 0
            self._minimum = self._maximum = value
            self._mean = 0
        self._count += 1
        self._minimum = min(value, self._minimum)
        self._maximum = max(value, self._maximum)
        self._mean += (value - self._mean) / self._count  # a sum of a day's readings loses digits on 32-bit floats
        self._last = value

    def close(self, property: "Property") -> "dict[str, Number]":
        """What goes up of it; the next reading begins another."""
        self.end_ms = None
        values: dict[str, Number] = {property.name: self._last}
        results = (self._minimum, self._maximum, self._mean, self._count)
        for index in range(len(SUFFIXES)):
            bit, suffix = SUFFIXES[index]
            if property.window_functions & bit:
                values[property.name + suffix] = results[index]
        return values
