"""`edgelite apply -f FILE`: create what is absent, change what differs, leave alone what is the same."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgelite_cli import options, yaml
from edgelite_cli.client import ApiError, Client
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.main import EXIT_FAILED
from edgelite_cli.resources import Resource, by_manifest, discover

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# All annotations of an object together hold 256 KiB. A larger manifest goes without: what it names no longer stays.
LAST_APPLIED_BYTES_MAX = 200_000
SUFFIXES = (".yaml", ".yml", ".json")

EPILOG = """examples:
  edgelite apply -f app.yaml
  edgelite apply -f manifests/          every .yaml, .yml and .json file in it
  cat app.yaml | edgelite apply -f -"""

Manifest = dict[str, Any]


def files(names: list[str]) -> Iterator[tuple[str, str]]:
    """(name, text) of each file, a folder's files in order of their names."""
    for name in names:
        path = Path(name)
        if name == "-":
            yield "standard input", sys.stdin.read()
            continue
        inside = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise Failure(f"{name} has no file that ends in {', '.join(SUFFIXES)}")
        for file in inside:
            try:
                yield str(file), file.read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise Failure(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error


def manifests(names: list[str]) -> Iterator[tuple[str, Manifest]]:
    """(source, manifest) of each document, lists taken apart."""
    for source, text in files(names):
        for number, document in enumerate(yaml.parse_documents(text, source), 1):
            place = f"{source}, document {number}"
            if not isinstance(document, dict):
                raise Failure(f"{place}: a mapping with apiVersion, kind and metadata is needed")
            listed = isinstance(document.get("items"), list) and str(document.get("kind", "")).endswith("List")
            for item in document["items"] if listed else [document]:
                yield place, item


def difference(old: Any, new: Any, live: Any) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) that takes `live` to `new`, removing what `old` had named and `new` no longer
    does; what others have set stays."""
    patch: dict[str, Any] = {key: None for key in old if key not in new and key in live}
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(live.get(key), dict):
            before = old.get(key)
            inner = difference(before if isinstance(before, dict) else {}, value, live[key])
            if inner:
                patch[key] = inner
        elif live.get(key) != value:
            patch[key] = value
    return patch


def annotated(manifest: Manifest) -> Manifest:
    metadata = dict(manifest.get("metadata") or {})
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != LAST_APPLIED}
    plain = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    if len(plain) > LAST_APPLIED_BYTES_MAX:
        return manifest
    return manifest | {"metadata": metadata | {"annotations": annotations | {LAST_APPLIED: plain}}}


def patch_for(live: Manifest, manifest: Manifest) -> dict[str, Any]:
    kept = (live.get("metadata", {}).get("annotations") or {}).get(LAST_APPLIED)
    before = annotated(json.loads(kept)) if kept else {}
    return difference(before, annotated(manifest), live)


def apply(client: Client, resource: Resource, manifest: Manifest, namespace: str) -> str:
    """What was done: created, configured or unchanged."""
    name = (manifest.get("metadata") or {}).get("name")
    strict: dict[str, Any] = {"fieldValidation": "Strict"}
    if not name:
        client.request("POST", resource.path(namespace), strict, manifest)  # the server says which field is missing
        return "created"
    try:
        live = client.request("GET", resource.path(namespace, name))
    except ApiError as error:
        if error.code != 404:
            raise
        client.request("POST", resource.path(namespace), strict, annotated(manifest))
        return "created"
    patch = patch_for(live, manifest)
    if not patch:
        return "unchanged"
    merge = {"Content-Type": "application/merge-patch+json"}
    client.request("PATCH", resource.path(namespace, name), strict, patch, merge)
    return "configured"


def apply_all(arguments: argparse.Namespace) -> int:
    found = list(manifests(arguments.filename))
    if not found:
        raise Failure("nothing to apply: the files hold no document")
    client = options.connect(arguments)
    resources = discover(client)
    placed = [(source, by_manifest(resources, manifest, source), manifest) for source, manifest in found]
    failures = 0
    for source, resource, manifest in placed:
        metadata = manifest.get("metadata") or {}
        namespace = metadata.get("namespace") or options.namespace(arguments, client)
        title = resource.title(str(metadata.get("name") or "?"))
        try:
            sys.stdout.write(f"{title} {apply(client, resource, manifest, namespace)}\n")
        except ApiError as error:
            failures += 1
            sys.stdout.flush()
            sys.stderr.write(f"edgelite: {source}: {title}: {error.text}\n")
    return EXIT_FAILED if failures else 0


@reporting
def main(arguments: list[str]) -> int:
    made = options.hub_parser("apply", "Create or change objects from YAML or JSON files.", EPILOG)
    made.add_argument("-f", "--filename", metavar="FILE", action="append", required=True, help="a file, a folder or -")
    options.add_namespace(made)
    return apply_all(made.parse_args(arguments))
