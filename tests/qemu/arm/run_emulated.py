"""run_portable.py under an emulated interpreter, whose kernel runs programs of this machine:

micropython tests/qemu/arm/run_emulated.py tests/ports/unix
"""

import os
import sys

ROOMS = ("ports", "protocol", "", "tests/micropython")


def main(folders: "list[str]") -> int:
    for room in ROOMS:
        sys.path.insert(0, os.getcwd() + "/" + room)
    import run_portable

    from edgelite_ports.posix import command

    # The interpreter is ARM's and the shell is not: what a device would refuse as another machine's is right here.
    command._has_emulators = lambda: True
    return run_portable.main(folders)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
