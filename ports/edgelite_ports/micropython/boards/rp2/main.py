# Starts the agent. Ctrl-C within two seconds leaves the board at its prompt.
# mypy: ignore-errors
import sys
import time

import edgelite_start

edgelite_start.require()
sys.stdout.write("edgelite starts in 2 s; Ctrl-C stops it\n")
time.sleep(2)

from edgelite_ports.micropython.boards.rp2.board import main  # noqa: E402

main()
