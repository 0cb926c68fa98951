"""Make a served model of a training run: ONNX graph, int8, calibration, figures, manifest and model card.

Called by `verdict export`; calls `training.export.graph` for the files, `training.export.compose` for a first stage of
n-grams, and
`training.export.measure` for every figure.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import TypeAdapter, ValidationError

from inference.classifier import Classifier, ModelInfo
from inference.loading import load_classifier
from inference.manifest import FORMAT, FULL, MANIFEST, Golden, Manifest, ModelError, file_digest, load_manifest
from training.data.reviews import DataSource, Reviews, load_reviews, sample, short_name
from training.data.run_folder import MEAN_POOLED, RunRecord, load_split
from training.data.soft_targets import even
from training.errors import TrainingError
from training.evaluate import classify, length_of, probabilities
from training.export import measure
from training.export.compose import Composed, check_same_tokens, compose
from training.export.fit_cascade import NGRAMS
from training.export.fit_neutral import fit_neutral
from training.export.graph import write_float32
from training.export.measure import HeldOut
from training.export.model_card import model_card
from training.export.onnx_folder import write_onnx_config
from training.export.quantise import write_int8
from training.learn.architecture import check_max_tokens
from training.learn.model import load_trained, trained_config
from training.learn.preprocessing import tokeniser_of
from training.metrics import by_group
from training.recipes.options import DomainsConfig, PreprocessingConfig, RowsConfig
from training.run_log import log_file

PRECISIONS = ("int8", "float32")
EMBEDDER = "embedder.npz"
# Training reviews to draw from for the ranges of int8.
CALIBRATION_SAMPLE = 1000


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export, and `target`, the folder `models/<name>/<version>` to make of it.

    Without a checkpoint the run's best weights are taken; `golden` is a YAML list of sentences with their sentiment.
    `max_tokens` may be more than was trained with: a mean over token states takes the longer context as it comes.
    `domains` names labelled reviews of many kinds, whose figures the manifest holds by kind and by length.
    `settle_from` is the length in tokens from which on n-grams may answer alone.
    `language` is the ISO 639-1 code of the texts that it knows; given one, the model warns of texts in others.
    `neutral` are texts that lean to neither of two labels: with them the model can answer neutral where that is asked.
    `ngrams` and `embedder`, folders that `verdict ngram` and `verdict embedder` wrote, join the model if given.
    """

    run: Path
    target: Path
    precision: str = "int8"
    checkpoint: Path | None = None
    golden: Path | None = None
    ngrams: Path | None = None
    embedder: Path | None = None
    max_tokens: int | None = None
    neutral: Sequence[RowsConfig] = ()
    domains: DomainsConfig | None = None
    language: str | None = None
    settle_from: int = 0
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
    _check_run(request, record)
    golden = _golden(request.golden)
    _check_parts(request)
    request.target.parent.mkdir(parents=True, exist_ok=True)
    with (
        log_file(request.run / "export.log"),
        tempfile.TemporaryDirectory(dir=request.target.parent, prefix=".export-") as scratch,
    ):
        float32, folder = Path(scratch) / "float32", Path(scratch) / "model"
        split = load_split(record.settings())
        _write_graphs(request, record, split[0], float32, folder)
        _copy_parts(request, folder)
        validated = (record.settings().data, *(rows.data for rows in record.settings().validation))
        held_out = HeldOut(" + ".join(map(short_name, validated)), "validation", split[1])
        values = _figures(request, record, {"float32": float32, request.precision: folder}, [held_out, *tests])
        _write_manifest(folder, values | {"golden": golden})
        _try_out(folder, request.threads)
        shutil.move(folder, request.target)
    return Manifest.model_validate_json((request.target / MANIFEST).read_bytes())


def _check_run(request: ExportRequest, record: RunRecord) -> None:
    settings = record.settings()
    if settings.preprocessing != PreprocessingConfig():
        raise TrainingError(f"{request.run} was trained with a preprocessing that a worker does not apply.")
    if (request.run / "config.json").is_file() or (request.run / MEAN_POOLED).is_dir():
        tokens = request.max_tokens or settings.max_tokens
        check_max_tokens(trained_config(request.run), tokens, str(request.run))


