"""Write the manifest and the model card of a model folder."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from inference.figures import AveragedRun, Training
from inference.manifest import MANIFEST, Manifest, file_digest
from inference.stages import Cascade
from training.data.run_folder import trained_weights
from training.export.figures import Figures
from training.export.model_card import model_card
from training.export.source import EMBEDDER, Source
from training.learn.model import has_own_head
from training.recipes.recipe import ExportConfig

CARD = "README.md"


def write_manifest(source: Source, figures: Figures, folder: Path, command: str) -> None:
    """Write the model card, then the manifest with the digest of every other file."""
    manifest = describe(source, figures, command, _digests(folder))
    megabytes = (folder / "model.onnx").stat().st_size / 1e6
    card = model_card(manifest, source.settings, megabytes, own_head=has_own_head(source.config.run[0]))
    (folder / CARD).write_text(card, encoding="utf-8")
    whole = manifest.model_copy(update={"files": _digests(folder)})
    text = json.dumps(whole.model_dump(mode="json", exclude_none=True), indent=2)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def describe(source: Source, figures: Figures, command: str, files: dict[str, str]) -> Manifest:
    """Return the manifest of a model with these files."""
    config, info = source.config, figures.info
    return Manifest(
        name=info.name,
        version=info.version,
        created=datetime.now(UTC).replace(microsecond=0),
        backend="cascade" if figures.cascade else info.backend,
        precision=info.precision,
        stage=info.stage,
        labels=list(info.labels),
        max_tokens=info.max_tokens,
        truncation="sentences" if source.settings.sentences and config.ngrams else "head+tail",
        symbols=source.settings.symbols,
        language=config.language,
        neutral=figures.neutral,
        pad_id=source.record.pad_id,
        calibration=figures.calibration,
        files=files,
        golden=source.golden,
        batching=figures.batching,
        cascade=_recorded(figures.cascade, config.ngrams),
        embedder=EMBEDDER if config.embedder else None,
        metrics=figures.metrics,
        domains=figures.domains,
        lengths=figures.lengths,
        training=Training(**asdict(source.record), export_command=command, averaged=averaged(config)),
    )


def averaged(config: ExportConfig) -> list[AveragedRun]:
    """Return the runs whose weights are averaged; an empty list for a single run."""
    if len(config.run) == 1:
        return []
    return [AveragedRun(run=str(run), sha256=file_digest(trained_weights(run))) for run in config.run]


def _recorded(cascade: Cascade | None, ngrams: Path | None) -> Cascade | None:
    """Return the cascade with the record of the fit of its n-grams, if there is one."""
    record = ngrams / "ngrams.json" if ngrams else None
    if cascade is None or record is None or not record.is_file():
        return cascade
    training: dict[str, JsonValue] = json.loads(record.read_text(encoding="utf-8"))
    return cascade.model_copy(update={"training": training})


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: file_digest(path) for path in sorted(folder.iterdir())}
