"""The model that a worker serves, loaded in this process."""

import os

from inference.classifier import Classifier
from inference.loading import load_classifier
from settings import WorkerSettings


def threads_of(settings: WorkerSettings) -> int:
    """Return the number of inference threads of a worker."""
    return settings.worker_threads or len(os.sched_getaffinity(0))


def load_served(settings: WorkerSettings) -> Classifier:
    """Load the model of these settings as a worker does."""
    return load_classifier(settings.model_directory(), threads=threads_of(settings), point=settings.operating_point)
