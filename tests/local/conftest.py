"""The local stack's tests use the fixtures of the command line's."""

from tests.cli.conftest import wait_for

__all__ = ["wait_for"]
