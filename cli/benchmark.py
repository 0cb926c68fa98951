"""`verdict benchmark`: compare deployments of a model in one run (benchmarks.classifier.benchmark)."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli._training import one_line_errors

if TYPE_CHECKING:
    from inference.manifest import Manifest
    from training.data.reviews import Reviews

OUTPUT = Path("runs/benchmark")


def benchmark(  # noqa: PLR0913, PLR0917 - each option of a command is a parameter
    model: Annotated[Path | None, typer.Argument(help="Model folder; by default the one that a worker serves.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Labelled reviews; by default the validation split of the model's training.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split of a hub data set.")] = "test",
    limit: Annotated[
        int | None, typer.Option(min=16, help="Number of reviews, drawn at random; by default all.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Training run of the network; by default the folder that the model names.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for plots, JSON and tables.")] = OUTPUT,
    document: Annotated[
        Path | None,
        typer.Option(help="Markdown file with marked tables to replace; by default benchmark.md is written."),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; by default one for each core.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; each measures every variant once, in turn.")] = 4,
) -> None:
    """Measure speed, accuracy and memory of usual deployments and of this model, with tables and plots."""
    console = Console(stderr=True, highlight=False)
    with one_line_errors():
        from benchmarks.classifier.benchmark import BenchmarkRequest
        from benchmarks.classifier.benchmark import benchmark as measure
        from benchmarks.classifier.benchmark_plots import draw
        from benchmarks.classifier.benchmark_report import fill, require_marks, tables, write_json
        from inference.manifest import load_manifest
        from settings import WorkerSettings

        folder = model or WorkerSettings().model_directory()
        manifest = load_manifest(folder)
        if document:
            require_marks(document)
        dataset, reviews = _reviews(manifest, data, split, limit)
        network = run or _run_of(manifest)
        if network is None:
            console.print("no training run of the network is here (--run): its float32 variants are left out")
        cores = threads or len(os.sched_getaffinity(0))
        found = measure(BenchmarkRequest(folder, reviews, dataset, network, cores, rounds), console.print)
        output.mkdir(parents=True, exist_ok=True)
        made = tables(found)
        write_json(found, output / "benchmark.json")
        if document:
            fill(document, made)
        else:
            text = "".join(f"## {name}\n\n{table}\n" for name, table in made.items())
            (output / "benchmark.md").write_text(text, encoding="utf-8")
        draw(found, output)
    print("\n".join(made.values()), end="")


def _reviews(manifest: "Manifest", data: str | None, split: str, limit: int | None) -> tuple[str, "Reviews"]:
    """Return a name and the reviews to measure on; by default those of the model's validation split."""
    from training.data.reviews import DataSource, load_reviews, sample, short_name
    from training.data.run_folder import load_validation
    from training.errors import TrainingError
    from training.recipes.options import DataConfig

    if data:
        return short_name(data), sample(load_reviews(DataSource(data, split, names=manifest.labels)), limit, seed=0)
    config = manifest.training.config
    if not config:
        raise TrainingError("The model does not name its training data; give --data.")
    known = {name: config[name] for name in DataConfig.model_fields if name in config}
    data_config = DataConfig.model_validate(known)
    validation = load_validation(data_config)
    if validation.names != manifest.labels:
        raise TrainingError(f"The labels of {data_config.data} are not the model's; give --data.")
    return f"{short_name(data_config.data)}, validation", sample(validation, limit, seed=0)


def _run_of(manifest: "Manifest") -> Path | None:
    """Return the training run of the network, if it is on this machine."""
    from training.data.run_folder import trained_weights

    folder = Path(str(manifest.training.config.get("output", "")))
    return folder if (folder / "run.json").is_file() and trained_weights(folder).is_file() else None
