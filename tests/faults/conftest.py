"""One real service for all fault tests: `verdict run` with the shipped model and short leases."""

from collections.abc import Iterator

import pytest

from load.stack import UNBOUNDED, Stack, running_stack
from settings import WorkerSettings


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running service that gives lost reviews back after two seconds."""
    if not (WorkerSettings().model_directory() / "manifest.json").exists():
        pytest.skip("there is no model under models/; `verdict train` and `verdict export` make one")
    with running_stack(UNBOUNDED | {"LEASE_SECONDS": "2", "SWEEP_SECONDS": "0.5"}) as stack:
        yield stack
