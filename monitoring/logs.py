"""JSON logs: one object a line on standard error, with the ids that are bound to the context.

A process binds what it knows beforehand with structlog.contextvars; the API sets `ids`.
"""

import json
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

#: Asked for more ids when a line is written: which job a request is about is known later than its own id.
ids: ContextVar[Callable[[], dict[str, str]]] = ContextVar("ids", default=dict)

# Without the values of local variables: the texts of reviews are among them.
TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
# One encoder for all lines: json.dumps with a `default` makes one each time, for 3 µs.
ENCODE = json.JSONEncoder(default=repr).encode
AS_JSON = structlog.processors.JSONRenderer(serializer=lambda event, **_: ENCODE(event))


def configure_logs(process: str) -> None:
    """Send this process's log lines, and those of the libraries, as JSON to standard error."""
    shared = _shared(process)
    # Ours past the standard library, through which a line takes twice the time: there is one a request.
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
