"""Recipes: the options of every step, and the steps in order."""
