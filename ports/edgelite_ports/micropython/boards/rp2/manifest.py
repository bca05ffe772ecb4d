# The agent on this board: for `edgelite bundle --port rp2`, and for a firmware of your own (FROZEN_MANIFEST).
# mypy: ignore-errors
# ruff: noqa: F821
include("../board_manifest.py", board="rp2", has_network=True)
