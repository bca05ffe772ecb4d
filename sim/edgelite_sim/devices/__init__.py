"""Simulated devices, each a program of its own and a library for tests."""
