"""Results as streams over real HTTP against real servers: the caller's rows, with the result of each."""

import httpx
import pyarrow as pa
import pytest

from api import formats
from api.errors import NotAcceptable
from api.routes.results import Format, acceptable
from db import exports
from tests.api.steps import OURS, STREAMS, as_csv, get, number_of_rows, post, rows_of, submit, table
from tests.cells import NASTY
from tests.fakes import POISON, expected_sentiment

UNKNOWN = "/v1/jobs/0199aaaa-0000-7000-8000-000000000000/results"


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_csv_file_comes_back_with_the_result_columns_appended(client: httpx.Client, delimiter: str) -> None:
    sent = [["id", "review", "note"], *([cell, f"a film {cell}", cell[::-1]] for cell in NASTY)]
    job = submit(client, as_csv(sent, delimiter))
    answer = get(client, job, "csv", formulas="keep")
    rows = rows_of(answer.content, delimiter)
    assert [row[:3] for row in rows] == sent
    assert rows[0][3:] == OURS
    assert [row[3] for row in rows[1:]] == [expected_sentiment(row[1]) for row in rows[1:]]
    assert {(row[5], row[6], row[7]) for row in rows[1:]} == {("succeeded", "", "0")}
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{job["id"]}.csv"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert b"\r\n" not in answer.content.replace(b"a\r\nb", b"").replace(b"b\n\ra", b"")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("columns", [51, 900])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_very_wide_file_comes_back_too(client: httpx.Client, form: str, columns: int) -> None:
    others = [NASTY[place % len(NASTY)] for place in range(columns)]
    sent = [["review", *(f"c{place}" for place in range(columns))], ["a film", *others], ["", *others]]
    content = get(client, submit(client, as_csv(sent)), form, formulas="keep").content
    rows = rows_of(content) if form == "csv" else [list(row.values()) for row in table(content).to_pylist()]
    found = rows[1:] if form == "csv" else rows
    assert [row[: columns + 1] for row in found] == sent[1:]
    assert found[0][columns + 1] == expected_sentiment("a film")
    assert found[1][columns + 3 : columns + 5] == ["failed", "empty_text: The text is empty or blank."]


