"""The client is a distribution of its own: contents and requirements of its wheel; the service builds none."""

import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

import verdict_cli.main
from settings import ROOT
from tests.fakes import expected_sentiment

CLIENT = ROOT / "clients" / "python"


def build(source: Path, target: Path) -> "subprocess.CompletedProcess[str]":
    """Build a wheel from a copy of `source`, without network."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    return subprocess.run(
        [*command, "--disable-pip-version-check", "--wheel-dir", str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for path in (*CLIENT.glob("*.*"), *CLIENT.glob("verdict*/**/*.py"), *CLIENT.glob("verdict*/py.typed")):
        if path.is_file():
            copy = source / path.relative_to(CLIENT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    done = build(source, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    [found] = folder.glob("*.whl")
    return zipfile.ZipFile(found)


@pytest.fixture
def metadata(wheel: zipfile.ZipFile) -> Message:
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return message_from_bytes(wheel.read(name))


def test_the_wheel_holds_the_client_and_its_command_line_alone(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"verdict", "verdict_cli"}
    modules = {str(path.relative_to(CLIENT)) for path in CLIENT.glob("verdict*/**/*.py")}
    assert {name for name in wheel.namelist() if name.endswith(".py")} == modules
    assert {"verdict/py.typed", "verdict_cli/py.typed"} <= set(wheel.namelist())


def test_the_client_needs_httpx_and_pydantic_alone(metadata: Message) -> None:
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert sorted(each.partition(">")[0].partition("<")[0].strip() for each in needed) == ["httpx", "pydantic"]
    assert metadata.get_all("Provides-Extra") == ["cli", "socks"]


def test_all_versions_agree(metadata: Message) -> None:
    service = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert metadata["Version"] == service == verdict_cli.main.VERSION


def test_the_service_refuses_to_become_a_wheel(tmp_path: Path) -> None:
    """A wheel would put `api`, `db` and `settings` at the top of the installing site-packages."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "settings.py"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    done = build(source, tmp_path)
    assert done.returncode != 0
    assert "pip install ./clients/python" in done.stdout + done.stderr
    assert list(tmp_path.glob("*.whl")) == []


@pytest.mark.usefixtures("worker")
def test_the_installed_wheel_classifies_with_a_running_service(
    wheel: zipfile.ZipFile, url: str, tmp_path: Path
) -> None:
    wheel.extractall(tmp_path)
    code = (
        "import verdict; client = verdict.Client(); client.wait(client.submit(['good'])); print(verdict.__file__); "
        "print(client.classify('good').sentiment); client.close()"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "VERDICT_URL": url}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert done.stdout.split() == [str(tmp_path / "verdict" / "__init__.py"), expected_sentiment("good")], done.stderr


def test_the_client_loads_neither_the_command_line_nor_the_service() -> None:
    unwanted = "{'typer', 'api', 'cli', 'db', 'settings', 'sqlalchemy', 'celery'}"
    code = f"import sys, verdict; sys.exit(bool({unwanted} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_without_typer_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('No module named typer', name='typer')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from verdict_cli.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: typer is not installed; the command line needs pip install 'verdict-client[cli]'\n"
