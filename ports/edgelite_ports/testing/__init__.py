"""Fakes of what a port offers, public so that embedders can test with them too. Portable."""

from edgelite_ports.testing.storage import MemoryStorage

__all__ = ["MemoryStorage"]
