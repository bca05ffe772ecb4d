"""Keeps workloads running: `Supervisor`."""

from edgelite.supervisor.supervisor import Supervisor

__all__ = ["Supervisor"]
