"""`verdict upload`: upload a model folder to a model hub (training.export.hub)."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from cli._training import one_line_errors


def upload(
    model: Annotated[Path, typer.Argument(help="Model folder, or the folder of a training run.")],
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on the hub; created if it does not exist.")],
    public: Annotated[bool, typer.Option("--public", help="Create the repository as public.")] = False,
    message: Annotated[str, typer.Option(help="Commit message.")] = "Upload a model of Verdict",
) -> None:
    """Upload a model folder to a hub as one commit. HF_TOKEN is the token, HF_ENDPOINT the address of another hub."""
    with one_line_errors():
        from training.export.hub import upload as run

        with redirect_stdout(sys.stderr):  # the client of the hub prints its progress
            address = run(model, repository, private=not public, message=message)
    print(address)
