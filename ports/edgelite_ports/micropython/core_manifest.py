# What every MicroPython node takes of the rooms that have no platform in them. A manifest as MicroPython's build reads
# it (`FROZEN_MANIFEST`), and `edgelite bundle` too: new modules of a room come along by themselves.
#
# options.drivers, options.more_drivers: the drivers' packages; options.left_out: more names, relative to their room,
# that stay behind.
# mypy: ignore-errors
# ruff: noqa: F821
import os

options.defaults(drivers=("modbus", "modbus_server", "serial"), more_drivers=(), left_out=(), opt=3)

ROOMS = {
    "edgelite_protocol": ("protocol", ("hub_session", "feed_rules")),
    "edgelite": ("", ()),
    "edgelite_drivers": ("drivers", ("process_server", "testing", "testing_process")),
}


def base_of(folder, name):
    """Of a checkout, where each room has a folder of its own, or of an installation, where they lie side by side."""
    checkout = os.path.abspath(os.path.join("..", "..", "..", folder))
    return checkout if os.path.isdir(os.path.join(checkout, name)) else os.path.abspath(os.path.join("..", ".."))


def files_of(base, name, left_out):
    root = os.path.join(base, name)
    found = []
    for folder, _, names in os.walk(root):
        for one in names:
            path = os.path.relpath(os.path.join(folder, one), root).replace(os.sep, "/")
            if one.endswith(".py") and not any(path == out + ".py" or path.startswith(out + "/") for out in left_out):
                found.append(path)
    return tuple(sorted(found))


for room, (folder, never) in ROOMS.items():
    base = base_of(folder, room)
    out = never + tuple(options.left_out)
    if room == "edgelite_drivers":
        there = [one for one in os.listdir(os.path.join(base, room)) if os.path.isdir(os.path.join(base, room, one))]
        out += tuple(one for one in there if one not in options.drivers + options.more_drivers)
    package(room, files=files_of(base, room, out), base_path=base, opt=options.opt)

package(
    "edgelite_ports",
    files=(
        "__init__.py",
        *("common/" + name for name in files_of(os.path.abspath(".."), "common", ("block_storage", "bus_client"))),
    ),
    base_path=os.path.abspath(os.path.join("..", "..")),
    opt=options.opt,
)
