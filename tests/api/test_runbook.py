"""Where an alert sends whoever is alarmed, its section of the runbook is."""

import re

import httpx

from monitoring import runbook
from tests.monitoring.rules import alerts


def test_the_address_that_an_alert_names_holds_its_section(client: httpx.Client) -> None:
    for rule in alerts():
        url = httpx.URL(rule["annotations"]["runbook_url"])
        assert (url.scheme, url.host) == ("http", "127.0.0.1")
        answer = client.get(url.path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text.startswith(f"## {rule['alert']}\n")
        assert re.findall(r"^## ", answer.text, re.MULTILINE) == ["## "]


def test_the_whole_runbook_is_there_and_nothing_else(client: httpx.Client) -> None:
    assert client.get("/runbook").text == runbook.PATH.read_text()
    assert client.get("/runbook/VerdictNothing").status_code == 404
