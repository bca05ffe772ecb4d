"""`edgelite token create|list|revoke`: what lets a machine join as a node."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from edgelite_cli import options, output
from edgelite_cli.client import Client
from edgelite_cli.durations import seconds
from edgelite_cli.failure import reporting

PATH = "/apis/edgelite.dev/v1/jointokens"

EPILOG = """examples:
  edgelite token create --ttl 1h
  edgelite join hub.local:7444 --token "$(edgelite token create)"
  edgelite token revoke token-x7k2p"""


def create(client: Client, given: argparse.Namespace) -> int:
    spec: dict[str, object] = {"ttlSeconds": seconds(given.ttl, "--ttl")}
    body = {"apiVersion": "edgelite.dev/v1", "kind": "JoinToken", "metadata": {"generateName": "token-"}, "spec": spec}
    made = client.request("POST", PATH, body=body)
    sys.stdout.write(made["status"]["token"] + "\n")
    if sys.stdout.isatty():
        sys.stderr.write(
            f"It is shown this once and lasts {given.ttl}. On the device: edgelite join HUB:7444 --token TOKEN\n"
        )
    return 0


def row(item: dict[str, Any]) -> list[str]:
    """`id` is the second part of the token's text, and what refusals name."""
    status, spec = item.get("status") or {}, item.get("spec") or {}
    return [
        item["metadata"]["name"],
        str(status.get("id") or ""),
        output.age(item["metadata"].get("creationTimestamp")),
        str(spec.get("expiresAt") or ""),
        str(status.get("uses", 0)),
        "expired" if status.get("expired") else "valid",
    ]


def show(client: Client, given: argparse.Namespace) -> int:
    rows = [row(item) for item in client.request("GET", PATH)["items"]]
    if rows:
        output.say(output.table(("NAME", "ID", "AGE", "EXPIRES", "USES", "STATE"), rows))
    else:
        sys.stderr.write("No tokens found.\n")
    return 0


def revoke(client: Client, given: argparse.Namespace) -> int:
    for name in given.name:
        client.request("DELETE", f"{PATH}/{name}")
        sys.stdout.write(f"jointoken.edgelite.dev/{name} revoked\n")
    return 0


ACTIONS: dict[str, Callable[[Client, argparse.Namespace], int]] = {"create": create, "list": show, "revoke": revoke}


@reporting
def main(arguments: list[str]) -> int:
    made = options.hub_parser("token", "Manage join tokens. A token carries the hash of the hub's CA.", EPILOG)
    actions = made.add_subparsers(dest="action", required=True, metavar="create|list|revoke")
    creating = actions.add_parser("create", help="make one and print it")
    creating.add_argument("--ttl", default="1h", metavar="TIME", help="how long it lets nodes join (default 1h)")
    actions.add_parser("list", help="show those that there are")
    revoking = actions.add_parser("revoke", help="let nobody join with it any more")
    revoking.add_argument("name", nargs="+")
    for action in actions.choices.values():  # there too: people type it last
        options.add_kubeconfig(action, argparse.SUPPRESS)
    given = made.parse_args(arguments)
    return ACTIONS[given.action](options.connect(given), given)
