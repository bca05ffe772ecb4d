"""Devices and their twins: collection on a schedule, reports by rule, desired values written and read back."""

# ruff: noqa: I001
# MicroPython on 32-bit Linux lets imports nest 8 deep (tests/house/test_import_depth.py): the deep end first.
import edgelite.journal
import edgelite.devices.values
import edgelite.devices.desired
import edgelite.devices.config  # noqa: F401

from edgelite.devices.devices import Devices, load_driver

__all__ = ["Devices", "load_driver"]
