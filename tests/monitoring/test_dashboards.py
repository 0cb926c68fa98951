"""The dashboards equal the code, query existing series, and have no empty panel for a working service."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from benchmarks.common.stack import Stack
from monitoring.grafana import write
from settings import ROOT
from tests.conftest import wait_until
from tests.monitoring.names import asked, existing, gauges_without_labels
from tests.monitoring.rules import load, rules
from tests.monitoring.server import Prometheus, needs_prometheus, prometheus

GRAFANA = ROOT / "monitoring" / "grafana"
DIVIDED_BY = 10  # rules with an interval of a minute run sooner
EMPTY_SECONDS = 60.0


def panels() -> Iterator[dict[str, Any]]:
    """Return every panel of every dashboard, as Grafana reads it."""
    for path in sorted((GRAFANA / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            if panel["type"] != "row":
                yield panel


def expressions() -> dict[str, str]:
    """Return the expressions of all panels and rules, by the name of their source."""
    of_panels = {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "30s")
        for panel in panels()
        for target in panel["targets"]
    }
    of_rules = {f"{rule['record']}{rule.get('labels', '')}": _series(rule) for rule in rules() if "record" in rule}
    return of_panels | of_rules


def _series(rule: dict[str, Any]) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in rule.get("labels", {}).items())
    return f"{rule['record']}{{{labels}}}"


def test_the_files_equal_the_code() -> None:
    documents = write.documents()
    assert set((GRAFANA / "dashboards").glob("*")) == set(documents)
    stale = [path.name for path, text in documents.items() if path.read_text() != text]
    assert stale == [], "run: python -m monitoring.grafana.write"


def test_panels_query_existing_series(tmp_path: Path) -> None:
    known = existing(tmp_path)
    wrong = {name: asked(expr) - known for name, expr in expressions().items() if asked(expr) - known}
    assert wrong == {}
    assert all(asked(expr) for expr in expressions().values())


def test_gauges_without_labels_are_read_from_the_job_that_measures_them() -> None:
    of_rules = {str(rule): rule["expr"] for rule in rules()}
    bare = re.compile(rf"\b(?:{'|'.join(gauges_without_labels())})\b(?!\{{job=)")
    assert [name for name, expr in (expressions() | of_rules).items() if bare.search(expr)] == []


def test_every_metric_is_shown_or_recorded(tmp_path: Path) -> None:
    shown = {name for panel in panels() for target in panel["targets"] for name in asked(target["expr"])}
    recorded = {name for rule in rules() for name in asked(rule["expr"])}
    ours = {name for name in existing(tmp_path) if name.startswith("verdict_")}
    histograms = {name.removesuffix("_bucket") for name in ours if name.endswith("_bucket")}
    families = {_family(name, histograms) for name in ours}
    assert families - {_family(name, histograms) for name in shown | recorded} == set()


def _family(name: str, histograms: set[str]) -> str:
    base = name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
    return base if base in histograms else name


def test_every_panel_has_a_description_a_unit_and_a_source() -> None:
    found = list(panels())
    assert len(found) > 30
    for panel in found:
        assert panel["title"], panel
        assert panel["description"].endswith("."), panel
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel
        named = "mappings" in panel["fieldConfig"]["defaults"]
        assert named or panel["fieldConfig"]["defaults"]["unit"], panel


def test_a_dashboard_fits_any_grafana() -> None:
    """The data source is a variable, so that no uid has to exist in a Grafana."""
    for path in (GRAFANA / "dashboards").glob("*.json"):
        [variable] = json.loads(path.read_text())["templating"]["list"]
        assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    written = {path.name: re.findall(r'"uid": "([^"]+)"', path.read_text()) for path in write.FOLDER.glob("*.json")}
    assert {uid for uids in written.values() for uid in uids if not uid.startswith("verdict-")} == {"${datasource}"}
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert source["type"] == "prometheus"


def test_panels_do_not_overlap() -> None:
    for path in (GRAFANA / "dashboards").glob("*.json"):
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(path.read_text())["panels"]:
            at = panel["gridPos"]
            cells = {(at.get("x", 0) + x, at.get("y", 0) + y) for x in range(at["w"]) for y in range(at["h"])}
            assert not cells & taken, (path.name, panel["title"])
            assert max(x for x, _ in cells) < 24, (path.name, panel["title"])
            taken |= cells


def test_grafana_finds_the_dashboards() -> None:
    [provider] = load(GRAFANA / "provisioning/dashboards/verdict.yml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


@needs_prometheus
@pytest.mark.timeout(240)
def test_no_panel_and_no_rule_of_a_working_service_is_empty(stack: Stack, tmp_path: Path) -> None:
    targets = stack.home / "prometheus.json"
    with (
        httpx.Client(base_url=stack.url, timeout=30) as client,
        prometheus(tmp_path / "prometheus", targets, DIVIDED_BY) as server,
    ):
        wait_until(lambda: not server.down())
        asked_for = expressions()
        rounds = iter(range(1_000))

        def all_answered() -> bool:
            everything_once(client, next(rounds))
            for name in [name for name, expr in asked_for.items() if server.values(expr)]:
                del asked_for[name]
            return not asked_for

        try:
            wait_until(all_answered, EMPTY_SECONDS)
        except AssertionError:
            pytest.fail(f"empty: {sorted(asked_for)}")
        assert _broken(server) == []


def everything_once(client: httpx.Client, number: int) -> None:
    """Make every kind of call: submit, repeat, upload, give feedback, cancel, and be refused."""
    key = {"Idempotency-Key": f"round-{number}"}
    one = {"reviews": [{"text": f"A warm and funny film, {number}."}], "similar": 1}
    for _ in range(2):
        client.post("/v1/jobs", json=one, headers={**key, "Prefer": "wait=10"})
    many = {"reviews": [{"text": f"Film {n % 25} of {number} is dull."} for n in range(30)]}
    job = client.post("/v1/jobs", json=many, headers={"Prefer": "wait=10"}).json()
    for result in job["results"]:
        client.post(f"/v1/reviews/{result['review_id']}/feedback", json={"sentiment": result["sentiment"]})
    csv = f"id,review\n1,A fine film of {number}\n2,\n"
    client.post("/v1/jobs", content=csv, headers={"Content-Type": "text/csv", "Prefer": "wait=10"})
    cancelled = client.post("/v1/jobs", json=many).json()
    client.post(f"/v1/jobs/{cancelled['id']}/cancel")
    assert client.get("/v1/jobs/0").status_code in {404, 422}


def _broken(server: Prometheus) -> list[tuple[str, str]]:
    """Return the rules that Prometheus could not evaluate."""
    found = [rule for group in server.ask("rules")["groups"] for rule in group["rules"]]
    assert len(found) == len(list(rules()))
    return [(rule["name"], rule.get("lastError", "")) for rule in found if rule["health"] != "ok"]
