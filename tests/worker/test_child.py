"""The child process of a worker exits if it cannot serve, and logs the reason."""

from pathlib import Path

import pytest
from celery.signals import worker_process_init, worker_process_shutdown
from sqlalchemy import make_url

from broker.celery_app import celery_app
from settings import DatabaseSettings, QueueSettings
from worker import child
from worker.context import WorkerContext


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the logs of the test unchanged, and leave no context behind."""
    monkeypatch.setattr(child, "configure_logs", lambda _: None)
    monkeypatch.setattr(child, "contexts", [])


def test_a_child_that_cannot_serve_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: DatabaseSettings, queue: QueueSettings
) -> None:
    """Celery swallows every other exception, and would keep the child."""
    monkeypatch.setenv("DATABASE_URL", database.database_url)
    monkeypatch.setenv("REDIS_URL", queue.redis_url)
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    with pytest.raises(SystemExit):
        worker_process_init.send(sender="test")


def test_a_wrong_password_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    database: DatabaseSettings,
    queue: QueueSettings,
) -> None:
    wrong = make_url(database.database_url).set(password="another")
    monkeypatch.setenv("DATABASE_URL", wrong.render_as_string(hide_password=False))
    monkeypatch.setenv("REDIS_URL", queue.redis_url)
    with pytest.raises(SystemExit):
        worker_process_init.send(sender="test")
    [line] = [line for line in capsys.readouterr().out.splitlines() if "worker_not_ready" in line]
    assert "password authentication failed" in line


def test_a_child_that_stops_deregisters(context: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> None:
    with context.engine.begin() as connection:
        context.report_alive(connection)
    monkeypatch.setattr(child, "contexts", [context])
    worker_process_shutdown.send(sender="test")
    with context.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM workers").scalar() == 0


def test_logs_of_a_child_are_not_captured_by_celery() -> None:
    """Celery would replace the stream that logs are written to, and drop them."""
    app = celery_app(QueueSettings(redis_url="redis://nowhere"), "default")
    assert app.conf.worker_redirect_stdouts is False
    app.close()
