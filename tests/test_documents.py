"""The documents are true: examples run as typed, shown outputs are real, generated pages are current, links lead on."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from benchmarks.common.stack import Stack
from db.models import JobStatus, ReviewStatus
from docs.generate.http_api import spec
from docs.generate.pages import PAGES
from settings import ROOT

SECONDS = 120
README_LINES = 150
PICTURE_BYTES = 200_000
BLOCK = re.compile(
    r"<!-- runnable -->\n```(sh|python)\n(.*?)```(?:\n\n<!-- prints -->\n```\w+\n(.*?)```)?",
    re.DOTALL,
)
STARTED = re.compile(r"<!-- prints: make run -->\n```text\n(.*?)```", re.DOTALL)
LINK = re.compile(r"(?:\]\(|src=\")([^)\"\s]+)[)\"]")
ADDRESS = "127.0.0.1:8000"  # the documents' service; the test's own listens elsewhere
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]


class Example(NamedTuple):
    """A runnable block, and the output that the document shows for it."""

    language: str
    code: str
    output: str


def marked() -> dict[str, list[Example]]:
    """Return the runnable blocks of each document that has some."""
    found = {
        str(path.relative_to(ROOT)): [Example(each[1], each[2], each[3] or "") for each in BLOCK.finditer(text)]
        for path in DOCUMENTS
        if (text := path.read_text(encoding="utf-8"))
    }
    return {name: blocks for name, blocks in found.items() if blocks}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("document", marked())
def test_the_examples_run_as_typed(document: str, stack: Stack, tmp_path: Path) -> None:
    """One after the other in one folder, as a reader would: what an example writes, a later one reads."""
    for name in (".venv", "models"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".verdict").symlink_to(stack.home)
    environment = os.environ | {"VERDICT_URL": stack.url, "VERDICT_HOME": str(stack.home), "COLUMNS": "120"}
    for language, code, output in marked()[document]:
        typed = code.replace(ADDRESS, urlsplit(stack.url).netloc)
        # As make's shells and readers' have it, and a pipe fails with any of its parts.
        command = ["bash", "-euo", "pipefail", "-c", typed] if language == "sh" else [".venv/bin/python", "-c", typed]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"{typed}\n{done.stdout}\n{done.stderr}"
        assert "urn:verdict:" not in done.stdout, f"{typed}\n{done.stdout}"  # curl is content with any answer
        assert normalised(output) in normalised(done.stdout)


def normalised(output: str) -> Any:
    """Return an output without the parts that differ from run to run: digits behind a point, and JSON's layout."""
    try:
        output = json.dumps(json.loads(output))
    except ValueError:
        output = output.strip()
    return re.sub(r"\d\.\d+", "0.0", output)


def test_the_readme_shows_the_start_as_it_is(stack: Stack) -> None:
    (shown,) = STARTED.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    said = stack.log().replace(str(stack.home), ".verdict").replace(urlsplit(stack.url).netloc, ADDRESS)
    assert said.strip() == shown.strip()


def test_the_readme_and_the_runbook_have_such_examples() -> None:
    assert {"README.md", "docs/operations.md", "docs/quick-start.md"} <= set(marked())
    assert any(example.output for example in marked()["README.md"])


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_pictures_are_small_and_load_nothing() -> None:
    pictures = list((ROOT / "docs" / "pictures").iterdir())
    assert {each.name for each in pictures} == {"page.png", "terminal.svg", "figures.svg"}
    for picture in pictures:
        assert picture.stat().st_size < PICTURE_BYTES
        if picture.suffix == ".svg":
            assert not re.search(r"url\(\s*[\"']?http|href=[\"']http|@font-face|@import", picture.read_text())


@pytest.mark.parametrize("path", PAGES)
def test_generated_pages_are_current(path: str) -> None:
    written = (ROOT / "docs" / path).read_text(encoding="utf-8")
    assert written == PAGES[path](), f"`make docs` writes docs/{path} anew"


def test_every_call_has_a_section() -> None:
    page = (ROOT / "docs/reference/http-api.md").read_text(encoding="utf-8")
    calls = [f"### {method.upper()} {path}" for path, item in spec()["paths"].items() for method in item]
    assert calls
    assert [call for call in calls if f"\n{call}\n" not in page] == []


@pytest.mark.parametrize(("heading", "states"), [("Jobs", JobStatus), ("Reviews", ReviewStatus)])
def test_the_diagrams_have_the_states_of_the_code(heading: str, states: type[JobStatus | ReviewStatus]) -> None:
    text = (ROOT / "docs/concepts/states.md").read_text(encoding="utf-8").partition(f"## {heading}\n")[2]
    diagram = text.partition("```mermaid\n")[2].partition("```")[0]
    assert set(re.findall(r"(\w+) --> |--> (\w+)", diagram)) != set()
    drawn = {word for pair in re.findall(r"(\w+)? ?--> (\w+)", diagram) for word in pair if word}
    assert drawn == {str(state) for state in states}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_outside_of_the_site_lead_to_files(name: str) -> None:
    links = [link.partition("#")[0] for link in LINK.findall((ROOT / name).read_text(encoding="utf-8"))]
    assert [link for link in links if link and "://" not in link and not (ROOT / link).exists()] == []


class Loaded(HTMLParser):
    """The addresses that a page loads when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep `src` of any element, and `href` of a `link` that is fetched."""
        given = dict(attrs)
        fetched = tag == "link" and given.get("rel") not in {"canonical", "prev", "next", "edit"}
        self.addresses += [each for each in (given.get("src"), given.get("href") if fetched else None) if each]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation built as a site; a broken link, anchor or a page outside of the navigation fails it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(list((ROOT / "docs").rglob("*.md"))) - 1
    foreign = {(page.name, address) for page in pages for address in loaded(page) if urlsplit(address).netloc}
    styles = {path.name for path in site.rglob("*.css") if re.search(r"url\([\"']?(?:https?:)?//", path.read_text())}
    assert not foreign
    assert not styles


def loaded(page: Path) -> Iterator[str]:
    """Yield the addresses that a page loads."""
    parser = Loaded()
    parser.feed(page.read_text(encoding="utf-8"))
    yield from parser.addresses


def test_diagrams_are_drawn_when_the_site_is_built(site: Path) -> None:
    states = (site / "concepts/states/index.html").read_text(encoding="utf-8")
    assert states.count('<svg id="diagram-') == 2
    assert "stateDiagram-v2" not in states


@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no Chromium here")
def test_a_browser_finds_all_it_needs_on_the_site(site: Path, tmp_path: Path) -> None:
    """No name but the site's own address can be resolved, and the console stays empty."""
    handler = partial(QuietHandler, directory=str(site))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr"]
    command += [
        f"--user-data-dir={tmp_path}",
        "--virtual-time-budget=5000",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = f"http://127.0.0.1:{server.server_port}/concepts/states/"
        done = subprocess.run([*command, "--dump-dom", page], capture_output=True, text=True, check=True, timeout=90)
        server.shutdown()
    assert "CONSOLE" not in done.stderr
    assert 'id="diagram-' in done.stdout


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, and logs nothing."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""
