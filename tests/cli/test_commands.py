"""The command line: every error is one line and an exit code, and help is quick."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import COMMANDS
from tests.cli.conftest import ROOT, python
from tests.client.test_connections import tls_server
from tests.client.test_troubles import DONE
from tests.client.wire import answer, scripted
from verdict_cli.main import COMMANDS as CLIENT

REFUSED = "http://127.0.0.1:9"


def verdict(*argv: str, **env: str) -> tuple[int, str]:
    with python("-m", "cli.main", *argv, **env) as process:
        output, _ = process.communicate(timeout=60)
    return process.returncode, output


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (
            ("classify", "good", "--url", REFUSED),
            "nothing answers at http://127.0.0.1:9; start the service with `verdict run`",
        ),
        (("job", "1", "--url", REFUSED), "nothing answers at http://127.0.0.1:9"),
        (("job", "1", "--url", "localhost"), "'localhost' is not an address"),
        (("job", "1", "--url", "http://a:b"), "'http://a:b' is not an address"),
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
        ({"HOST": "no.such.host.invalid"}, "HOST=no.such.host.invalid is not an address of this machine"),
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
    assert f"port {port} of 127.0.0.1 is not available (Address already in use); choose another with PORT=" in output


def test_help_lists_the_commands_and_imports_none() -> None:
    heavy = "{'httpx', 'numpy', 'pydantic', 'torch', 'settings'}"
    script = (
        "import sys; from cli.main import *; from verdict_cli.main import *; "
        f"application(HELP, COMMANDS, None); sys.exit(bool({heavy} & set(sys.modules)))"
    )
    with python("-c", script) as process:
        assert process.wait(30) == 0
    code, output = verdict("--help")
    assert code == 0
    assert all(name in output for name in ("run", "classify", "job", "train", "export", "evaluate")), sys.version


@pytest.mark.parametrize("command", [*(f"{name} -h" for name in COMMANDS), "examples add -h", "train --help"])
def test_every_command_has_help(command: str) -> None:
    code, output = verdict(*command.split())
    assert (code, "Usage: verdict" in output) == (0, True), output


def test_the_version_is_one_line() -> None:
    assert verdict("--version") == (0, "verdict 0.1.0\n")


def client(*argv: str, **env: str) -> tuple[int, str]:
    with python("-m", "verdict_cli", *argv, **env) as process:
        output, _ = process.communicate(timeout=60)
    return process.returncode, output


def test_the_client_has_the_same_commands_without_the_service() -> None:
    assert client("--version") == (0, "verdict-client 0.1.0\n")
    code, output = client("-h")
    assert (code, [name for name in COMMANDS if f" {name} " in output]) == (0, list(CLIENT))
    with scripted(DONE) as (url, _):
        code, output = client("submit", "-", "--no-wait", "--url", url)
    assert (code, output.count("\n")) == (2, 1), output
    assert "source is empty" in output


def test_local_needs_a_full_installation() -> None:
    code, output = client("submit", "reviews.csv", "--local", "-o", "results.csv")
    assert (code, output) == (2, "error: --local needs a full installation of Verdict; this is the client alone\n")


@pytest.mark.parametrize("command", [("job", "1"), ("sla",)])
@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"ALL_PROXY": "socks5://proxy:1080"}, "ALL_PROXY names a SOCKS proxy"),
        ({"ALL_PROXY": "socks4://proxy:1080"}, "ALL_PROXY is not an http://"),
        ({"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "fd00::/8,[::1"}, "through the proxy http://127.0.0.1:9"),
    ],
)
def test_a_wrong_proxy_is_one_line(command: tuple[str, ...], env: dict[str, str], said: str) -> None:
    code, output = verdict(*command, "--url", "http://verdict.example.com", **env)
    assert (code, output.count("\n")) == (2, 1), output
    assert said in output


@pytest.mark.parametrize("command", [("job", "1"), ("sla",)])
def test_plain_http_behind_an_https_address_is_one_line(command: tuple[str, ...]) -> None:
    with tls_server(None) as port:
        code, output = verdict(*command, "--url", f"https://127.0.0.1:{port}")
    assert (code, output.count("\n")) == (2, 1), output
    assert output.endswith("the server speaks plain HTTP; use http:// in its address\n")


@pytest.mark.parametrize(
    "argv", [("job", "0199", "--json"), ("job", "0199"), ("--help",), ("submit", "-h"), ("--version",)]
)
@pytest.mark.parametrize("module", ["cli.main", "verdict_cli"])
def test_a_closed_stdout_ends_quietly(module: str, argv: tuple[str, ...]) -> None:
    """After `| head` has closed the pipe: exit code 141, as of `cat`, and nothing on stderr."""
    read, write = os.pipe()
    os.close(read)
    with scripted(DONE) as (url, _):
        done = subprocess.run(
            [sys.executable, "-m", module, *argv],
            env={"PATH": "/usr/bin:/bin", "VERDICT_URL": url},
            stdout=write,
            stderr=subprocess.PIPE,
            check=False,
            cwd=ROOT,
        )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_without_stdout_a_command_works() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m verdict_cli --version >&-', sys.executable],
        capture_output=True,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_download_to_a_closed_stdout_ends_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    with scripted(answer(200, b"id,review\n" * 100_000, content_type="text/csv", etag='"1"')) as (url, _):
        done = subprocess.run(
            [sys.executable, "-m", "verdict_cli", "export-results", "0199", "-o", "-", "--url", url],
            stdout=write,
            stderr=subprocess.PIPE,
            check=False,
            cwd=ROOT,
        )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_connection_that_breaks_is_not_taken_for_a_closed_stdout() -> None:
    with scripted(b"") as (url, _):
        code, output = verdict("sla", "--url", url)
    assert (code, output.count("\n")) == (2, 1), output
    assert "the connection to" in output
