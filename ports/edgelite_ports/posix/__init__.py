"""Workloads as processes of a POSIX system: what the ports for CPython and for MicroPython on Linux share.

Everything here is portable code. What it asks of the system goes through `system`, which has the names of CPython's
`os` and a few more: under CPython most are `os`'s own, under MicroPython they are calls of the C library. Both raise
OSError with its errno; nothing here tells errors apart by class, which MicroPython could not.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING or sys.implementation.name != "micropython":
    from edgelite_ports.linux import system
else:
    from edgelite_ports.micropython.unix import system

__all__ = ["system"]
