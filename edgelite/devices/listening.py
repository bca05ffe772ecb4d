"""What a device sends by itself: listened to with one request, which lasts."""

from edgelite.devices.device import Collection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite.devices.device import Device
    from edgelite.devices.lines import Line
    from edgelite.devices.twin import Twin
    from edgelite.driver import Result


class Ear:
    """Of one device. `submit(collection)` asks the device's line and gives the request's number."""

    def __init__(self) -> None:
        self._line: Line | None = None
        self._number = 0
        self._twins: list[Twin] = []

    def renew(self, device: "Device", submit: "Callable[[Collection], int]", now_ms: int) -> None:
        """Listen to what the device's configuration says now; where that is what it was, nothing is disturbed."""
        twins = [twin for twin in device.twins.values() if twin.is_heard]
        if device.line is self._line and twins == self._twins:
            return
        self.end(now_ms)
        if not twins:
            return
        collection = Collection(device, twins, None, now_ms)
        collection.is_listening = True
        self._line, self._twins = device.line, twins
        self._number = submit(collection)

    def end(self, now_ms: int) -> None:
        if self._line is not None:
            self._line.ignore(self._number, now_ms)
        self._line = None
        self._twins = []


def told_of(collection: Collection, twins: "list[Twin]", result: "Result", now_ms: int) -> "list[Twin]":
    """The twins that a result of listening says something of: it may be any of them. Its time is that of its cycle."""
    collection.due_ms = now_ms if result.time_ms is None else result.time_ms
    return [twin for twin in twins if twin.property.name in result.values or twin.property.name in result.errors]
