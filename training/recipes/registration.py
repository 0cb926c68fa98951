"""Choose the version of the model of a recipe: the next free number, or the existing version if it is the same model.

A worker serves the newest version of `models/<name>/`.
"""

import re
from dataclasses import asdict, fields
from pathlib import Path

from inference.manifest import Manifest, file_digest, load_manifest
from training.data.run_folder import RunRecord
from training.export.fit_cascade import NGRAMS
from training.export.source import EMBEDDER, parts
from training.export.write_manifest import averaged
from training.recipes.recipe import ExportConfig


def versioned(target: Path) -> Path:
    """Return `models/<name>/<version>`; for `models/<name>`, whose name begins with no digit, add the next number."""
    if target.name[:1].isdigit():
        return target
    return target / str(max(map(_number, target.glob("[!.]*/")), default=0) + 1)


def registered(config: ExportConfig) -> Path | None:
    """Return the newest version if it was exported from this run with these settings; it need not be made again."""
    versions = [config.target] if config.target.name[:1].isdigit() else config.target.glob("[!.]*/")
    newest = max((path for path in versions if path.is_dir()), key=_number, default=None)
    if newest is None:
        return None
    return newest if _made_of(load_manifest(newest), config) else None


def _made_of(manifest: Manifest, config: ExportConfig) -> bool:
    record = RunRecord.read(config.run[0])
    known = {field.name: getattr(manifest.training, field.name) for field in fields(RunRecord)}
    digests = {name: file_digest(folder / name) for folder, name in parts(config)}
    return (
        known == asdict(record)
        and manifest.training.averaged == averaged(config)
        and manifest.precision == config.precision
        and manifest.max_tokens == (config.max_tokens or record.settings().max_tokens)
        and {name: manifest.files.get(name) for name in (NGRAMS, EMBEDDER)}
        == {name: digests.get(name) for name in (NGRAMS, EMBEDDER)}
    )


def _number(version: Path) -> int:
    found = re.match(r"\d+", version.name)
    return int(found[0]) if found else 0
