"""`edgelite adopt NODE`: a person's decision that a node shall follow this hub's history from now on."""

from __future__ import annotations

import sys

from edgelite_cli import options
from edgelite_cli.client import Client
from edgelite_cli.failure import Failure, reporting

EPILOG = """A hub that was restored from a backup, reset or replaced has a history that its nodes do not know. They
go on with what runs, and the Node's condition `Diverged` is True, until somebody decides. After adopting, the
node runs exactly what this hub has for it: look at `edgelite get pods --field-selector spec.nodeName=NODE` first."""


def check_diverged(client: Client, name: str) -> None:
    """Failure where there is nothing to decide: a decision made ahead would settle a divergence nobody has seen."""
    node = client.request("GET", f"/api/v1/nodes/{name}")
    conditions = (node.get("status") or {}).get("conditions") or []
    if not any(item.get("type") == "Diverged" and item.get("status") == "True" for item in conditions):
        raise Failure(f"node {name} follows this hub's history already: there is nothing to adopt")


@reporting
def main(arguments: list[str]) -> int:
    made = options.hub_parser("adopt", "Let a node follow a hub that was restored or replaced.", EPILOG)
    made.add_argument("node", nargs="+", help="the Nodes' names")
    given = made.parse_args(arguments)
    client = options.connect(given)
    for name in given.node:
        check_diverged(client, name)
    patch = {"metadata": {"annotations": {"edgelite.dev/adopt": "true"}}}
    for name in given.node:
        client.request("PATCH", f"/api/v1/nodes/{name}", None, patch, {"Content-Type": "application/merge-patch+json"})
        sys.stdout.write(f"node/{name} adopted\n")
    return 0
