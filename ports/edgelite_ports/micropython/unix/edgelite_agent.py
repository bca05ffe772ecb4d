"""What the bundle's `edgelite-agent` starts, beside the packages and as source: first the check, then the agent."""

import sys

import edgelite_start  # type: ignore[import-not-found]  # beside it in the bundle

# A chain of imports costs 4 KB of C stack a link, and where words have 32 bits MicroPython allows itself 40 KB. So what
# lies deepest comes first.
DEEPEST_FIRST = ("edgelite_protocol.node_session", "edgelite.journal", "edgelite.devices", "edgelite.supervisor")

edgelite_start.require()
for name in DEEPEST_FIRST:
    __import__(name)

from edgelite_ports.micropython.unix.agent import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
