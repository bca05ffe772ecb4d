"""The same network in real time, between real agents and a real hub."""
