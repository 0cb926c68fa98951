"""The rule files, and a copy with shorter durations, so that a test does not wait for hours."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from settings import ROOT

PROMETHEUS = ROOT / "monitoring" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
WINDOW = re.compile(r"\* (\d+) \+")  # the seconds of a window, which turn a rate into a count
DURATION = r"\d+(?:ms|[smhd])"


def load(path: Path) -> Any:
    """Return the YAML of a file."""
    return yaml.safe_load(path.read_text())


def rules() -> Iterator[dict[str, Any]]:
    """Yield every rule of every file."""
    for path in RULES:
        for group in load(path)["groups"]:
            yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    """Return every alert; several may share a name."""
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> set[str]:
    """Return the names of the recorded series."""
    return {rule["record"] for rule in rules() if "record" in rule}


def divided(path: Path, by: float) -> dict[str, Any]:
    """Return a rule file with shorter windows, `for` and intervals; names are unchanged."""
    document: dict[str, Any] = load(path)
    for group in document["groups"]:
        if "interval" in group:
            group["interval"] = shorter(group["interval"], by)
        for rule in group["rules"]:
            rule["expr"] = re.sub(rf"\[({DURATION})\]", lambda found: f"[{shorter(found[1], by)}]", rule["expr"])
            rule["expr"] = WINDOW.sub(lambda found: f"* {int(found[1]) / by:.10g} +", rule["expr"])
            if "for" in rule:
                rule["for"] = shorter(rule["for"], by)
    return document


def shorter(duration: str, by: float) -> str:
    """Return a duration divided by `by`, in whole milliseconds."""
    found = re.fullmatch(r"(\d+)(ms|[smhd])", duration)
    assert found, f"{duration} is not a number and one unit"
    return f"{round(int(found[1]) * UNITS[found[2]] / by * 1000)}ms"
