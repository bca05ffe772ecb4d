"""Publish and subscribe on the node: between the agent's parts, local processes and a broker. docs/bus.md."""
