"""Every setting, read once from the environment by the process that needs it.

One small frozen class for each concern. A process builds only its own, so a missing or wrong value stops only the
processes that use it. A test compares `.env.example` and docs/reference/settings.md with this file.
"""

import re
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, NoReturn
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, FilePath, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent

PositiveSeconds = Annotated[float, Field(gt=0)]
OperatingPoint = Literal["fast", "balanced", "accurate", "full"]
PREDICTION_CACHE_ROWS = Field(
    200_000,
    ge=0,
    le=100_000_000,
    description="predictions kept for repeated texts, about 220 bytes each; 0: none",
)
MAX_ATTEMPTS = Field(3, ge=1, description="attempts after which a review that breaks the model alone has failed")


def problem(error: ValidationError) -> str:
    """Return one line with each wrong or missing variable and the reason."""
    found = [("_".join(map(str, each["loc"])).upper(), each["msg"]) for each in error.errors(include_url=False)]
    return "; ".join(f"{name}: {message}" for name, message in found)


def refuse(process: str, reason: object) -> NoReturn:
    """Write one line to stderr and exit with code 2: a restart changes nothing until somebody changes the reason."""
    sys.stderr.write(f"{process}: {reason}\n")
    sys.exit(2)


def newest_version(folder: Path) -> Path | None:
    """Return the newest version folder of a model, by the numbers in its name; None if there is none."""
    versions = [path for path in folder.glob("[!.]*/") if path.is_dir()]
    return max(versions, key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)], default=None)


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")


def _database_url(value: str) -> str:
    """Check the scheme and return the URL with libpq's own; no error repeats the value, which may hold a password."""
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise ValueError("must look like postgresql://user:password@host:5432/database")
    return f"postgresql://{rest}"


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]


class DatabaseSettings(_Settings):
    """The connection to PostgreSQL."""

    database_url: DatabaseUrl = Field(description="PostgreSQL, e.g. postgresql://user:password@host:5432/verdict")
    database_pool_size: int = Field(10, ge=1, le=200, description="most connections of a process")
    database_timeout_seconds: PositiveSeconds = Field(
        5, description="limit for a connection, a lock or a statement of a request, in seconds"
    )


def _redis_url(value: str) -> str:
    """Check an address; errors do not repeat it, since it may hold a password."""
    scheme = value.partition("://")[0]
    if scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("must begin with redis://, rediss:// (TLS) or unix:// (a socket file)")
    if not _is_complete(value):
        shape = "unix:///path/of/the/socket" if scheme == "unix" else f"{scheme}://user:password@host:port/number"
        raise ValueError(f"must look like {shape}; in a password, percent-encode all but letters and digits")
    return value


def _is_complete(address: str) -> bool:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme == "unix":
        return bool(parts.path.strip("/"))
    return bool(parts.hostname) and port != 0 and bool(re.fullmatch(r"/?\d*", parts.path)) and not parts.fragment


RedisUrl = Annotated[str, AfterValidator(_redis_url)]


class QueueSettings(_Settings):
    """The connection to Redis or Valkey, which carries wake-ups."""

    redis_url: RedisUrl = Field(
        description="Redis or Valkey, e.g. redis://host:6379/0; rediss:// for TLS, unix:///file for a socket"
    )
    redis_tls_ca: FilePath | None = Field(
        None, description="PEM file of the authorities that rediss:// trusts; by default the system's"
    )
    redis_tls_cert: FilePath | None = Field(None, description="PEM file of the client certificate shown to rediss://")
    redis_tls_key: FilePath | None = Field(
        None, description="PEM file of the key of this certificate, unless it is in the same file"
    )
    rings_outstanding: int = Field(2, ge=1, le=100, description="most wake-ups kept in Redis for a model and lane")

    @field_validator("redis_tls_ca", "redis_tls_cert", "redis_tls_key")
    @classmethod
    def _with_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value and not info.data.get("redis_url", "rediss:").startswith("rediss:"):
            raise ValueError("has no effect without TLS: REDIS_URL must begin with rediss://")
        if value and info.field_name == "redis_tls_key" and not info.data.get("redis_tls_cert"):
            raise ValueError("is the key of a certificate: set REDIS_TLS_CERT as well")
        return value


