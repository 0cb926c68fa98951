"""`verdict submit --local`: the same bytes as from the service, in constant memory, without a service."""

import gzip
import tracemalloc
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from cli import _local
from files.layout import WantedColumns
from files.row import Row
from settings import WorkerSettings
from tests.fakes import POISON, UNREADABLE, FakeClassifier, expected_sentiment
from verdict import Client
from verdict_cli.output import CommandError
from verdict_cli.results import Output

CSV = f'no;review;status\n1;"good, ""I""\nsay";x\n2;bad;=2\n3;;y\n4;{POISON};\n5;bad\n6;a;b;c\n7;{UNREADABLE};z\n'


@pytest.fixture
def model(classifier: FakeClassifier) -> _local.LocalModel:
    return _local.LocalModel(classifier, WorkerSettings())


def classified(
    model: _local.LocalModel, path: Path, wanted: WantedColumns, *, keep: bool = False, bom: bool = False
) -> tuple[_local.LocalCounts, bytes]:
    out = path.with_name("results.csv")
    tally = _local.classify_file(model, path, wanted, Output(out, "csv", keep, bom=bom))
    return tally, out.read_bytes()


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("formulas", ["escape", "keep"])
def test_the_output_equals_that_of_the_service(
    model: _local.LocalModel, url: str, tmp_path: Path, formulas: str
) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text(CSV)
    _, here = classified(model, path, WantedColumns("csv"), keep=formulas == "keep")
    served = BytesIO()
    with Client(url) as client:
        job = client.wait(client.submit_file(path))
        client.download(job, served, formulas="keep" if formulas == "keep" else "escape")
    assert here.decode() == served.getvalue().decode()


def test_the_output_begins_with_a_byte_order_mark_on_request(model: _local.LocalModel, tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text(CSV)
    _, plain = classified(model, path, WantedColumns("csv"))
    _, marked = classified(model, path, WantedColumns("csv"), bom=True)
    assert marked == b"\xef\xbb\xbf" + plain


@pytest.mark.usefixtures("worker")
def test_ndjson_gives_the_same_table_as_the_service(model: _local.LocalModel, url: str, tmp_path: Path) -> None:
    path = tmp_path / "reviews.ndjson"
    path.write_text('{"text": "good", "id": "a"}\n{"text": "-bad", "id": "b"}\n{"text": 5}\n')
    _, here = classified(model, path, WantedColumns("ndjson"))
    served = BytesIO()
    with Client(url) as client:
        client.download(client.wait(client.submit_file(path)), served)
    assert here.decode() == served.getvalue().decode()


def test_a_row_that_breaks_the_model_fails_alone(model: _local.LocalModel, tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode()))
    tally, _ = classified(model, path, WantedColumns("csv"))
    assert (tally.succeeded, tally.failed) == (2, 5)  # rows 5 and 6 have another width


def test_identical_texts_are_classified_once(
    model: _local.LocalModel, classifier: FakeClassifier, tmp_path: Path
) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("text\n" + "good\nbad\n" * 50)
    tally, results = classified(model, path, WantedColumns("csv"))
    assert tally.succeeded == 100
    assert sum(classifier.batches) == 2
    assert results.decode().splitlines()[1].startswith(f"good,{expected_sentiment('good')},")


def test_memory_does_not_grow_with_the_file(model: _local.LocalModel) -> None:
    def rows() -> Iterator[Row]:
        for index in range(40 * _local.WINDOW_ROWS):
            yield Row(index, index, f"{index % 100} " + "x" * 5000, None, None, [], None)

    tracemalloc.start()
    try:
        assert sum(map(len, _local.classified(model, rows()))) == 40 * _local.WINDOW_ROWS
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10_000_000  # all rows together are 50 MB


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"width,length\n1,2\n", "length"), (gzip.compress(b"text\n" + b"good\n" * 999, mtime=0)[:-9], "gzip")],
)
def test_a_refused_file_leaves_no_output(model: _local.LocalModel, tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "reviews.csv"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=said):
        classified(model, path, WantedColumns("csv"))
    assert list(tmp_path.iterdir()) == [path]
