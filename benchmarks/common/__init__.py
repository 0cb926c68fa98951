"""Shared by all benchmarks: an HTTP client, a service to measure, texts, processes."""
