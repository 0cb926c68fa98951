"""Read the documents of kubernetes/, as they are written and as `kubectl kustomize` renders an overlay."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import ROOT

FOLDER = ROOT / "kubernetes"
OVERLAYS = ["cpu", "gpu"]
NO_OBJECTS = {"kustomization.yaml", "patch.yaml"}
WORKLOADS = {"Deployment", "Job"}

Document = dict[str, Any]


def written() -> list[Document]:
    """Return every object in every file."""
    paths = [path for path in sorted(FOLDER.rglob("*.yaml")) if path.name not in NO_OBJECTS]
    return [each for path in paths for each in documents(path.read_text())]


def documents(text: str) -> list[Document]:
    """Return the documents of a YAML text."""
    return [each for each in yaml.safe_load_all(text) if each]


@cache
def rendered(overlay: str) -> list[Document]:
    """Return the objects of a rendered overlay; skip the test without kubectl."""
    for command in (["kubectl", "kustomize"], ["kustomize", "build"]):
        if shutil.which(command[0]):
            return documents(_render([*command, str(FOLDER / "overlays" / overlay)]))
    pytest.skip("neither kubectl nor kustomize is here")


def _render(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # kubectl warns of deprecated fields
    return done.stdout


def of_kind(found: list[Document], *kinds: str) -> list[Document]:
    """Return the objects of some kinds."""
    return [each for each in found if each["kind"] in kinds]


def named(found: list[Document], kind: str, name: str) -> Document:
    """Return the only object of this kind and name."""
    [one] = [each for each in of_kind(found, kind) if each["metadata"]["name"] == name]
    return one


def pod(workload: Document) -> Document:
    """Return the specification of a workload's pods."""
    specification: Document = workload["spec"]["template"]["spec"]
    return specification


def labels(workload: Document) -> dict[str, str]:
    """Return the labels of a workload's pods."""
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def component(workload: Document) -> str:
    """Return the component of a workload: a process of Verdict, or `redis`."""
    return labels(workload)["app.kubernetes.io/component"]


def containers(workload: Document) -> list[Document]:
    """Return all containers of a workload, init containers first."""
    return [*pod(workload).get("initContainers", []), *pod(workload).get("containers", [])]


def chosen(workloads: list[Document], selector: Document) -> list[Document]:
    """Return the workloads whose pods a selector matches."""
    return [each for each in workloads if _selects(selector, labels(each))]


def _selects(selector: Document, found: dict[str, str]) -> bool:
    equal = all(found.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    rules = selector.get("matchExpressions", [])
    assert all(rule["operator"] == "In" for rule in rules)
    return equal and all(found.get(rule["key"]) in rule["values"] for rule in rules)


def ports(workload: Document) -> dict[str, int]:
    """Return the ports of a workload's containers by name."""
    return {port["name"]: port["containerPort"] for each in containers(workload) for port in each.get("ports", [])}


def script(probe: Document) -> str:
    """Return the Python code of a probe."""
    code: str = probe["exec"]["command"][-1]
    return code


def queries() -> Iterator[tuple[str, str]]:
    """Return name and PromQL of every Prometheus trigger."""
    for scaled in of_kind(written(), "ScaledObject"):
        for trigger in scaled["spec"]["triggers"]:
            assert trigger["type"] == "prometheus"
            name = f"{scaled['metadata']['name']} {trigger['name']}"
            yield name, re.sub(r"\s+", " ", trigger["metadata"]["query"]).strip()


def image_name(image: str) -> str:
    """Return an image without its tag."""
    return image.partition(":")[0]


def base(path: str) -> Path:
    """Return the objects of a file of the base."""
    return FOLDER / "base" / path
