"""Manifests, and overlays as kubectl renders them, by the schemas of Kubernetes, KEDA and the Prometheus operator."""

import tomllib
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import kubernetes_validate
import pytest
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus_operator

from settings import ROOT
from tests.kubernetes.reading import (
    OVERLAYS,
    WORKLOADS,
    Document,
    component,
    containers,
    of_kind,
    pod,
    rendered,
    written,
)

VERSIONS = ["1.30", "1.37"]  # the oldest version with all used fields, and the newest with a schema here
CUSTOM: dict[str, ModuleType] = {
    "keda.sh/v1alpha1": keda,
    "monitoring.coreos.com/v1": prometheus_operator,
}

every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
# Also as written, for machines without kubectl.
every_set = pytest.mark.parametrize(
    "documents", [written, *[partial(rendered, overlay) for overlay in OVERLAYS]], ids=["written", *OVERLAYS]
)


def of_kubernetes(found: list[Document]) -> list[Document]:
    """Return the objects of built-in kinds."""
    return [each for each in found if each["apiVersion"] not in CUSTOM]


@every_set
@pytest.mark.parametrize("version", VERSIONS)
def test_the_objects_of_kubernetes_are_valid(documents: Callable[[], list[Document]], version: str) -> None:
    for each in of_kubernetes(documents()):
        kubernetes_validate.validate(each, version, strict=True)  # strict: an unknown field is an error


def test_an_invalid_object_is_noticed() -> None:
    wrong: Document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"port": 1}}
    with pytest.raises(kubernetes_validate.ValidationError, match="'port' was unexpected"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def through_model(document: Document) -> Any:
    """Return a custom object without the fields that its model lacks."""
    model = getattr(CUSTOM[document["apiVersion"]], document["kind"]).model_validate(document)
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


@every_set
def test_the_objects_of_the_operators_are_valid(documents: Callable[[], list[Document]]) -> None:
    found = [each for each in documents() if each["apiVersion"] in CUSTOM]
    kinds = {each["kind"] for each in found}
    assert kinds == {"ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule"}
    for each in found:
        assert through_model(each) == each


def test_an_unknown_field_of_an_operator_is_noticed() -> None:
    spec = {"scaleTargetRef": {"name": "a"}, "triggers": [], "maxReplicas": 3}
    wrong = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "a"}, "spec": spec}
    assert through_model(wrong) != wrong


def test_every_object_is_in_an_overlay() -> None:
    def names(found: list[Document]) -> set[tuple[str, str]]:
        return {(each["kind"], each["metadata"]["name"]) for each in found}

    assert names(written()) <= {name for overlay in OVERLAYS for name in names(rendered(overlay))}


@every_overlay
def test_everything_is_in_one_namespace_that_allows_it(overlay: str) -> None:
    found = rendered(overlay)
    [namespace] = of_kind(found, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    within = {each["metadata"].get("namespace") for each in found if each is not namespace}
    assert within == {namespace["metadata"]["name"]}


@every_overlay
def test_every_image_of_verdict_has_this_version(overlay: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    images = {each["image"] for workload in of_kind(rendered(overlay), *WORKLOADS) for each in containers(workload)}
    ours = {image for image in images if image.startswith("verdict-")}
    kinds = ["api", "worker"] + (["worker-gpu"] if overlay == "gpu" else [])
    assert ours == {f"verdict-{kind}:{version}" for kind in kinds}
    assert images - ours == {"valkey/valkey:9.1.1"}


@every_overlay
def test_processes_wait_for_the_schema(overlay: str) -> None:
    found = rendered(overlay)
    scripts = [each for each in of_kind(found, "ConfigMap") if "wait_for_schema.py" in each["data"]]
    [waiting] = {each["metadata"]["name"] for each in scripts}
    for workload in of_kind(found, "Deployment"):
        names = [each["name"] for each in pod(workload).get("initContainers", [])]
        assert names == ([] if component(workload) == "redis" else ["wait-for-schema"])
        mounted = {each["configMap"]["name"] for each in pod(workload)["volumes"] if "configMap" in each}
        assert mounted == ({waiting} if names else set())


@every_overlay
def test_a_scaled_workload_has_no_replicas_that_an_apply_would_reset(overlay: str) -> None:
    found = rendered(overlay)
    scaled = of_kind(found, "ScaledObject", "HorizontalPodAutoscaler")
    targets = {each["spec"]["scaleTargetRef"]["name"] for each in scaled}
    fixed = {each["metadata"]["name"] for each in of_kind(found, "Deployment") if "replicas" in each["spec"]}
    assert fixed == {"redis", "maintenance"}
    assert targets == {each["metadata"]["name"] for each in of_kind(found, "Deployment")} - fixed


@every_overlay
def test_settings_reach_the_processes(overlay: str) -> None:
    found = rendered(overlay)
    names = {each["metadata"]["name"] for each in of_kind(found, "ConfigMap")}
    for workload in of_kind(found, "Deployment"):
        taken = {each["configMapRef"]["name"] for each in pod(workload)["containers"][0].get("envFrom", [])}
        assert taken <= names
        assert bool(taken) == (component(workload) != "redis")
