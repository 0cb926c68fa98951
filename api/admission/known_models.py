"""Choose the model of a job: the one that it names, DEFAULT_MODEL, or the only one that is served.

A model is served while a live worker has loaded it. A job for any other model would wait without end, so it is refused.
"""

import time
from collections.abc import Iterable
from typing import NoReturn

from api.errors import FieldError, InvalidRequest, NotReady, NoWorker
from db import registrations
from db.engine import Connection
from settings import ApiSettings

CACHE_SECONDS = 1.0


class KnownModels:
    """The models that are served, cached for CACHE_SECONDS and read again before every refusal."""

    def __init__(self, settings: ApiSettings) -> None:
        self._default = settings.default_model
        self._accepts_all = settings.accept_without_worker
        self._live: frozenset[str] = frozenset()
        self._loaded: frozenset[str] = frozenset()
        self._read_at: float | None = None

    def cached(self, requested: str | None) -> str | None:
        """Return the model of a job that names `requested`, or none, if the cache holds it."""
        if self._read_at is None or time.monotonic() - self._read_at >= CACHE_SECONDS:
            return None
        name = self._name_for(requested)
        return name if name in self._live else None

    def choose(self, connection: Connection, requested: str | None, pointer: str) -> str:
        """Return the model of a job that names `requested`, or none; `pointer` is the field that can name it.

        Raises:
            NotReady: No worker has loaded the default model, or any model, yet.
            NoWorker: No live worker serves this model.
            InvalidRequest: The name is unknown, or needed because several models are served.
        """
        if model := self.cached(requested):
            return model
        self._read(connection)
        name = self._name_for(requested)
        if name not in self._live and not (self._accepts_all and name in self._loaded):
            self._refuse(name, requested, pointer)
        return name

    def _read(self, connection: Connection) -> None:
        live = registrations.live_workers(connection)
        self._live = frozenset(name for name, workers in live.items() if workers)
        self._loaded = registrations.loaded_models(connection)
        self._read_at = time.monotonic()

    def _name_for(self, requested: str | None) -> str:
        """Return the requested name, else DEFAULT_MODEL, else the only model served; empty if several are."""
        served = self._live or (self._loaded if self._accepts_all else frozenset())
        return requested or self._default or (next(iter(served)) if len(served) == 1 else "")

    def _refuse(self, name: str, requested: str | None, pointer: str) -> NoReturn:
        live, soon = joined(self._live), {"Retry-After": "2"}
        served = f"these models are served: {live}" if live else "no model is served"
        if name in self._loaded:
            raise NoWorker(f"No live worker serves the model {name}; {served}. Nothing was stored.", headers=soon)
        if name and name == self._default:
            raise NotReady(f"No worker has loaded {name}, the DEFAULT_MODEL, yet; {served}.", headers=soon)
        if not self._live:
            raise NotReady(headers=soon)
        if requested:
            raise InvalidRequest(errors=[FieldError(pointer, f"is not one of the models that are served: {live}")])
        detail = f"is needed: several models are served ({live}), and DEFAULT_MODEL is not set"
        raise InvalidRequest(errors=[FieldError(pointer, detail)])


def joined(names: Iterable[str]) -> str:
    """Return the names sorted and joined by commas."""
    return ", ".join(sorted(names))
