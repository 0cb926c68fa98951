"""The first steps: build the images, bring the containers up, check their rights."""

import httpx

from tests.compose.engine import TAG, Project, image_bytes, inspect, is_placeholder, run, wait_until
from tests.compose.outcome import Outcome

BASE = "python:3.11-slim-bookworm"
API_MEGABYTES = 250  # over its base
ONE_SHOT = {"migrate"}
READY_SECONDS = 120.0


def builds(project: Project) -> Outcome:
    """Build both images; the API's is small."""
    outcome = Outcome("images built")
    project.compose("build", "api", "migrate", "maintenance", "worker", seconds=420)
    base = image_bytes(BASE)
    for name in ("verdict-api", "verdict-worker"):
        outcome.figures[f"{name} over its base, MB"] = (image_bytes(f"{name}:{TAG}") - base) // 1_000_000
    over = image_bytes(f"verdict-api:{TAG}") - base
    outcome.expect(over <= API_MEGABYTES * 1_000_000, f"verdict-api is {over} bytes over its base")
    libraries = "import importlib.util as u; print(*[n for n in {} if u.find_spec(n)])"
    unwanted = {"verdict-api": ("torch", "numpy", "onnxruntime", "tokenizers"), "verdict-worker": ("torch", "fastapi")}
    for image, names in unwanted.items():
        found = run("docker", "run", "--rm", f"{image}:{TAG}", "python", "-c", libraries.format(names)).split()
        outcome.expect(not found, f"{image} holds {found}")
    models = run("docker", "run", "--rm", f"verdict-worker:{TAG}", "sh", "-c", "ls -d models/*/*/").split()
    outcome.figures["model"] = " ".join(models)
    outcome.expect(len(models) == 1, f"the worker's image holds {models}")
    return outcome


def comes_up(project: Project, client: httpx.Client) -> Outcome:
    """Bring everything up, from no containers to ready ones."""
    outcome = Outcome("up, migrated, ready")
    project.compose("up", "--detach", "--no-build")
    wait_until(lambda: is_ready(client), "/readyz says ready", READY_SECONDS)
    (migrate,) = project.containers("migrate", stopped=True)
    outcome.expect(inspect(migrate)["State"]["ExitCode"] == 0, "the migration failed")
    outcome.figures["migrate said"] = project.logs("migrate", 1).split("| ")[-1].strip()
    return outcome


def is_ready(client: httpx.Client) -> bool:
    """Return whether a review is classified by the whole chain."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def is_hardened(project: Project) -> Outcome:
    """Expect that no container runs as root, writes to its image, has capabilities or is published beyond loopback."""
    outcome = Outcome("non-root, read-only, no capabilities, loopback only, healthy")
    services = sorted(set(project.config()) - {"owners"})
    for service in services:
        containers = project.containers(service, stopped=True)
        outcome.expect(containers, f"{service} has no container")
        for container in containers:
            _look_into(project, outcome, service, container)
    outcome.figures["services"] = ", ".join(services)
    return outcome


def _look_into(project: Project, outcome: Outcome, service: str, container: str) -> None:
    found = inspect(container)
    host = found["HostConfig"]
    outcome.expect(host["ReadonlyRootfs"], f"{service} can write to its root")
    outcome.expect(host["CapDrop"] == ["ALL"] and not host["CapAdd"], f"{service} has capabilities")
    outcome.expect("no-new-privileges:true" in host["SecurityOpt"], f"{service} can gain privileges")
    outcome.expect(host["Memory"] > 0 and host["PidsLimit"], f"{service} has no limits")
    user = found["Config"]["User"]
    outcome.expect(user.partition(":")[0] not in {"", "0", "root"}, f"{service} is told to run as {user or 'root'}")
    if found["State"]["Running"]:
        users = run("docker", "top", container, "-eo", "uid,pid,comm").splitlines()[1:]
        outcome.expect(not [line for line in users if line.split()[0] == "0"], f"{service} runs as root: {users}")
    else:
        outcome.expect(service in ONE_SHOT, f"{service} does not run: {project.logs(service, 3)}")
    published = [each["HostIp"] for ports in (host["PortBindings"] or {}).values() for each in ports]
    outcome.expect(set(published) <= {"127.0.0.1"}, f"{service} is published on {published}")
    if is_placeholder(found["Image"]):
        outcome.not_shown.append(f"{service}: a placeholder sleeps in its place")
    elif "Health" in found["State"] and found["State"]["Running"]:
        wait_until(lambda: inspect(container)["State"]["Health"]["Status"] == "healthy", f"{service} is healthy", 90)
