"""The same network in real time, between real agents and a real hub."""

from edgelite_sim.live.proxy import LiveProxy, Status
from edgelite_sim.live.threaded import ThreadedProxy

__all__ = ["LiveProxy", "Status", "ThreadedProxy"]
