"""The bus of a node and who is on it. Loaded only where the configuration asks for it (`bus = yes`, `mqtt = ...`)."""

# ruff: noqa: I001
# MicroPython on 32-bit Linux lets imports nest 8 deep (tests/house/test_import_depth.py): the deep end first.
import edgelite.devices  # noqa: F401

from edgelite.bus.bus import MessageBus
from edgelite.bus.kubeedge import KubeEdge
from edgelite.bus.requests import Requests
from edgelite.driver import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.config import Config
    from edgelite.context import Context
    from edgelite.devices import Devices

SOCKET_NAME = "bus.sock"


class BusService:
    """`bus` is the bus itself. A part has `step(now_ms)`, which gives its next deadline or None, and `stop(now_ms)`."""

    def __init__(
        self,
        config: "Config",
        socket_folder: str,
        context: "Context",
        devices: "Devices",
        has_hub: "Callable[[], bool]",
    ) -> None:
        self.bus = MessageBus()
        self._parts: list[Any] = []
        if config.bus:
            self._parts.append(self._local_server(config, socket_folder, context))
        if config.mqtt is not None:
            from edgelite.mqtt.bridge import Bridge

            self._parts.append(Bridge(config, context, self.bus, has_hub))
        self._parts.append(KubeEdge(self.bus, devices, context, config.node, has_hub))
        self._parts.append(Requests(self.bus, devices, context))

    def _local_server(self, config: "Config", socket_folder: str, context: "Context") -> "Any":
        if not socket_folder:
            raise ConfigurationError("bus", "this platform has no Unix sockets: take the line out")
        path = socket_folder + "/" + SOCKET_NAME
        local: Any = __import__("edgelite.bus.local", None, None, ["LocalServer"])  # boards leave it out
        return local.LocalServer(self.bus, path, config.node, context.emit, context.random_bytes)

    def step(self, now_ms: int) -> "int | None":
        due = [deadline_ms for deadline_ms in [part.step(now_ms) for part in self._parts] if deadline_ms is not None]
        return min(due) if due else None

    def stop(self, now_ms: int) -> None:
        for part in self._parts:
            part.stop(now_ms)
