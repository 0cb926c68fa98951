"""Start the HTTP side: `python -m api.main`."""

import socket
import sys
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from api.admission.retry_schedule import LONGEST_SECONDS
from api.app import create_app
from db import preflight
from monitoring.liveness import Heartbeat
from monitoring.logs import configure_logs
from monitoring.traces import configure_traces
from settings import ApiSettings, DatabaseSettings, LivenessSettings, QueueSettings, problem, refuse


class ApiServer(uvicorn.Server):
    """Uvicorn waits for requests that run before it ends the application, and event streams wait for their job."""

    def __init__(self, app: FastAPI, config: uvicorn.Config, heartbeat: Heartbeat) -> None:
        super().__init__(config)
        self._app, self._heartbeat = app, heartbeat

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until the last answer was given, and beat as long."""
        async with self._heartbeat.beating():
            await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, and say so to the streams."""
        super().handle_exit(sig, frame)
        if self.started:
            self._app.state.service.stopping.set()


def main() -> None:
    """Serve until a signal ends it; exit code 2 with one line when a setting or the database is wrong."""
    try:
        settings, database, queue = ApiSettings(), DatabaseSettings(), QueueSettings()
        liveness = LivenessSettings()
    except ValidationError as error:
        refuse("api", problem(error))
    configure_logs("api")
    preflight.check_at_start(database, "api")
    configure_traces("api")
    app = create_app(settings, database, queue)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        # Who comes back when told finds his connection open; closed in that very moment, it costs him an error.
        timeout_keep_alive=LONGEST_SECONDS + 15,
        # Uvicorn waits for ever for slow clients by default.
        timeout_graceful_shutdown=int(settings.max_wait_seconds) + 5,
    )
    server = ApiServer(app, config, Heartbeat(liveness.heartbeat_file))
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when it has ended
        server.run()
    if not server.started:
        sys.exit(3)  # the exit code of uvicorn's own command line


if __name__ == "__main__":
    main()
