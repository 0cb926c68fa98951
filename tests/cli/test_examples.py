"""`verdict examples`: files become data sets, and a repeated call changes nothing."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from cli import _examples, _store
from cli.examples import examples
from db.engine import Engine
from settings import DatabaseSettings
from tests.db.steps import rows
from tests.embedders import write_model
from verdict_cli.output import CommandError

Run = Callable[..., Result]
CSV = 'review,stars,film\n"pirates, at sea",positive,ship\nrobots,NEG,station\n,positive,\ncake,,\n'


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one model that has an embedder."""
    write_model(tmp_path / "models/default/1")
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def run(models: Path, database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs `verdict examples …` on the test's database."""
    assert models.is_dir()
    monkeypatch.setenv("DATABASE_URL", database.database_url)

    def invoke(*words: object) -> Result:
        return CliRunner().invoke(examples, [str(word) for word in words], catch_exceptions=False)

    return invoke


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(CSV)
    return path


def stored(engine: Engine) -> list[Any]:
    return [tuple(each) for each in rows(engine, "SELECT dataset, text, label, group_key FROM examples ORDER BY text")]


def added(run: Run, *words: object) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run("add", *words, "--json").stdout)
    return answer


def test_a_file_is_added_once(run: Run, file: Path, engine: Engine) -> None:
    columns = ("--label-column", "stars", "--group-column", "film")
    assert added(run, file, *columns) == {"dataset": "mine", "written": 2, "known": 0, "skipped": 2}
    expected = [("mine", "pirates, at sea", "positive", "ship"), ("mine", "robots", "negative", "station")]
    assert stored(engine) == expected
    assert added(run, file, *columns) == {"dataset": "mine", "written": 0, "known": 2, "skipped": 2}
    assert stored(engine) == expected
    assert rows(engine, "SELECT count(embedding) FROM examples") == [(2,)]


def test_ndjson_and_parquet_are_read_too_and_numbers_are_the_labels_of_the_model(
    run: Run, tmp_path: Path, engine: Engine
) -> None:
    lines = [{"text": "pirates", "label": "0"}, {"text": "robots", "label": "positive"}]
    (tmp_path / "some.ndjson.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    parquet.write_table(pa.table({"text": ["cake", None], "label": [1, 0], "film": [7, 8]}), tmp_path / "more.parquet")
    added(run, tmp_path / "some.ndjson.gz", "--name", "ours")
    added(run, tmp_path / "more.parquet", "--name", "ours", "--group-column", "film")
    assert stored(engine) == [
        ("ours", "cake", "positive", "7"),
        ("ours", "pirates", "negative", None),
        ("ours", "robots", "positive", None),
    ]


def test_a_limit_takes_the_first_rows(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("text,label\n" + "".join(f"pirates {number},positive\n" for number in range(450)))
    assert added(run, path, "--limit", 420)["written"] == 420


def test_a_label_that_the_model_does_not_have_is_named(run: Run, tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\npirates,positive\nrobots,Mixed\n")
    with pytest.raises(CommandError, match="no label 'Mixed'; it has negative, positive"):
        run("add", path)
    assert stored(engine) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text\npirates\n", "No column has a known name for labels"),
        ("a.csv", "no,label\npirates,1\n", "No column has a known name for texts"),
        ("a.dat", "", "must end in"),
        ("a.parquet", "PAR1\x15none", "Parquet"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(
    run: Run, tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(CommandError, match=message):
        run("add", tmp_path / name)


def test_a_missing_file_is_one_line(run: Run, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        run("add", tmp_path / "none.csv")
    with pytest.raises(CommandError, match="No such file"):
        run("add", tmp_path / "none.parquet")


def test_data_sets_are_listed_and_removed(run: Run, file: Path) -> None:
    added(run, file, "--label-column", "stars")
    assert json.loads(run("list", "--json").stdout) == [
        {"dataset": "mine", "label": label, "examples": 1, "embedded": 1} for label in ("negative", "positive")
    ]
    assert "mine" in run("list").stdout
    run("remove", "mine")
    assert json.loads(run("list", "--json").stdout) == []
    with pytest.raises(CommandError, match="no data set mine"):
        run("remove", "mine")


def test_examples_wait_for_an_embedder_and_are_embedded_again_for_another(
    run: Run, models: Path, file: Path, engine: Engine
) -> None:
    write_model(models / "default/2", embedder=False)
    run("add", file, "--label-column", "stars")
    assert rows(engine, "SELECT count(embedding) FROM examples") == [(0,)]
    with pytest.raises(CommandError, match="no embedder"):
        run("embed")
    write_model(models / "default/3")
    run("embed")
    assert rows(engine, "SELECT count(embedding), count(DISTINCT embedder) FROM examples") == [(2, 1)]


def test_without_a_database_the_command_names_the_file_it_read(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models.is_dir()
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("VERDICT_HOME", str(tmp_path))
    with pytest.raises(CommandError, match=r"set DATABASE_URL, or start `verdict run`"), _store.store():
        pass


def test_the_database_of_verdict_run_is_found(
    database: DatabaseSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("VERDICT_HOME", str(tmp_path))
    (tmp_path / "postgres.url").write_text(database.database_url + "\n")
    with _store.store() as engine:
        assert _examples.datasets(engine, None) == []


def test_the_data_set_of_shared_reviews_cannot_be_replaced(run: Run, file: Path) -> None:
    with pytest.raises(CommandError, match="choose another name with --name"):
        run("add", file, "--name", "feedback")
