"""Docstrings, comments and documents are plain: few "what" and "who" clauses, no lists of callers.

`python -m tests.test_prose FOLDER…` prints the sentences that raise the rate.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (
    "api",
    "benchmarks",
    "broker",
    "cli",
    "clients",
    "db",
    "docs",
    "files",
    "inference",
    "local",
    "maintenance",
    "migrations",
    "monitoring",
    "tests",
    "tests",
    "training",
    "worker",
)
# In 100 words; procrastinate, dramatiq and httpx have 0.02 to 0.07 in their docstrings and comments.
LIMIT = 0.2
VAGUE = re.compile(r"\b(?:what|whatever|who|whoever|whom)\b", re.IGNORECASE)
CALLERS = re.compile(r"\b(?:called|used|made|told) (?:only )?by `?(?:api|worker|db|cli|training)\.", re.IGNORECASE)
WORD = re.compile(r"[A-Za-z][\w'-]*")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def python_prose(path: Path) -> Iterator[str]:
    """Yield the docstrings and comments of a module."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.lstrip("# ")


def prose(folder: str) -> Iterator[tuple[Path, str]]:
    """Yield every piece of prose of a folder with its file; in documents without their code blocks."""
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix == ".py":
            yield from ((path, text) for text in python_prose(path))
        elif path.suffix == ".md":
            yield path, FENCE.sub("", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", [each for each in FOLDERS if (ROOT / each).is_dir()])
def test_prose_is_plain(folder: str) -> None:
    texts = [text for _, text in prose(folder)]
    words = sum(len(WORD.findall(text)) for text in texts)
    vague = sum(len(VAGUE.findall(text)) for text in texts)
    assert 100 * vague / words < LIMIT, f"{vague} of {words} words; python -m tests.test_prose {folder} lists them"


@pytest.mark.parametrize("folder", [each for each in FOLDERS if (ROOT / each).is_dir()])
def test_no_docstring_lists_callers(folder: str) -> None:
    assert not [f"{path}: {text[:80]}" for path, text in prose(folder) if CALLERS.search(text)]


def main() -> None:
    """Print the lines with vague words, and the rate of each folder."""
    for folder in sys.argv[1:]:
        texts = list(prose(folder))
        for path, text in texts:
            for line in text.splitlines():
                if VAGUE.search(line) or CALLERS.search(line):
                    sys.stdout.write(f"{path.relative_to(ROOT)}: {line.strip()}\n")
        words = sum(len(WORD.findall(text)) for _, text in texts)
        vague = sum(len(VAGUE.findall(text)) for _, text in texts)
        sys.stdout.write(f"{folder}: {vague} in {words} words, {100 * vague / max(words, 1):.2f} in 100\n")


if __name__ == "__main__":
    main()
