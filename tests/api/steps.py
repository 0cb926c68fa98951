"""Steps of a caller: submit jobs, and get results in each format."""

import csv
import io
from typing import Any, TypeAlias

import httpx
from pyarrow import parquet

OURS = ["sentiment", "confidence", "status", "error", "model_version"]
STREAMS = ["ndjson", "csv", "parquet"]
Sent: TypeAlias = dict[str, str] | None


def as_csv(rows: list[list[str]], delimiter: str = ",") -> bytes:
    """Return a CSV file as most writers make it."""
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return file.getvalue().encode()


def submit(client: httpx.Client, body: bytes, **params: str) -> dict[str, Any]:
    """Upload a CSV file, wait for the end of its job, and return it."""
    headers = {"content-type": "text/csv", "prefer": "wait=20"}
    answer = client.post("/v1/jobs", content=body, headers=headers, params=params)
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    return job


def post(client: httpx.Client, *texts: str, wait: int = 20) -> dict[str, Any]:
    """Submit texts as JSON, and return the job."""
    reviews = {"reviews": [{"text": text} for text in texts]}
    job: dict[str, Any] = client.post("/v1/jobs", json=reviews, headers={"prefer": f"wait={wait}"}).json()
    return job


def get(client: httpx.Client, job: dict[str, Any], form: str, *, sending: Sent = None, **params: str) -> Any:
    """Get results in a format, with request headers `sending`."""
    return client.get(job["urls"]["results"], params={"format": form} | params, headers=sending)


def rows_of(content: bytes, delimiter: str = ",") -> list[list[str]]:
    """Return the records of a CSV file, the header first."""
    return list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=delimiter))


def number_of_rows(form: str, content: bytes) -> int:
    """Return the number of rows of results in a format."""
    match form:
        case "csv":
            return len(rows_of(content)) - 1
        case "ndjson":
            return content.count(b"\n")
        case _:
            return len(table(content))


def table(content: bytes) -> Any:
    """Return the table of a Parquet file."""
    return parquet.ParquetFile(io.BytesIO(content)).read()
