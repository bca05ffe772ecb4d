"""The edgelite agent: a core without I/O. Import the module that you need; this package loads none by itself."""

from edgelite_protocol.release import VERSION as __version__

__all__ = ["__version__"]
