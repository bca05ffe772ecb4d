"""The agent's first file: run by `exec_agent`, with the rooms' directories as its first argument, and behind "::" one
where a package may be that only some nodes need."""

import sys

if __name__ == "__main__":
    rooms, _, optional = sys.argv.pop(1).partition("::")
    sys.path[:0] = rooms.split(":")
    if optional:
        sys.path.append(optional)
    from edgelite_ports.linux.agent import main

    sys.exit(main(sys.argv[1:]))
