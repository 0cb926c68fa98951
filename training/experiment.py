"""Several losses over several seeds on the same reviews: which of them helps, and is it more than chance?

Called by `verdict experiment`; each run is one of `training.train`, and a run that has ended is not run again.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from training.config import ExperimentConfig, TrainConfig
from training.run import ended
from training.train import train

FIGURES = {"accuracy": "accuracy", "f1": "macro F1", "ece": "ECE"}
# By loss, then by figure: one value a seed.
Results = Mapping[str, Mapping[str, Sequence[float]]]


def experiment(config: ExperimentConfig, *, command: str = "verdict experiment") -> Results:
    """Run what has not been run, write `losses.md` and `losses.png` into `config.output`, and return the figures."""
    found: dict[str, dict[str, list[float]]] = {name: {figure: [] for figure in FIGURES} for name in config.losses}
    for seed in config.seeds:  # seeds outside, so that an experiment cut short has all losses alike
        for name, loss in config.losses.items():
            output = config.output / f"{name.replace(' ', '-')}-{seed}"
            settings = config.train.model_copy(update={"loss": loss, "seed": seed, "output": output})
            scores = _scores(settings, command)
            for figure in FIGURES:
                found[name][figure].append(scores[figure])
    (config.output / "losses.md").write_text(table(found), encoding="utf-8")
    plot(found, config.output / "losses.png")
    return found


def _scores(settings: TrainConfig, command: str) -> Mapping[str, float]:
    """Return the validation figures of a run: as recorded, or by running it, from its last checkpoint if it has one."""
    done = ended(settings)
    if done is None:
        done = train(settings, resume=True, command=command)
        # Only figures are asked of it; the states of fifteen runs would fill gigabytes.
        shutil.rmtree(settings.output / "checkpoints")
        (settings.output / "model.safetensors").unlink()
    scores: Mapping[str, float] = done.result["validation"]
    return scores


def table(results: Results) -> str:
    """Return the figures as Markdown: mean and standard deviation over seeds, in percent.

    The last column takes each seed's difference to the first loss, so that what seeds share falls out of its spread.
    """
    baseline = next(iter(results))
    head = ["loss", *FIGURES.values(), f"accuracy against {baseline}"]
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
    """Draw a panel a figure: every seed a dot, beside it the mean with its standard deviation."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only this command draws

    figure = Figure(figsize=(11, 0.5 * len(results) + 1.6), layout="constrained")
    for panel, (key, name) in zip(figure.subplots(1, len(FIGURES), sharey=True), FIGURES.items(), strict=True):
        for place, values in enumerate(results.values()):
            percent = 100 * np.asarray(values[key])
            panel.plot(percent, np.full(len(percent), place), "o", color="tab:gray", alpha=0.6)
            panel.errorbar(percent.mean(), place + 0.2, xerr=percent.std(ddof=1), fmt="s", color="tab:blue", capsize=4)
        panel.set_yticks(range(len(results)), list(results))
        panel.set_ylim(len(results) - 0.5, -0.5)  # the first on top, as in the table
        panel.set_xlabel(f"{name} [%]")
        panel.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=120)
