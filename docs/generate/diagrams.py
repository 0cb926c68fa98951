"""Mermaid blocks of the site, drawn when it is built: the pages run no script for them and load none."""

import hashlib
from functools import cache
from typing import Any

import mermaidx


def fence(source: str, *_: object, **__: Any) -> str:
    """Return a Mermaid block as SVG (a fence of pymdownx.superfences, named in mkdocs.yml)."""
    return f'<div class="diagram">{_drawn(source)}</div>'


@cache
def _drawn(source: str) -> str:
    # Styles and markers of a diagram are found by its id, so two of one page must not share it.
    name = f"diagram-{hashlib.sha256(source.encode()).hexdigest()[:12]}"
    return str(mermaidx.render(source).svg()).replace("my-svg", name)
