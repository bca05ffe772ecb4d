"""The devices that come with the simulator, found by name."""

from __future__ import annotations

import difflib
from pathlib import Path

from edgelite.driver import ConfigurationError


def folder() -> Path:
    package = Path(__file__).resolve().parents[1]
    installed = package / "device_files"
    return installed if installed.is_dir() else package.parent / "devices"


def names() -> list[str]:
    return sorted(file.stem for file in folder().glob("*.toml"))


def find(name: str) -> Path:
    """A file, or the name of one that comes with the simulator. ConfigurationError says what there is."""
    if Path(name).suffix or Path(name).exists():
        return Path(name)
    file = folder() / f"{name}.toml"
    if not file.is_file():
        close = difflib.get_close_matches(name, names(), 1)
        hint = f"did you mean {close[0]}?" if close else f"with the simulator come {', '.join(names())}"
        raise ConfigurationError(name, f"there is no such file, and no device of that name; {hint}")
    return file
