"""Upload a model folder, or the folder of a training run, to a model hub."""

from pathlib import Path

from httpx2 import HTTPError
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from training.data.run_folder import MEAN_POOLED
from training.errors import TrainingError

# Files that only a resumed run or this machine needs.
LEFT_OUT = ["checkpoints/*", "*.log", ".*", f"{MEAN_POOLED}/*"]
MARKS = ("manifest.json", "model.safetensors")


def upload(folder: Path, repository: str, *, private: bool, message: str) -> str:
    """Create the repository if it is missing, upload the folder as one commit, and return its address.

    Raises:
        TrainingError: the folder holds no model, or the hub cannot be reached or refuses the upload.
    """
    if not any((folder / name).is_file() for name in MARKS):
        raise TrainingError(f"{folder} holds neither a model folder nor an ended training run that transformers loads.")
    if _is_old(folder):
        raise TrainingError(
            f"{folder} is of an earlier version, and transformers would load it with random weights; "
            "run `verdict train --resume` with its recipe, which brings it up to date, and upload it then."
        )
    hub = HfApi()
    try:
        repo = hub.create_repo(repository, private=private, exist_ok=True)
        hub.upload_folder(repo_id=repo.repo_id, folder_path=folder, commit_message=message, ignore_patterns=LEFT_OUT)
    except HFValidationError as exc:
        raise TrainingError(f"{repository} is no name of a repository: {_first_line(exc)}") from exc
    except LocalTokenNotFoundError as exc:
        raise TrainingError("The hub needs a token: set HF_TOKEN, or log in with `hf auth login`.") from exc
    except HfHubHTTPError as exc:
        raise TrainingError(f"The hub at {hub.endpoint} refused the upload: {_first_line(exc)}") from exc
    except (HTTPError, OSError) as exc:
        raise TrainingError(f"The hub at {hub.endpoint} cannot be reached: {_first_line(exc)}") from exc
    return f"{hub.endpoint}/{repo.repo_id}"


def _is_old(folder: Path) -> bool:
    """Return whether the weights of a run are in Verdict's own form, under the file name that transformers reads."""
    from safetensors import safe_open  # noqa: PLC0415 - only for this look

    weights = folder / "model.safetensors"
    if not weights.is_file() or (folder / MEAN_POOLED).is_dir():
        return False
    with safe_open(weights, framework="numpy") as file:
        return "head.weight" in file.keys()  # noqa: SIM118 - a file of tensors is no mapping


def _first_line(exc: Exception) -> str:
    return next((line.strip() for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
