"""Random files through the whole API: tables come back unchanged, and damaged files are refused and store nothing."""

import csv
import io
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import given, settings

from settings import ApiSettings
from tests.conftest import own_api
from tests.files.test_fuzz import mutated
from tests.files.test_round_trip import Written, written
from tests.servers import RunningServer

FUZZ_FILES = 5_000
LIMITS = ApiSettings(max_upload_bytes=20_000, max_upload_rows=30, max_review_chars=1_000)
MEDIA = [
    "text/csv",
    "text/csv",
    "application/x-ndjson",
    "text/tab-separated-values",
    "text/csv; charset=utf-16",
    "application/gzip",
    "multipart/form-data; boundary=x",
]
FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nFILE\r\n--x--'
OPTIONS: list[dict[str, str]] = [
    *({}, {}, {}, {"format": "csv"}, {"format": "ndjson"}, {"text_column": "sentiment", "id_column": "id"}),
    *({"delimiter": "tab"}, {"label_column": "review"}, {"delimiter": "\0"}, {"text_column": "\ud7ff\uffff"}),
]


class Api:
    """A running API with low limits, and its database."""

    def __init__(self, client: httpx.Client, database_url: str) -> None:
        self.client = client
        self._database_url = database_url

    def counted(self) -> Any:
        """Count jobs, the rows that they should have, and the stored rows in two ways."""
        with psycopg.connect(self._database_url) as connection:
            return connection.execute(
                "SELECT (SELECT count(*) FROM jobs), (SELECT coalesce(sum(total), 0) FROM jobs),"
                " (SELECT count(*) FROM job_rows), (SELECT coalesce(sum(copies), 0) FROM reviews)"
                " + (SELECT count(*) FROM job_rows WHERE review_id IS NULL)"
            ).fetchone()


@pytest.fixture(scope="module")
def api(postgres: str, template: str, valkey: RunningServer) -> Iterator[Api]:
    with own_api(LIMITS, postgres, template, valkey) as (client, database_url):
        yield Api(client, database_url)


@settings(max_examples=150)
@given(file=written())
def test_a_table_comes_back_as_it_went_in(api: Api, file: Written) -> None:
    charset = f"; charset={file.wanted.charset}" if file.wanted.charset else ""
    told = {name: getattr(file.wanted, name) for name in ("text_column", "header", "quoting", "delimiter")}
    params = {name: value for name, value in told.items() if value}
    answer = api.client.post(
        "/v1/jobs", content=file.file, headers={"content-type": f"text/csv{charset}"}, params=params
    )
    assert answer.status_code == 202, answer.text
    job = answer.json()
    got = api.client.get(job["urls"]["results"], params={"format": "csv", "formulas": "keep"})
    reader = csv.reader(io.StringIO(got.text, newline=""), delimiter=job["file"]["delimiter"])
    header, *records = reader
    width = len(file.columns)
    assert header[:width] == file.columns
    assert [record[:width] for record in records] == file.records
    assert {len(record) for record in records} == {width + 5}


@pytest.mark.timeout(600)
def test_each_of_thousands_of_damaged_files_is_stored_whole_or_not_at_all(api: Api) -> None:
    draw, answers = random.Random(0), Counter[int]()
    [jobs_before, *_] = api.counted()
    for _ in range(FUZZ_FILES):
        media, params = draw.choice(MEDIA), draw.choice(OPTIONS)
        content = mutated(draw)
        if media.startswith("multipart"):
            content = (
                b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + content + b"\r\n--x--"
            )
        answer = api.client.post("/v1/jobs", content=content, headers={"content-type": media}, params=params)
        answers[answer.status_code] += 1
        assert answer.status_code in {202, 400, 413, 422}, (answer.text, content)
        assert "Traceback" not in answer.text
    jobs, *rows = api.counted()
    assert jobs - jobs_before == answers[202]
    assert len(set(rows)) == 1, rows
    assert min(answers[202], answers[422]) > FUZZ_FILES / 10
    assert answers[413]
