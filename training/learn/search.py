"""Hyper-parameter search with Optuna: learning rate, batch size and epochs, by macro F1 on the validation reviews."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from training.errors import TrainingError
from training.learn.experiment import figures_of
from training.recipes.options import SearchConfig
from training.run_log import LOG

PARAMETERS = {"learning_rate": "learning rate", "batch_size": "batch size", "epochs": "epochs"}
FIGURES = ("f1", "accuracy", "precision", "recall", "ece")


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: its number, the values that were tried, and the validation figures."""

    number: int
    values: Mapping[str, float]
    figures: Mapping[str, float]


def search(config: SearchConfig, *, command: str = "verdict search") -> list[Trial]:
    """Run the missing trials, and return all trials, best first.

    `config.output` then holds `search.md`, `search.png` and `best.yaml`, a recipe for `verdict train`. A stopped search
    resumes from its trials in `trials.log`.
    """
    config.output.mkdir(parents=True, exist_ok=True)
    _same_search(config)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="verdict",
        storage=JournalStorage(JournalFileBackend(str(config.output / "trials.log"))),
        sampler=optuna.samplers.TPESampler(seed=config.seed),
        direction="maximize",
        load_if_exists=True,
    )
    done = len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE]))
    study.optimize(lambda trial: _run(trial, config, command), n_trials=max(0, config.trials - done))
    trials = _trials(study)
    (config.output / "search.md").write_text(table(trials), encoding="utf-8")
    plot(trials, config.output / "search.png")
    _write_best(config, trials[0])
    return trials


def _same_search(config: SearchConfig) -> None:
    """Raise `TrainingError` if the folder holds another search; only the number of trials may change."""
    path = config.output / "search.yaml"
    wanted = config.model_dump(mode="json", exclude={"trials"})
    if path.exists() and yaml.safe_load(path.read_text(encoding="utf-8")) != wanted:
        raise TrainingError(f"{config.output} holds another search; use another output.")
    path.write_text(yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _run(trial: optuna.Trial, config: SearchConfig, command: str) -> float:
    values = {
        "learning_rate": trial.suggest_float("learning_rate", *config.learning_rate, log=True),
        "batch_size": trial.suggest_categorical("batch_size", config.batch_size),
        "epochs": round(trial.suggest_float("epochs", *config.epochs), 2),
    }
    output = config.output / f"trial-{trial.number}"
    LOG.info("trial %d: %s", trial.number, ", ".join(f"{name} {value:.3g}" for name, value in values.items()))
    figures = figures_of(config.train.model_copy(update={**values, "output": output}), command)
    trial.set_user_attr("values", values)
    trial.set_user_attr("figures", dict(figures))
    return figures["f1"]


def _trials(study: optuna.Study) -> list[Trial]:
    ended = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    trials = [Trial(each.number, each.user_attrs["values"], each.user_attrs["figures"]) for each in ended]
    return sorted(trials, key=lambda trial: (-trial.figures["f1"], trial.number))


def _write_best(config: SearchConfig, best: Trial) -> None:
    recipe: dict[str, Any] = config.train.model_dump(mode="json", exclude_defaults=True) | dict(best.values)
    recipe["output"] = str(config.output / "best")
    text = f"# Trial {best.number} of a search: macro F1 {best.figures['f1']:.4f} on the validation reviews.\n"
    text += yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)
    (config.output / "best.yaml").write_text(text, encoding="utf-8")


def table(trials: list[Trial]) -> str:
    """Return the trials as a Markdown table, in order."""
    head = ["trial", *PARAMETERS.values(), "macro F1", "accuracy", "precision", "recall", "ECE"]
    rows = [head, ["---"] * len(head)]
    for trial in trials:
        values = [f"{trial.values[name]:.3g}" for name in PARAMETERS]
        rows.append([str(trial.number), *values, *(f"{trial.figures[name]:.4f}" for name in FIGURES)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def plot(trials: list[Trial], path: Path) -> None:
    """Plot macro F1 against each parameter: a dot for each trial, the best one marked."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for panel, (name, title) in zip(figure.subplots(1, len(PARAMETERS), sharey=True), PARAMETERS.items(), strict=True):
        panel.plot([each.values[name] for each in trials], [each.figures["f1"] for each in trials], "o", alpha=0.6)
        panel.plot(trials[0].values[name], trials[0].figures["f1"], "s", color="tab:red", label="best")
        panel.set_xlabel(title)
        panel.grid(alpha=0.3)
        if name == "learning_rate":
            panel.set_xscale("log")
    figure.axes[0].set_ylabel("macro F1, validation")
    figure.axes[0].legend()
    figure.savefig(path, dpi=120)
