"""Tests of the `verdict` command and of what `verdict run` keeps alive."""
