"""The web page: its files are served with a strict security policy, refer to each other correctly, and obey it."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.http.security_headers import PAGE_POLICY as POLICY
from api.routes.page import WEB
from settings import ApiSettings, DatabaseSettings, QueueSettings
from tests.conftest import own_api
from tests.servers import RunningServer

FILES = sorted(WEB.iterdir())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]


class Page(HTMLParser):
    """The tags and inline scripts of index.html."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in {"script", "style"}:
            self.inline += data.strip()

    def values(self, name: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(name)) is not None]


@pytest.fixture(scope="module")
def client(postgres: str, template: str, valkey: RunningServer) -> Iterator[httpx.Client]:
    """A client of one API for all tests of this module."""
    with own_api(ApiSettings(), postgres, template, valkey) as (client, _):
        yield client


def test_the_documentation_loads_only_local_files(client: httpx.Client) -> None:
    answer = client.get("/docs")
    links = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(links) >= 4
    assert [link for link in links if not link.startswith("/")] == []
    for link in links:
        assert client.get(link).status_code == 200
    assert "<script>" not in answer.text
    assert client.get("/redoc").status_code == client.get("/docs/oauth2-redirect").status_code == 404


@pytest.fixture(scope="module")
def page() -> Page:
    parsed = Page()
    parsed.feed((WEB / "index.html").read_text())
    return parsed


def test_the_page_is_served_with_a_strict_policy(client: httpx.Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in POLICY
    assert POLICY.startswith("default-src 'none';")


def test_every_file_of_the_page_is_served_with_its_type(client: httpx.Client) -> None:
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for path in FILES:
        answer = client.get(f"/web/{path.name}")
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
        assert answer.headers["content-type"].partition(";")[0] == types[path.suffix]


def test_an_unchanged_file_is_not_sent_again(client: httpx.Client) -> None:
    etag = client.get("/web/app.js").headers["etag"]
    again = client.get("/web/app.js", headers={"if-none-match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)


@pytest.mark.parametrize("name", ["page.py", "..%2Fpage.py", "%2e%2e%2fpage.py", "nothing.js", ""])
def test_other_files_are_not_served(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/web/{name}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:verdict:not-found")


def test_the_page_holds_no_inline_script_and_nothing_from_elsewhere(page: Page) -> None:
    assert page.inline == ""
    assert [name for _, attrs in page.tags for name in attrs if name.startswith("on") or name == "style"] == []
    assert [link for link in page.values("src") + page.values("href") if not re.match(r"[/#]", link)] == []
    for path in FILES:
        assert set(re.findall(r"https?://[^\s\"']+", path.read_text())) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_inserts_no_text_as_markup(path: Path) -> None:
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", path.read_text())
        == []
    )


def test_the_page_and_its_scripts_refer_to_existing_files_and_elements(page: Page) -> None:
    names = {path.name for path in FILES}
    links = [
        link.removeprefix("/web/") for link in page.values("src") + page.values("href") if link.startswith("/web/")
    ]
    imports = [name for path in SCRIPTS for name in re.findall(r'from "\./([^"]+)"', path.read_text())]
    assert set(links + imports) <= names
    ids = [name for path in SCRIPTS for name in re.findall(r'byId\("([^"]+)"\)', path.read_text())]
    assert ids
    assert set(ids) <= set(page.values("id"))
    assert len(page.values("id")) == len(set(page.values("id")))


def test_an_outage_is_shown_at_the_top_of_the_page(page: Page) -> None:
    tags = [attrs.get("id") for tag, attrs in page.tags if tag not in {"noscript", "link", "meta"}]
    assert tags[tags.index("main") + 1] == "outage"
    assert "outage(failed ? failed.reason.message : stranded(sla.value))" in (WEB / "status.js").read_text()


def test_every_field_has_a_label_and_every_section_a_heading(page: Page) -> None:
    labelled = set(page.values("for"))
    fields = [attrs for tag, attrs in page.tags if tag in {"textarea", "input"}]
    assert fields
    assert [attrs for attrs in fields if attrs["id"] not in labelled] == []
    sections = [attrs for tag, attrs in page.tags if tag == "section"]
    assert {attrs["aria-labelledby"] for attrs in sections} <= set(page.values("id"))
    assert {link[1:] for link in page.values("href") if link.startswith("#")} <= set(page.values("id"))


def test_the_page_calls_only_paths_of_the_api() -> None:
    database, queue = DatabaseSettings(database_url="postgresql://nowhere"), QueueSettings(redis_url="redis://nowhere")
    paths = create_app(ApiSettings(), database, queue).openapi()["paths"]
    known = {re.sub(r"\{[^}]*\}", "*", path) for path in paths}
    code = re.sub(r"\$\{[^}]*\}", "*", "".join(path.read_text() for path in SCRIPTS))
    called = set(re.findall(r"[\"`](/v1/[\w/*]+)", code))
    assert {"/v1/jobs", "/v1/sla", "/v1/models", "/v1/reviews/*/feedback"} <= called <= known
