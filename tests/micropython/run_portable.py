"""Runs the portable tests under MicroPython, which has no pytest: every test_*() of every test_*.py in the folders
given, each file imported by name with its folder on the path.

    micropython tests/micropython/run_portable.py tests/protocol/portable tests/edgelite/portable ...

Run it in the root of the checkout. Ends with "N passed, N failed"; the exit code is 1 where any failed or none ran.
With --rows as the first argument each test has a line "row: passed|failed FOLDER/FILE::TEST", for whoever compares
runtimes.
"""

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ROOMS = (".", "protocol", "drivers", "ports")


class Tally:
    def __init__(self, shows_rows: bool = False) -> None:
        self.passed = 0
        self.failed = 0
        self.shows_rows = shows_rows

    def add(self, name: str, passed: bool) -> None:
        if passed:
            self.passed += 1
        else:
            self.failed += 1
        if self.shows_rows:
            outcome = "passed" if passed else "failed"
            tell("row: %s %s" % (outcome, name[len(os.getcwd()) + 1 :]))


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")


def show(error: Exception) -> None:
    """The traceback; MicroPython has its own way to print one."""
    if hasattr(sys, "print_exception"):
        sys.print_exception(error)
    else:
        sys.excepthook(type(error), error, error.__traceback__)


def run_test(name: str, test: "Callable[[], None]", tally: Tally) -> None:
    try:
        test()
    except Exception as error:  # noqa: BLE001 - a test may fail in any way, and the others still run
        tally.add(name, False)
        tell("FAILED " + name)
        show(error)
    else:
        tally.add(name, True)


def run_file(folder: str, file_name: str, tally: Tally) -> None:
    module_name = file_name[: -len(".py")]
    try:
        module = __import__(module_name)
    except Exception as error:  # noqa: BLE001 - a file that cannot be imported is one failure
        tally.add(folder + "/" + file_name + "::(import)", False)
        tell("FAILED " + folder + "/" + file_name + " (import)")
        show(error)
        return
    for name in sorted(dir(module)):
        if name.startswith("test_"):
            run_test(folder + "/" + file_name + "::" + name, getattr(module, name), tally)


def run_folder(folder: str, tally: Tally) -> None:
    sys.path.insert(0, folder)
    for file_name in sorted(os.listdir(folder)):
        if file_name.startswith("test_") and file_name.endswith(".py"):
            started_ms = milliseconds()
            before = tally.passed
            run_file(folder, file_name, tally)
            tell("%s/%s: %d passed in %d ms" % (folder, file_name, tally.passed - before, milliseconds() - started_ms))
    sys.path.remove(folder)
    forget_modules_of(folder)


def forget_modules_of(folder: str) -> None:
    """So that another folder may have a helper of the same name."""
    for name in list(sys.modules.keys()):
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(folder + "/"):
            del sys.modules[name]


def milliseconds() -> int:
    return int(time.time() * 1000)


def main(folders: "list[str]") -> int:
    for room in reversed(ROOMS):
        sys.path.insert(0, os.getcwd() + "/" + room)
    tally = Tally(folders[:1] == ["--rows"])
    if tally.shows_rows:
        folders = folders[1:]
    for folder in folders:
        run_folder(os.getcwd() + "/" + folder, tally)
    tell("%d passed, %d failed" % (tally.passed, tally.failed))
    return 0 if tally.failed == 0 and tally.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
