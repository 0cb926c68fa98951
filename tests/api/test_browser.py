"""A real browser: the pages work under their security policy, and other sites can read nothing. Needs Chromium."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

from settings import ApiSettings, DatabaseSettings, QueueSettings
from tests.conftest import serving

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: A form with a file, which a browser sends to any site without a preflight.
ATTACK = """<!doctype html><title>evil</title><p id="done"></p><script>
const form = new FormData();
form.append("file", new Blob(["text\\na film\\n"], {{type: "text/csv"}}), "a.csv");
fetch("{url}/v1/jobs", {{method: "POST", mode: "no-cors", body: form}})
  .then((answer) => done.append("sent ", answer.type), () => done.append("refused"));
</script>"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")


class Shown(NamedTuple):
    """A page after its scripts have run, and the log of the browser."""

    dom: str
    log: str


def show(url: str, folder: Path, *options: str) -> Shown:
    """Load a page in a browser without a window, and wait for its requests."""
    command = [
        BROWSER or "",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--enable-logging=stderr",
    ]
    command += [f"--user-data-dir={folder}", "--virtual-time-budget=8000", *options, "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=90)
    return Shown(done.stdout, done.stderr)


@pytest.mark.parametrize(("path", "sign"), [("/", 'id="status-targets"><'), ("/docs", 'class="opblock')])
def test_a_page_works_under_its_policy(url: str, tmp_path: Path, path: str, sign: str) -> None:
    shown = show(url + path, tmp_path)
    assert "Content Security Policy" not in shown.log
    assert "CONSOLE" not in shown.log
    assert sign in shown.dom


@pytest.mark.usefixtures("model_id")
@pytest.mark.parametrize(("path", "sign"), [("/", 'id="status-targets"><'), ("/docs", 'class="opblock')])
def test_a_page_works_below_a_path_prefix(
    database: DatabaseSettings, queue: QueueSettings, tmp_path: Path, path: str, sign: str
) -> None:
    with serving(ApiSettings(root_path="/tools/verdict"), database, queue) as url:
        shown = show(f"{url}/tools/verdict{path}", tmp_path)
    assert "CONSOLE" not in shown.log
    assert sign in shown.dom


@pytest.fixture
def foreign(url: str) -> Iterator[str]:
    """Another site with a page that tries to submit a job."""
    ours = url.replace("127.0.0.1", "localhost")  # to a browser, another site than 127.0.0.1

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(ATTACK.format(url=ours).encode())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_page_of_another_site_cannot_submit(client: httpx.Client, foreign: str, tmp_path: Path) -> None:
    shown = show(foreign, tmp_path)
    assert 'id="done">' in shown.dom
    assert client.get("/v1/jobs").json()["data"] == []


def test_a_page_with_a_rebound_name_cannot_read(client: httpx.Client, url: str, tmp_path: Path) -> None:
    client.post("/v1/jobs", json={"reviews": [{"text": "a film"}]})
    to = urlsplit(url)
    shown = show(
        f"http://evil.example:{to.port}/v1/jobs", tmp_path, f"--host-resolver-rules=MAP evil.example {to.hostname}"
    )
    assert "host-not-allowed" in shown.dom
    assert '"status":"queued"' not in shown.dom
