"""The reports of one device: their bodies, lanes and coalesce keys."""

from edgelite.devices.values import shortened, size_bytes
from edgelite_protocol import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.context import Context
    from edgelite.devices.twin import Twin

    Value = int | float | str | bool | bytes

VALUES_BYTES_MAX = 2_000  # of the values in one report: it must fit the smallest frame with room to spare


class Reports:
    def __init__(self, context: "Context", device: str) -> None:
        self._context = context
        self._device = device

    def values(self, values: "dict[str, Value]", time_ms: int) -> None:
        """Telemetry: one report, or several where one would not fit a frame."""
        part: dict[str, Value] = {}
        part_bytes = 0
        for name in sorted(values):
            value_bytes = size_bytes(name) + size_bytes(values[name])
            if part and part_bytes + value_bytes > VALUES_BYTES_MAX:
                self._telemetry(part, time_ms)
                part = {}
                part_bytes = 0
            part[name] = values[name]
            part_bytes += value_bytes
        if part:
            self._telemetry(part, time_ms)

    def twin(self, twin: "Twin", now_ms: int) -> None:
        body = twin.report(now_ms)
        body[messages.TWIN_DEVICE] = self._device
        body[messages.TWIN_TIME] = self._context.clock.time(twin.time_ms)
        body[messages.TWIN_VERSION] = twin.version(self._context.journal.generation)
        self._context.report(messages.LANE_STATE, body, "t/" + self._device + "/" + twin.property.name)

    def state(self, state: str, reason: str, now_ms: int) -> None:
        body: dict[int, object] = {
            messages.REPORT: messages.REPORT_DEVICE,
            messages.DEVICE_STATE_DEVICE: self._device,
            messages.DEVICE_STATE_TIME: self._context.clock.time(now_ms),
            messages.DEVICE_STATE: state,
        }
        if reason:
            body[messages.DEVICE_STATE_REASON] = shortened(reason)
        self._context.report(messages.LANE_STATE, body, "d/" + self._device)

    def _telemetry(self, values: "dict[str, Value]", time_ms: int) -> None:
        body: dict[int, object] = {
            messages.REPORT: messages.REPORT_TELEMETRY,
            messages.TELEMETRY_DEVICE: self._device,
            messages.TELEMETRY_TIME: self._context.clock.time(time_ms),
            messages.TELEMETRY_VALUES: values,
        }
        self._context.report(messages.LANE_TELEMETRY, body, None)
