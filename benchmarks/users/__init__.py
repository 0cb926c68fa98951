"""Simulated users on a running service: `make load`."""
