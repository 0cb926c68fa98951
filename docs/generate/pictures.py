"""The README's pictures of a running service: `python -m docs.generate.pictures` (needs Chromium; about a minute).

It starts a service of its own with an empty home on a free port, classifies reviews by the page and by the command
line, and writes `pictures/page.png` and `pictures/terminal.svg`. Nothing in them is drawn by hand.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from benchmarks.common.stack import Stack, running_stack
from docs.generate.browser import Page, browser
from settings import ROOT

PICTURES = ROOT / "docs" / "pictures"
REVIEW = "Two keepers, one lighthouse, and a storm that I can still hear. I could not look away for a second."
REVIEWS = ("I loved every minute of it.", "Wooden acting, no plot.")
PAGE_PIXELS = 760, 940
COLUMNS = 100
# Rich's own frame names a font on another server; this one uses the reader's monospaced font.
FRAME = """<svg class="{unique_id}" width="{width}" height="{height}"
 viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""


def main() -> None:
    """Write both pictures."""
    PICTURES.mkdir(exist_ok=True)
    with running_stack() as stack, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (PICTURES / "terminal.svg").write_text(terminal(stack), encoding="utf-8")
        with browser(Path(folder)) as page:
            (PICTURES / "page.png").write_bytes(pictured(page, stack))


def terminal(stack: Stack) -> str:
    """Return the start of the service and one command, as a terminal shows them."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w", encoding="utf-8"), force_terminal=True)  # noqa: SIM115, PTH123
    console.print("[bold green]$[/] make run")
    started = stack.log().replace(str(stack.home), ".verdict").replace(stack.url, "http://127.0.0.1:8000")
    console.print(started.strip(), markup=False, highlight=False, soft_wrap=True)
    quoted = " ".join(json.dumps(each) for each in REVIEWS)
    console.print(f"\n[bold green]$[/] verdict classify {quoted}", highlight=False)
    console.print(Text.from_ansi(_classified(stack)))
    return console.export_svg(title="verdict", theme=DIMMED_MONOKAI, code_format=FRAME, unique_id="terminal")


def _classified(stack: Stack) -> str:
    environment = os.environ | {"VERDICT_URL": stack.url, "COLUMNS": str(COLUMNS), "FORCE_COLOR": "1"}
    command = [sys.executable, "-m", "cli.main", "classify", *REVIEWS]
    for _ in range(2):  # the first answers of a new service are slower
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.rstrip()


def pictured(page: Page, stack: Stack) -> bytes:
    """Return the page at `/` after it has classified a review."""
    page.open(stack.url)
    page.run(f"document.querySelector('#review-text').value = {json.dumps(REVIEW)}")
    page.run("document.querySelector('#review-form').requestSubmit()")
    page.wait_for("document.querySelector('#review-result').textContent.includes('%')")
    return page.picture(*PAGE_PIXELS)


if __name__ == "__main__":
    main()
