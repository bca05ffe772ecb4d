"""The buses that the devices of a node share, each opened while somebody needs it."""

from edgelite.devices.schedule import earlier
from edgelite.driver import Bus, Result
from edgelite.effects import Channel, Close, Configure, Open

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Line(Channel):
    """A bus as the port sees it, and whether its channel is asked for."""

    def __init__(self, key: "tuple[str, object]", bus: Bus, target: "tuple[Any, ...]") -> None:
        self.key = key
        self.bus = bus
        self.target = target
        self.users = 0
        self.is_asked = False  # from Open until closed
        self.is_closing = False

    def opened(self, now_ms: int) -> None:
        self.bus.opened(now_ms)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        self.bus.received(data, now_ms)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        return self.bus.data_to_send(size_bytes_max)

    def closed(self, reason: str, now_ms: int) -> None:
        self.is_asked = False
        self.is_closing = False
        self.bus.closed(reason, now_ms)


def key_of(driver: "Any", target: "tuple[Any, ...]") -> "tuple[str, object]":
    """What devices on one line have in common; a serial line's settings are a map, which is no key by itself."""
    parts = [tuple(sorted(part.items())) if isinstance(part, dict) else part for part in target]
    return driver.NAME, tuple(parts)


class Lines:
    def __init__(self, emit: "Callable[[object], None]", random_bytes: "Callable[[int], bytes]") -> None:
        self._emit = emit
        self._random_bytes = random_bytes
        self._lines: dict[tuple[str, object], Line] = {}

    def acquire(self, driver: "Any", protocol: object) -> Line:
        """The line of a device; devices with an equal target share it."""
        target = driver.target(protocol)
        key = key_of(driver, target)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(key, driver.make_bus(target, self._random_bytes), target)
        line.users += 1
        return line

    def release(self, line: Line) -> None:
        line.users -= 1
        if line.users == 0:
            del self._lines[line.key]
            self._close(line)

    def results(self) -> "list[Result]":
        results = []
        for line in self._lines.values():
            result = line.bus.next_result()
            while result is not None:
                results.append(result)
                result = line.bus.next_result()
        return results

    def step(self, now_ms: int) -> "int | None":
        deadline_ms: int | None = None
        for line in self._lines.values():
            deadline_ms = earlier(deadline_ms, line.bus.step(now_ms))
            if not line.is_asked and line.bus.wants_open(now_ms):
                line.is_asked = True
                self._emit(Open(line, line.target))
            elif line.bus.wants_close(now_ms):
                self._close(line)
            elif line.is_asked and not line.is_closing:
                settings = line.bus.wants_settings(now_ms)
                if settings is not None:
                    self._emit(Configure(line, settings))
        return deadline_ms

    def buses(self) -> "list[Bus]":
        return [line.bus for line in self._lines.values()]

    def _close(self, line: Line) -> None:
        if line.is_asked and not line.is_closing:
            line.is_closing = True
            self._emit(Close(line))
