"""From the console script to the agent: replace the process by a Python that loads only the agent's rooms.

`-S` leaves out `site`, which a virtual environment makes cost up to 4 MB; `-I` keeps the environment and the
current directory from changing what is loaded. What `site` would have found is handed over instead: the
directories that hold the rooms, which works from a checkout, an editable install, a wheel and a bundle; and behind
all others the one that holds pyserial, where it is another one.
"""

import os
import sys

PACKAGES = ("edgelite", "edgelite_protocol", "edgelite_drivers", "edgelite_ports")
OPTIONAL_PACKAGE = "serial"
BOOT = "agent_boot.py"


def room_paths() -> "list[str]":
    """The directories to import the agent's packages from, each once, in the order of PACKAGES."""
    paths: list[str] = []
    for name in PACKAGES:
        module = __import__(name)
        directory = os.path.dirname(os.path.dirname(os.path.abspath(str(module.__file__))))
        if directory not in paths:
            paths.append(directory)
    return paths


def optional_path(rooms: "list[str]") -> str:
    """Where the optional package is; "" where it is not installed, or beside a room."""
    from importlib.util import find_spec  # not where the agent itself asks for the rooms

    spec = find_spec(OPTIONAL_PACKAGE)
    path = os.path.dirname(os.path.dirname(os.path.abspath(spec.origin))) if spec and spec.origin else ""
    return "" if path in rooms else path


def command(arguments: "list[str]") -> "list[str]":
    """The agent's command line, as exec wants it; `arguments` are those after `edgelite agent`."""
    boot = os.path.join(os.path.dirname(os.path.abspath(__file__)), BOOT)
    rooms = room_paths()
    paths = os.pathsep.join(rooms) + os.pathsep * 2 + optional_path(rooms)
    return [sys.executable, "-S", "-I", boot, paths, *arguments]


def exec_agent(arguments: "list[str]") -> int:
    """Does not return: the agent has this process's pid and its standard streams."""
    words = command(arguments)
    os.execv(words[0], words)
