"""The link of each alert leads to its section of the runbook."""

import re

import httpx

from monitoring import runbook
from tests.monitoring.rules import alerts


def test_the_link_of_an_alert_leads_to_its_section(client: httpx.Client) -> None:
    for rule in alerts():
        url = httpx.URL(rule["annotations"]["runbook_url"])
        assert (url.scheme, url.host) == ("http", "127.0.0.1")
        answer = client.get(url.path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text.startswith(f"## {rule['alert']}\n")
        assert re.findall(r"^## ", answer.text, re.MULTILINE) == ["## "]


def test_the_whole_runbook_is_served_and_unknown_alerts_are_404(client: httpx.Client) -> None:
    assert client.get("/runbook").text == runbook.PATH.read_text()
    assert client.get("/runbook/VerdictNothing").status_code == 404
