"""Read `Prefer: wait=seconds` (RFC 7240)."""

import re
from typing import Annotated

from fastapi import Depends, Header


async def wait_seconds(
    prefer: Annotated[
        str | None,
        Header(description="`wait=2`: wait up to 2 seconds for the end of the job, and answer with the finished job."),
    ] = None,
) -> float:
    """Return the seconds in `Prefer: wait=…`, or 0; unknown preferences are ignored, as RFC 7240 requires."""
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6}(?:\.\d{1,3})?)", prefer or "")
    return float(found[1]) if found else 0.0


WaitSeconds = Annotated[float, Depends(wait_seconds)]
