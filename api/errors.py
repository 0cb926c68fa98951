"""Every refusal of the API, as one tree. Routes raise and never catch; `api.problems` makes the HTTP answers.

ServiceError
├── InvalidRequest          422  a value in the path, the query, a header or the body is wrong; `errors` lists them
│   └── KeyReused           422  the Idempotency-Key belongs to an earlier, different request
├── InvalidJson             400  the body is not JSON
├── InvalidUpload           400  the body is cut short, or is no multipart form with a file
├── TooSlow                 408  the body did not arrive in time
├── TooManyUploads          429  the limit of simultaneous uploads is reached
├── Overloaded              429  the queue of the model, or this API process, has no room
├── BodyTooLarge            413
├── UnsupportedMediaType    415
├── InvalidHost             400  `Host` is missing, malformed or repeated
├── InvalidForwardedPrefix  400  a trusted proxy sent a malformed X-Forwarded-Prefix
├── CrossSiteRequest        403  a page of another site sent the request
├── HostNotAllowed          421  `Host` is not a name of this service
├── UnknownJob              404
├── UnknownReview           404
├── WrongState              409  the job or review is not in a state that allows this
├── NotAcceptable           406  `Accept` names no format that results can have
├── RangeNotSatisfiable     416  the range begins after the last byte
├── NotReady                503  no worker has loaded a model yet
├── NoWorker                503  no live worker serves the model
├── NotInTime               504  the job has not finished within the longest wait
├── ClassificationFailed    500  the model failed on this review
└── InternalError           500  a fault of the service
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong value: a JSON pointer into the body, or `query/name`, `header/name`, `path/name`, `form/name`."""

    pointer: str
    detail: str


class ServiceError(Exception):
    """The request could not be served."""

    status: ClassVar[HTTPStatus]
    name: ClassVar[str]

    def __init__(
        self, detail: str | None = None, errors: list[FieldError] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail or self.__doc__)
        self.errors = errors or []
        self.headers = headers or {}


class InvalidRequest(ServiceError):
    """The request is not valid; `errors` lists each wrong value."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    name = "invalid-request"


class KeyReused(InvalidRequest):
    """This Idempotency-Key was used before with a different request."""

    name = "idempotency-key-reused"


class InvalidJson(ServiceError):
    """The body is not valid JSON."""

    status = HTTPStatus.BAD_REQUEST
    name = "invalid-json"


class InvalidUpload(ServiceError):
    """The body does not hold a whole file."""

    status = HTTPStatus.BAD_REQUEST
    name = "invalid-upload"


class TooSlow(ServiceError):
    """The body did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    name = "too-slow"


class TooManyUploads(ServiceError):
    """The service is reading as many files as it can; try again shortly."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    name = "too-many-uploads"


class Overloaded(ServiceError):
    """The queue is full; try again after the seconds in `Retry-After`."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    name = "overloaded"


class BodyTooLarge(ServiceError):
    """The body is larger than the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    name = "body-too-large"


class UnsupportedMediaType(ServiceError):
    """The body must be JSON: send `Content-Type: application/json`; for a file, add `format=csv` or `ndjson`."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    name = "unsupported-media-type"


class InvalidHost(ServiceError):
    """The request must have exactly one `Host` header, and it must hold a host name or an IP address."""

    status = HTTPStatus.BAD_REQUEST
    name = "invalid-host"


class InvalidForwardedPrefix(ServiceError):
    """`X-Forwarded-Prefix` of a trusted proxy must be a path such as /verdict, not below /v1."""

    status = HTTPStatus.BAD_REQUEST
    name = "invalid-forwarded-prefix"


class CrossSiteRequest(ServiceError):
    """A page of another site sent this request; only pages of this service and of CORS_ORIGINS may call it."""

    status = HTTPStatus.FORBIDDEN
    name = "cross-site-request"


class HostNotAllowed(ServiceError):
    """This service does not answer for the host in the request; ALLOWED_HOSTS lists its names."""

    status = HTTPStatus.MISDIRECTED_REQUEST
    name = "host-not-allowed"


class UnknownJob(ServiceError):
    """There is no such job."""

    status = HTTPStatus.NOT_FOUND
    name = "unknown-job"


class UnknownReview(ServiceError):
    """There is no such review."""

    status = HTTPStatus.NOT_FOUND
    name = "unknown-review"


class WrongState(ServiceError):
    """The job or review is not in a state that allows this."""

    status = HTTPStatus.CONFLICT
    name = "wrong-state"


class NotAcceptable(ServiceError):
    """`Accept` names no format that results can have; `format=` chooses json, ndjson, csv or parquet."""

    status = HTTPStatus.NOT_ACCEPTABLE
    name = "not-acceptable"


class RangeNotSatisfiable(ServiceError):
    """The range begins after the last byte; `Content-Range` holds the number of bytes."""

    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    name = "range-not-satisfiable"


class NotReady(ServiceError):
    """No live worker serves any model; try again shortly."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    name = "not-ready"


class NoWorker(ServiceError):
    """No live worker serves this model."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    name = "no-worker"


class NotInTime(ServiceError):
    """The review is still queued or processing; the job in `Location` will hold the result."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    name = "not-in-time"


class ClassificationFailed(ServiceError):
    """The model failed on this review; the job in `Location` holds the reason and can be retried."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    name = "not-judged"


class InternalError(ServiceError):
    """The service failed to handle this request; its log has the cause under the same `request_id`."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    name = "internal-error"