def _golden(path: Path | None) -> list[dict[str, str]]:
    if path is None:
        return []
    try:
        items = TypeAdapter(list[Golden]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as exc:
        raise TrainingError(f"{path} is not a readable list of text and sentiment.") from exc
    return [item.model_dump() for item in items]


def _write_graphs(request: ExportRequest, record: RunRecord, training: Reviews, float32: Path, folder: Path) -> None:
    network = load_trained(request.run, len(record.labels), request.checkpoint)
    for path in (float32, folder):
        path.mkdir()
        shutil.copyfile(request.run / "tokenizer.json", path / "tokenizer.json")
    write_float32(network, float32 / "model.onnx")
    write_onnx_config(request.run, record.labels, folder)
    if request.precision == "int8":
        config = record.settings()
        encoded = tokeniser_of(config, request.run / "tokenizer.json", request.max_tokens, request.ngrams).encode(
            sample(training, CALIBRATION_SAMPLE, config.seed).texts
        )
        write_int8(float32 / "model.onnx", folder / "model.onnx", encoded, record.pad_id)
    else:
        shutil.copyfile(float32 / "model.onnx", folder / "model.onnx")


def _check_parts(request: ExportRequest) -> None:
    for source, name in ((request.ngrams, NGRAMS), (request.embedder, EMBEDDER)):
        if source and not (source / name).is_file():
            raise TrainingError(f"{source} holds no {name}.")
    if request.ngrams:
        check_same_tokens(request.run, request.ngrams)


def _copy_parts(request: ExportRequest, folder: Path) -> None:
    for source, name in ((request.ngrams, NGRAMS), (request.embedder, EMBEDDER)):
        if source:
            shutil.copyfile(source / name, folder / name)


def _try_out(folder: Path, threads: int) -> None:
    """Load the model as a worker does, at each operating point: a wrong verdict on the golden set ends here."""
    cascade = load_manifest(folder).cascade
    for point in (*cascade.points, FULL) if cascade else (None,):
        try:
            load_classifier(folder, threads=threads, point=point)
        except ModelError as exc:
            raise TrainingError(f"At the operating point {point}: {exc}" if point else str(exc)) from exc


def _figures(
    request: ExportRequest, record: RunRecord, folders: Mapping[str, Path], parts: Sequence[HeldOut]
) -> dict[str, Any]:
    """Fit on the first part and measure the shipped precision on all, the network alone and float32 on the first."""
    held_out, *tests = parts
    config = record.settings()
    tokeniser = tokeniser_of(config, request.run / "tokenizer.json", request.max_tokens, request.ngrams)
    bench = measure.MeasureOptions(tokeniser, record.pad_id, request.threads, request.token_budget, config.seed)
    folder = folders[request.precision]
    alone = measure.calibrated(folder, _info(request, record), held_out, bench)
    composed = compose(folder, alone, held_out, bench, request.settle_from) if request.ngrams else None
    classifier = composed.classifier if composed else measure.network(folder, alone.info, bench)
    point = {"point": composed.cascade.default} if composed else {}
    metrics = [*(composed.figures.values() if composed else ()), alone.figures]
    metrics += [point | measure.figures(classifier, part, bench) for part in tests]
    if request.precision != "float32":
        plain = measure.calibrated(folders["float32"], _info(request, record, "float32"), held_out, bench)
        metrics.append(plain.figures)
    # At `full`, where the network reads every review: no other reviews can move what n-grams say.
    mates = measure.batch_mates(composed.full if composed else classifier, held_out.reviews, bench)
    neutral = _neutral(request, classifier, held_out.reviews, bench)
    fitted = {"temperature": alone.info.temperature, "fitted_on": f"{held_out.dataset}, {held_out.split}"}
    batching = {"token_budget": request.token_budget, **asdict(mates)}
    figures = {"calibration": fitted, "batching": batching, "metrics": metrics}
    domains = _domains(request, classifier, bench)
    return _base(request, record, alone.info) | _parts(request, composed) | neutral | figures | domains


def _domains(request: ExportRequest, classifier: Classifier, bench: measure.MeasureOptions) -> dict[str, Any]:
    """Return the figures of each kind and each length of review, if there are data with a column of kinds."""
    if request.domains is None:
        return {}
    rows, names = request.domains, list(classifier.info.labels)
    source = DataSource(rows.data, group_column=rows.by, names=names, only=rows.only, without=rows.without)
    reviews = load_reviews(source)
    answers = probabilities(classify(classifier, reviews.texts, bench.token_budget))
    truth = np.asarray(reviews.labels)
    parts = {"domains": reviews.groups, "lengths": [length_of(text) for text in reviews.texts]}
    return {part: [asdict(each) for each in by_group(groups, truth, answers, names)] for part, groups in parts.items()}


def _neutral(
    request: ExportRequest, classifier: Classifier, validation: Reviews, bench: measure.MeasureOptions
) -> dict[str, Any]:
    """Return when answers are neutral, if there are texts to learn it from."""
    if not request.neutral:
        return {}
    texts = even(request.neutral, len(classifier.info.labels), bench.seed).texts
    budget = bench.token_budget
    torn, leaning = (probabilities(classify(classifier, each, budget)) for each in (texts, validation.texts))
    return {"neutral": fit_neutral(torn, leaning, bench.seed).model_dump()}


def _parts(request: ExportRequest, composed: Composed | None) -> dict[str, Any]:
    """Return what the manifest says of a first stage and of an embedder, if there are such."""
    parts: dict[str, Any] = {"embedder": EMBEDDER} if request.embedder else {}
    if composed and request.ngrams:
        record = request.ngrams / "ngrams.json"
        training = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
        parts |= {"backend": "cascade", "cascade": composed.cascade.model_dump() | {"training": training}}
    return parts


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
        "truncation": "sentences" if record.settings().sentences and request.ngrams else "head+tail",
        "symbols": record.settings().symbols,
        "language": request.language,
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
