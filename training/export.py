"""Make a served model of a training run: ONNX graph, int8, calibration, figures, manifest and model card.

Called by `verdict export`; calls `training.graph` for the files and `training.measure` for every figure.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from training import measure
from training.card import model_card
from training.data import Reviews, sample, short_name
from training.errors import TrainingError
from training.graph import write_float32
from training.measure import HeldOut
from training.model import load_checkpoint
from training.quantise import write_int8
from training.run import RunRecord, load_split
from worker.classifier import ModelInfo
from worker.registry import FORMAT, MANIFEST, Golden, Manifest, file_digest, load_classifier
from worker.tokeniser import Tokeniser

PRECISIONS = ("int8", "float32")
# Training reviews to draw from for the ranges of int8.
CALIBRATION_SAMPLE = 1000


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export, and `target`, the folder `models/<name>/<version>` to make of it.

    Without a checkpoint the run's best weights are taken; `golden` is a YAML list of sentences with their sentiment.
    `max_tokens` may be more than was trained with: a mean over token states takes the longer context as it comes.
    """

    run: Path
    target: Path
    precision: str = "int8"
    checkpoint: Path | None = None
    golden: Path | None = None
    max_tokens: int | None = None
    token_budget: int = 1280
    threads: int = 2
    command: str = "verdict export"


def export(request: ExportRequest, tests: Sequence[HeldOut] = ()) -> Manifest:
    """Write the model folder whole or not at all; `tests` are measured and recorded, never fitted on."""
    if request.precision not in PRECISIONS:
        raise TrainingError(f"The precision is one of {', '.join(PRECISIONS)}, not {request.precision}.")
    if request.target.exists():
        raise TrainingError(f"{request.target} exists, and a version never changes; give another version.")
    record = RunRecord.read(request.run)
    golden = _golden(request.golden)
    request.target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=request.target.parent, prefix=".export-") as scratch:
        float32, folder = Path(scratch) / "float32", Path(scratch) / "model"
        split = load_split(record.settings())
        _write_graphs(request, record, split[0], float32, folder)
        held_out = HeldOut(short_name(record.settings().data), "validation", split[1])
        values = _figures(request, record, {"float32": float32, request.precision: folder}, [held_out, *tests])
        _write_manifest(folder, values | {"golden": golden})
        load_classifier(folder, threads=request.threads)  # what a worker does; a wrong golden verdict ends here
        shutil.move(folder, request.target)
    return Manifest.model_validate_json((request.target / MANIFEST).read_bytes())


def _golden(path: Path | None) -> list[dict[str, str]]:
    if path is None:
        return []
    try:
        items = TypeAdapter(list[Golden]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as exc:
        raise TrainingError(f"{path} is not a readable list of text and sentiment.") from exc
    return [item.model_dump() for item in items]


def _write_graphs(request: ExportRequest, record: RunRecord, training: Reviews, float32: Path, folder: Path) -> None:
    weights = (request.checkpoint or request.run) / "model.safetensors"
    if not weights.is_file():
        raise TrainingError(f"There is no {weights}; if training has not ended, give --checkpoint.")
    for path in (float32, folder):
        path.mkdir()
        shutil.copyfile(request.run / "tokenizer.json", path / "tokenizer.json")
    write_float32(load_checkpoint(request.run, weights, len(record.labels)), float32 / "model.onnx")
    if request.precision == "int8":
        config = record.settings()
        tokeniser = Tokeniser(folder / "tokenizer.json", request.max_tokens or config.max_tokens)
        encoded = tokeniser.encode(sample(training, CALIBRATION_SAMPLE, config.seed).texts)
        write_int8(float32 / "model.onnx", folder / "model.onnx", encoded, record.pad_id)
    else:
        shutil.copyfile(float32 / "model.onnx", folder / "model.onnx")


def _figures(
    request: ExportRequest, record: RunRecord, folders: Mapping[str, Path], parts: Sequence[HeldOut]
) -> dict[str, Any]:
    """Fit the temperature on the first part and measure the shipped precision on all, float32 on the first."""
    held_out, *tests = parts
    bench = measure.Bench(record.pad_id, request.threads, request.token_budget, record.settings().seed)
    folder = folders[request.precision]
    info, first = measure.calibrated(folder, _info(request, record), held_out, bench)
    metrics = [first, *(measure.figures(folder, info, part, bench) for part in tests)]
    if request.precision != "float32":
        plain = measure.calibrated(folders["float32"], _info(request, record, "float32"), held_out, bench)
        metrics.append(plain[1])
    mates = measure.batch_mates(folder, info, held_out.reviews, bench)
    return _base(request, record, info) | {
        "calibration": {"temperature": info.temperature, "fitted_on": f"{held_out.dataset}, {held_out.split}"},
        "batching": {"token_budget": request.token_budget, **asdict(mates)},
        "metrics": metrics,
    }


def _info(request: ExportRequest, record: RunRecord, precision: str | None = None) -> ModelInfo:
    return ModelInfo(
        name=request.target.parent.name,
        version=request.target.name,
        precision=precision or request.precision,
        labels=tuple(record.labels),
        max_tokens=request.max_tokens or record.settings().max_tokens,
        backend="onnx",
        stage="transformer",
        temperature=1.0,
    )


def _base(request: ExportRequest, record: RunRecord, info: ModelInfo) -> dict[str, Any]:
    return {
        "format": FORMAT,
        **{key: value for key, value in asdict(info).items() if key != "temperature"},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "truncation": "head+tail",
        "pad_id": record.pad_id,
        "training": {**asdict(record), "export_command": request.command},
    }


def _write_manifest(folder: Path, values: dict[str, Any]) -> None:
    """Write the model card, then the manifest with the digest of every other file."""
    megabytes = (folder / "model.onnx").stat().st_size / 1e6
    (folder / "README.md").write_text(model_card(values, megabytes), encoding="utf-8")
    files = {path.name: file_digest(path) for path in sorted(folder.iterdir())}
    text = json.dumps({**values, "files": files}, indent=2)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
