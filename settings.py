"""Every setting, read from the environment once by the process that needs it.

One small frozen class per concern; a process builds only its own, so a missing or wrong value stops
only who uses it. `.env.example` and the README's table are held to this file by a test.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent

PositiveSeconds = Annotated[float, Field(gt=0)]
OperatingPoint = Literal["fast", "balanced", "accurate", "full"]
MAX_ATTEMPTS = Field(3, ge=1, description="a review that breaks us alone this often has failed")


def problem(error: ValidationError) -> str:
    """Return one line for who has to mend it: each variable that is wrong or missing, and what is wrong with it."""
    found = [("_".join(map(str, each["loc"])).upper(), each["msg"]) for each in error.errors(include_url=False)]
    return "; ".join(f"{name}: {message}" for name, message in found)


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")


class DatabaseSettings(_Settings):
    """Where the truth is kept."""

    database_url: str = Field(description="PostgreSQL, e.g. postgresql://user:password@host:5432/verdict")
    database_pool_size: int = Field(10, ge=1, le=200, description="connections a process keeps at most")
    database_timeout_seconds: PositiveSeconds = Field(
        5, description="longest wait for a connection, a lock or a statement of a request"
    )


class QueueSettings(_Settings):
    """Where the doorbell is."""

    redis_url: str = Field(description="Redis or Valkey, e.g. redis://host:6379/0")
    rings_outstanding: int = Field(2, ge=1, le=100, description="wake-ups kept in Redis per lane at most")


class ApiSettings(_Settings):
    """What the HTTP side accepts."""

    host: str = Field("127.0.0.1", description="address the API listens on")
    port: int = Field(8000, ge=0, le=65535, description="port the API listens on")
    max_body_bytes: int = Field(8_000_000, ge=1_000, description="largest JSON body, in bytes")
    max_reviews: int = Field(500, ge=1, le=3_000, description="most reviews in one JSON job")
    max_review_chars: int = Field(100_000, ge=1, description="longest review, in characters")
    max_upload_bytes: int = Field(4_000_000_000, ge=1_000, description="largest file, in bytes, decompressed")
    max_upload_rows: int = Field(2_000_000, ge=1, description="most rows in a file")
    uploads_at_once: int = Field(4, ge=1, description="files taken in at once; each holds a database connection")
    upload_idle_seconds: PositiveSeconds = Field(30, description="an upload that brings nothing for so long is refused")
    max_wait_seconds: PositiveSeconds = Field(30, description="longest a request may wait for its result")
    interactive_max_reviews: int = Field(16, ge=1, description="jobs of at most this many reviews go before the others")
    admit_interactive_seconds: PositiveSeconds = Field(
        0.12, description="a small job is refused (429) while what waits before it would take longer"
    )
    admit_bulk_seconds: PositiveSeconds = Field(21_600, description="the same for all other jobs")
    request_log_seconds: PositiveSeconds = Field(
        1, description="requests are written to the log this often; a kill loses no more"
    )


class WorkerSettings(_Settings):
    """How a worker claims and predicts."""

    models_dir: Path = Field(ROOT / "models", description="folder of <name>/<version>/ model directories")
    model: str = Field("default", description="name of the model this worker serves")
    model_version: str | None = Field(None, description="its version; the newest if not given")
    operating_point: OperatingPoint | None = Field(
        None,
        description="fast, balanced, accurate or full (the network reads every review); "
        "the model's default if not given; a model of one stage has none",
    )
    worker_threads: int = Field(0, ge=0, description="inference threads; 0: one for each CPU at hand")
    claim_tokens: int = Field(8_192, ge=1, description="estimated tokens a claim takes at most")
    claim_reviews: int = Field(64, ge=1, description="reviews a claim takes at most")
    micro_batch_tokens: int = Field(1_280, ge=1, description="padded tokens a forward pass takes at most")
    lease_seconds: PositiveSeconds = Field(10, description="a silent worker's reviews are taken back after this")
    max_attempts: int = MAX_ATTEMPTS
    lease_cap_seconds: PositiveSeconds = Field(60, description="no claim lives longer than this, heartbeat or not")

    def model_directory(self) -> Path:
        """`<models_dir>/<model>/<version>`; without a version the newest, by number where it is one."""
        if self.model_version:
            return self.models_dir / self.model / self.model_version
        versions = [path for path in (self.models_dir / self.model).glob("[!.]*/") if path.is_dir()]
        newest = max(versions, key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)], default=None)
        return newest or self.models_dir / self.model


class MetricsSettings(_Settings):
    """Where worker and maintenance serve their metrics; the API has them at /metrics."""

    metrics_host: str = Field("127.0.0.1", description="address that worker and maintenance serve their metrics on")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="its port; 0: none, but `verdict run` chooses one for each process"
    )


class LivenessSettings(_Settings):
    """Where each process says that it goes on."""

    heartbeat_file: Path | None = Field(
        None, description="file that a process beats in, for what replaces a hung one; none if not given"
    )


class MaintenanceSettings(_Settings):
    """How the sweeper keeps house."""

    sweep_seconds: PositiveSeconds = Field(1, description="time between two sweeps")
    max_attempts: int = MAX_ATTEMPTS
    idempotency_hours: PositiveSeconds = Field(24, description="how long an Idempotency-Key is remembered")
    retention_days: PositiveSeconds = Field(30, description="finished jobs are deleted after this")
    request_log_days: int = Field(14, ge=1, description="days of the request log that are kept")


class RunSettings(_Settings):
    """What `verdict run` starts, and where its data lives."""

    verdict_home: Path = Field(Path(".verdict"), description="data of the embedded servers")
    database_url: str | None = Field(None, description="use this PostgreSQL instead of the embedded one")
    redis_url: str | None = Field(None, description="use this Redis instead of the embedded one")
    workers: int = Field(1, ge=1, le=64, description="worker processes")
