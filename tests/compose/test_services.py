"""Rules for compose.yaml, checked without starting it; Compose reads it where it is installed."""

import lzma
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from py3langid.langid import MODEL_DIR, MODEL_FILE
from pydantic_settings import BaseSettings

import settings
from monitoring import liveness
from settings import ROOT
from tests.compose.keeping import of_the_runbook

WORKER_MANIFESTS = [
    ROOT / "kubernetes" / "base" / "worker.yaml",
    ROOT / "kubernetes" / "overlays" / "gpu" / "worker.yaml",
]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
OURS = {"migrate", "api", "worker", "worker-gpu", "maintenance"}
ONE_SHOT = {"migrate"}
READS: dict[str, list[type[BaseSettings]]] = {
    "migrate": [settings.DatabaseSettings],
    "api": [settings.DatabaseSettings, settings.QueueSettings, settings.ApiSettings],
    "worker": [settings.DatabaseSettings, settings.QueueSettings, settings.WorkerSettings],
    "worker-gpu": [settings.DatabaseSettings, settings.QueueSettings, settings.WorkerSettings],
    "maintenance": [settings.DatabaseSettings, settings.QueueSettings, settings.MaintenanceSettings],
}
# Set by the image: its address and the folder of its model.
FIXED_BY_THE_IMAGE = {"HOST", "PORT", "METRICS_HOST", "METRICS_PORT", "MODELS_DIR"}
# For a Redis outside of the containers; the one inside has no TLS.
FOR_ANOTHER_REDIS = {"REDIS_TLS_CA", "REDIS_TLS_CERT", "REDIS_TLS_KEY"}
BESIDE_THE_SETTINGS = {"PGPASSWORD", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"}
SECRET = {"PGPASSWORD", "POSTGRES_PASSWORD", "GF_SECURITY_ADMIN_PASSWORD", "DATA_SOURCE_PASS"}
TOLD = ("POSTGRES_PASSWORD", "GRAFANA_PASSWORD")  # the secrets that .env.example asks for

every_service = pytest.mark.parametrize("name", SERVICES)


@every_service
def test_a_container_can_change_nothing_but_its_volumes(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    binds = [each for each in service.get("volumes", []) if each.startswith(".")]
    assert [each for each in binds if not each.endswith(":ro")] == []


@every_service
def test_a_container_is_not_root(name: str) -> None:
    # Images of Verdict have it in their Dockerfile.
    user = str(SERVICES[name].get("user", "10001" if name in OURS else "0"))
    assert user.partition(":")[0] not in {"0", "root"}


@every_service
def test_a_container_has_limits(name: str) -> None:
    assert SERVICES[name]["mem_limit"]
    assert SERVICES[name]["pids_limit"]
    assert SERVICES[name]["logging"]["options"]["max-size"]


@every_service
def test_a_container_restarts_and_has_a_health_check(name: str) -> None:
    assert SERVICES[name]["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")
    # The image of the Redis exporter has no program for a health check.
    assert ("healthcheck" in SERVICES[name]) == (name not in ONE_SHOT | {"redis-exporter"})


@every_service
def test_ports_are_published_on_loopback_only(name: str) -> None:
    assert [each for each in SERVICES[name].get("ports", []) if not each.startswith("127.0.0.1:")] == []


@every_service
def test_an_image_is_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    if name in OURS:
        assert re.fullmatch(r"verdict-(api|worker|worker-gpu):\$\{VERDICT_VERSION:-latest\}", image)
    else:
        assert re.search(r":v?\d+\.\d+\.\d+", image)


@every_service
def test_a_secret_has_no_default(name: str) -> None:
    environment = SERVICES[name].get("environment", {})
    assert [
        each for each in SECRET & set(environment) if not re.match(r"\$\{\w+:\?set \w+ in ", environment[each])
    ] == []
    assert [each for each in environment if re.search("PASS|SECRET|_KEY", each) and each not in SECRET] == []


def test_only_services_with_pages_leave_the_inner_network() -> None:
    assert yaml.safe_load((ROOT / "compose.yaml").read_text())["networks"]["back"] == {"internal": True}
    outside = {name for name, service in SERVICES.items() if "front" in service["networks"]}
    assert outside == {"api", "prometheus", "alertmanager", "grafana"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_process_gets_the_settings_that_it_reads_and_no_others(name: str) -> None:
    reads = {field.upper() for group in READS[name] for field in group.model_fields} - FIXED_BY_THE_IMAGE
    reads -= FOR_ANOTHER_REDIS
    assert set(SERVICES[name]["environment"]) - BESIDE_THE_SETTINGS == reads


@pytest.mark.parametrize("name", sorted(OURS - ONE_SHOT))
def test_a_process_waits_for_the_schema_and_valkey(name: str) -> None:
    assert SERVICES[name]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"},
        "redis": {"condition": "service_healthy"},
    }


def test_a_process_has_time_to_finish_what_it_has_begun() -> None:
    grace = {name: int(SERVICES[name].get("stop_grace_period", "10s").removesuffix("s")) for name in OURS}
    (in_run,) = re.findall(r"grace_seconds=(\d+)\)\)", (ROOT / "cli" / "run.py").read_text())
    assert grace["worker"] == grace["worker-gpu"] >= int(in_run)
    assert grace["api"] >= settings.ApiSettings().max_wait_seconds + 5


@pytest.mark.parametrize("name", sorted(OURS - ONE_SHOT))
def test_a_process_that_hangs_is_replaced_within_half_a_minute(name: str) -> None:
    """Docker only marks a container as unhealthy."""
    check = SERVICES[name]["healthcheck"]
    image = "worker" if name.startswith("worker") else "api"
    [path] = re.findall(r"HEARTBEAT_FILE=(\S+)", (ROOT / f"Dockerfile.{image}").read_text())
    assert f'replace_if_hung(Path("{path}"))' in check["test"][-1]
    assert path.rpartition("/")[0] in {each.partition(":")[0] for each in SERVICES[name]["tmpfs"]}
    seconds = [int(check[each].removesuffix("s")) for each in ("interval", "timeout")]
    assert liveness.LIMIT_SECONDS + sum(seconds) <= 30


def test_a_worker_has_room_for_the_language_model_that_is_unpacked_at_its_start() -> None:
    with lzma.open(MODEL_DIR / MODEL_FILE) as file:
        unpacked = sum(len(part) for part in iter(lambda: file.read(1 << 20), b""))
    rooms = [SERVICES[name]["tmpfs"] for name in OURS if name.startswith("worker")]
    rooms += [re.findall(r"emptyDir: \{sizeLimit: (\d+)Mi\}", path.read_text()) for path in WORKER_MANIFESTS]
    sizes = [int(re.findall(r"\d+", each)[0]) << 20 for room in rooms for each in room]
    assert len(sizes) == 4
    assert min(sizes) >= 2 * unpacked


def test_the_exporters_and_every_process_are_scraped() -> None:
    written = yaml.safe_load((ROOT / "monitoring" / "prometheus" / "prometheus.yml").read_text())
    named = {
        name.partition(":")[0]
        for job in written["scrape_configs"]
        for name in [each for found in job.get("dns_sd_configs", []) for each in found["names"]]
        + [each for found in job.get("static_configs", []) for each in found["targets"]]
    }
    assert {"api", "worker", "maintenance", "postgres-exporter", "redis-exporter"} <= named


def test_the_test_changes_neither_limits_nor_rights() -> None:
    changed = yaml.safe_load((ROOT / "compose.test.yaml").read_text())["services"]
    keys = {key for name, service in changed.items() if name in SERVICES for key in service}
    assert keys == {"build", "depends_on", "volumes"}


def compose() -> list[str]:
    """Return the command of Compose, or skip the test."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    found = shutil.which("docker") and subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    )
    if not found or found.returncode:
        pytest.skip("neither docker-compose nor docker compose is here")
    return ["docker", "compose"]


def env_file(folder: Path, secrets: dict[str, str]) -> Path:
    """Write a copy of .env.example with these secrets set."""
    text = (ROOT / ".env.example").read_text()
    for name, value in secrets.items():
        text, found = re.subn(rf"^#{name}=$", f"{name}={value}", text, flags=re.MULTILINE)
        assert found == 1
    path = folder / "env"
    path.write_text(text)
    return path


def read_by_compose(env: Path, *options: str, files: tuple[str, ...] = ("compose.yaml",)) -> tuple[int, str, str]:
    """Return exit code, output and errors."""
    given = [part for file in files for part in ("-f", file)]
    command = [*compose(), *options, "--env-file", str(env), *given, "config"]
    told = {"PATH": os.environ["PATH"], "HOME": str(env.parent)}
    done = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("profile", [[], ["--profile", "gpu"]], ids=["", "gpu"])
@pytest.mark.parametrize("files", [("compose.yaml",), ("compose.yaml", "compose.test.yaml")], ids=["shipped", "test"])
def test_compose_reads_it(profile: list[str], files: tuple[str, ...], tmp_path: Path) -> None:
    code, printed, said = read_by_compose(env_file(tmp_path, dict.fromkeys(TOLD, "a")), *profile, files=files)
    assert (code, said) == (0, "")
    read = yaml.safe_load(printed)["services"]
    # Compose 1 lists services of inactive profiles, 2 does not.
    assert set(read) >= set(SERVICES) - (set() if profile else {"worker-gpu"})


@pytest.mark.parametrize("secret", TOLD)
@pytest.mark.parametrize("empty", [False, True], ids=["missing", "empty"])
def test_a_secret_that_is_not_set_is_named_in_one_line(secret: str, tmp_path: Path, *, empty: bool) -> None:
    others = {name: "a" for name in TOLD if name != secret}
    code, _, said = read_by_compose(env_file(tmp_path, others | ({secret: ""} if empty else {})))
    assert code != 0
    assert len(said.splitlines()) == 1
    assert f"set {secret} in .env" in said


def test_the_runbook_has_lines_for_compose_that_the_test_can_type() -> None:
    assert of_the_runbook("Backup").count("pg_dump") == 1
    assert of_the_runbook("Restore").count("pg_restore") == 1
