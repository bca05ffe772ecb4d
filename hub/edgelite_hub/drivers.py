"""Drivers as the hub has them: found by entry point, asked whether a configuration holds, and nothing else.

The hub reads no device. Whoever installs a driver beside it (group `edgelite.drivers`) gets its errors at `apply`, with
the field's path; a driver that is not here is no error, since its node has it. Drivers may be anybody's: what one of
them does wrong costs a warning, never the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from edgelite_hub.compiler.compile_device import Compact
from edgelite_hub.model.objects import Object
from edgelite_protocol import messages as m

GROUP = "edgelite.drivers"
TEXT_LENGTH_MAX = 500  # of what a driver says about a field


@dataclass(frozen=True, slots=True)
class Fault:
    """`path` starts at the Device's spec or at its property, as in the driver contract; `text` is for a person."""

    path: str
    text: str


class DriverUnusable(Exception):
    """Why a configuration could not be checked with its driver."""


def find_driver(name: str) -> Any:
    """The driver's module; DriverUnusable where it is not here or cannot be loaded."""
    try:
        return _load(name)
    except KeyError as error:
        raise DriverUnusable(f"this hub has no driver {name} to check it with; its node will") from error
    except Exception as error:
        raise DriverUnusable(f"driver {name} cannot be loaded here: {_words(error)}") from error


@cache
def _load(name: str) -> Any:
    """KeyError where it is not here. What was not found or failed is looked for again the next time."""
    return {point.name: point for point in entry_points(group=GROUP)}[name].load()


def check_protocol(driver: Any, config: Object) -> Any:
    """What the driver made of it, or a Fault. The same goes for the other two."""
    return _ask(driver, "check_protocol", config)


def check_visitor(driver: Any, row: Compact) -> Any:
    """`row` is the property's compact form, as its node would get it."""
    return _ask(driver, "check_visitor", row[m.PROPERTY_VISITOR], row)


def check_device(driver: Any, protocol: Any, visitors: list[tuple[str, Any]]) -> Any:
    """What no property tells alone; only some drivers have it."""
    return _ask(driver, "check_device", protocol, visitors) if hasattr(driver, "check_device") else None


def _ask(driver: Any, check: str, *arguments: object) -> Any:
    """The contract's error has a path and a text; any other exception is the driver's own fault. It is told from others
    by these two, because the hub does not know the agent's rooms."""
    try:
        return getattr(driver, check)(*arguments)
    except Exception as error:
        path, text = getattr(error, "path", None), getattr(error, "text", None)
        if type(error).__name__ != "ConfigurationError" or not isinstance(path, str) or not isinstance(text, str):
            raise DriverUnusable(f"its driver failed at checking it: {_words(error)}") from error
        return Fault(path[:TEXT_LENGTH_MAX], text[:TEXT_LENGTH_MAX])


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:TEXT_LENGTH_MAX]
