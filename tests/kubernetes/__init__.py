"""Tests of kubernetes/: its files, the overlays rendered by kubectl, and its queries in promtool."""
