"""The fixtures of the command line, for the local stack."""

from tests.cli.conftest import wait_for

__all__ = ["wait_for"]
