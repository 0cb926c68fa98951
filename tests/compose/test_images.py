"""Rules for Dockerfiles and their requirements, checked without building them."""

import re
import subprocess
from pathlib import Path

import pytest

from settings import ROOT

DOCKERFILES = [ROOT / "Dockerfile.api", ROOT / "Dockerfile.worker"]
BASE = "python:3.11-slim-bookworm"
REQUIREMENTS = ROOT / "requirements"
COMPILERS = {"gcc", "g++", "build-essential", "cargo", "make", "apt-get"}
TRAINING = {"torch", "transformers", "datasets", "accelerate", "onnx"}
INFERRING = TRAINING | {"numpy", "onnxruntime", "onnxruntime-gpu", "tokenizers"}


def instructions(path: Path) -> list[tuple[str, str]]:
    """Return instruction and argument of each line, continued lines joined."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    parts = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(name, argument) for name, argument in parts]


def pinned(name: str) -> dict[str, str]:
    """Return the version of each distribution in a lock file."""
    found = re.findall(r"^([\w.-]+)==(\S+)", (REQUIREMENTS / f"{name}.txt").read_text(), re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_every_stage_starts_from_the_pinned_base(path: Path) -> None:
    bases = [argument.split()[0] for name, argument in instructions(path) if name == "FROM"]
    assert bases == [BASE, BASE]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_runs_as_a_user_without_rights(path: Path) -> None:
    last = [name for name, _ in instructions(path)]
    users = [argument for name, argument in instructions(path) if name == "USER"]
    assert users == ["10001:10001"]  # a number: runAsNonRoot of Kubernetes needs one
    assert last[-1] == "CMD"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_nothing_is_compiled_and_every_hash_is_checked(path: Path) -> None:
    commands = [argument for name, argument in instructions(path) if name == "RUN"]
    assert [word for command in commands for word in command.split() if word in COMPILERS] == []
    installs = [command for command in commands if " install " in command]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "--only-binary=:all:" in installs[0]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_no_secret_is_built_in(path: Path) -> None:
    told = [argument for name, argument in instructions(path) if name in {"ENV", "ARG", "COPY", "ADD"}]
    assert [each for each in told if re.search(r"passw|secret|token|\.env|_key", each, re.IGNORECASE)] == []


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_what_is_copied_exists_and_reaches_the_build(path: Path) -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        argument.split()[0] for name, argument in instructions(path) if name == "COPY" and "--from" not in argument
    ]
    for source in copied:
        sources = [source] if "$" not in source else ["requirements/worker.txt", "requirements/worker-gpu.txt"]
        assert [each for each in sources if each not in let_in or not (ROOT / each).exists()] == []


def test_only_named_files_reach_a_build() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    packages = {line[1:] for line in lines if line.startswith("!")}
    strange = [each for each in packages if tracked and not any(f"{name}/".startswith(f"{each}/") for name in tracked)]
    assert [each for each in strange if not (ROOT / each).exists()] == []


def test_the_api_has_nothing_that_infers() -> None:
    assert INFERRING & set(pinned("api")) == set()


@pytest.mark.parametrize("name", ["worker", "worker-gpu"])
def test_the_worker_has_no_torch_and_no_http_framework(name: str) -> None:
    found = set(pinned(name))
    assert (TRAINING | {"fastapi", "uvicorn", "starlette"}) & found == set()
    assert len({"onnxruntime", "onnxruntime-gpu"} & found) == 1


@pytest.mark.parametrize("name", ["api", "worker", "worker-gpu"])
def test_containers_have_the_versions_that_the_tests_have(name: str) -> None:
    tested = pinned("serve") | pinned("dev")
    found = pinned(name)
    assert len(found) > 20
    assert {each: version for each, version in found.items() if each in tested and tested[each] != version} == {}
