"""The three commands of a user: figures as JSON, and one line with exit code 2 for every mistake."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from cli._training import command_line, show
from cli.evaluate import evaluate
from cli.export import export
from cli.train import train
from cli.validate import validate

MODEL = "models/default/1"


def test_a_list_of_figures_is_a_table_and_no_raw_list(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = [{"split": "validation", "accuracy": 0.91234, "confusion": [[1, 0], [0, 1]]}, {"split": "test", "n": 5}]
    show({"model": "models/mine/1", "labels": ["bad", "good"], "metrics": metrics}, title="Export", as_json=False)
    printed = capsys.readouterr().out
    assert "[" not in printed
    assert "0.9123" in printed
    assert "bad, good" in printed
    assert all(word in printed for word in ("metrics", "split", "validation", "accuracy"))


def test_validate_prints_sentiment_and_confidence_without_a_service() -> None:
    texts = ["A superb, moving film.", "Dull and badly acted."]
    output = run("validate", MODEL, "--examples", texts[0], "--examples", texts[1]).stdout
    assert "positive" in output
    assert "negative" in output
    found = json.loads(run("validate", MODEL, "--examples", texts[0], "--json").stdout)
    assert [(each["text"], each["sentiment"]) for each in found] == [(texts[0], "positive")]
    assert found[0]["confidence"] == max(found[0]["probabilities"].values()) > 0.8


def test_mistakes_of_validate_get_one_line(tmp_path: Path) -> None:
    assert "manifest.json is missing" in mistake("validate", str(tmp_path), "--examples", "Fine.")
    assert "A text is empty" in mistake("validate", MODEL, "--examples", " ")


def run(*arguments: str) -> Result:
    app = typer.Typer()
    for command in (train, export, evaluate, validate):
        app.command()(command)
    return CliRunner().invoke(app, arguments)


def mistake(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture
def reviews(tmp_path: Path) -> str:
    path = tmp_path / "reviews.csv"
    path.write_text('text,label\n"A superb, moving film.",pos\n"Dull and badly acted.",neg\n', encoding="utf-8")
    return str(path)


def test_evaluate_prints_every_figure_as_json(reviews: str) -> None:
    result = run("evaluate", MODEL, reviews, "--threads", "1", "--json")
    values = json.loads(result.stdout)
    assert (values["model"], values["version"], values["precision"]) == ("default", "1", "int8")
    assert values["scores"]["confusion"] == [[1, 0], [0, 1]]
    assert values["scores"]["accuracy"] == 1.0
    assert values["reviews_per_second"] > 0


def test_evaluate_prints_tables_for_people(reviews: str) -> None:
    output = run("evaluate", MODEL, reviews, "--threads", "1").stdout
    assert "accuracy" in output
    assert "predicted" in output


def test_evaluate_reports_each_value_of_a_column(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("text,label,shop\nA superb film.,pos,north\nDull.,neg,south\nA dull film.,pos,south\n")
    found = json.loads(run("evaluate", MODEL, str(path), "--by", "shop", "--threads", "1", "--json").stdout)
    assert [(each["group"], each["n"], each["accuracy"]) for each in found["groups"]] == [
        ("north", 1, 1.0),
        ("south", 2, 0.5),
    ]
    assert [each["n"] for each in found["lengths"]] == [3]
    assert "column=value" in mistake("evaluate", MODEL, str(path), "--without", "shop")


def test_mistakes_of_evaluate_get_one_line(reviews: str, tmp_path: Path) -> None:
    assert "manifest.json is missing" in mistake("evaluate", str(tmp_path), reviews)
    assert 'no column "stars"' in mistake("evaluate", MODEL, reviews, "--label-column", "stars")
    assert "There is no file" in mistake("evaluate", MODEL, str(tmp_path / "none.csv"))


def test_mistakes_of_train_get_one_line(tmp_path: Path) -> None:
    assert "Cannot read" in mistake("train", "--config", str(tmp_path / "none.yaml"))
    assert "epoch: " in mistake("train", "-o", "epoch=2")


def test_mistakes_of_export_get_one_line(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    assert "holds no training run" in mistake("export", str(tmp_path), str(tmp_path / "m" / "1"))


def test_a_missing_training_extra_is_named_in_one_line(tmp_path: Path) -> None:
    reviews = tmp_path / "many.csv"
    reviews.write_text("text,label\n" + "good film,pos\ndull film,neg\n" * 20)
    # An import that is None in sys.modules fails as a missing library does.
    options = f"'-o', 'data={reviews}', '-o', 'group_column=null', '-o', 'validation_size=4'"
    code = (
        f"import sys; sys.modules['torch'] = None; sys.argv = ['verdict', {options}];"
        "import typer; from cli.train import train; typer.run(train)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "`make test` installs" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_recorded_command_names_no_folder_of_this_machine() -> None:
    assert command_line(["/opt/venv/bin/verdict", "train", "-o", "data=my reviews.csv"]) == (
        "verdict train -o 'data=my reviews.csv'"
    )
