"""Emulated ARM surroundings, made from Debian's packages and kept in a cache that all checkouts of a user share."""

from edgelite_sim.qemu.guest import HOST, Guest
from edgelite_sim.qemu.machine import GuestError, Hardware

__all__ = ["HOST", "Guest", "GuestError", "Hardware"]
