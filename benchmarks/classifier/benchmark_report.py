"""Write a benchmark as JSON, and as Markdown tables between the marks of a document."""

import json
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.classifier.benchmark import Benchmark
from benchmarks.classifier.benchmark_tables import (
    Rows,
    check_rows,
    group_rows,
    ladder_rows,
    markdown,
    points,
    quality,
    robustness_rows,
    stage_rows,
)
from benchmarks.classifier.frontier import stages
from inference.stages import FULL
from training.errors import TrainingError


def tables(found: Benchmark) -> dict[str, str]:
    """Return every table as Markdown, by the name in the mark of a document."""
    rows = {"setting": setting_rows(found), "ladder": ladder_rows(found), "groups": group_rows(found)}
    if found.kinds:
        rows["robustness"] = robustness_rows(found)
    if FULL in found.ladder:
        rows |= {"checks": check_rows(found), "stages": stage_rows(found)}
    return {name: markdown(each) for name, each in rows.items()}


def require_marks(document: Path) -> None:
    """Raise `TrainingError`, before anything is measured, for a document that has no place for a table."""
    if not document.is_file() or "<!-- benchmark: " not in document.read_text(encoding="utf-8"):
        raise TrainingError(f"{document} has no mark <!-- benchmark: NAME --> to put a table under.")


def fill(document: Path, made: Mapping[str, str]) -> None:
    """Replace the table between `<!-- benchmark: NAME -->` and `<!-- end -->` in the document, for each table."""
    text = document.read_text(encoding="utf-8")
    for name, table in made.items():
        mark = f"<!-- benchmark: {name} -->\n"
        pattern = re.compile(f"{re.escape(mark)}.*?<!-- end -->", re.DOTALL)
        text = pattern.sub(lambda _, mark=mark, table=table: f"{mark}{table}<!-- end -->", text)  # type: ignore[misc]
    document.write_text(text, encoding="utf-8")


def write_json(found: Benchmark, path: Path) -> None:
    """Write all figures as JSON."""
    path.write_text(json.dumps(figures(found), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def figures(found: Benchmark) -> dict[str, Any]:
    """Return all figures, ready for JSON."""
    truth = np.asarray(found.request.reviews.labels)
    return {
        "setting": dict(setting_rows(found)[2:]),
        "ladder": [
            {
                **{key: value for key, value in asdict(each.rung).items() if key not in {"model", "files"}},
                "counts": each.counts,
                "seconds": each.seconds,
                "reviews_per_second": each.rate,
                "peak_memory": each.peak_memory,
                **quality(found, each),
            }
            for each in found.ladder.values()
        ],
        "stages": {
            key: [asdict(stage) for stage in stages(found.ladder[key], truth) if stage.share] for key in points(found)
        },
        "groups": _by_head(group_rows(found)),
        "robustness": _by_head(robustness_rows(found)),
    }


def _by_head(rows: Rows) -> list[dict[str, str]]:
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def setting_rows(found: Benchmark) -> list[tuple[str, str]]:
    """Return model, reviews, machine, software and date of the measurement."""
    request, manifest = found.request, found.manifest
    return [
        ("what", "value"),
        ("---", "---"),
        ("model", f"{manifest.name} {manifest.version}, {manifest.precision}, {manifest.max_tokens} tokens"),
        ("reviews", f"{len(request.reviews):,} of {request.dataset}"),
        ("processor", f"{_processor()}, {request.threads} threads of {os.cpu_count()} cores"),
        (
            "software",
            f"Python {platform.python_version()}, onnxruntime {version('onnxruntime')}, torch {version('torch')}",
        ),
        ("rounds", f"{request.rounds}, a part of each rung in turn"),
        ("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
    ]


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    name = re.search(r"model name\s*:\s*(.*)", text)
    flags = re.search(r"flags\s*:\s*(.*)", text)
    have = set(flags[1].split()) if flags else set()
    widest = next((flag for flag in ("avx512_vnni", "avx_vnni", "avx512f", "avx2") if flag in have), "no AVX2")
    return f"{name[1] if name else platform.machine()} ({widest})"
