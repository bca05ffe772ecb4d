"""Devices and their twins: collection on a schedule, reports by rule, desired values written and read back."""

from edgelite.devices.devices import Devices, load_driver

__all__ = ["Devices", "load_driver"]
