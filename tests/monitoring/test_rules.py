"""The rules are valid, pass their unit tests, query existing series, and each alert has a runbook."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring import runbook, sla
from settings import ROOT
from tests.monitoring.names import asked, existing
from tests.monitoring.rules import PROMETHEUS, RULES, UNITS, alerts, divided, load, rules, shorter

TESTS = sorted((PROMETHEUS / "rules" / "tests").glob("*_test.yml"))
CONFIGS = sorted(PROMETHEUS.glob("prometheus*.yml"))
RUNBOOK = ROOT / "docs" / "alerts.md"
BURNING = {
    ("14.4", "1h", "5m", "page"),
    ("6", "6h", "30m", "page"),
    ("3", "1d", "2h", "ticket"),
    ("1", "3d", "6h", "ticket"),
}

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool comes with Debian's prometheus")


def promtool(*arguments: str | Path, cwd: Path = PROMETHEUS) -> str:
    """Run promtool and return its output; fail if it reports an error."""
    ended = subprocess.run(
        ["promtool", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=100, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@needs_promtool
def test_the_rules_are_valid() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)


@needs_promtool
@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_the_configurations_are_valid(config: Path) -> None:
    said = promtool("check", "config", config)
    assert f"{len(RULES)} rule files found" in said


@needs_promtool
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_the_rules_pass_their_unit_tests(path: Path) -> None:
    promtool("test", "rules", path.name, cwd=path.parent)


@needs_promtool
def test_a_wrong_unit_test_is_noticed(tmp_path: Path) -> None:
    wrong = {"expr": "vector(1)", "eval_time": "1m", "exp_samples": [{"labels": "{}", "value": 2}]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"tests": [{"promql_expr_test": [wrong]}]}))
    with pytest.raises(AssertionError, match=r"exp: \{\} 2E\+00"):
        promtool("test", "rules", "test.yml", cwd=tmp_path)


def test_every_alert_is_fired_by_a_unit_test() -> None:
    fired = {
        (labels.get("alertname"), labels.get("severity"), labels.get("window", ""))
        for path in TESTS
        for labels in _expected_labels(load(path))
    }
    assert {
        (rule["alert"], rule["labels"]["severity"], rule["labels"].get("window", "")) for rule in alerts()
    } - fired == set()


def _expected_labels(document: Any) -> list[dict[str, str]]:
    texts = [
        sample["labels"]
        for test in document["tests"]
        for each in test.get("promql_expr_test", [])
        for sample in each["exp_samples"]
    ]
    return [dict(re.findall(r'(\w+)="([^"]*)"', text)) for text in texts]


def test_rules_query_existing_series(tmp_path: Path) -> None:
    known = existing(tmp_path)
    assert [(rule.get("record", rule.get("alert")), sorted(asked(rule["expr"]) - known)) for rule in rules()
            if not asked(rule["expr"]) or asked(rule["expr"]) - known] == []  # fmt: skip


def test_every_alert_has_a_severity_and_a_runbook() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}, rule
        assert rule["annotations"]["runbook_url"] == runbook.address(rule["alert"]), rule
        assert "for" in rule, rule


def test_the_addresses_of_the_runbook_can_be_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = [tmp_path / str(number) for number in range(len(runbook.files()))]
    originals = [path.read_text() for path in runbook.files()]
    for copy, text in zip(copies, originals, strict=True):
        copy.write_text(text)
    monkeypatch.setattr(runbook, "files", lambda: copies)
    monkeypatch.setattr("sys.argv", ["runbook", "https://wiki.example.com/verdict#{anchor}"])
    runbook.main()
    changed = "".join(path.read_text() for path in copies)
    assert runbook.address("Verdict").partition("/runbook")[0] not in changed
    for rule in alerts():
        assert changed.count(f"runbook_url: https://wiki.example.com/verdict#{rule['alert'].lower()}\n") >= 2
    monkeypatch.setattr("sys.argv", ["runbook", runbook.DEFAULT])
    runbook.main()
    assert [path.read_text() for path in copies] == originals


@pytest.mark.parametrize("words", [[], ["docs/alerts.md#{anchor}"], ["https://wiki.example.com/"], ["a", "b"]])
def test_a_wrong_address_of_a_runbook_is_one_line(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["runbook", *words])
    with pytest.raises(SystemExit) as raised:
        runbook.main()
    assert (raised.value.code, capsys.readouterr().err.count("\n")) == (2, 1)


def test_every_alert_has_a_section_of_the_runbook_and_every_section_an_alert() -> None:
    sections = re.findall(r"^## (Verdict\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert len(sections) == len(set(sections))
    assert set(sections) == {rule["alert"] for rule in alerts()} == set(runbook.sections())


def test_links_of_the_runbook_lead_to_its_sections() -> None:
    text = RUNBOOK.read_text()
    sections = {each.lower() for each in re.findall(r"^## (\w+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\(#(\w+)\)", text)) - sections == set()


@pytest.mark.parametrize(
    ("alert", "budget"),
    [
        ("VerdictRequestFailures", sla.FAILURES),
        ("VerdictResultFailures", sla.FAILURES),
        ("VerdictSlowResults", sla.SLOW),
    ],
)
def test_budgets_burn_at_the_rates_and_in_the_windows_of_the_workbook(alert: str, budget: float) -> None:
    share = re.escape(f"{budget:g}")
    pattern = rf":ratio(\w+) > ([\d.]+) \* {share} and \S+:ratio(\w+) > \2 \* {share}\s"
    found = set()
    for rule in alerts():
        if rule["alert"] == alert:
            [(long, rate, short)] = re.findall(pattern, rule["expr"])
            assert rule["labels"]["window"] == long
            found.add((rate, long, short, rule["labels"]["severity"]))
    assert found == BURNING


def test_the_targets_of_the_rules_are_those_of_verdict_sla() -> None:
    limits = {
        rule["labels"]["target"]: rule["expr"] for rule in rules() if rule.get("record") == "verdict:target:met1h"
    }
    assert {name: float(expr.rpartition(" bool ")[2]) for name, expr in limits.items()} == {
        "request_failures": sla.FAILURES,
        "result_failures": sla.FAILURES,
        "mean_latency": sla.MEAN_MS / 1000,
        "p95_latency": sla.SLOW,
        "accuracy": sla.ACCURACY,
        "waiting": 0,
        "api": 0,
        "memory": sla.RESOURCES,
        "cpu": sla.RESOURCES,
    }
    text = (PROMETHEUS / "rules" / "slo.yml").read_text()
    assert f'le="{sla.P95_MS / 1000:g}"' in text
    [accuracy] = [rule["expr"] for rule in rules() if rule.get("record") == "verdict:accuracy:ratio1d"]
    assert f">= {sla.LEAST_FEEDBACK})" in accuracy
    for call in sla.CALLS:
        assert f"rate({call % ''}[5m])" in text
        assert text.count(call % ',status=~"5.."') == 2


def test_alertmanager_sends_every_severity_to_a_receiver_that_exists() -> None:
    config = load(PROMETHEUS / "alertmanager.yml")
    receivers = {each["name"] for each in config["receivers"]}
    routes = config["route"]["routes"]
    assert {config["route"]["receiver"], *(route["receiver"] for route in routes)} == receivers
    known = {rule["alert"] for rule in alerts()}
    matchers = [
        text for rule in config["inhibit_rules"] for key in ("source_matchers", "target_matchers") for text in rule[key]
    ]
    assert {name for text in matchers for name in re.findall(r"Verdict\w+", text)} <= known


def test_durations_are_divided_and_nothing_else_is() -> None:
    assert shorter("5m", 60) == "5000ms"
    assert shorter("3d", 60) == "4320000ms"
    for path in RULES:
        whole, part = load(path), divided(path, 60)
        assert divided(path, 1) == yaml.safe_load(_in_milliseconds(path.read_text()))
        assert len(whole["groups"]) == len(part["groups"])


def _in_milliseconds(text: str) -> str:
    def written(found: re.Match[str]) -> str:
        return f"{found[1]}{round(int(found[2]) * UNITS[found[3]] * 1000)}ms"

    return re.sub(r"(\[|for: |interval: )(\d+)([smhd])(?=[\]\n])", written, text)
