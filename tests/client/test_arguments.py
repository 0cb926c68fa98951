"""Wrong arguments: a TypeError or ValueError that names the argument, before anything is sent."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import Ask
from tests.client.test_troubles import DONE
from tests.client.wire import scripted
from verdict import AsyncClient, Client, Review

NAN = float("nan")


@pytest.mark.parametrize(
    ("method", "arguments", "options", "said"),
    [
        ("submit", [None], {}, "reviews must be a sequence of texts or Reviews, not None"),
        ("submit", [b"good"], {}, "reviews must be a sequence of texts or Reviews, not bytes"),
        ("submit", [{"text": "good"}], {}, "reviews must be a sequence of texts or Reviews, not dict"),
        ("submit", [NAN], {}, "reviews must be a sequence of texts or Reviews, not nan"),
        ("submit", [7], {}, "reviews must be a sequence of texts or Reviews, not int"),
        ("submit", [["good", None]], {}, r"reviews\[1\] must be a str, not None"),
        ("submit", [["good", NAN]], {}, r"reviews\[1\] must be a str, not nan"),
        ("submit", [[b"good"]], {}, r"reviews\[0\] must be a str, not bytes"),
        ("submit", [[{"text": "good"}]], {}, r"reviews\[0\] must be a str, not dict"),
        ("submit", [[Review(None)]], {}, r"reviews\[0\]\.text must be a str, not None"),  # type: ignore[arg-type]
        ("submit", [[Review("good", id=7)]], {}, r"reviews\[0\]\.id must be a str, not int"),  # type: ignore[arg-type]
        ("submit", [["good"]], {"wait": None}, "wait must be a number of seconds, not None"),
        ("submit", [["good"]], {"wait": True}, "wait must be a number of seconds, not bool"),
        ("submit", [["good"]], {"model": b"default"}, "model must be a str, not bytes"),
        ("submit", [["good"]], {"similar": "3"}, "similar must be an int, not str"),
        ("submit", [["good"]], {"metadata": ["a"]}, "metadata must be a dict, not list"),
        ("submit", [["good"]], {"metadata": {"of": object()}}, "metadata must be JSON: .* not JSON serializable"),
        ("submit", [["good"]], {"idempotency_key": 7}, "idempotency_key must be a str, not int"),
        ("submit_file", [None], {}, "source must be a path, an open binary file or chunks of bytes, not None"),
        ("submit_file", [NAN], {}, "source must be a path, an open binary file or chunks of bytes, not nan"),
        ("submit_file", [{"text": "good"}], {}, "source must be a path, an open binary file or chunks of bytes"),
        (
            "submit_file",
            [b"text\ngood\n"],
            {"format": "csv"},
            r"source must be a file, not bytes; wrap it as io\.BytesIO",
        ),
        ("submit_file", [io.StringIO("text\n")], {"format": "csv"}, "source is open as text; open it with mode 'rb'"),
        (
            "submit_file",
            [["good"]],
            {"format": "csv", "text_colum": "a"},
            "no such option: text_colum; there are text_column",
        ),
        ("job", [None], {}, "job must be a Job or its id, not None"),
        ("job", [b"0199"], {}, "job must be a Job or its id, not bytes"),
        ("results", [None], {}, "job must be a Job or its id, not None"),
        ("download", ["0199", None], {}, "destination must be a path or an open binary file, not None"),
        ("download", ["0199", io.StringIO()], {}, "destination is open as text; open it with mode 'wb'"),
        ("classify", [None], {}, "text must be a str, not None"),
        ("classify", [b"good"], {}, "text must be a str, not bytes"),
        ("classify", [NAN], {}, "text must be a str, not nan"),
        ("feedback", [None, "positive"], {}, "review_id must be a str, not None"),
        ("feedback", ["0199", None], {}, "sentiment must be a str, not None"),
    ],
)
def test_a_wrong_type_is_a_type_error(
    ask: Ask, method: str, arguments: list[Any], options: dict[str, Any], said: str
) -> None:
    with scripted(DONE) as (url, asked), pytest.raises(TypeError, match=said):
        ask(url, method, *arguments, **options)
    assert asked == []


@pytest.mark.parametrize(
    ("method", "arguments", "options", "said"),
    [
        ("submit", [[]], {}, "reviews is empty; a job needs at least one"),
        ("submit", [["good", "\ud83d"]], {}, r"reviews\[1\] holds '\\ud83d', a lone surrogate"),
        ("submit", [["good"]], {"wait": NAN}, "wait must be a number of seconds from 0 on, not nan"),
        ("submit", [["good"]], {"wait": -1}, "wait must be a number of seconds from 0 on, not -1"),
        ("submit", [["good"]], {"deadline_seconds": float("inf")}, "deadline_seconds must be .* not inf"),
        ("submit", [["good"]], {"metadata": {"score": NAN}}, "metadata must be JSON: Out of range"),
        ("submit", [["good"]], {"metadata": {"of": "\ud83d"}}, "metadata must be JSON: .*surrogates"),
        ("submit", [["good"]], {"idempotency_key": ""}, "idempotency_key must be 1 to 255 visible ASCII"),
        ("submit", [["good"]], {"idempotency_key": "a\nb"}, "idempotency_key must be 1 to 255 visible ASCII"),
        ("submit", [["good"]], {"idempotency_key": "schlüssel"}, "idempotency_key must be 1 to 255 visible ASCII"),
        ("submit_file", [["good"]], {"deadline_seconds": NAN, "format": "csv"}, "deadline_seconds must be"),
        ("submit_file", [["good"]], {"format": "xml"}, "format must be csv or ndjson, not 'xml'"),
        ("job", [""], {}, "job must be a Job or its id, not an empty str"),
        ("job", ["0199"], {"wait": NAN}, "wait must be a number of seconds from 0 on, not nan"),
        ("classify", ["\udcff"], {}, r"text holds '\\udcff', a lone surrogate"),
    ],
)
def test_a_wrong_value_is_a_value_error(
    ask: Ask, method: str, arguments: list[Any], options: dict[str, Any], said: str
) -> None:
    with scripted(DONE) as (url, asked), pytest.raises(ValueError, match=said):
        ask(url, method, *arguments, **options)
    assert asked == []


@pytest.mark.parametrize(
    ("chunk", "said"), [("text\n", "not str; open the file with mode 'rb'"), (None, "not None"), (5, "not int")]
)
def test_a_chunk_that_is_not_bytes_is_not_sent(ask: Ask, chunk: object, said: str) -> None:
    with scripted(DONE) as (url, asked), pytest.raises(TypeError, match=f"source must give bytes, {said}"):
        ask(url, "submit_file", [chunk], format="csv")
    assert b"".join(each.body for each in asked) == b""


@pytest.mark.parametrize("source", ["file", "stream", "chunks", "empty chunks"])
def test_an_empty_source_is_a_value_error(ask: Ask, tmp_path: Path, source: str) -> None:
    (tmp_path / "reviews.csv").touch()
    given = {"file": tmp_path / "reviews.csv", "stream": io.BytesIO(), "chunks": [], "empty chunks": [b"", b""]}
    with scripted(DONE) as (url, _), pytest.raises(ValueError, match="source is empty"):
        ask(url, "submit_file", given[source], format="csv")


def test_a_file_that_is_open_as_text_is_refused(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("text\ngood\n")
    with (
        scripted(DONE) as (url, asked),
        (tmp_path / "reviews.csv").open() as text,
        pytest.raises(TypeError, match="open it with mode 'rb'"),
    ):
        ask(url, "submit_file", text)
    assert asked == []


def test_reviews_and_chunks_may_come_from_generators(ask: Ask) -> None:
    def chunks() -> Iterator[bytes | bytearray | memoryview]:
        yield from (b"text\n", bytearray(b"good\n"), memoryview(b"bad\n"))

    with scripted(DONE) as (url, asked):
        ask(url, "submit", (text for text in ("good", "bad")))
        ask(url, "submit_file", chunks(), format="csv")
    assert asked[0].body == b'{"reviews":[{"text":"good"},{"text":"bad"}]}'
    assert asked[1].body == b"text\ngood\nbad\n"


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_client_checks_its_own_arguments(client: type[Client | AsyncClient]) -> None:
    with pytest.raises(TypeError, match="url must be a str, not bytes"):
        client(b"http://127.0.0.1:8000")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="retry_seconds must be a number of seconds from 0 on, not nan"):
        client("http://127.0.0.1:8000", retry_seconds=NAN)
    with pytest.raises(TypeError, match="retry_seconds must be a number of seconds, not None"):
        client("http://127.0.0.1:8000", retry_seconds=None)  # type: ignore[arg-type]
