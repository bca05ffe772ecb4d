"""The bus of a node and who is on it. Loaded only where the configuration asks for it (`bus = yes`)."""

from edgelite.bus.bus import MessageBus
from edgelite.bus.local import LocalServer
from edgelite.driver import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite.config import Config
    from edgelite.context import Context
    from edgelite.devices import Devices

SOCKET_NAME = "bus.sock"


class BusService:
    """`bus` is the bus itself. A part has `step(now_ms)`, which gives its next deadline or None, and `stop(now_ms)`."""

    def __init__(self, config: "Config", socket_folder: str, context: "Context", devices: "Devices") -> None:
        if not socket_folder:
            raise ConfigurationError("bus", "this platform has no Unix sockets: take the line out")
        self.bus = MessageBus()
        path = socket_folder + "/" + SOCKET_NAME
        self._parts: list[Any] = [LocalServer(self.bus, path, config.node, context.emit, context.random_bytes)]

    def add(self, part: "Any", now_ms: int) -> None:
        self._parts.append(part)

    def step(self, now_ms: int) -> "int | None":
        due = [deadline_ms for deadline_ms in [part.step(now_ms) for part in self._parts] if deadline_ms is not None]
        return min(due) if due else None

    def stop(self, now_ms: int) -> None:
        for part in self._parts:
            part.stop(now_ms)
