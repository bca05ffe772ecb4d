"""`edgelite describe KIND NAME`: one object as a person reads it, empty fields left out, times as ages."""

from __future__ import annotations

import base64
import sys
from typing import Any

from edgelite_cli import options, output
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.main import EXIT_USAGE
from edgelite_cli.resources import by_name, discover

HIDDEN = ("managedFields", "kubectl.kubernetes.io/last-applied-configuration", "apiVersion", "kind")


def spaced(key: str) -> str:
    """`observedDesired` as `Observed Desired`, as kubectl titles fields."""
    made = "".join(" " + c if c.isupper() and i and not key[i - 1].isupper() else c for i, c in enumerate(key))
    return made[:1].upper() + made[1:]


def is_time(key: str, value: Any) -> bool:
    return isinstance(value, str) and key.lower().endswith(("time", "timestamp", "at")) and value[-1:] == "Z"


def leaf(key: str, value: Any) -> str:
    text = output.age(value) + " ago   " + value if is_time(key, value) else str(value)
    style = output.COLOURS.get(text)
    return output.paint(text, style) if style else text


def titled(key: str) -> str:
    """Labels and annotations stay as they are: their names have dots and slashes."""
    return (key if "/" in key or "." in key else spaced(key)) + ":"


def shown(key: object, value: Any) -> bool:
    return key not in HIDDEN and value not in (None, "", [], {})


def mapping_lines(value: dict[str, Any], indent: str) -> list[str]:
    made: list[str] = []
    for key, inner in value.items():
        if not shown(key, inner):
            continue
        if isinstance(inner, dict | list):
            below = lines(inner, indent + "  ")
            made.extend([indent + titled(key), *below] if below else [])
        else:
            made.append(f"{indent}{titled(key):<20} {leaf(key, inner)}")
    return made


def list_lines(value: list[Any], indent: str) -> list[str]:
    made: list[str] = []
    for inner in value:
        below = lines(inner, indent + "  ") if isinstance(inner, dict | list) else [str(inner)]
        if below:
            made.extend([indent + "- " + below[0].lstrip(), *below[1:]])
    return made


def lines(value: dict[str, Any] | list[Any], indent: str = "") -> list[str]:
    return mapping_lines(value, indent) if isinstance(value, dict) else list_lines(value, indent)


def masked(found: dict[str, Any]) -> dict[str, Any]:
    """A Secret's values as their sizes, as kubectl describes it: this goes to a terminal that others may see."""
    if found.get("kind") != "Secret":
        return found
    return found | {
        "data": {key: f"{len(base64.b64decode(value))} bytes" for key, value in (found.get("data") or {}).items()}
    }


def describe(found: dict[str, Any]) -> str:
    metadata = dict(found["metadata"])
    head = {"name": metadata.pop("name"), "namespace": metadata.pop("namespace", None), "kind": None}
    title = output.paint(f"{found.get('kind', '')} {head['name']}", "bold")
    rest = {key: value for key, value in masked(found).items() if key != "metadata"}
    return "\n".join([title, *lines({"namespace": head["namespace"]} | metadata | rest)]) + "\n"


@reporting
def main(arguments: list[str]) -> int:
    made = options.hub_parser("describe", "Tell all about objects of one kind.")
    made.add_argument("kind", help="the kind, or KIND/NAME")
    made.add_argument("name", nargs="*", help="the objects (default: all of the kind)")
    options.add_namespace(made)
    given = made.parse_args(arguments)
    client = options.connect(given)
    kind, _, inline = given.kind.partition("/")
    resource = by_name(discover(client), kind)
    namespace = options.namespace(given, client)
    names = [inline] * bool(inline) + given.name
    if names:
        found = [client.request("GET", resource.path(namespace, name)) for name in names]
    else:
        answer = client.request("GET", resource.path(namespace))
        found = [item | {"kind": resource.kind} for item in answer["items"]]
    if not found:
        raise Failure(f"there is no {resource.kind} here", EXIT_USAGE)
    sys.stdout.write("\n".join(describe(item) for item in found))
    return 0
