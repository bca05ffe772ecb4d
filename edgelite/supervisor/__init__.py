"""Keeps workloads running: `Supervisor`."""

# ruff: noqa: I001
# MicroPython on 32-bit Linux lets imports nest 8 deep (tests/house/test_import_depth.py): the deep end first.
import edgelite_protocol.cbor  # noqa: F401
import edgelite.journal
import edgelite.supervisor.workload
import edgelite.supervisor.unit  # noqa: F401

from edgelite.supervisor.supervisor import Supervisor

__all__ = ["Supervisor"]
