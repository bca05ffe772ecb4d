"""`edgelite get KIND [NAME ...]`: tables as the hub lays them out, or the objects whole."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from edgelite_cli import options, output, yaml
from edgelite_cli.client import TABLE, ApiError, Client, Query
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.main import EXIT_FAILED, EXIT_USAGE
from edgelite_cli.resources import Resource, by_name, discover

EPILOG = """examples:
  edgelite get nodes
  edgelite get pods -A --watch
  edgelite get device meter -o yaml"""

Table = dict[str, Any]


def columns(document: Table, wide: bool) -> list[int]:
    return [i for i, column in enumerate(document["columnDefinitions"]) if wide or not column.get("priority")]


def rows(document: Table, shown: list[int], with_namespace: bool) -> list[list[str]]:
    made = []
    for row in document.get("rows") or []:
        cells = [str(row["cells"][index]) if row["cells"][index] is not None else "" for index in shown]
        namespace = [row["object"]["metadata"].get("namespace", "")] if with_namespace else []
        made.append(namespace + cells)
    return made


def header(document: Table, shown: list[int], with_namespace: bool) -> list[str]:
    names = [document["columnDefinitions"][index]["name"].upper() for index in shown]
    return ["NAMESPACE", *names] if with_namespace else names


class Printer:
    """Prints tables that belong together: the header once, columns never narrower than before."""

    def __init__(self, wide: bool, with_namespace: bool) -> None:
        self.wide = wide
        self.with_namespace = with_namespace
        self.head: list[str] = []
        self.shown: list[int] = []
        self.least: list[int] = []

    def write(self, document: Table) -> None:
        if document.get("columnDefinitions") and not self.head:
            self.shown = columns(document, self.wide)
            self.head = header(document, self.shown, self.with_namespace)
            self.print_with(rows(document, self.shown, self.with_namespace), True)
        else:
            self.print_with(rows(document, self.shown, self.with_namespace), False)

    def print_with(self, body: list[list[str]], with_head: bool) -> None:
        if not body and not with_head:
            return
        self.least = output.widths([self.head, *body], self.least)
        text = output.table(self.head, body, self.least)
        sys.stdout.write(text if with_head else text.split("\n", 1)[1])
        sys.stdout.flush()


def is_empty(document: Table) -> bool:
    return not (document.get("rows") or document.get("items"))


def show_table(client: Client, path: str, query: Query, printer: Printer, place: str) -> str:
    document = client.request("GET", path, query, headers={"Accept": TABLE})
    if is_empty(document) and document.get("kind") == "Table":
        sys.stderr.write(f"No resources found{place}.\n")
    else:
        printer.write(document)
    return str(document.get("metadata", {}).get("resourceVersion", ""))


def follow(client: Client, path: str, query: Query, printer: Printer, version: str) -> None:
    while True:
        for event in client.watch(path, query | {"resourceVersion": version}, TABLE):
            if event["type"] == "ERROR":
                raise Failure("the watch ended: " + str(event["object"].get("message")))
            metadata = event["object"].get("metadata") or {}
            last = (event["object"].get("rows") or [{}])[-1]
            inner = (last.get("object") or {}).get("metadata") or {}
            version = inner.get("resourceVersion") or metadata.get("resourceVersion") or version
            if event["type"] != "BOOKMARK":
                printer.write(event["object"])


def show_objects(client: Client, paths: list[str], query: Query, style: str) -> None:
    found = [client.request("GET", path, query) for path in paths]
    document = found[0] if len(found) == 1 else {"apiVersion": "v1", "kind": "List", "items": found}
    text = json.dumps(document, indent=2) + "\n" if style == "json" else yaml.dump(document)
    sys.stdout.write(text)


def names_only(client: Client, paths: list[str], query: Query, resource: Resource) -> None:
    for path in paths:
        document = client.request("GET", path, query)
        for item in document.get("items", [document]):
            sys.stdout.write(resource.title(item["metadata"]["name"]) + "\n")


def show(arguments: argparse.Namespace) -> int:
    """Each kind of `pods,daemonsets` after the other."""
    client = options.connect(arguments)
    resources = discover(client)
    kinds = arguments.kind.split(",")
    if len(kinds) > 1 and (arguments.watch or arguments.name):
        raise Failure("several kinds take neither names nor --watch", EXIT_USAGE)
    codes = []
    for number, kind in enumerate(kinds):
        sys.stdout.write("\n" if number and arguments.output in (None, "wide") else "")
        codes.append(show_kind(client, arguments, resources, kind))
    return max(codes)


def show_kind(client: Client, arguments: argparse.Namespace, resources: list[Resource], typed: str) -> int:
    kind, _, inline = typed.partition("/")
    names = arguments.name or ([inline] if inline else [])
    resource = by_name(resources, kind)
    everywhere = arguments.all_namespaces and not names
    namespace = None if everywhere else options.namespace(arguments, client)
    paths = [resource.path(namespace, name) for name in names] or [resource.path(namespace)]
    query: Query = {"labelSelector": arguments.selector, "fieldSelector": arguments.field_selector}
    if arguments.output == "name":
        names_only(client, paths, query, resource)
    elif arguments.output in ("yaml", "json"):
        show_objects(client, paths, query, arguments.output)
    else:
        return show_tables(client, arguments, resource, namespace, names, query)
    return 0


def show_tables(
    client: Client,
    arguments: argparse.Namespace,
    resource: Resource,
    namespace: str | None,
    names: list[str],
    query: Query,
) -> int:
    printer = Printer(arguments.output == "wide", namespace is None and resource.namespaced)
    place = f" in {namespace} namespace" if namespace and resource.namespaced else ""
    version, failed = "", 0
    wanted: list[str | None] = [*names] or [None]
    for name in wanted:
        try:
            version = show_table(client, resource.path(namespace, name), query, printer, place)
        except ApiError as error:
            if len(names) < 2:
                raise
            failed += 1
            sys.stderr.write(f"edgelite: {error.text}\n")
    if arguments.watch:
        if len(names) > 1:
            raise Failure("--watch takes one name at the most", EXIT_USAGE)
        if names:
            query = query | {"fieldSelector": f"metadata.name={names[0]}"}
        follow(client, resource.path(namespace), query, printer, version)
    return EXIT_FAILED if failed else 0


@reporting
def main(arguments: list[str]) -> int:
    made = options.hub_parser("get", "List objects of one kind, or show some by name.", EPILOG)
    made.add_argument(
        "kind",
        help="nodes, pods, devices, ... (short names work), KIND/NAME, or several: pods,ds",
    )
    made.add_argument("name", nargs="*", help="only these objects")
    made.add_argument("-o", "--output", choices=("wide", "yaml", "json", "name"), help="another form than the table")
    made.add_argument("-w", "--watch", action="store_true", help="go on, and print each change (Ctrl-C ends)")
    made.add_argument("-l", "--selector", metavar="LABELS", help="only objects with these labels: app=meter,env!=test")
    made.add_argument("--field-selector", metavar="FIELDS", help="only objects with these fields: spec.nodeName=n1")
    options.add_namespace(made, everywhere=True)
    return show(made.parse_args(arguments))
