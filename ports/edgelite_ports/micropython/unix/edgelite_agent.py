"""What the bundle's `edgelite-agent` starts, beside the packages and as source: first the check, then the agent."""

import sys

import edgelite_start  # type: ignore[import-not-found]  # beside it in the bundle

# A chain of imports costs 4 KB of C stack a link, and where words have 32 bits MicroPython allows itself 40 KB. So what
# lies deepest comes first.
DEEPEST_FIRST = ("edgelite_protocol.node_session", "edgelite.journal", "edgelite.devices", "edgelite.supervisor")
AGENT = "edgelite_ports.micropython.unix.agent"

edgelite_start.require()
folder = __file__.rsplit("/", 1)[0]
for name in DEEPEST_FIRST:
    edgelite_start.load(name, folder)

sys.exit(edgelite_start.load(AGENT, folder).main(sys.argv[1:]))
