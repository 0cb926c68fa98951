"""The Python client of a Verdict service: `with Client() as client: print(client.classify("A warm film."))`.

`Client` blocks and `AsyncClient` is awaited; they have the same methods (verdict.calls) and raise the same errors.
"""

from verdict.client import AsyncClient, Client
from verdict.errors import (
    DownloadChanged,
    NotConnected,
    NotSecure,
    NotVerdict,
    Refused,
    ServiceUnreachable,
    UnknownFormat,
    VerdictError,
    WrongAddress,
    WrongEnvironment,
)
from verdict.schemas import Classification, Counts, Evaluation, Feedback, File, Job, Result, Review

__all__ = [
    "AsyncClient",
    "Classification",
    "Client",
    "Counts",
    "DownloadChanged",
    "Evaluation",
    "Feedback",
    "File",
    "Job",
    "NotConnected",
    "NotSecure",
    "NotVerdict",
    "Refused",
    "Result",
    "Review",
    "ServiceUnreachable",
    "UnknownFormat",
    "VerdictError",
    "WrongAddress",
    "WrongEnvironment",
]
