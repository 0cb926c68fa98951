"""Read `Prefer: wait=seconds` (RFC 7240)."""

import re
from typing import Annotated

from fastapi import Depends, Header


async def wait_seconds(
    prefer: Annotated[
        str | None, Header(description="`wait=2`: answer with the finished job if it ends within 2 seconds.")
    ] = None,
) -> float:
    """What `Prefer` asks for (RFC 7240), in seconds; a preference we do not know is ignored, as it says."""
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6}(?:\.\d{1,3})?)", prefer or "")
    return float(found[1]) if found else 0.0


WaitSeconds = Annotated[float, Depends(wait_seconds)]
