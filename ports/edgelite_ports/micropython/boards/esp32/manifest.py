# The agent on this board: for `edgelite bundle --port esp32`, and for a firmware of your own (FROZEN_MANIFEST).
# mypy: ignore-errors
# ruff: noqa: F821
include("../board_manifest.py", board="esp32", has_network=True)