# Empty, or segments of letters, digits and .-_~ such as /tools/verdict. Below /v1 it could not be told from a route.
PATH_PREFIX = re.compile(r"(?!/v1(?:/|$))(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*")
_ORIGIN = re.compile(r"(https?)://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?/?")


def _listed(value: str) -> list[str]:
    """Return the entries of a list with commas."""
    return [entry for each in value.split(",") if (entry := each.strip())]


def _origin(value: str) -> str:
    """Return an origin as browsers send it: in lower case, without the default port and without a slash at the end."""
    if value == "*":
        return value
    found = _ORIGIN.fullmatch(value)
    if not found:
        raise ValueError(f"{value} is no origin; write scheme and host, such as https://shop.example, without a path")
    scheme, host, port = found[1].lower(), found[2].lower(), found[3]
    is_default = port in {None, {"http": "80", "https": "443"}[scheme]}
    return f"{scheme}://{host}" if is_default else f"{scheme}://{host}:{port}"


class ApiSettings(_Settings):
    """Limits and address of the API."""

    host: str = Field("127.0.0.1", description="address the API listens on")
    port: int = Field(8000, ge=0, le=65535, description="port the API listens on")
    allowed_hosts: str = Field(
        "",
        description="names of the service besides localhost, HOST and IP addresses, separated by commas; "
        "*.example.com allows all subdomains, * any name",
    )
    root_path: str = Field(
        "",
        description="path prefix below which a proxy serves the API, such as /verdict; a trusted proxy can send "
        "its own in X-Forwarded-Prefix",
    )
    forwarded_allow_ips: str = Field(
        "127.0.0.1,::1",
        description="IP addresses and networks of trusted proxies, separated by commas; X-Forwarded-For, -Proto and "
        "-Prefix of others are ignored; * trusts all",
    )
    cors_origins: str = Field(
        "",
        description="origins of other web sites whose pages may call the API, separated by commas, such as "
        "https://shop.example; * allows all",
    )
    max_body_bytes: int = Field(8_000_000, ge=1_000, description="largest JSON body, in bytes")
    max_reviews: int = Field(500, ge=1, le=3_000, description="most reviews in one JSON job")
    max_review_chars: int = Field(100_000, ge=1, description="longest review, in characters")
    max_upload_bytes: int = Field(4_000_000_000, ge=1_000, description="largest file, in bytes, decompressed")
    max_upload_rows: int = Field(2_000_000, ge=1, description="most rows in a file")
    uploads_at_once: int = Field(4, ge=1, description="uploads received at once; each uses a database connection")
    upload_idle_seconds: PositiveSeconds = Field(
        30, description="an upload without data for so many seconds is refused"
    )
    max_wait_seconds: PositiveSeconds = Field(30, description="longest wait of a request for its result, in seconds")
    interactive_max_reviews: int = Field(
        16, ge=1, description="jobs of at most this many reviews are interactive and have priority"
    )
    admit_interactive_seconds: PositiveSeconds = Field(
        0.12, description="an interactive job is refused (429) while its estimated wait is longer, in seconds"
    )
    admit_bulk_seconds: PositiveSeconds = Field(21_600, description="the same for all other jobs, in seconds")
    default_model: str | None = Field(None, description="model of jobs that name none; by default the only served one")
    accept_without_worker: bool = Field(
        False, description="accept jobs for a model without a live worker, with a warning, in place of a 503"
    )
    request_log_seconds: PositiveSeconds = Field(
        1, description="interval at which requests are written to the log; a kill loses at most this, in seconds"
    )

    @property
    def allowed_host_names(self) -> frozenset[str]:
        """Return the names in `ALLOWED_HOSTS`."""
        return frozenset(_listed(self.allowed_hosts))

    @property
    def allowed_origins(self) -> frozenset[str]:
        """Return the origins in `CORS_ORIGINS`, as browsers send them."""
        return frozenset(map(_origin, _listed(self.cors_origins)))

    @field_validator("root_path")
    @classmethod
    def _path_prefix(cls, value: str) -> str:
        prefix = value.rstrip("/")
        if not PATH_PREFIX.fullmatch(prefix):
            raise ValueError("must be empty or a path such as /verdict, not below /v1")
        return prefix

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _addresses(cls, value: str) -> str:
        for each in _listed(value):
            try:
                if value.strip() != "*":
                    ip_network(each)
            except ValueError as error:
                raise ValueError(f"{each} is no IP address or network; write 10.0.0.0/8, or * alone") from error
        return ",".join(_listed(value))

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        for each in _listed(value):
            _origin(each)
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _names_only(cls, value: str) -> str:
        for each in _listed(value):
            if not re.fullmatch(r"\*|(\*\.)?[A-Za-z0-9_][A-Za-z0-9_.-]*", each):
                raise ValueError(f"{each} is no host name; write names without scheme, port or path")
        return value


