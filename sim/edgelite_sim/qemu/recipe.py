"""The recipe of a firmware image: four parts, each a TOML file in `firmware-images/parts`, and the files they name.

base     the root file system, from Debian's packages
kernel   the kernel and its modules
agent    the agent of this checkout
board    how the machine starts, and where its disks are
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[3] / "firmware-images"
PARTS = ("base", "kernel", "agent", "board")


class RecipeError(Exception):
    """A recipe is incomplete or says something that no builder knows; the text names the file and the field."""


class Part:
    """One table of one TOML file. Fields are asked for by name; one that is missing has a clear error."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        try:
            self._fields: dict[str, Any] = tomllib.loads(path.read_text())[name]
        except FileNotFoundError as error:
            raise RecipeError(f"{path}: no such part; there are {', '.join(there_are(path.parent))}") from error
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{path}: {error}") from error
        except KeyError as error:
            raise RecipeError(f"{path}: has no table [{name}]") from error

    def _field(self, name: str, kind: type) -> Any:
        value = self._fields.get(name)
        if not isinstance(value, kind):
            told = "is missing" if value is None else f"must be a {kind.__name__}, not {value!r}"
            raise RecipeError(f"{self.path}: {self.name}.{name} {told}")
        return value

    def text(self, name: str) -> str:
        return str(self._field(name, str))

    def texts(self, name: str) -> list[str]:
        return [str(value) for value in self._field(name, list)]

    def table(self, name: str) -> dict[str, Any]:
        return dict(self._field(name, dict))


class Recipe:
    """`folder` holds `parts/` and `files/`; a part is chosen by the name of its file, such as kernel="kernel-armmp"."""

    def __init__(
        self,
        folder: Path = FOLDER,
        base: str = "base",
        kernel: str = "kernel-armmp",
        agent: str = "agent",
        board: str = "board-virt",
    ) -> None:
        if not (folder / "parts").is_dir():
            raise RecipeError(f"{folder} holds no recipe of an image; it is a folder of edgelite's checkout")
        self.folder = folder
        parts = folder / "parts"
        self.base = Part("base", parts / f"{base}.toml")
        self.kernel = Part("kernel", parts / f"{kernel}.toml")
        self.agent = Part("agent", parts / f"{agent}.toml")
        self.board = Part("board", parts / f"{board}.toml")

    def file(self, name: str) -> Path:
        path = self.folder / "files" / name
        if not path.is_file():
            raise RecipeError(f"{path}: a part of the recipe names this file, and it is not there")
        return path


def there_are(parts: Path) -> list[str]:
    return sorted(path.stem for path in parts.glob("*.toml"))
