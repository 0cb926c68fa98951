"""Fit networks, n-grams and embedders."""
