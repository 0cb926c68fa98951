"""Check the model that a worker serves. Its folder and its manifest must have the same name, by which jobs find it."""

from inference.manifest import Manifest, ModelError, load_manifest
from settings import WorkerSettings


def served_manifest(settings: WorkerSettings) -> Manifest:
    """Return the manifest of the model to serve.

    Raises:
        ModelError: the folder cannot be served, or its manifest gives another name than MODEL.
    """
    directory = settings.model_directory()
    manifest = load_manifest(directory)
    if manifest.name != settings.model:
        raise ModelError(
            f"The model in {directory} is named {manifest.name} in its manifest, but MODEL is {settings.model}; "
            f"put it into a folder {manifest.name}/{directory.name} and set MODEL={manifest.name}."
        )
    return manifest
