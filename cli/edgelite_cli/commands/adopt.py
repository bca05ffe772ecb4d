"""`edgelite adopt NODE`: a person's decision that a node shall follow this hub's history from now on."""

from __future__ import annotations

import sys

from edgelite_cli import options
from edgelite_cli.failure import reporting

EPILOG = """A hub that was restored from a backup, reset or replaced has a history that its nodes do not know. They
go on with what runs, and the Node's condition `Diverged` is True, until somebody decides. After adopting, the
node runs exactly what this hub has for it: look at `edgelite get pods --field-selector spec.nodeName=NODE` first."""


@reporting
def main(arguments: list[str]) -> int:
    made = options.hub_parser("adopt", "Let a node follow a hub that was restored or replaced.", EPILOG)
    made.add_argument("node", nargs="+", help="the Nodes' names")
    given = made.parse_args(arguments)
    client = options.connect(given)
    patch = {"metadata": {"annotations": {"edgelite.dev/adopt": "true"}}}
    for name in given.node:
        client.request("PATCH", f"/api/v1/nodes/{name}", None, patch, {"Content-Type": "application/merge-patch+json"})
        sys.stdout.write(f"node/{name} adopted\n")
    return 0