class WorkerSettings(_Settings):
    """How a worker claims and predicts."""

    models_dir: Path = Field(ROOT / "models", description="folder of <name>/<version>/ model directories")
    model: str = Field("default", description="name of the model that this worker serves")
    model_version: str | None = Field(None, description="version of the model; by default the newest")
    operating_point: OperatingPoint | None = Field(
        None,
        description="fast, balanced, accurate or full (the network reads every review); "
        "by default the model's own; a model of one stage has none",
    )
    neutral: bool = Field(
        False,
        description="answer neutral, as a third label, if a two-label model is unsure; the version shows it",
    )
    worker_threads: int = Field(0, ge=0, description="inference threads; 0: one for each available CPU")
    claim_tokens: int = Field(8_192, ge=1, description="most estimated tokens in a claim")
    claim_reviews: int = Field(64, ge=1, description="most reviews in a claim")
    micro_batch_tokens: int = Field(1_280, ge=1, description="most padded tokens in a forward pass")
    lease_seconds: PositiveSeconds = Field(
        10, description="reviews of a worker without a heartbeat go to others after this, in seconds"
    )
    max_attempts: int = MAX_ATTEMPTS
    lease_cap_seconds: PositiveSeconds = Field(
        60, description="longest life of a claim, with or without a heartbeat, in seconds"
    )
    prediction_cache_rows: int = PREDICTION_CACHE_ROWS

    def model_directory(self) -> Path:
        """Return `<models_dir>/<model>/<version>`, without a version the newest."""
        if self.model_version:
            return self.models_dir / self.model / self.model_version
        return newest_version(self.models_dir / self.model) or self.models_dir / self.model


class MetricsSettings(_Settings):
    """The address of the metrics of worker and maintenance; the API serves its own at /metrics."""

    metrics_host: str = Field("127.0.0.1", description="address that worker and maintenance serve their metrics on")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="port of these metrics; 0: none, but `verdict run` chooses one for each process"
    )


class LivenessSettings(_Settings):
    """The heartbeat of each process."""

    heartbeat_file: Path | None = Field(
        None, description="file for the heartbeats of a process, by which a hung one is replaced; by default none"
    )


class MaintenanceSettings(_Settings):
    """Intervals and retention of maintenance."""

    sweep_seconds: PositiveSeconds = Field(1, description="seconds between two rounds of maintenance")
    max_attempts: int = MAX_ATTEMPTS
    idempotency_hours: PositiveSeconds = Field(24, description="hours for which an Idempotency-Key is remembered")
    retention_days: PositiveSeconds = Field(30, description="finished jobs are deleted after so many days")
    request_log_days: int = Field(14, ge=1, description="days of the request log that are kept")
    prediction_cache_rows: int = PREDICTION_CACHE_ROWS
    prediction_cache_days: PositiveSeconds = Field(30, description="cached predictions are deleted after so many days")


class RunSettings(_Settings):
    """Processes and data of `verdict run`."""

    verdict_home: Path = Field(Path(".verdict"), description="data of the embedded servers")
    database_url: DatabaseUrl | None = Field(None, description="use this PostgreSQL instead of the embedded one")
    redis_url: RedisUrl | None = Field(None, description="use this Redis instead of the embedded one")
    workers: int = Field(1, ge=1, le=64, description="worker processes")
