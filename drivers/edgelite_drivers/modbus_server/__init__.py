"""Modbus server: the twins of a node as registers, for a PLC or a SCADA system (docs/modbus-server.md).

`server.py`, `framings.py`, `answers.py` and `unit.py` know nothing of twins; simulated slaves are made of them too.
"""

# ruff: noqa: I001
# MicroPython on 32-bit Linux lets imports nest 8 deep (tests/house/test_import_depth.py): the deep end first.
import edgelite_protocol.messages  # noqa: F401
import edgelite_drivers.fields
import edgelite_drivers.modbus  # noqa: F401
