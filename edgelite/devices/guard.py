"""What a driver does wrong is its own devices' trouble: here its functions are called so that nothing they raise, and
nothing that they return in place of what they should, goes further. Its buses are guarded in lines.py.

KeyboardInterrupt passes: a person at a board's console. SystemExit does not, because the agent raises none itself, nor
does MemoryError: the bus is given up with all that it holds, and tried again later.
"""

from edgelite.driver import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FAULTS = (Exception, SystemExit)
TEXT_CHARACTERS_MAX = 160
_FUNCTIONS = ("check_protocol", "check_visitor", "target", "make_bus", "same_value")


class GuardedDriver:
    """A driver's module, or what has the same functions. ConfigurationError passes; whatever else it raises becomes
    one, which names the driver and what it raised. What else the module has is reached as it is."""

    def __init__(self, name: str, driver: "Any", devices: "Any" = None, emit: "Any" = None) -> None:
        self.NAME = name
        self.driver = driver
        self._node = (devices, emit)  # for a driver that serves twins
        for function in _FUNCTIONS:
            if not hasattr(driver, function):
                raise ConfigurationError("protocol.protocolName", "%s is no driver: it has no %s" % (name, function))

    def __getattr__(self, attribute: str) -> "Any":
        return getattr(self.driver, attribute)

    def check_protocol(self, config: object) -> "Any":
        return self._call("protocol", "check_protocol", config)

    def check_visitor(self, config: object, property: "dict[int, object]") -> "Any":
        return self._call("visitors", "check_visitor", config, property)

    def check_device(self, protocol: object, visitors: "list[tuple[str, Any]]") -> None:
        if hasattr(self.driver, "check_device"):
            self._call("properties", "check_device", protocol, visitors)

    def same_value(self, visitor: object, one: object, other: object) -> bool:
        return bool(self._call("visitors", "same_value", visitor, one, other))

    def heard(self, properties: "Any") -> "tuple[str, ...]":
        """The names of the properties that a device sends by itself."""
        if not hasattr(self.driver, "listens"):
            return ()
        return tuple([one.name for one in properties if self._call("visitors", "listens", one.visitor)])

    def target(self, protocol: object) -> "tuple[Any, ...]":
        target = self._call("protocol", "target", protocol)
        if not _is_target(target):
            raise ConfigurationError("protocol", "driver %s gave no target: %s" % (self.NAME, shown(target)))
        return target  # type: ignore[no-any-return]

    def make_bus(self, target: "tuple[Any, ...]", random_bytes: "Any") -> "Any":
        if hasattr(self.driver, "make_server"):
            from edgelite.devices.serving import Serving  # most nodes serve nobody

            devices, emit = self._node
            return self._call("protocol", "make_server", target, random_bytes, devices, Serving(self.NAME, emit).emit)
        return self._call("protocol", "make_bus", target, random_bytes)

    def _call(self, path: str, function: str, *arguments: object) -> "Any":
        try:
            return getattr(self.driver, function)(*arguments)
        except ConfigurationError:
            raise
        except FAULTS as error:
            raise ConfigurationError(path, fault_text(self.NAME, function, error)) from error


def _is_target(target: "Any") -> bool:
    if not isinstance(target, tuple) or not target or not isinstance(target[0], str):
        return False
    if target[0] == "tcp":
        return len(target) >= 3 and isinstance(target[1], str) and isinstance(target[2], int)
    if target[0] == "serial":
        return len(target) >= 3 and isinstance(target[1], str) and isinstance(target[2], dict)
    if target[0] in ("unix", "driver"):
        return len(target) == 2 and isinstance(target[1], str)
    return target[0] != "tls"  # the node's identity is for the hub alone


def fault_text(name: str, function: str, error: BaseException) -> str:
    """For a person: stable as long as the cause is."""
    text = "driver %s failed in %s: %s" % (name, function, type(error).__name__)
    told = str(error)
    return shown_text(text + (": " + told if told else ""))


def shown(value: object) -> str:
    """Of a value that should be another one; its repr may be long, or fail itself."""
    try:
        return shown_text(repr(value))
    except FAULTS:
        return "a " + type(value).__name__


def shown_text(text: str) -> str:
    return text if len(text) <= TEXT_CHARACTERS_MAX else text[: TEXT_CHARACTERS_MAX - 3] + "..."
