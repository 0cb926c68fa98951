"""A recipe and its overrides: every mistake is one line that names the key."""

from pathlib import Path

import pytest

from training.errors import TrainingError
from training.recipes.options import DataConfig, ExperimentConfig, NgramConfig, PretrainConfig, TrainConfig
from training.recipes.reading import load_config


def recipe(folder: Path, content: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def test_overrides_win_and_are_read_as_yaml(tmp_path: Path) -> None:
    path = recipe(tmp_path, "data: a.csv\nepochs: 1\n")
    config = load_config(path, TrainConfig, ["epochs=0.5", "labels=[bad, good]", "group_column=film"])
    assert (config.epochs, config.labels, config.group_column) == (0.5, ["bad", "good"], "film")


def test_an_override_reaches_one_level_down_and_leaves_what_stands_beside_it(tmp_path: Path) -> None:
    path = recipe(tmp_path, "data: a.csv\nloss: {kind: length, penalty: 3}\n")
    loss = load_config(path, TrainConfig, ["loss.kind=class"]).loss
    assert (loss.kind, loss.penalty) == ("class", 3)
    distil = load_config(path, TrainConfig, ["distil.data=b.csv", "distil.teachers=[{logits: answers}]"]).distil
    assert distil is not None
    assert distil.data == "b.csv"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("imdb", TrainConfig),
        ("teacher", TrainConfig),
        ("student", TrainConfig),
        ("ngram", NgramConfig),
        ("pretrain", PretrainConfig),
    ],
)
def test_a_shipped_recipe_is_valid_and_splits_by_film(name: str, kind: type[DataConfig]) -> None:
    config = load_config(Path(f"training/configs/{name}.yaml"), kind)
    assert (config.group_column, config.validation_size, config.seed) == ("movie_id", 1500, 13)


def test_the_shipped_experiment_compares_every_loss_with_cross_entropy() -> None:
    config = load_config(Path("training/configs/losses.yaml"), ExperimentConfig)
    kinds = [run.loss.kind for run in config.variants()[1].values()]
    assert kinds == ["cross_entropy", "confidence", "length", "class", "combined"]
    assert len(config.seeds) >= 3


@pytest.mark.parametrize(
    ("content", "overrides", "said"),
    [
        ("data: a.csv\nlearning_rat: 1\n", [], "learning_rat: "),
        ("epochs: 1\n", [], "data: "),
        ("data: a.csv\nepochs: many\n", [], "epochs: "),
        ("data: a.csv\n", ["epochs"], "key=value"),
        ("data: a.csv\n", [".epochs=1"], "key=value"),
        ("data: a.csv\nloss: {kind: focal}\n", [], "loss.kind: "),
        ("data: a.csv\n", ["epochs=["], "not valid YAML"),
        ("data: [\n", [], "not valid YAML"),
        ("just words\n", [], "key: value"),
    ],
)
def test_mistakes_get_one_line(tmp_path: Path, content: str, overrides: list[str], said: str) -> None:
    with pytest.raises(TrainingError) as caught:
        load_config(recipe(tmp_path, content), TrainConfig, overrides)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_recipe_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Cannot read"):
        load_config(tmp_path / "none.yaml", TrainConfig)
