# The agent on QEMU's mps2-an385, for its firmware.
# mypy: ignore-errors
# ruff: noqa: F821
include("../board_manifest.py", board="qemu_cortex_m3", has_network=False, more=("block_device", "loop", "uart"))
module("main.py", opt=3)
