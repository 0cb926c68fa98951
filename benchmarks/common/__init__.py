"""Shared by all benchmarks: an HTTP client, a service to measure, reviews to send, percentiles, waiting, tables."""
