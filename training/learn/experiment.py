"""Compare several losses or preprocessings over several seeds on the same reviews; ended runs are not repeated."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from training.data.run_folder import MEAN_POOLED, ended
from training.learn.train import train
from training.recipes.options import ExperimentConfig, TrainConfig

FIGURES = {"accuracy": "accuracy", "f1": "macro F1", "ece": "ECE"}
# By variant, then by figure: one value a seed.
Results = Mapping[str, Mapping[str, Sequence[float]]]


def experiment(config: ExperimentConfig, *, command: str = "verdict experiment") -> Results:
    """Run the missing runs, write a table and a plot of all figures into `config.output`, and return the figures."""
    compared, variants = config.variants()
    found: dict[str, dict[str, list[float]]] = {name: {figure: [] for figure in FIGURES} for name in variants}
    for seed in config.seeds:  # the outer loop, so that a stopped experiment has the same seeds for all variants
        for name, variant in variants.items():
            output = config.output / f"{name.replace(' ', '-')}-{seed}"
            scores = figures_of(variant.model_copy(update={"seed": seed, "output": output}), command)
            for figure in FIGURES:
                found[name][figure].append(scores[figure])
    name = "losses" if compared == "loss" else compared
    (config.output / f"{name}.md").write_text(table(found, compared), encoding="utf-8")
    plot(found, config.output / f"{name}.png")
    return found


def figures_of(settings: TrainConfig, command: str) -> Mapping[str, float]:
    """Return the validation figures of a run: as recorded, or by running it, from its last checkpoint if it has one."""
    done = ended(settings)
    if done is None:
        done = train(settings, resume=True, command=command)
        # Only the figures are needed; the states of fifteen runs would fill gigabytes.
        for folder in ("checkpoints", MEAN_POOLED):
            shutil.rmtree(settings.output / folder, ignore_errors=True)
        (settings.output / "model.safetensors").unlink(missing_ok=True)
    scores: Mapping[str, float] = done.result["validation"]
    return scores


def table(results: Results, compared: str = "loss") -> str:
    """Return the figures as Markdown: mean and standard deviation over seeds, in percent.

    The last column has the differences to the first variant with the same seed, which cancels the effect of the seed.
    """
    baseline = next(iter(results))
    head = [compared, *FIGURES.values(), f"accuracy against {baseline}"]
    rows = [head, ["---"] * len(head)]
    for name, figures in results.items():
        gain = np.subtract(figures["accuracy"], results[baseline]["accuracy"])
        last = "" if name == baseline else _spread(gain, signed=True)
        rows.append([name, *(_spread(np.asarray(figures[figure])) for figure in FIGURES), last])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _spread(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], *, signed: bool = False) -> str:
    mean, deviation = 100 * values.mean(), 100 * values.std(ddof=1)
    return f"{mean:+.2f} ± {deviation:.2f}" if signed else f"{mean:.2f} ± {deviation:.2f}"


def plot(results: Results, path: Path) -> None:
    """Plot a panel for each figure: a dot for each seed, and the mean with its standard deviation."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only this command draws

    figure = Figure(figsize=(11, 0.5 * len(results) + 1.6), layout="constrained")
    for panel, (key, name) in zip(figure.subplots(1, len(FIGURES), sharey=True), FIGURES.items(), strict=True):
        for place, values in enumerate(results.values()):
            percent = 100 * np.asarray(values[key])
            panel.plot(percent, np.full(len(percent), place), "o", color="tab:gray", alpha=0.6)
            panel.errorbar(percent.mean(), place + 0.2, xerr=percent.std(ddof=1), fmt="s", color="tab:blue", capsize=4)
        panel.set_yticks(range(len(results)), list(results))
        panel.set_ylim(len(results) - 0.5, -0.5)  # the first variant on top, as in the table
        panel.set_xlabel(f"{name} [%]")
        panel.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=120)
