"""Devices whose driver is a program on this node: it tells their values and states over the local bus and is told what
is desired (docs/bus.md). There is no medium here, so nothing is read or written: the agent never submits anything."""

from edgelite.driver import Bus, ConfigurationError, Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite.driver import Request

NAME = "mapper"
IS_MAPPED = True


def check_protocol(config: object) -> object:
    """Any map: it is the program's."""
    return _map(config, "protocol.configData")


def check_visitor(config: object, _property: "dict[int, object]") -> object:
    return _map(config, "visitors.configData")


def target(_protocol: object) -> "tuple[str]":
    return ("mapper",)


def make_bus(_target: "tuple[str]", _random_bytes: "Callable[[int], bytes]") -> "MapperBus":
    return MapperBus()


def same_value(_visitor: object, one: object, other: object) -> bool:
    return one == other


def _map(config: object, path: str) -> object:
    if not isinstance(config, dict):
        raise ConfigurationError(path, "must be a map")
    return config


class MapperBus(Bus):
    """One that never opens; who asks it all the same is told."""

    def __init__(self) -> None:
        self._results: list[Result] = []

    def submit(self, request: "Request", now_ms: int) -> None:
        errors = dict.fromkeys(request.visitors, "a program on this node reports it")
        self._results.append(Result(request.number, {}, errors, False, now_ms))

    def next_result(self) -> "Result | None":
        return self._results.pop(0) if self._results else None

    def step(self, now_ms: int) -> "int | None":
        return None

    def wants_open(self, now_ms: int) -> bool:
        return False
