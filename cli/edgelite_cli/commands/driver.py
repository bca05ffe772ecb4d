"""`edgelite driver list`, `edgelite driver check FILE...`: which drivers are here, and what they say of manifests."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgelite.config import parse
from edgelite.driver import ConfigurationError
from edgelite_cli import installed_drivers, options
from edgelite_cli.commands.join import DEFAULT_STATE
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.main import EXIT_FAILED
from edgelite_cli.output import say, table

EPILOG = """examples:
  edgelite driver list                       drivers that are installed here, and those that this node names
  edgelite driver check meter.yaml site/     Devices and DeviceModels as the hub and their drivers see them"""


@reporting
def main(arguments: list[str]) -> int:
    made = options.parser("driver", "Drivers of field devices on this machine.", EPILOG)
    actions = made.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="which drivers there are, and where they run")
    listing.add_argument("--state", metavar="DIR", help=f"the node's (default: $EDGELITE_STATE or {DEFAULT_STATE})")
    checking = actions.add_parser("check", help="check Device and DeviceModel files with their drivers, without a hub")
    checking.add_argument(
        "files", nargs="+", metavar="FILE", help="manifests, folders of them, or - for standard input"
    )
    given = made.parse_args(arguments)
    return _list(given) if given.action == "list" else _check(given)


# ---- list


def _list(given: argparse.Namespace) -> int:
    rows = [[driver.name, driver.origin, driver.module, _place(driver.module)] for driver in installed_drivers.found()]
    rows += [row for row in _of_node(given) if row[0] not in {known[0] for known in rows}]
    say(table(("NAME", "FROM", "MODULE", "RUNS IN"), sorted(rows)) if rows else "No driver is installed here.\n")
    return 0


def _place(module: str) -> str:
    """Whatever importing a driver of others does, the list goes on."""
    try:
        loaded = __import__(module, None, None, ["NAME"])
    except Exception as error:  # noqa: BLE001
        return f"cannot be loaded: {type(error).__name__}: {error}"
    program = getattr(loaded, "PROCESS_MODULE", "")
    return f"a process: python -m {program}" if program else "the agent"


def _of_node(given: argparse.Namespace) -> Iterator[list[str]]:
    """What agent.conf names besides, where this machine is a node."""
    path = Path(given.state or os.environ.get("EDGELITE_STATE") or DEFAULT_STATE) / "agent.conf"
    try:
        config = parse(path.read_text())
    except FileNotFoundError:
        return
    except (OSError, ConfigurationError) as error:
        raise Failure(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    for name, source in config.drivers.items():
        place = "a process: " + " ".join(source.command) if source.command else "the agent"
        yield [name, str(path), source.module or "-", place]


# ---- check


@dataclass(slots=True)
class Problem:
    place: str
    title: str
    field: str
    text: str

    def line(self) -> str:
        return f"{self.place}, {self.title}: " + (f"{self.field}: " if self.field else "") + self.text


def _check(given: argparse.Namespace) -> int:
    from edgelite_cli.commands.apply import manifests

    try:
        checks = _Checks()
    except ImportError as error:
        needed = f"checking files needs the hub's rooms ({error.name} is missing): pip install 'edgelite[hub]'"
        raise Failure(needed) from error
    count = 0
    for wanted in ("DeviceModel", "Device"):  # a device is judged by its model, wherever that stands in the files
        for place, manifest in manifests(_once(given.files) if wanted == "Device" else given.files):
            if isinstance(manifest, dict) and manifest.get("kind") == wanted:
                count += 1
                checks.check(place, manifest)
    for problem in checks.problems:
        say(problem.line() + "\n")
    if not count:
        raise Failure("no Device and no DeviceModel is in these files")
    objects = "1 object" if count == 1 else f"{count} objects"
    say(f"{objects} checked, " + (f"{len(checks.problems)} problems\n" if checks.problems else "all well\n"))
    return EXIT_FAILED if checks.problems else 0


def _once(names: list[str]) -> list[str]:
    """Standard input can be read a single time."""
    if "-" in names:
        raise Failure("name files: standard input cannot be read twice")
    return names


class _Checks:
    """The hub's own admission, over a store in memory."""

    def __init__(self) -> None:
        from edgelite_hub.kinds.core import namespace
        from edgelite_hub.kinds.devices import device, device_model
        from edgelite_hub.model.registry import Registry
        from edgelite_hub.model.verbs import Verbs
        from edgelite_hub.store.memory import MemoryStore

        self.problems: list[Problem] = []
        self._kinds = {kind.kind: kind for kind in (device_model(), device(), namespace())}
        self._verbs = Verbs(Registry(self._kinds.values()))
        self._store = MemoryStore()
        self._namespaces: set[str] = set()

    def check(self, place: str, manifest: dict[str, Any]) -> None:
        from edgelite_hub.model.admission import STRICT, admit
        from edgelite_hub.model.objects import DEVICE_MODELS
        from edgelite_hub.model.status import StatusError

        kind = self._kinds[manifest["kind"]]
        metadata = manifest.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        title = f"{kind.kind} {metadata.get('name') or '(without a name)'}"
        space = str(metadata.get("namespace") or "default")
        try:
            value, _ = admit(kind, manifest, STRICT)
            self._need(space)
            warnings = self._create(kind, space, value)
            if kind.kind == "Device":
                model = value["spec"]["deviceModelRef"]["name"]
                if self._store.read(lambda transaction: transaction.get(DEVICE_MODELS, space, model)) is None:
                    text = f"no DeviceModel {model} is in these files, so its properties were not checked"
                    self.problems.append(Problem(place, title, "spec.deviceModelRef.name", text))
        except StatusError as error:
            self.problems += self._problems_of(place, title, error)
            return
        self.problems += [Problem(place, title, "", text) for text in warnings if "STREAM" not in text]

    def _problems_of(self, place: str, title: str, error: Any) -> list[Problem]:
        causes = error.details.get("causes") or []
        if not causes:
            return [Problem(place, title, "", error.message)]
        return [Problem(place, title, cause["field"], cause["message"]) for cause in causes]

    def _need(self, name: str) -> None:
        if name not in self._namespaces:
            self._namespaces.add(name)
            self._create(self._kinds["Namespace"], "", {"metadata": {"name": name}, "spec": {}})

    def _create(self, kind: Any, space: str, value: dict[str, Any]) -> list[str]:
        """Its warnings. StatusError."""
        from edgelite_hub.model.strategy import Operation

        def create(transaction: Any) -> list[str]:
            nobody: Any = None  # what is asked here asks for no permission
            operation = Operation(transaction, nobody, 0)
            self._verbs.create(kind, operation, space, value)
            return operation.warnings

        return self._store.transact(create)
