"""How deep the imports of portable modules nest. MicroPython's import takes 4 KB of C stack a level, and on 32-bit
Linux it has 40 KB in all: with tiny modules 8 levels, and compiling a module takes its share of what is left."""

import subprocess
import sys

import pytest
from house_files import ROOM_FOLDERS, module_of, portable_core_files, portable_port_files

DEPTH_MAX = 6  # of 8, so that a program may import the deepest one from a module or two of its own

MODULES = [module_of(path) for path in (*portable_core_files(), *portable_port_files())]

# Each module is imported as the first of all; prints the longest chain of modules that wait for each other.
_MEASURE = """
import sys
from importlib.machinery import PathFinder, SourceFileLoader

waiting, longest = [], []

class Loader(SourceFileLoader):
    def exec_module(self, module):
        waiting.append(module.__name__)
        longest[:] = max(longest, waiting, key=len)
        try:
            super().exec_module(module)
        finally:
            waiting.pop()

class Finder:
    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path)
        if name.startswith("edgelite") and spec is not None and spec.loader is not None:
            spec.loader = Loader(name, spec.origin)
        return spec

sys.meta_path.insert(0, Finder())
for wanted in sys.argv[1:]:
    for name in [name for name in sys.modules if name.startswith("edgelite")]:
        del sys.modules[name]
    longest.clear()
    try:
        __import__(wanted)
    except (ImportError, AttributeError):
        pass  # of another platform; how far it came counts all the same
    print(wanted, *longest)
"""


@pytest.fixture(scope="module")
def chains() -> dict[str, list[str]]:
    folders = [str(folder.parent) for folder in ROOM_FOLDERS.values()]
    code = f"import sys; sys.path[:0] = {folders!r}\n" + _MEASURE
    told = subprocess.run(
        [sys.executable, "-S", "-c", code, *MODULES], capture_output=True, text=True, timeout=60, check=True
    )
    lines = [line.split() for line in told.stdout.splitlines()]
    return {line[0]: line[1:] for line in lines}


@pytest.mark.parametrize("module", MODULES)
def test_imports_do_not_nest_deeper(module: str, chains: dict[str, list[str]]) -> None:
    chain = chains[module]
    assert 1 <= len(chain) <= DEPTH_MAX, f"import the deep end first, as edgelite/journal does: {' > '.join(chain)}"
