"""The agent's first file: run by `exec_agent`, with the rooms' directories as its first argument."""

import sys

if __name__ == "__main__":
    sys.path[:0] = sys.argv.pop(1).split(":")
    from edgelite_ports.linux.agent import main

    sys.exit(main(sys.argv[1:]))
