"""How long a request waits for its job: `Prefer: wait=seconds` (RFC 7240), or `wait=` in the query."""

import re
from typing import Annotated

from fastapi import Depends, Header, Query


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
WaitQuery = Annotated[
    float, Query(ge=0, allow_inf_nan=False, description="Wait up to this many seconds for the end of the job.")
]
