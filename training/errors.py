"""The only error that `verdict train`, `export` and `evaluate` show a user; its message is one line."""


class TrainingError(Exception):
    """Training, export or evaluation cannot continue; the message says why."""
