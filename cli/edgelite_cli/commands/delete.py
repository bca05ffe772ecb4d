"""`edgelite delete`: by kind and name, or what a file names; waits until the objects are gone."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from edgelite_cli import options
from edgelite_cli.client import ApiError, Client, Query
from edgelite_cli.commands.apply import manifests
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.main import EXIT_FAILED, EXIT_USAGE
from edgelite_cli.resources import Resource, by_manifest, by_name, discover

POLL_S = 0.2

EPILOG = """examples:
  edgelite delete pod blinker
  edgelite delete -f app.yaml
  edgelite delete node sensor-7        its certificates are revoked with it

A Pod goes when its node confirms that nothing of it runs any more; until then it is Terminating."""

Target = tuple[Resource, str, str]  # resource, namespace, name


def targets(arguments: argparse.Namespace, client: Client) -> Iterator[Target]:
    resources = discover(client)
    default = options.namespace(arguments, client)
    for source, manifest in manifests(arguments.filename or []):
        metadata = manifest.get("metadata") or {}
        if not metadata.get("name"):
            raise Failure(f"{source}: metadata.name is missing")
        yield by_manifest(resources, manifest, source), metadata.get("namespace") or default, metadata["name"]
    if arguments.kind:
        kind, _, inline = arguments.kind.partition("/")
        resource = by_name(resources, kind)
        for name in [inline] * bool(inline) + arguments.name:
            yield resource, default, name


def grace_seconds(arguments: argparse.Namespace) -> int | None:
    """For the hub 0 means not to wait for the node, which only --force may ask for."""
    if arguments.force:
        return 0
    if arguments.now or arguments.grace_period == 0:
        return 1
    return arguments.grace_period  # type: ignore[no-any-return]


def delete(client: Client, target: Target, arguments: argparse.Namespace) -> str | None:
    """The uid of what the hub took, None where it took nothing; an absent object is a failure unless
    --ignore-not-found."""
    resource, namespace, name = target
    query: Query = {"gracePeriodSeconds": grace_seconds(arguments)}
    try:
        answer = client.request("DELETE", resource.path(namespace, name), query)
    except ApiError as error:
        if error.code == 404 and arguments.ignore_not_found:
            return ""
        sys.stderr.write(f"edgelite: {error.text}\n")
        return None
    sys.stdout.write(f"{resource.title(name)} deleted\n")
    told = answer["details"] if answer.get("kind") == "Status" else answer["metadata"]
    return str(told.get("uid", ""))


def is_gone(client: Client, target: Target, uid: str) -> bool:
    """Also where another has its name by now, as a DaemonSet's next Pod has."""
    resource, namespace, name = target
    try:
        found = client.request("GET", resource.path(namespace, name))
    except ApiError as error:
        return error.code == 404
    return bool(uid) and found["metadata"]["uid"] != uid


def wait(client: Client, waiting: list[tuple[Target, str]], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while waiting := [(target, uid) for target, uid in waiting if not is_gone(client, target, uid)]:
        if time.monotonic() > deadline:
            names = ", ".join(resource.title(name) for (resource, _, name), _ in waiting)
            raise Failure(
                f"still Terminating after {timeout_s:g} s: {names}; is the node connected? --wait=false skips this"
            )
        time.sleep(POLL_S)


@reporting
def main(arguments: list[str]) -> int:
    made = options.hub_parser("delete", "Delete objects and wait until they are gone.", EPILOG)
    made.add_argument("kind", nargs="?", help="the kind, or KIND/NAME")
    made.add_argument("name", nargs="*", help="the objects")
    made.add_argument("-f", "--filename", metavar="FILE", action="append", help="what this file names")
    made.add_argument("--ignore-not-found", action="store_true", help="an absent object is no failure")
    made.add_argument("--grace-period", type=int, metavar="SECONDS", help="time between SIGTERM and SIGKILL")
    made.add_argument("--now", action="store_true", help="SIGKILL a second after SIGTERM")
    made.add_argument(
        "--force", action="store_true", help="forget a Pod without waiting for its node, which may run it on meanwhile"
    )
    made.add_argument("--wait", choices=("true", "false"), default="true", help="wait until they are gone (default)")
    made.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="how long to wait (default 60)")
    options.add_namespace(made)
    given = made.parse_args(arguments)
    client = options.connect(given)
    wanted = list(targets(given, client))
    if not wanted:
        raise Failure("name what to delete: `edgelite delete KIND NAME` or -f FILE", EXIT_USAGE)
    answers = [(target, delete(client, target, given)) for target in wanted]
    taken = [(target, uid) for target, uid in answers if uid is not None]
    if given.wait == "true":
        wait(client, taken, given.timeout)
    return 0 if len(taken) == len(wanted) else EXIT_FAILED
