"""protocol/edgelite.cddl with a real CDDL validator, rule by rule.

The validator looks loosely into arrays of composites and into choices of maps, so a message is checked part by
part: the message by the rule for its type, then what is nested in it, each by its own rule.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cbor2
import pycddl  # type: ignore[import-untyped]

TEXT = (Path(__file__).parents[2] / "protocol" / "edgelite.cddl").read_text()

NAMES = {
    1: "ping",
    2: "pong",
    3: "goodbye",
    4: "credit",
    6: "data",
    7: "close",
    16: "hello",
    17: "applied",
    19: "renew",
    20: "diverged",
    32: "welcome",
    34: "snapshot-begin",
    36: "snapshot-end",
    37: "acknowledge",
    38: "renewed",
    39: "adopt",
    40: "snapshot-offer",
    48: "join-ca-request",
    49: "join-ca",
    50: "join",
    51: "joined",
}
# Types whose rule hangs on a second field: (key of that field, {its value: rule}).
VARIANTS: dict[int, tuple[int, dict[int, str]]] = {
    5: (2, {1: "open-artifact", 2: "open-log"}),
    18: (1, {0: "state-reports", 1: "telemetry-reports"}),
    33: (2, {1: "entry-workload", 2: "entry-device"}),
    35: (1, {1: "snapshot-workload", 2: "snapshot-device"}),
}
REPORTS = {
    1: "report-workload",
    2: "report-workload-gone",
    3: "report-telemetry",
    4: "report-twin",
    5: "report-device",
    6: "report-dropped",
    7: "report-damage",
}
# rule: {key: (rule of what is nested, whether it is an array of them)}
NESTED: dict[str, dict[int, tuple[str, bool]]] = {
    "hello": {14: ("lane-position", True)},
    "welcome": {7: ("lane-position", True), 11: ("gap", True)},
    "open-artifact": {3: ("artifact-parameters", False)},
    "open-log": {3: ("log-parameters", False)},
    "entry-workload": {4: ("workload", False)},
    "entry-device": {4: ("device", False)},
    "snapshot-workload": {3: ("workload", False)},
    "snapshot-device": {3: ("device", False)},
    "state-reports": {3: ("state-item", True)},
    "telemetry-reports": {3: ("telemetry-item", True)},
    "workload": {7: ("container", True)},
    "container": {8: ("file", True)},
    "device": {6: ("property", True)},
    "report-workload": {2: ("report-time", False), 4: ("container-status", True)},
    "container-status": {7: ("report-time", False), 8: ("report-time", False)},
    "report-telemetry": {2: ("report-time", False)},
    "report-twin": {3: ("report-time", False)},
    "report-device": {2: ("report-time", False)},
}


@cache
def schema(rule: str) -> pycddl.Schema:
    """The grammar with another root."""
    assert re.search(rf"^{re.escape(rule)} = ", TEXT, re.MULTILINE), rule
    return pycddl.Schema(f"root = {rule}\n{TEXT}")


def rule_of(message: Any) -> str:
    number = message.get(0) if isinstance(message, dict) else None
    if number == 33 and 4 not in message:
        return "entry-deleted"
    if number in VARIANTS:
        key, rules = VARIANTS[number]
        return rules.get(message.get(key), "message")
    return NAMES.get(number, "message") if isinstance(number, int) else "message"


def parts(value: Any, rule: str) -> Iterator[tuple[str, Any]]:
    """(rule, value) of the value itself and of everything nested in it."""
    yield rule, value
    if rule in ("state-item", "telemetry-item") and isinstance(value, list) and len(value) == 2:
        body = value[1]
        kind = body.get(0) if isinstance(body, dict) else None
        yield from parts(body, REPORTS.get(kind, "state-report") if isinstance(kind, int) else "state-report")
    for key, (nested_rule, is_array) in NESTED.get(rule, {}).items():
        if isinstance(value, dict) and key in value:
            for item in value[key] if is_array and isinstance(value[key], list) else [value[key]]:
                yield from parts(item, nested_rule)


def refusal(payload: bytes) -> str | None:
    """The rule that does not admit the message, or a part of it; None where all do."""
    try:
        message = cbor2.loads(payload)
    except (cbor2.CBORDecodeError, ValueError):
        return "cbor"
    for rule, value in parts(message, rule_of(message)):
        data = payload if value is message else cbor2.dumps(value, canonical=True)
        try:
            schema(rule).validate_cbor(data)
        except pycddl.ValidationError:
            return rule
    return None
