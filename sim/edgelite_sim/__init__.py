"""Simulated and emulated surroundings of real hubs and agents: outages, devices, and the demo built on them."""