@pytest.mark.usefixtures("worker")
def test_formulas_get_an_apostrophe_unless_they_are_to_be_kept(client: httpx.Client) -> None:
    cells = [f"{start}1+1" for start in ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")]  # noqa: RUF001
    job = submit(
        client, as_csv([["review", "=note"], *([f"a film {place}", cell] for place, cell in enumerate(cells))])
    )
    escaped, kept = (rows_of(get(client, job, "csv", formulas=each).content) for each in ("escape", "keep"))
    assert [row[1] for row in escaped] == [f"'{cell}" for cell in ["=note", *cells]]
    assert [row[1] for row in kept] == ["=note", *cells]
    assert get(client, job, "csv").content == get(client, job, "csv", formulas="escape").content


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("columns", [2, 60])
def test_csv_begins_with_a_byte_order_mark_on_request(client: httpx.Client, columns: int) -> None:
    job = submit(client, as_csv([["review", *map(str, range(columns))], ["a café", *["x"] * columns]]))
    plain, marked = (get(client, job, "csv", bom=each) for each in ("false", "true"))
    assert marked.content == b"\xef\xbb\xbf" + plain.content
    assert marked.headers["etag"] != plain.headers["etag"]
    part = get(client, job, "csv", bom="true", sending={"range": "bytes=1-9"})
    assert part.content == marked.content[1:10]
    assert get(client, job, "ndjson", bom="true").content == get(client, job, "ndjson").content


@pytest.mark.usefixtures("worker")
def test_a_result_column_is_renamed_if_the_file_has_its_name(client: httpx.Client) -> None:
    job = submit(
        client, as_csv([["review", "sentiment", "Status", "verdict_status"], ["a film", "positive", "new", "x"]])
    )
    header = rows_of(get(client, job, "csv").content)[0]
    assert header[4:6] == ["verdict_sentiment", "confidence"]
    assert len({name.casefold() for name in header}) == 9


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("form", STREAMS)
def test_rows_can_be_filtered_by_status(client: httpx.Client, form: str) -> None:
    job = submit(client, as_csv([["n", "review"], ["1", "a film"], ["2", ""], ["3", POISON], ["4", "a fine film"]]))
    content = get(client, job, form, status="failed").content
    assert number_of_rows(form, content) == 2
    if form == "csv":
        assert [row[:2] + row[4:6] for row in rows_of(content)[1:]] == [
            ["2", "", "failed", "empty_text: The text is empty or blank."],
            ["3", POISON, "failed", "exhausted: the model failed 3 times on this review alone: MemoryError"],
        ]


@pytest.mark.parametrize("form", STREAMS)
def test_a_running_job_gives_its_results_so_far_without_etag(client: httpx.Client, form: str) -> None:
    job = post(client, "a", "b", "c", wait=0)
    answer = get(client, job, form, sending={"range": "bytes=1-"})
    assert (answer.status_code, number_of_rows(form, answer.content)) == (200, 3)
    assert answer.headers["cache-control"] == "no-store"
    assert not {"etag", "accept-ranges"} & answer.headers.keys()


@pytest.mark.parametrize("form", STREAMS)
def test_results_after_a_cursor_can_be_requested(client: httpx.Client, form: str) -> None:
    job = post(client, *"abcde", wait=0)
    assert number_of_rows(form, get(client, job, form, after="2").content) == 2


@pytest.mark.usefixtures("worker")
def test_a_json_job_comes_as_index_id_and_text(client: httpx.Client) -> None:
    rows = rows_of(get(client, post(client, "a film", "=1"), "csv").content)
    assert [row[:3] for row in rows] == [["index", "id", "text"], ["0", "", "a film"], ["1", "", "'=1"]]


@pytest.mark.usefixtures("worker")
def test_ndjson_has_the_results_of_the_pages(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "NDJSON_ROWS", 2)
    job = post(client, *"abcde")
    answer = get(client, job, "ndjson")
    assert [httpx.Response(200, content=line).json() for line in answer.content.splitlines()] == job["results"]
    assert answer.headers["content-type"] == "application/x-ndjson"


@pytest.mark.usefixtures("worker")
def test_parquet_has_the_columns_of_csv_with_types(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 2)
    job = submit(client, as_csv([["review", "status"], ["a film", "=1"], ["", "new"], ["a fine film", ""]]))
    found = table(get(client, job, "parquet").content)
    assert found.column_names == [
        "review",
        "status",
        "sentiment",
        "confidence",
        "verdict_status",
        "error",
        "model_version",
    ]
    assert found.schema.field("confidence").type == pa.float32()
    assert found.column("status").to_pylist() == ["=1", "new", ""]
    assert found.column("sentiment").to_pylist() == [
        expected_sentiment("a film"),
        None,
        expected_sentiment("a fine film"),
    ]


@pytest.mark.usefixtures("worker")
def test_column_names_are_unique_in_parquet(client: httpx.Client) -> None:
    job = submit(client, as_csv([["review", "a", "a", "a_2", "a"], ["a film", "1", "2", "3", "4"]]))
    found = table(get(client, job, "parquet").content)
    assert found.column_names[:5] == ["review", "a", "a_2", "a_2_2", "a_3"]
    assert found.to_pylist()[0]["a_3"] == "4"


def test_a_parquet_file_of_no_rows_has_its_columns(client: httpx.Client) -> None:
    found = table(get(client, post(client, "a", wait=0), "parquet", status="failed").content)
    assert (found.num_rows, found.column_names) == (0, ["index", "id", "text", *OURS])


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", Format.JSON),
        ("application/*", Format.JSON),
        ("text/*", Format.CSV),
        ("text/csv", Format.CSV),
        ("TEXT/CSV; charset=utf-8", Format.CSV),
        ("application/x-ndjson", Format.NDJSON),
        ("application/jsonl", Format.NDJSON),
        ("application/vnd.apache.parquet, */*;q=0.1", Format.PARQUET),
        ("text/html, text/csv;q=0.5, application/x-ndjson;q=0.9", Format.NDJSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Format.JSON),
        ("application/json;q=0, */*", Format.NDJSON),
        ("text/csv;q=junk", Format.CSV),
    ],
)
def test_accept_chooses_the_format(accept: str, expected: Format) -> None:
    assert acceptable(accept) is expected


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/*, text/csv;q=0.0", "junk", ","])
def test_other_media_types_are_not_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        acceptable(accept)


def test_the_query_overrides_accept(client: httpx.Client) -> None:
    where = post(client, "a", wait=0)["urls"]["results"]
    kinds = {
        client.get(where, headers={"accept": "text/csv"}).headers["content-type"],
        client.get(where, params={"format": "csv"}, headers={"accept": "text/html"}).headers["content-type"],
    }
    assert kinds == {"text/csv; charset=utf-8"}
    refused = client.get(where, headers={"accept": "text/html"})
    assert (refused.status_code, refused.json()["type"]) == (406, "urn:verdict:not-acceptable")
    assert client.get(where, params={"format": "xml"}).json()["errors"][0]["pointer"] == "query/format"


@pytest.mark.parametrize("form", ["json", *STREAMS])
def test_an_unknown_job_has_no_results(client: httpx.Client, form: str) -> None:
    answer = client.get(UNKNOWN, params={"format": form})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:verdict:unknown-job")


def test_openapi_names_every_format(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/v1/jobs/{job_id}/results"]["get"]
    kinds = {"application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.parquet"}
    assert operation["responses"]["200"]["content"].keys() == kinds
    assert {"206", "304", "404", "406", "416"} <= operation["responses"].keys()
    assert {"format", "status", "after", "limit", "formulas", "bom"} <= {
        each["name"] for each in operation["parameters"]
    }
