"""Change the manifest of a model folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def edit(model: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest's values in place."""
    path = model / "manifest.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
