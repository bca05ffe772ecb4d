"""`edgelite telemetry DEVICE`: what a device reported, as a table, CSV or JSON, and followed."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from typing import Any

from edgelite_cli import options, output
from edgelite_cli.client import Client, Query
from edgelite_cli.durations import seconds_or_none
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.main import EXIT_USAGE

FOLLOW_S = 1.0
COLUMNS = ("time", "property", "value")

EPILOG = """examples:
  edgelite telemetry meter
  edgelite telemetry meter --property power --since 10m
  edgelite telemetry meter --since 24h -o csv > meter.csv"""

Item = dict[str, Any]


def parse_since(text: str, now_ms: int) -> str:
    """`10m` as milliseconds of Unix time; a time stamp (RFC 3339) as it is."""
    age_s = seconds_or_none(text)
    if age_s is not None:
        return str(now_ms - age_s * 1000)
    try:
        return str(int(output.parse_time(text).timestamp() * 1000))
    except ValueError as error:
        raise Failure(
            f"--since {text!r}: give an age (30s, 10m, 24h, 7d) or a time (2026-01-31T12:00:00Z)", EXIT_USAGE
        ) from error


def write(items: list[Item], style: str, with_head: bool) -> None:
    if style == "json":
        sys.stdout.writelines(json.dumps(item) + "\n" for item in items)
    elif style == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerows([COLUMNS] if with_head else [])
        writer.writerows([item[column] for column in COLUMNS] for item in items)
    else:
        text = output.table(
            ("TIME", "PROPERTY", "VALUE"), [[str(item[c]) for c in COLUMNS] for item in items], (24, 16)
        )
        sys.stdout.write(text if with_head else text.split("\n", 1)[1])
    sys.stdout.flush()


def follow(client: Client, path: str, query: Query, items: list[Item], style: str) -> None:
    """Ask again from the newest time on; items of that same millisecond are known by what they hold."""
    seen = {json.dumps(item, sort_keys=True) for item in items}
    while True:
        time.sleep(FOLLOW_S)
        newest = max((item["timeMs"] for item in items), default=query.get("since"))
        found = client.request("GET", path, query | {"since": newest})["items"]
        items = [item for item in found if json.dumps(item, sort_keys=True) not in seen] or items
        fresh = [item for item in items if json.dumps(item, sort_keys=True) not in seen]
        if fresh:
            write(fresh, style, False)
            seen = {json.dumps(item, sort_keys=True) for item in found}


def show(given: argparse.Namespace) -> int:
    client = options.connect(given)
    namespace = options.namespace(given, client)
    path = f"/apis/edgelite.dev/v1/namespaces/{namespace}/devices/{given.device.removeprefix('device/')}/telemetry"
    since = parse_since(given.since, int(time.time() * 1000)) if given.since else None
    query: Query = {"property": given.property, "since": since, "limit": given.limit}
    items = client.request("GET", path, query)["items"]
    if not items and not given.follow:
        sys.stderr.write("No samples found.\n")
        return 0
    write(items, given.output, True)
    if given.follow:
        follow(client, path, query, items, given.output)
    return 0


@reporting
def main(arguments: list[str]) -> int:
    made = options.hub_parser("telemetry", "Query the samples that the hub keeps of a device.", EPILOG)
    made.add_argument("device", help="the Device's name")
    made.add_argument("--property", metavar="NAME", help="only this property")
    made.add_argument("--since", metavar="AGE", help="only samples newer than 30s, 10m, 24h, 7d or a time stamp")
    made.add_argument("--limit", type=int, default=100, help="at most the newest so many (default 100)")
    made.add_argument("-f", "--follow", action="store_true", help="go on with what comes in (Ctrl-C ends)")
    made.add_argument(
        "-o", "--output", choices=("table", "csv", "json"), default="table", help="json: one object a line"
    )
    options.add_namespace(made)
    return show(made.parse_args(arguments))
