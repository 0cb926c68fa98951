"""A recipe of many steps, or of one run and its export: precedence of settings, and mistakes found at once."""

import json
import re
from collections.abc import Callable
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from cli.export import export
from cli.label import label
from training.errors import TrainingError
from training.recipes.options import NgramConfig, TrainConfig
from training.recipes.recipe import ExportConfig, LabelConfig, load_recipe

STEPS = [
    {"ngram": {"data": "a.csv", "seed": 3, "output": "runs/n"}},
    {"train": {"data": "b.csv", "output": "runs/t"}},
    {"export": {"run": "runs/t", "target": "models/mine"}},
]


def written(folder: Path, **values: Any) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def test_a_run_with_an_export_is_two_steps_that_fit_together(tmp_path: Path) -> None:
    path = written(tmp_path, data="a.csv", output="runs/mine", max_tokens=96, export={"target": "models/mine"})
    run, export = load_recipe(path, ["max_tokens=64", "export.max_tokens=128"])
    assert isinstance(run.config, TrainConfig)
    assert isinstance(export.config, ExportConfig)
    assert (run.config.max_tokens, export.config.max_tokens) == (64, 128)
    assert export.config.run == [run.config.output]


@pytest.mark.parametrize("key", ["learning_rate", "train.learning_rate", "training.learning_rate"])
def test_a_setting_of_a_run_may_be_named_with_the_part_it_belongs_to(key: str, tmp_path: Path) -> None:
    (run,) = load_recipe(written(tmp_path, data="a.csv"), [f"{key}=3e-5"])
    assert run.config.learning_rate == 3e-5
    steps = load_recipe(written(tmp_path, steps=STEPS), [f"{key}=3e-5"])
    assert steps[1].config.learning_rate == 3e-5


def test_any_run_can_be_told_to_become_a_model(tmp_path: Path) -> None:
    assert [step.kind for step in load_recipe(written(tmp_path, data="a.csv"))] == ["train"]
    _, export = load_recipe(written(tmp_path, data="a.csv"), ["export.target=models/mine"])
    assert export.config.target == Path("models/mine")


def test_steps_share_what_stands_beside_them_and_overrides_win(tmp_path: Path) -> None:
    path = written(tmp_path, seed=1, limit=9, steps=STEPS)
    ngram, train, export = (step.config for step in load_recipe(path, ["threads=1", "ngram.order=2", "data=c.csv"]))
    assert (ngram.seed, ngram.limit, ngram.order, ngram.data) == (3, 9, 2, "c.csv")
    assert (train.seed, train.limit, train.threads, train.data) == (1, 9, 1, "c.csv")
    assert export.threads == 1


def test_a_step_may_stand_in_a_file_of_its_own_and_change_some_of_it(tmp_path: Path) -> None:
    own = tmp_path / "ngram.yaml"
    own.write_text("data: a.csv\norder: 1\nbits: 12\n", encoding="utf-8")
    steps = [{"ngram": str(own)}, {"ngram": {"config": str(own), "order": 2}}]
    first, second = (step.config for step in load_recipe(written(tmp_path, bits=10, steps=steps)))
    assert isinstance(first, NgramConfig)
    assert (first.order, first.bits, second.order, second.bits) == (1, 10, 2, 10)


def test_an_override_below_a_shared_value_leaves_other_steps_alone(tmp_path: Path) -> None:
    twice = [{"train": {"output": "runs/a"}}, {"train": {"output": "runs/b", "loss": {"kind": "length"}}}]
    path = written(tmp_path, data="a.csv", loss={"kind": "class"}, steps=twice)
    first, second = (step.config.loss for step in load_recipe(path, ["loss.penalty=2"]))
    assert (first.kind, first.penalty, second.kind, second.penalty) == ("class", 2, "length", 2)


@pytest.mark.parametrize(
    ("values", "overrides", "said"),
    [
        ({"data": "a.csv", "export": {}}, [], "export.target: "),
        ({"data": "a.csv", "export": "models/mine"}, [], "export: "),
        ({"data": "a.csv", "export": {"target": "m", "goldn": "x"}}, [], "export.goldn: "),
        ({"steps": []}, [], "steps: "),
        ({"steps": ["ngram"]}, [], "Step 1 must be one of"),
        ({"steps": [{"grow": {}}]}, [], "Step 1 must be one of"),
        ({"steps": [{"ngram": None}]}, [], "step 1: "),
        ({"steps": [STEPS[0], {"train": {"dat": "b.csv"}}]}, [], "step 2, train.data: "),
        ({"steps": [{"export": {"run": [], "target": "m"}}]}, [], "step 1, export.run: "),
        (
            {"steps": [{"export": {"run": ["a", "b"], "target": "m", "checkpoint": "c"}}]},
            [],
            "checkpoint is of one run",
        ),
        ({"data": "a.csv", "start": {"a": 1}}, [], "start: "),
        ({"steps": [{"ngram": "none.yaml"}]}, [], "Cannot read none.yaml"),
        ({"steps": STEPS, "sed": 1}, [], "sed: "),
        ({"steps": STEPS}, ["ordr=2"], "ordr: "),
        ({"steps": STEPS}, ["ngram.ordr=2"], "step 1, ngram.ordr: "),
        ({"steps": STEPS}, ["output=runs/x"], "output: "),
    ],
)
def test_mistakes_name_the_step_and_the_key(
    tmp_path: Path, values: dict[str, Any], overrides: list[str], said: str
) -> None:
    with pytest.raises(TrainingError) as caught:
        load_recipe(written(tmp_path, **values), overrides)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["accurate", "default", "mine"])
def test_a_shipped_recipe_reads_nothing_that_no_earlier_step_has_written(name: str) -> None:
    written: set[str] = set()
    for step in load_recipe(Path(f"training/configs/{name}.yaml")):
        told = step.config.model_dump(mode="json")
        output = told.pop("output", None)
        needed = re.findall(r"runs/[\w/-]+", json.dumps(told))
        assert [path for path in needed if not any(f"{path}/".startswith(f"{folder}/") for folder in written)] == []
        written.add(output)
    assert (step.kind, step.config.target) == ("export", Path(f"models/{name}"))


@pytest.mark.parametrize(("command", "config"), [(export, ExportConfig), (label, LabelConfig)])
def test_a_command_has_the_options_and_defaults_of_its_step(
    command: Callable[..., None], config: type[BaseModel]
) -> None:
    options = {name: each for name, each in signature(command).parameters.items() if name not in {"json", "verbose"}}
    assert set(options) <= set(config.model_fields)
    given = {name: each.default for name, each in options.items() if each.default is not Parameter.empty}
    assert {name: config.model_fields[name].get_default(call_default_factory=True) or None for name in given} == given


def test_an_export_averages_a_list_of_runs(tmp_path: Path) -> None:
    steps = [STEPS[1], {"export": {"run": ["runs/t", "runs/u"], "target": "models/mine"}}]
    *_, export = load_recipe(written(tmp_path, steps=steps))
    assert export.config.run == [Path("runs/t"), Path("runs/u")]


def test_a_run_starts_from_one_folder_or_a_list_of_them(tmp_path: Path) -> None:
    for given, start in (("runs/a", ["runs/a"]), (["runs/a", "models/b/2"], ["runs/a", "models/b/2"]), (None, [])):
        (run,) = load_recipe(written(tmp_path, data="a.csv", start=given))
        assert run.config.start == list(map(Path, start))
