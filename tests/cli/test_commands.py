"""The command line: what goes wrong is one line and an exit code, and help is quick."""

import socket
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import python

REFUSED = "http://127.0.0.1:9"


def verdict(*argv: str, **env: str) -> tuple[int, str]:
    with python("-m", "cli.main", *argv, **env) as process:
        output, _ = process.communicate(timeout=60)
    return process.returncode, output


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("classify", "good", "--url", REFUSED), "nothing answers at http://127.0.0.1:9; start it with `verdict run`"),
        (("job", "1", "--url", REFUSED), "nothing answers at http://127.0.0.1:9"),
        (("job", "1", "--url", "localhost"), "'localhost' is no address"),
        (("job", "1", "--url", "http://a:b"), "'http://a:b' is no address"),
        (("classify", "-"), "no text to classify"),
    ],
)
def test_a_wrong_address_is_one_line(argv: tuple[str, ...], said: str) -> None:
    code, output = verdict(*argv)
    assert (code, output.count("\n")) == (2, 1), output
    assert said in output


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"PORT": "http"}, "PORT: Input should be a valid integer"),
        ({"WORKERS": "0"}, "WORKERS: Input should be greater than or equal to 1"),
        ({"HOST": "no.such.host.invalid"}, "HOST=no.such.host.invalid is no address of this machine"),
        ({"VERDICT_HOME": "/dev/null/home"}, "/dev/null/home: Not a directory"),
    ],
)
def test_a_wrong_setting_of_run_is_one_line(tmp_path: Path, env: dict[str, str], said: str) -> None:
    code, output = verdict("run", **{"VERDICT_HOME": str(tmp_path / "home"), **env})
    assert (code, output.count("\n")) == (2, 1), output
    assert said in output


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, output = verdict("run", PORT=port, VERDICT_HOME=str(tmp_path))
    assert (code, output.count("\n")) == (2, 1), output
    assert f"port {port} of 127.0.0.1 cannot be had (Address already in use); choose another with PORT=" in output


def test_help_lists_the_commands_and_imports_none() -> None:
    heavy = "{'httpx', 'numpy', 'pydantic', 'torch', 'settings'}"
    script = f"import sys, cli.main; cli.main.application(None); sys.exit(bool({heavy} & set(sys.modules)))"
    with python("-c", script) as process:
        assert process.wait(30) == 0
    code, output = verdict("--help")
    assert code == 0
    assert all(name in output for name in ("run", "classify", "job", "train", "export", "evaluate")), sys.version
