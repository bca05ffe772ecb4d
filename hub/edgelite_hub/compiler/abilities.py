"""Whether a node can run what an object asks for, as far as the node has told.

A node that has not said hello yet, or does not tell, is not refused: it says itself what it cannot do. What it has
told is refused here, before anything goes over its line, and compiled as soon as a later hello tells otherwise.
"""

from __future__ import annotations

from edgelite_hub.compiler.compile_environment import CannotCompile
from edgelite_hub.model.objects import Object, name_of
from edgelite_hub.nodes.node_status import MINOR, abilities_of

NODE_TOO_OLD = "NodeTooOld"


def check_runtime(node: Object | None, runtime: str) -> None:
    """CannotCompile "RuntimeUnavailable" where the node has told that it lacks this runtime."""
    _check(node, "runtimes", "runtime", runtime, "RuntimeUnavailable", "spec.runtimeClassName")


def check_driver(node: Object | None, driver: str, field: str) -> None:
    """CannotCompile "DriverUnavailable" where the node has told that it lacks this driver; `field` named it."""
    _check(node, "drivers", "driver", driver, "DriverUnavailable", field)


def check_features(node: Object | None, later: list[str]) -> None:
    """CannotCompile NODE_TOO_OLD where the node's protocol is older than what the device asks for: it would skip that
    without a word, and nobody would learn that a fail-safe value is none. `later` names what is asked for."""
    abilities = abilities_of(node)
    if node is None or not abilities or not later or int(abilities.get(MINOR) or 0) >= 1:
        return
    text = f"node {name_of(node)} speaks protocol 1.0, which does not have {'; '.join(later)}: update its agent"
    raise CannotCompile(NODE_TOO_OLD, text)


def _check(node: Object | None, key: str, word: str, wanted: str, reason: str, field: str) -> None:
    abilities = abilities_of(node)
    names = abilities.get(key)
    if node is None or not isinstance(names, list) or wanted in names:
        return
    why = (abilities.get("cannot") or {}).get(f"{word}-{wanted}")
    has = f"it has {', '.join(sorted(names))}" if names else "it has none"
    text = f"{field} {wanted}: node {name_of(node)} has no such {word}; {has}"
    raise CannotCompile(reason, f"{text} ({why})" if why else text)
