"""Export a training run, or the mean of several, as a model folder that a worker loads."""

import shutil
import tempfile
from pathlib import Path

from inference.loading import load_classifier
from inference.manifest import TOKENIZER, Manifest, ModelError, load_manifest
from inference.stages import FULL
from training.data.reviews import sample
from training.errors import TrainingError
from training.export.figures import measure
from training.export.graph import write_float32
from training.export.onnx_folder import write_onnx_config
from training.export.quantise import write_int8
from training.export.source import Source, check, parts, read_source
from training.export.write_manifest import write_manifest
from training.learn.model import load_mean, load_trained
from training.recipes.recipe import ExportConfig
from training.run_log import log_file

# Training reviews that the ranges of int8 are measured on.
CALIBRATION_SAMPLE = 1000


def export(config: ExportConfig, *, command: str = "verdict export") -> Manifest:
    """Write the model folder atomically and return its manifest; `command` is recorded as the way to repeat it.

    Raises:
        TrainingError: an input cannot be used, or the model fails its golden set.
    """
    record = check(config)
    config.target.parent.mkdir(parents=True, exist_ok=True)
    with (
        log_file(config.run[0] / "export.log"),
        tempfile.TemporaryDirectory(dir=config.target.parent, prefix=".export-") as scratch,
    ):
        float32, folder = Path(scratch) / "float32", Path(scratch) / "model"
        source = read_source(config, record)
        write_networks(source, float32, folder)
        copy_parts(config, folder)
        figures = measure(source, float32, folder)
        write_manifest(source, figures, folder, command)
        try_out(folder, config.threads)
        shutil.move(folder, config.target)
    return load_manifest(config.target)


def write_networks(source: Source, float32: Path, folder: Path) -> None:
    """Write the network as a float32 graph and in the precision of the model, each with its tokenizer."""
    config, record = source.config, source.record
    for path in (float32, folder):
        path.mkdir()
        shutil.copyfile(config.run[0] / TOKENIZER, path / TOKENIZER)
    labels = len(record.labels)
    several = len(config.run) > 1
    network = load_mean(config.run, labels) if several else load_trained(config.run[0], labels, config.checkpoint)
    write_float32(network, float32 / "model.onnx")
    write_onnx_config(config.run[0], record.labels, folder)
    if config.precision == "int8":
        texts = sample(source.training, CALIBRATION_SAMPLE, source.settings.seed).texts
        encoded = source.tokeniser().encode(texts)
        write_int8(float32 / "model.onnx", folder / "model.onnx", encoded, record.pad_id)
    else:
        shutil.copyfile(float32 / "model.onnx", folder / "model.onnx")


def copy_parts(config: ExportConfig, folder: Path) -> None:
    """Copy n-grams and embedder, if given, into the model folder."""
    for source, name in parts(config):
        shutil.copyfile(source / name, folder / name)


def try_out(folder: Path, threads: int) -> None:
    """Load the model as a worker does, at each operating point, which also checks the golden set."""
    cascade = load_manifest(folder).cascade
    for point in (*cascade.points, FULL) if cascade else (None,):
        try:
            load_classifier(folder, threads=threads, point=point)
        except ModelError as exc:
            raise TrainingError(f"At the operating point {point}: {exc}" if point else str(exc)) from exc
