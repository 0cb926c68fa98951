"""Measure the classifier against other deployments (`verdict benchmark`), and find settings (`verdict tune`)."""
