"""`edgelite logs POD`: read over the link from the node that runs it."""

from __future__ import annotations

import sys

from edgelite_cli import options
from edgelite_cli.client import Query
from edgelite_cli.failure import reporting

EPILOG = """examples:
  edgelite logs blinker-x2k4q
  edgelite logs blinker-x2k4q --tail 20 --follow"""


@reporting
def main(arguments: list[str]) -> int:
    made = options.hub_parser("logs", "Print what a workload wrote to its standard output and error.", EPILOG)
    made.add_argument("pod", help="the Pod's name (pod/NAME works too)")
    made.add_argument("-c", "--container", help="one of its containers (default: the first)")
    made.add_argument("-f", "--follow", action="store_true", help="go on with what it writes (Ctrl-C ends)")
    made.add_argument("-p", "--previous", action="store_true", help="of the run before the last restart")
    made.add_argument("--tail", type=int, metavar="LINES", help="only the last so many lines")
    made.add_argument("--since", type=int, metavar="SECONDS", help="only what is newer, as far as the node can tell")
    options.add_namespace(made)
    given = made.parse_args(arguments)
    client = options.connect(given)
    path = f"/api/v1/namespaces/{options.namespace(given, client)}/pods/{given.pod.removeprefix('pod/')}/log"
    query: Query = {
        "container": given.container,
        "follow": given.follow or None,
        "previous": given.previous or None,
        "tailLines": given.tail,
        "sinceSeconds": given.since,
    }
    for piece in client.stream(path, query, "text/plain, application/json"):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return 0
