"""Start the API server: `python -m api.main`."""

import socket
import sys
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from api.admission.retry_schedule import LONGEST_SECONDS
from api.app import create_app
from api.http.protocol import HttpProtocol
from api.state import state_of
from db import preflight
from monitoring.liveness import Heartbeat
from monitoring.logs import configure_logs
from monitoring.traces import configure_traces
from settings import ApiSettings, DatabaseSettings, LivenessSettings, QueueSettings, problem, refuse


class ApiServer(uvicorn.Server):
    """A uvicorn server that ends open event streams at shutdown.

    Uvicorn waits for open requests before it stops the application, and an event stream is open until its job ends.
    """

    def __init__(self, app: FastAPI, config: uvicorn.Config, heartbeat: Heartbeat) -> None:
        super().__init__(config)
        self._app, self._heartbeat = app, heartbeat

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until shutdown, and write heartbeats meanwhile."""
        async with self._heartbeat.beating():
            await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start the shutdown, and end the event streams."""
        super().handle_exit(sig, frame)
        if self.started:
            state_of(self._app).stopping.set()


def main() -> None:
    """Serve until a signal arrives; exit with code 2 and one line on stderr if a setting or the database is wrong."""
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
        http=HttpProtocol,
        proxy_headers=False,  # api.http.proxies applies them, and needs the address of the proxy for its own header
        log_config=None,
        access_log=False,
        server_header=False,
        # Longer than the longest Retry-After: otherwise a punctual retry hits a closing socket.
        timeout_keep_alive=LONGEST_SECONDS + 15,
        # By default uvicorn waits without limit for slow clients.
        timeout_graceful_shutdown=int(settings.max_wait_seconds) + 5,
    )
    server = ApiServer(app, config, Heartbeat(liveness.heartbeat_file))
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again after its shutdown
        server.run()
    if not server.started:
        sys.exit(3)  # the exit code of uvicorn's own command line


if __name__ == "__main__":
    main()
