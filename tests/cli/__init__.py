"""Tests of the `verdict` command and of the processes of `verdict run`."""
