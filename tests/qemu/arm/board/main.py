# The firmware's start: the agent with a driver of its own.
from edgelite_ports.micropython.boards.qemu_cortex_m3.board import main

main(("thermometer",))
