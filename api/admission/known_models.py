"""Which model a job goes to: the one that it names, or the one that is served. Used by all who submit.

Decided by what live workers serve now, asked of the store once a second at most, not by what was ever loaded: a job
for a model that nobody serves would wait for ever.
"""

import time
from collections.abc import Iterable
from typing import NoReturn

from api.errors import FieldError, InvalidRequest, NotReady, NoWorker
from db import registrations
from db.engine import Connection
from settings import ApiSettings

KEPT_SECONDS = 1.0


class KnownModels:
    """The models as they were a moment ago. Whatever is to be refused is looked at again first."""

    def __init__(self, settings: ApiSettings) -> None:
        self._default = settings.default_model
        self._accepts_all = settings.accept_without_worker
        self._live: frozenset[str] = frozenset()
        self._loaded: frozenset[str] = frozenset()
        self._seen: float | None = None

    def remembered(self, asked: str | None) -> str | None:
        """The model of a job that asks for `asked`, or for none, as far as that is known without the store."""
        if self._seen is None or time.monotonic() - self._seen >= KEPT_SECONDS:
            return None
        name = self._named(asked)
        return name if name in self._live else None

    def choose(self, connection: Connection, asked: str | None, pointer: str) -> str:
        """The model of a job that asks for `asked`, or for none; `pointer` is where the request may name it.

        Raises:
            NotReady, NoWorker, InvalidRequest: no worker is there yet, none that serves this model, or no such model.
        """
        if model := self.remembered(asked):
            return model
        self._look(connection)
        name = self._named(asked)
        if name not in self._live and not (self._accepts_all and name in self._loaded):
            self._refuse(name, asked, pointer)
        return name

    def _look(self, connection: Connection) -> None:
        live = registrations.live_workers(connection)
        self._live = frozenset(name for name, workers in live.items() if workers)
        self._loaded = registrations.loaded_models(connection)
        self._seen = time.monotonic()

    def _named(self, asked: str | None) -> str:
        """The name that is asked for, or that stands for none; empty where several might."""
        served = self._live or (self._loaded if self._accepts_all else frozenset())
        return asked or self._default or (next(iter(served)) if len(served) == 1 else "")

    def _refuse(self, name: str, asked: str | None, pointer: str) -> NoReturn:
        live, soon = listed(self._live), {"Retry-After": "2"}
        served = f"these models are served: {live}" if live else "no model is served"
        if name in self._loaded:
            raise NoWorker(f"No live worker serves the model {name}; {served}. Nothing was kept.", headers=soon)
        if name and name == self._default:
            raise NotReady(f"No worker has loaded {name}, the DEFAULT_MODEL, yet; {served}.", headers=soon)
        if not self._live:
            raise NotReady(headers=soon)
        if asked:
            raise InvalidRequest(errors=[FieldError(pointer, f"is not one of the models that are served: {live}")])
        detail = f"is needed: several models are served ({live}), and no DEFAULT_MODEL decides"
        raise InvalidRequest(errors=[FieldError(pointer, detail)])


def listed(names: Iterable[str]) -> str:
    """The names in order, with commas."""
    return ", ".join(sorted(names))
