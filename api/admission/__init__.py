"""Decide whether a job is accepted now, and when a refused caller should return."""
