"""Drivers of others: installed packages with an entry point in the group `edgelite.drivers`. Never looked up by the
agent, which loads a driver by its module's name: importlib.metadata costs it 6.7 MB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from edgelite.config import is_driver_name
from edgelite_cli.failure import Failure
from edgelite_cli.main import EXIT_USAGE

GROUP = "edgelite.drivers"
OURS = "edgelite_drivers"


@dataclass(frozen=True, slots=True)
class Driver:
    """`origin` is the distribution that it came with."""

    name: str
    module: str
    origin: str

    @property
    def is_ours(self) -> bool:
        return self.module.split(".")[0] == OURS

    def folder(self) -> Path:
        """The directory to import it from. Failure where the module that the entry point names is not there."""
        top = self.module.split(".")[0]
        spec = find_spec(top)
        origin = None if spec is None else spec.origin or next(iter(spec.submodule_search_locations or ()), None)
        if spec is None or origin is None:
            raise Failure(f"driver {self.name} of {self.origin}: its module {top} is not there; install it again")
        path = Path(origin).resolve()
        return path.parent.parent if spec.submodule_search_locations else path.parent

    def files(self) -> Iterator[tuple[str, Path]]:
        """(name below the folder, file) of its module or its whole package."""
        top = self.module.split(".")[0]
        folder = self.folder()
        if (folder / top).is_dir():
            for file in sorted((folder / top).rglob("*.py")):
                yield file.relative_to(folder).as_posix(), file
        else:
            yield f"{top}.py", folder / f"{top}.py"


def found() -> list[Driver]:
    """All of them, ours too, by name. Failure where one has a name that no device can give."""
    drivers = []
    for point in entry_points(group=GROUP):
        origin = point.dist.name if point.dist is not None else "?"
        if not is_driver_name(point.name):
            raise Failure(f"{origin} has a driver named {point.name!r}: a name is lower-case letters, digits and _")
        drivers.append(Driver(point.name, point.value.split(":")[0].strip(), origin))
    unique = {driver.name: driver for driver in sorted(drivers, key=lambda one: (one.name, not one.is_ours))}
    return [unique[name] for name in sorted(unique)]


def of_others() -> list[Driver]:
    return [driver for driver in found() if not driver.is_ours]


def chosen(names: list[str]) -> list[Driver]:
    """Those of others with these names; Failure says which there are."""
    there = {driver.name: driver for driver in of_others()}
    for name in names:
        if name not in there:
            known = ", ".join(sorted(there)) or "none"
            raise Failure(f"no package has a driver {name} (entry point in {GROUP}); there are: {known}", EXIT_USAGE)
    return [there[name] for name in sorted(set(names))]


def config_lines(drivers: list[Driver], room_paths: list[str]) -> str:
    """What agent.conf says of them, "" for none. `room_paths`: where the agent looks anyway."""
    if not drivers:
        return ""
    lines = "drivers = " + ", ".join(f"{driver.name}:{driver.module}" for driver in drivers) + "\n"
    known = {Path(path).resolve() for path in room_paths}
    folders = sorted({str(driver.folder()) for driver in drivers if driver.folder() not in known})
    return lines + (f"driver_path = {', '.join(folders)}\n" if folders else "")
