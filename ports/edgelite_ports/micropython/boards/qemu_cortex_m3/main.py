# Frozen into the firmware, and run at its start. What ends the agent leaves the prompt on UART 0.
from edgelite_ports.micropython.boards.qemu_cortex_m3.board import main

main()
