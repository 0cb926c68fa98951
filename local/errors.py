"""The error of the local stack; `verdict` shows its message as one line."""


class LocalError(Exception):
    """The local stack cannot start or continue; the message gives the reason and the remedy.

    Exit code 2 stands for wrong use or circumstances, 1 for a process that was started and failed.
    """

    def __init__(self, message: str, *, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code
