"""Start the HTTP side: `python -m api.main`."""

import sys

import uvicorn
from pydantic import ValidationError

from api.app import create_app
from monitoring.logs import configure_logs
from settings import ApiSettings, DatabaseSettings, QueueSettings


def main() -> None:
    """Serve until a signal ends it; exit code 1 with one line when a setting is wrong."""
    try:
        settings, database, queue = ApiSettings(), DatabaseSettings(), QueueSettings()
    except ValidationError as error:
        sys.exit(f"api: {error}")
    configure_logs("api")
    uvicorn.run(
        create_app(settings, database, queue),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        # Uvicorn waits for ever for slow clients by default.
        timeout_graceful_shutdown=int(settings.max_wait_seconds) + 5,
    )


if __name__ == "__main__":
    main()
