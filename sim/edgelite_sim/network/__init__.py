"""A node's way to the network: profiles, links and connections, with no I/O and no clock in them.

The deterministic world and the live proxy both drive them.
"""
