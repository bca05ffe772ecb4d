"""The edgelite agent: a core without I/O. Import the module that you need; this package loads none by itself."""

__version__ = "0.1.0"
