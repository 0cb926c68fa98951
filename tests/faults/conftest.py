"""One real service for all fault tests: `verdict run` with the shipped model and short leases."""

from collections.abc import Iterator

import pytest

from benchmarks.common.stack import UNBOUNDED, Stack
from tests.servers import shipped_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running service that gives lost reviews back after two seconds."""
    with shipped_stack(UNBOUNDED | {"LEASE_SECONDS": "2", "SWEEP_SECONDS": "0.5"}) as stack:
        yield stack
