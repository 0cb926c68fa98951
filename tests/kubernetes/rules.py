"""Write the Prometheus rules as a PrometheusRule of Kubernetes: `python -m tests.kubernetes.rules`."""

from typing import Any

import yaml

from tests.kubernetes.reading import FOLDER
from tests.monitoring.rules import RULES, load

PATH = FOLDER / "components" / "monitoring" / "rules.yaml"
HEAD = "# Written by `python -m tests.kubernetes.rules` from monitoring/prometheus/rules; a test holds them equal.\n"


class _Dumper(yaml.SafeDumper):
    """Write a text of several lines as a block."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def text() -> str:
    """Return the contents of the file."""
    rule: dict[str, Any] = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "verdict"},
        "spec": {"groups": [group for path in RULES for group in load(path)["groups"]]},
    }
    return HEAD + yaml.dump(rule, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)


if __name__ == "__main__":
    PATH.write_text(text())
