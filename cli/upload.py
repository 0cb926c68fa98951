"""`verdict upload`: a model folder to a model hub; a thin shell over `training.export.hub`."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from cli._training import one_line_errors


def upload(
    model: Annotated[Path, typer.Argument(help="Model folder, or the folder of a training run.")],
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on the hub; created if it is not there.")],
    public: Annotated[bool, typer.Option("--public", help="Everybody may see a repository that is created.")] = False,
    message: Annotated[str, typer.Option(help="Commit message.")] = "Upload a model of Verdict",
) -> None:
    """Upload a model folder to a hub as one commit. HF_TOKEN is its token, HF_ENDPOINT another address."""
    with one_line_errors():
        from training.export.hub import upload as run

        with redirect_stdout(sys.stderr):  # the hub's client prints its progress
            address = run(model, repository, private=not public, message=message)
    print(address)
