"""What a serial line costs the agent's process under CPython: pyserial's modules and one open line.

.venv/bin/python -S -I tests/bench/serial_port_memory.py     (in the root of the checkout; Private_Dirty)
"""

import os
import sys

VERSION = "python%d.%d" % sys.version_info[:2]
PACKAGES = os.path.join(os.path.dirname(sys.executable), "..", "lib", VERSION, "site-packages")  # -S leaves them out
sys.path[:0] = [".", "protocol", "drivers", "ports", PACKAGES]
import edgelite_ports.linux.agent  # noqa: E402
from edgelite_ports.common.serial_lines import Settings  # noqa: E402


def private_dirty_kb() -> int:
    with open("/proc/self/smaps_rollup") as rows:
        return sum(int(row.split()[1]) for row in rows if row.startswith("Private_Dirty:"))


def main() -> None:
    assert edgelite_ports.linux.agent
    _ours, theirs = os.openpty()
    path = os.ttyname(theirs)
    before = private_dirty_kb()
    from edgelite_ports.linux.serial_port import SerialPort

    line = SerialPort(path, Settings({"baud": 9600}))
    opened = private_dirty_kb()
    sys.stdout.write("the agent's modules       %6d kB\n" % before)
    sys.stdout.write("with a line by pyserial   %6d kB more\n" % (opened - before))
    line.close()


if __name__ == "__main__":
    main()
