"""The deterministic world: the real hub and real agents in virtual time, replayed from a seed."""
