"""`verdict benchmark`: the ladder of a model, in one run; a thin shell over `benchmarks.classifier.benchmark`."""

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
    model: Annotated[Path | None, typer.Argument(help="Model folder; what a worker serves if not given.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Labelled reviews; the validation part of the model's training if not given.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split of a hub data set.")] = "test",
    limit: Annotated[int | None, typer.Option(min=16, help="Only this many reviews, drawn at random.")] = None,
    run: Annotated[Path | None, typer.Option(help="The network's training run, if not where it was trained.")] = None,
    output: Annotated[Path, typer.Option(help="Folder for plots, JSON and tables.")] = OUTPUT,
    document: Annotated[
        Path | None, typer.Option(help="Markdown file whose marked tables are renewed; else benchmark.md is written.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; one a core if not given.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Parts that each rung is measured in, in turn.")] = 4,
) -> None:
    """Measure speed, accuracy and memory from what is usually deployed to what is served, with tables and plots."""
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
            console.print("no training run of the network here (--run): its float32 rungs are left out")
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
    """Return the reviews to judge and what they are called; those that the model was validated on by default."""
    from training.data.reviews import DataSource, load_reviews, sample, short_name
    from training.data.run_folder import load_validation
    from training.errors import TrainingError
    from training.recipes.options import DataConfig

    if data:
        return short_name(data), sample(load_reviews(DataSource(data, split, names=manifest.labels)), limit, seed=0)
    config = manifest.training.config
    if not config:
        raise TrainingError("The model does not say what it was trained on; give --data.")
    known = {name: config[name] for name in DataConfig.model_fields if name in config}
    data_config = DataConfig.model_validate(known)
    validation = load_validation(data_config)
    if validation.names != manifest.labels:
        raise TrainingError(f"The labels of {data_config.data} are not the model's; give --data.")
    return f"{short_name(data_config.data)}, validation", sample(validation, limit, seed=0)


def _run_of(manifest: "Manifest") -> Path | None:
    """Return the folder the network was trained in, if it is here."""
    from training.data.run_folder import trained_weights

    folder = Path(str(manifest.training.config.get("output", "")))
    return folder if (folder / "run.json").is_file() and trained_weights(folder).is_file() else None
