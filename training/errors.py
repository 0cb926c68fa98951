"""The one error that a user of `verdict train`, `export` or `evaluate` meets; its message is one line."""


class TrainingError(Exception):
    """Training, export or evaluation cannot go on as asked."""
