"""JSON logs: one object a line on standard error, with the ids of the context.

Processes bind known ids with structlog.contextvars; the API sets `ids`.
"""

import json
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

#: Called when a line is written: the job of a request is known later than the id of the request.
ids: ContextVar[Callable[[], dict[str, str]]] = ContextVar("ids", default=dict)

# Without local variables, which include the texts of reviews.
TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
# One encoder for all lines: json.dumps with a `default` creates one each time, which takes 3 µs.
ENCODE = json.JSONEncoder(default=repr).encode
AS_JSON = structlog.processors.JSONRenderer(serializer=lambda event, **_: ENCODE(event))


def configure_logs(process: str) -> None:
    """Write the log lines of this process and of its libraries as JSON to standard error."""
    shared = _shared(process)
    # Our own lines bypass the standard library, which takes twice the time; there is one for each request.
    structlog.configure(
        processors=[*shared, TRACEBACKS, AS_JSON],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, TRACEBACKS, AS_JSON],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.captureWarnings(capture=True)
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for chatty in ("httpx", "alembic", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _shared(process: str) -> list[Processor]:
    def complete(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        event.update(ids.get()(), process=process)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        complete,
    ]
