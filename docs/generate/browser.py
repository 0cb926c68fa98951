"""A page in headless Chromium, driven over its DevTools protocol: open, run a script, wait, take a picture."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 60.0


class Page:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0

    def open(self, url: str) -> None:
        """Load an address."""
        self._call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Return once an expression is true.

        Raises:
            TimeoutError: It is not within a minute.
        """
        end = time.monotonic() + SECONDS
        while not self.run(condition):
            if time.monotonic() > end:
                raise TimeoutError(condition)
            time.sleep(0.1)

    def picture(self, width: int, height: int) -> bytes:
        """Return the top of the page as PNG, in pixels."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(SECONDS))
            if message.get("id") == self._number:
                return message["result"]


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start Chromium with an empty profile folder, and end it with the block; yields its first tab."""
    program = next(filter(None, map(shutil.which, CHROMIUM)))
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
    command += [f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            with connect(_first_tab(process), max_size=None) as connection:
                yield Page(connection)
        finally:
            process.kill()


def _first_tab(process: "subprocess.Popen[str]") -> str:
    """Return the address of the first tab; Chromium prints that of the whole browser on standard error."""
    assert process.stderr is not None  # noqa: S101  it is a pipe
    address = next(line.partition("ws://")[2].strip() for line in process.stderr if "DevTools listening" in line)
    with connect(f"ws://{address}") as connection:
        connection.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
        targets = json.loads(connection.recv(SECONDS))["result"]["targetInfos"]
    (tab,) = [each["targetId"] for each in targets if each["type"] == "page"]
    return f"ws://{address.partition('/')[0]}/devtools/page/{tab}"
