"""Every example of a document that is marked as runnable runs as it is typed, against a service like `make run`'s."""

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.common.stack import Stack
from settings import ROOT

SECONDS = 120
BLOCK = re.compile(r"<!-- runnable -->\n```(sh|python)\n(.*?)```", re.DOTALL)
ADDRESS = "127.0.0.1:8000"  # the documents' service; the test's own listens elsewhere


def marked() -> dict[str, list[tuple[str, str]]]:
    """Language and text of each runnable block, by document."""
    documents = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    found = {str(path.relative_to(ROOT)): BLOCK.findall(path.read_text()) for path in documents}
    return {name: blocks for name, blocks in found.items() if blocks}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("document", marked())
def test_the_examples_run_as_typed(document: str, stack: Stack, tmp_path: Path) -> None:
    """One after the other in one folder, as a reader would: what an example writes, a later one reads."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / ".verdict").symlink_to(stack.home)
    environment = os.environ | {"VERDICT_URL": stack.url, "VERDICT_HOME": str(stack.home), "COLUMNS": "120"}
    for language, block in marked()[document]:
        typed = block.replace(ADDRESS, urlsplit(stack.url).netloc)
        # As make's shells and readers' have it, and a pipe fails with any of its parts.
        command = ["bash", "-euo", "pipefail", "-c", typed] if language == "sh" else [".venv/bin/python", "-c", typed]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"{typed}\n{done.stdout}\n{done.stderr}"
        assert "urn:verdict:" not in done.stdout, f"{typed}\n{done.stdout}"  # curl is content with any answer


def test_the_readme_and_the_runbook_have_such_examples() -> None:
    assert {"README.md", "docs/operations.md"} <= set(marked())
