"""Prometheus scrapes every container, loads every rule and answers the queries of the autoscaler."""

import math
from typing import Any

import httpx
import yaml

from settings import ROOT
from tests.compose.engine import Project, is_placeholder, wait_until
from tests.compose.outcome import Outcome

EXPORTERS = {"postgres-exporter": "postgres-exporter:9187", "redis-exporter": "redis-exporter:9121"}
TARGET_SECONDS = 90.0


def everything_is_watched(project: Project, url: str, workers: int) -> Outcome:
    """Expect that every target answers, each worker is a target, the rules evaluate and alerts are routed."""
    outcome = Outcome("Prometheus: targets, rules, alerts")
    images = {name: service["image"] for name, service in project.config().items()}
    absent = {address for name, address in EXPORTERS.items() if is_placeholder(images[name])}
    outcome.not_shown += [f"{address}: a placeholder sleeps in its place" for address in sorted(absent)]
    with httpx.Client(base_url=url, timeout=10) as prometheus:
        wait_until(lambda: not _down(prometheus, absent, workers), "every target is up", TARGET_SECONDS)
        targets = _targets(prometheus)
        outcome.figures["targets up"] = ", ".join(sorted(f"{job} {address}" for job, address, up in targets if up))
        missing = set(EXPORTERS.values()) - {address for _, address, _ in targets}
        outcome.expect(not missing, f"Prometheus does not look at {sorted(missing)}")
        _rules(outcome, prometheus)
        for query in _asked_by_the_autoscaler():
            wait_until(lambda query=query: len(_asked(prometheus, query)) == 1, f"a number for {query}")  # type: ignore[misc]
            number = _asked(prometheus, query)[0]["value"][1]
            outcome.figures[" ".join(query.split())] = number
            outcome.expect(math.isfinite(float(number)), f"{query} is {number}")
        found = prometheus.get("/api/v1/alertmanagers").raise_for_status().json()["data"]["activeAlertmanagers"]
        outcome.expect(len(found) == 1, f"Prometheus knows the Alertmanagers {found}")
    return outcome


def _targets(prometheus: httpx.Client) -> list[tuple[str, str, bool]]:
    """Return job, address and health of each target."""
    found = prometheus.get("/api/v1/targets", params={"state": "active"}).raise_for_status().json()
    return [
        (each["labels"]["job"], each["discoveredLabels"]["__address__"], each["health"] == "up")
        for each in found["data"]["activeTargets"]
    ]


def _down(prometheus: httpx.Client, absent: set[str], workers: int) -> list[str]:
    """Return the addresses that are down, or a note on workers that are not discovered yet."""
    targets = _targets(prometheus)
    down = [address for _, address, up in targets if not up and address not in absent]
    known = sum(job == "worker" and up for job, _, up in targets)
    return down + ([] if known == workers else [f"{known} of {workers} workers"])


def _rules(outcome: Outcome, prometheus: httpx.Client) -> None:
    groups = prometheus.get("/api/v1/rules").raise_for_status().json()["data"]["groups"]
    rules: list[dict[str, Any]] = [rule for group in groups for rule in group["rules"]]
    files = (ROOT / "monitoring" / "prometheus" / "rules").glob("*.yml")
    written = sum(len(group["rules"]) for file in files for group in yaml.safe_load(file.read_text())["groups"])
    outcome.figures["rules loaded"] = len(rules)
    outcome.expect(len(rules) == written > 0, f"{len(rules)} rules are loaded, {written} are written")
    broken = [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] == "err"]
    outcome.expect(not broken, f"rules fail: {broken[:3]}")


def _asked_by_the_autoscaler() -> list[str]:
    """Run the queries of the Kubernetes manifests, whose metrics are the same."""
    texts = [path.read_text() for path in sorted((ROOT / "kubernetes").rglob("*.yaml"))]
    found = [part for text in texts for part in yaml.safe_load_all(text) if part and part["kind"] == "ScaledObject"]
    return sorted({trigger["metadata"]["query"] for each in found for trigger in each["spec"]["triggers"]})


def _asked(prometheus: httpx.Client, query: str) -> list[Any]:
    answer = prometheus.get("/api/v1/query", params={"query": query}).raise_for_status().json()
    return list(answer["data"]["result"])
