"""The rungs of the ladder, from the usual deployment to the served model."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.classifier.rungs import CLAIM, Rung
from inference.manifest import Manifest
from inference.stages import FULL

# Reviews of the slow rungs over all rounds: about ten seconds for each rung on two cores.
DISTILBERT_REVIEWS = 60
TORCH_REVIEWS = 120
BATCHED_REVIEWS = 240
BATCH = 8
# The keys of the rungs that others are compared with.
DISTILBERT, INT8, INT8_SORTED, INT8_TWO_PROCESSES = "distilbert", "int8", "int8-sorted", "int8-two-processes"
TWO_PROCESSES = "two-processes"


def rungs(model: Path, manifest: Manifest, run: Path | None, threads: int, scratch: Path) -> list[Rung]:
    """Return the rungs, slowest first; the float32 ones need the training run of the network."""
    int8 = Rung(INT8, "int8, one at a time", "onnx", model=model, files=model, threads=threads)
    distilbert = replace(
        int8,
        key=DISTILBERT,
        title="torch float32 of DistilBERT's size, one at a time",
        backend="distilbert",
        reviews=DISTILBERT_REVIEWS,
    )
    before = [] if run is None else list(_before_export(int8, run, manifest, scratch))
    budget = manifest.batching.token_budget
    return [distilbert, *before, int8, *_served(replace(int8, window=CLAIM, token_budget=budget), manifest)]


def _before_export(int8: Rung, run: Path, manifest: Manifest, scratch: Path) -> Iterator[Rung]:
    from training.export.graph import write_float32  # noqa: PLC0415 - imports torch, which the other rungs do not need
    from training.learn.model import load_trained  # noqa: PLC0415

    torch = replace(int8, backend="torch", files=run)
    yield replace(torch, key="torch", title="torch float32, our network, one at a time", reviews=TORCH_REVIEWS)
    batched = replace(torch, window=BATCH, reviews=BATCHED_REVIEWS)
    yield replace(batched, key="torch-batched", title=f"torch float32, our network, in batches of {BATCH}")
    shutil.copyfile(int8.model / "tokenizer.json", scratch / "tokenizer.json")
    write_float32(load_trained(run, len(manifest.labels)), scratch / "model.onnx")
    yield replace(int8, key="float32", title="ONNX Runtime float32, one at a time", files=scratch)


def _served(windows: Rung, manifest: Manifest) -> Iterator[Rung]:
    """Yield the rungs that sort reviews by length as a worker does; the fast ones take all reviews in each round."""
    halved = replace(windows, processes=2, threads=max(windows.threads // 2, 1))
    yield replace(windows, key=INT8_SORTED, title="int8, sorted by length")
    yield replace(halved, key=INT8_TWO_PROCESSES, title="int8, sorted by length, in two processes")
    if manifest.cascade is None:
        return
    yield replace(windows, key=FULL, title="both stages on every review (full)", backend="served", point=FULL)
    for point in sorted(manifest.cascade.points, key=manifest.cascade.threshold, reverse=True):
        title = f"cascade, {point}"
        yield replace(windows, key=point, title=title, backend="served", point=point, each_round=True)
    title = f"cascade, {manifest.cascade.default}, in two processes"
    yield replace(halved, key=TWO_PROCESSES, title=title, backend="served", each_round=True)
