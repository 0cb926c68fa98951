"""Documents and configuration agree with the code."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase
from pydantic_settings import BaseSettings

import settings
from broker.celery_app import celery_app
from broker.messages import DRAIN, queue_name
from db.models import Lane, ModelLane
from docs.generate.settings_page import GROUPS, variables
from monitoring import metrics
from settings import ROOT, QueueSettings
from worker import tasks

MOST_FILES = 10
MOST_LINES = 900
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
NOT_OURS = {".git", ".venv", "__pycache__", "runs", "build", "dist"}


def section(document: str, heading: str) -> str:
    """The text under a heading of a document."""
    _, found, rest = (ROOT / document).read_text().partition(f"# {heading}\n")
    assert found, f"{document} has no section {heading}"
    return rest.partition("\n## ")[0]


def test_every_class_of_settings_is_known_here() -> None:
    ours = {each for each in vars(settings).values() if isinstance(each, type) and issubclass(each, BaseSettings)}
    assert ours - {BaseSettings, settings._Settings} == set(GROUPS)


def test_every_setting_has_a_description() -> None:
    assert [name for name, _, description in variables() if not description] == []


def test_the_example_environment_equals_the_settings() -> None:
    expected = "".join(f"# {description}\n#{name}={default}\n" for name, default, description in variables())
    text = (ROOT / ".env.example").read_text()
    assert text.partition("\n\n")[2] == expected, f"write this under the first paragraph:\n{expected}"


def steps() -> list[tuple[str, str]]:
    """`file.py` and the name in it, as the documented path of one review has them."""
    text = section("docs/concepts/follow-one-review.md", "Follow one review")
    return re.findall(r"`([\w/]+\.py): ([\w.]+)`", text)


def test_a_review_is_followed_through_names_that_exist() -> None:
    found = steps()
    assert len(found) >= 8
    assert [(path, name) for path, name in found if name not in _names(ROOT / path)] == []


def _names(path: Path) -> set[str]:
    """Return the functions, classes and methods of a module."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    top = [each for each in ast.parse(path.read_text()).body if isinstance(each, kinds)]
    methods = {
        f"{each.name}.{inner.name}"
        for each in top
        if isinstance(each, ast.ClassDef)
        for inner in each.body
        if isinstance(inner, kinds)
    }
    return {each.name for each in top} | methods


def test_a_review_is_followed_in_few_files_and_lines() -> None:
    lines = {path: len((ROOT / path).read_text().splitlines()) for path, _ in steps()}
    assert len(lines) <= MOST_FILES
    assert sum(lines.values()) <= MOST_LINES, lines


def test_every_path_that_a_document_names_exists() -> None:
    missing = [
        (document.name, named)
        for document in DOCUMENTS
        for named in _paths(document.read_text())
        if not list(ROOT.glob(named.strip("/")))
    ]
    assert missing == []


def _paths(document: str) -> Iterator[str]:
    """Return the backticked paths that begin with a folder of the repository or name a file at its top."""
    folders = {each.name for each in ROOT.iterdir() if each.is_dir()} - NOT_OURS
    prose = re.sub(r"^```.*?^```", "", document, flags=re.MULTILINE | re.DOTALL)
    for quoted in re.findall(r"`([^`\n]+)`", prose):
        path = quoted.partition(": ")[0]
        in_folder = re.fullmatch(r"[\w.*/-]+", path) and path.partition("/")[0] in folders and "/" in path
        if in_folder or re.fullmatch(r"[\w.-]+\.(md|toml|yaml)", path) or re.fullmatch(r"\w+\.py", path):
            yield path


def test_every_metric_has_our_prefix_and_a_help_text() -> None:
    found = {name: each for name, each in vars(metrics).items() if isinstance(each, MetricWrapperBase)}
    assert found
    wrong = [name for name, each in found.items() if not each._name.startswith("verdict_") or not each._documentation]
    assert wrong == []


def test_every_metric_is_measured_somewhere() -> None:
    folders = ("api", "broker", "db", "inference", "maintenance", "worker")
    code = "".join(path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py"))
    names = [name for name, each in vars(metrics).items() if isinstance(each, MetricWrapperBase)]
    assert [name for name in names if f"{name}." not in code] == []


def test_the_worker_consumes_the_queue_of_every_lane_of_its_model() -> None:
    app = celery_app(QueueSettings(redis_url="redis://nowhere"), "mine")
    assert {queue.name for queue in app.conf.task_queues} == {queue_name(ModelLane("mine", lane)) for lane in Lane}
    app.close()


def imported(module: str) -> set[str]:
    """Return the top-level packages that a new process has loaded after importing a module."""
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_api_loads_neither_inference_nor_training() -> None:
    unwanted = {
        "onnxruntime",
        "numpy",
        "tokenizers",
        "torch",
        "transformers",
        "celery",
        "cli",
        "training",
        "inference",
        "worker",
    }
    assert imported("api.main") & unwanted == set()


def test_the_worker_loads_neither_the_api_nor_torch() -> None:
    assert imported("worker.tasks") & {"fastapi", "starlette", "api", "torch", "transformers"} == set()


def test_the_wakeup_names_the_task_of_the_worker() -> None:
    assert tasks.drain.name == DRAIN
