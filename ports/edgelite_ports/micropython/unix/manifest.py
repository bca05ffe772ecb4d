# The agent on Linux under MicroPython.
# mypy: ignore-errors
# ruff: noqa: F821
import os

OPT = 2  # without assertions, with the lines' numbers (12 KB): a device with Linux has a log that somebody reads
NO_MODULES = ("core_manifest.py", "edgelite_start.py", "manifest.py", "edgelite_agent.py")

include("../core_manifest.py", opt=OPT)


def modules(folder):
    names = sorted(name for name in os.listdir(os.path.join("..", "..", folder)) if name.endswith(".py"))
    return tuple(folder + "/" + name for name in names if name not in NO_MODULES)


package(
    "edgelite_ports",
    files=modules("micropython") + modules("micropython/unix") + modules("posix"),
    base_path=os.path.abspath(os.path.join("..", "..", "..")),
    opt=OPT,
)
