"""The names of models that a job may ask for, asked of the store once a second at most. Used by all who submit."""

import time

from api.errors import InvalidRequest, NotReady, Pointed
from db import registrations
from db.engine import Connection

FRESH_SECONDS = 1.0


class KnownModels:
    """The names as they were a moment ago; a name that is not among them is looked for again."""

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()
        self._seen = 0.0

    def require(self, connection: Connection, model: str, pointer: str) -> None:
        """Refuse a model that no worker has registered.

        Raises:
            NotReady, InvalidRequest: there is none at all yet, or not this one.
        """
        if model in self._names and time.monotonic() - self._seen < FRESH_SECONDS:
            return
        self._names, self._seen = frozenset(registrations.model_names(connection)), time.monotonic()
        if not self._names:
            raise NotReady(headers={"Retry-After": "2"})
        if model not in self._names:
            raise InvalidRequest(errors=[Pointed(pointer, f"is not one of {', '.join(sorted(self._names))}")])
