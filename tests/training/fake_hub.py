"""A server on loopback with the part of a model hub's API that an upload needs; it keeps the uploaded files."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_of_the_test"


class FakeHub(ThreadingHTTPServer):
    """The created repositories, and their files by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.repositories: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.objects: dict[str, bytes] = {}
        self.commits: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Requests(BaseHTTPRequestHandler):
    server: FakeHub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": "Invalid credentials"})
        elif self.path == "/api/repos/create":
            told = json.loads(body)
            self.server.repositories.append(told)
            self._answer(200, {"url": f"{self.server.url}/{told.get('organization', 'me')}/{told['name']}"})
        elif "/preupload/" in self.path:
            files = [_mode(each["path"]) for each in json.loads(body)["files"]]
            self._answer(200, {"files": files})
        elif self.path.endswith("/info/lfs/objects/batch"):
            self._answer(
                200, {"transfer": "basic", "objects": [self._action(each) for each in json.loads(body)["objects"]]}
            )
        elif "/commit/" in self.path:
            self._commit(body)
        else:
            self._answer(200, {})

    def do_GET(self) -> None:
        self._answer(200, {"id": "acme/moods", "sha": "0" * 40, "siblings": []})

    def do_PUT(self) -> None:
        self.server.objects[self.path.rsplit("/", 1)[1]] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, {})

    def _action(self, item: dict[str, Any]) -> dict[str, Any]:
        upload = {"href": f"{self.server.url}/objects/{item['oid']}", "header": {}}
        return {"oid": item["oid"], "size": item["size"], "actions": {"upload": upload}}

    def _commit(self, body: bytes) -> None:
        for line in body.splitlines():
            part = json.loads(line)
            value = part["value"]
            if part["key"] == "header":
                self.server.commits.append(value["summary"])
            elif part["key"] == "file":
                self.server.files[value["path"]] = base64.b64decode(value["content"])
            elif part["key"] == "lfsFile":
                self.server.files[value["path"]] = self.server.objects[value["oid"]]
        self._answer(200, {"commitUrl": f"{self.server.url}/acme/moods/commit/1", "commitOid": "1" * 40})

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has in the base
        """Say nothing on stderr."""


def _mode(path: str) -> dict[str, Any]:
    is_large = path.endswith((".safetensors", ".onnx"))
    return {"path": path, "uploadMode": "lfs" if is_large else "regular", "shouldIgnore": False, "oid": None}


@contextmanager
def running() -> Iterator[FakeHub]:
    """Serve until the block ends."""
    with FakeHub() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
