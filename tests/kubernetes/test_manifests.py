"""Rules for every manifest, checked on the files; needs only Python."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, Gauge, start_http_server
from pydantic_settings import BaseSettings

import settings
from monitoring import liveness
from monitoring.metrics import WORKER_READY
from settings import ROOT
from tests.kubernetes import rules
from tests.kubernetes.reading import (
    FOLDER,
    WORKLOADS,
    Document,
    base,
    chosen,
    component,
    containers,
    image_name,
    labels,
    named,
    of_kind,
    pod,
    ports,
    queries,
    script,
    written,
)
from tests.monitoring.names import asked, existing

ALL = written()
[PATCH] = [yaml.safe_load(path.read_text()) for path in FOLDER.rglob("patch.yaml")]
PODS = [*of_kind(ALL, *WORKLOADS), {"kind": "patch", **PATCH}]
OURS = [each for each in of_kind(ALL, *WORKLOADS) if component(each) != "redis"]
SECRETS = {("verdict-database", "url"), ("verdict-redis", "url")}
READS: dict[str, list[type[BaseSettings]]] = {
    "migrate": [settings.DatabaseSettings],
    "api": [settings.DatabaseSettings, settings.QueueSettings, settings.ApiSettings],
    "worker": [settings.DatabaseSettings, settings.QueueSettings, settings.WorkerSettings, settings.MetricsSettings],
    "maintenance": [
        settings.DatabaseSettings,
        settings.QueueSettings,
        settings.MaintenanceSettings,
        settings.MetricsSettings,
    ],
}

every_pod = pytest.mark.parametrize("workload", PODS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
each_of_ours = pytest.mark.parametrize("workload", OURS, ids=lambda each: each["metadata"]["name"])


@every_pod
def test_a_container_can_change_nothing_but_its_volumes(workload: Document) -> None:
    for each in containers(workload):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    sized = [each["emptyDir"].get("sizeLimit") for each in pod(workload).get("volumes", []) if "emptyDir" in each]
    assert all(sized)


@every_pod
def test_a_container_has_requests_and_limits(workload: Document) -> None:
    for each in containers(workload):
        assert {"cpu", "memory"} <= set(each["resources"]["requests"])
        assert {"cpu", "memory"} <= set(each["resources"]["limits"])


@pytest.mark.parametrize("workload", of_kind(ALL, *WORKLOADS), ids=lambda each: each["metadata"]["name"])
def test_a_pod_is_not_root_and_has_no_token_of_the_cluster(workload: Document) -> None:
    specification = pod(workload)
    security = specification["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == (999 if component(workload) == "redis" else _user_of_the_images())
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert specification["automountServiceAccountToken"] is False
    assert specification["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(specification)


def _user_of_the_images() -> int:
    files = [(ROOT / f"Dockerfile.{each}").read_text() for each in ("api", "worker")]
    [user] = {re.findall(r"^USER (\d+):", text, re.MULTILINE)[-1] for text in files}
    return int(user)


def test_no_secret_is_written_here() -> None:
    assert of_kind(ALL, "Secret") == []
    for workload in PODS:
        for each in containers(workload):
            for variable in each.get("env", []):
                secret = variable["name"].endswith("_URL") or re.search("PASS|SECRET|KEY|TOKEN", variable["name"])
                assert bool(secret) == ("valueFrom" in variable), variable
                if secret:
                    reference = variable["valueFrom"]["secretKeyRef"]
                    assert (reference["name"], reference["key"]) in SECRETS


@each_of_ours
def test_a_process_gets_only_settings_that_it_reads(workload: Document) -> None:
    reads = {field.upper() for group in READS[component(workload)] for field in group.model_fields}
    [main] = pod(workload)["containers"]
    assert {each["name"] for each in main["env"]} <= reads


def test_the_settings_of_all_are_settings() -> None:
    known = {field.upper() for group in READS.values() for each in group for field in each.model_fields}
    lines = [line for line in base("settings.env").read_text().splitlines() if line and not line.startswith("#")]
    given = dict(line.split("=", 1) for line in lines)
    assert set(given) <= known
    service = named(ALL, "Service", "redis")
    assert given["REDIS_URL"] == f"redis://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}/0"


@each_of_ours
def test_a_process_listens_where_its_image_says(workload: Document) -> None:
    main = pod(workload)["containers"][0]
    kind = "worker" if image_name(main["image"]).startswith("verdict-worker") else "api"
    exposed = re.findall(r"^EXPOSE (.*)$", (ROOT / f"Dockerfile.{kind}").read_text(), re.MULTILINE)[-1].split()
    assert {str(port) for port in ports(workload).values()} <= set(exposed)


def test_images_are_those_of_compose() -> None:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    theirs = {image_name(each["image"]): each["image"] for each in services.values()}
    for workload in PODS:
        for each in containers(workload):
            assert image_name(each["image"]) in theirs
            if not each["image"].startswith("verdict-"):
                assert each["image"] == theirs[image_name(each["image"])]


def test_a_worker_has_as_many_threads_as_cores() -> None:
    for workload in of_kind(ALL, "Deployment"):
        if component(workload) == "worker":
            main = pod(workload)["containers"][0]
            [threads] = [each["value"] for each in main["env"] if each["name"] == "WORKER_THREADS"]
            assert threads == main["resources"]["limits"]["cpu"] == main["resources"]["requests"]["cpu"]


def test_a_process_has_time_to_finish_what_it_has_begun() -> None:
    grace = {each["metadata"]["name"]: pod(each).get("terminationGracePeriodSeconds", 30) for each in OURS}
    (in_run,) = re.findall(r"grace_seconds=(\d+)\)\)", (ROOT / "cli" / "run.py").read_text())
    assert grace["worker"] == grace["worker-gpu"] >= int(in_run)
    slept = pod(named(ALL, "Deployment", "api"))["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert grace["api"] >= slept + settings.ApiSettings().max_wait_seconds + 5


@pytest.mark.parametrize("workload", of_kind(ALL, "Deployment"), ids=lambda each: each["metadata"]["name"])
def test_a_process_has_probes(workload: Document) -> None:
    for each in pod(workload)["containers"]:
        assert {"readinessProbe", "livenessProbe"} <= set(each)


@pytest.mark.parametrize(
    "workload",
    [each for each in of_kind(ALL, "Deployment") if component(each) in {"api", "worker", "maintenance"}],
    ids=lambda each: each["metadata"]["name"],
)
def test_a_process_that_hangs_is_replaced_within_half_a_minute(workload: Document) -> None:
    main = pod(workload)["containers"][0]
    probe = main["livenessProbe"]
    assert probe["terminationGracePeriodSeconds"] == 1  # a stopped process does not receive SIGTERM
    noticed = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    if component(workload) == "api":
        assert probe["httpGet"]["path"] == "/livez"
        assert noticed <= 30
        return
    kind = "worker" if component(workload) == "worker" else "api"
    [path] = re.findall(r"HEARTBEAT_FILE=(\S+)", (ROOT / f"Dockerfile.{kind}").read_text())
    assert probe["exec"]["command"] == ["python", "-S", "-m", "monitoring.liveness", path]
    assert main["startupProbe"]["exec"] == probe["exec"]
    assert liveness.LIMIT_SECONDS + noticed <= 30


def test_a_drained_node_takes_one_pod_of_a_kind_at_a_time() -> None:
    budgets = {each["metadata"]["name"]: each["spec"]["maxUnavailable"] for each in of_kind(ALL, "PodDisruptionBudget")}
    assert budgets == dict.fromkeys(("api", "worker", "maintenance"), 1)


def test_every_selector_matches_pods() -> None:
    workloads = of_kind(ALL, *WORKLOADS)
    for each in of_kind(ALL, "Deployment"):
        assert chosen(workloads, each["spec"]["selector"]) == [each]
    for each in of_kind(ALL, "PodDisruptionBudget", "PodMonitor"):
        found = chosen(workloads, each["spec"]["selector"])
        assert {component(one) for one in found} == {each["metadata"]["name"]}
    for each in of_kind(ALL, "NetworkPolicy"):
        assert chosen(workloads, each["spec"]["podSelector"])
    for each in of_kind(ALL, "Service"):
        [one] = chosen(workloads, {"matchLabels": each["spec"]["selector"]})
        assert {port["targetPort"] for port in each["spec"]["ports"]} <= set(ports(one))


def test_every_process_with_metrics_is_scraped_under_its_name() -> None:
    workloads = of_kind(ALL, "Deployment")
    for each in of_kind(ALL, "PodMonitor"):
        for one in chosen(workloads, each["spec"]["selector"]):
            assert {end["port"] for end in each["spec"]["podMetricsEndpoints"]} <= set(ports(one))
            assert labels(one)[each["spec"]["jobLabel"]] in {"worker", "maintenance"}
    [monitor] = of_kind(ALL, "ServiceMonitor")
    service = named(ALL, "Service", "api")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {end["port"] for end in monitor["spec"]["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "api"


def test_network_policies_allow_only_served_ports() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(ALL, "NetworkPolicy")}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    workloads = of_kind(ALL, "Deployment")
    for policy in policies.values():
        served = {port for each in chosen(workloads, policy["podSelector"]) for port in ports(each).values()}
        assert {port["port"] for rule in policy.get("ingress", []) for port in rule["ports"]} <= served
        assert all(rule["from"] for rule in policy.get("ingress", []))


def test_a_scaled_workload_exists_and_has_no_fixed_replicas() -> None:
    [component_file] = FOLDER.glob("components/autoscaling/kustomization.yaml")
    [patch] = yaml.safe_load(component_file.read_text())["patches"]
    for each in of_kind(ALL, "ScaledObject", "HorizontalPodAutoscaler"):
        target = named(ALL, "Deployment", each["spec"]["scaleTargetRef"]["name"])
        unset = re.fullmatch(patch["target"]["name"], target["metadata"]["name"])
        assert unset or "replicas" not in target["spec"]


def test_scaling_asks_for_series_that_exist(tmp_path: Path) -> None:
    known = existing(tmp_path)
    found = dict(queries())
    assert {name: asked(query) - known for name, query in found.items() if asked(query) - known} == {}
    assert all(asked(query) for query in found.values())


def test_the_rules_are_those_of_prometheus() -> None:
    assert rules.PATH.read_text() == rules.text(), "run: python -m tests.kubernetes.rules"


@pytest.mark.parametrize("ready", [True, False])
def test_a_worker_is_ready_when_its_model_is(*, ready: bool) -> None:
    registry = CollectorRegistry()
    Gauge(WORKER_READY._name, WORKER_READY._documentation, registry=registry).set(ready)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        for name in ("worker", "worker-gpu"):
            probe = pod(named(ALL, "Deployment", name))["containers"][0]["readinessProbe"]
            code = script(probe).replace("9100", str(server.server_port))
            done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)
            said = "" if ready else "the model is not loaded, warmed up and checked yet\n"
            assert (done.returncode, done.stderr) == (0 if ready else 1, said)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
