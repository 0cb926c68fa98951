"""Load the classifier of a model folder: verify the files, load the backend, warm it up, check the golden set."""

import importlib
from collections.abc import Sequence
from pathlib import Path

from inference.classifier import Classifier, Encoded
from inference.manifest import TOKENIZER, Golden, Manifest, ModelError, load_manifest
from inference.ngrams import NgramModel
from inference.tokenizer import ReviewTokenizer

# The module that runs the network, by backend; each has `load(folder, info, tokeniser, pad_id, threads)`.
BACKENDS = {"onnx": "inference.onnx", "cascade": "inference.onnx"}


def load_classifier(model_dir: Path, *, threads: int, point: str | None = None, neutral: bool = False) -> Classifier:
    """Return a verified, loaded and warmed-up classifier that has passed its golden set.

    `point` is an operating point of a model of two stages (None: its default). A model of one stage ignores it, so a
    worker can return to such a version without a change of its settings. With `neutral` the classifier has that label
    too.

    Raises:
        ModelError: the folder cannot be served with these options.
    """
    manifest = load_manifest(model_dir)
    if manifest.backend not in BACKENDS:
        raise ModelError(f"The model in {model_dir} needs the unknown backend {manifest.backend}.")
    threshold = _threshold(manifest, point)
    try:
        classifier = _load(model_dir, manifest, threads, threshold)
    except Exception as exc:  # tokenizers raises bare Exception, onnxruntime errors without a common base
        raise ModelError(f"The model in {model_dir} does not load: {' '.join(str(exc).split())[:300]}") from exc
    _warm_up(classifier, manifest.pad_id)
    check_golden(classifier, manifest.golden)
    if not neutral:
        return classifier
    if manifest.neutral is None:
        raise ModelError(f"The model in {model_dir} cannot predict neutral: its manifest has no part `neutral`.")
    three: Classifier = importlib.import_module("inference.neutral").ThreeWayClassifier(classifier, manifest.neutral)
    return three


def _threshold(manifest: Manifest, point: str | None) -> float | None:
    try:
        return manifest.cascade.threshold(point) if manifest.cascade else None
    except ValueError as exc:
        raise ModelError(str(exc)) from exc


def _load(model_dir: Path, manifest: Manifest, threads: int, threshold: float | None) -> Classifier:
    # Imported only when a model needs them, since each imports further libraries.
    backend = importlib.import_module(BACKENDS[manifest.backend])
    ngrams = NgramModel.read(model_dir / manifest.cascade.ngrams) if manifest.cascade else None
    tokeniser = tokeniser_of(model_dir, manifest, ngrams)
    classifier: Classifier = backend.load(
        model_dir, manifest.info(), tokeniser, pad_id=manifest.pad_id, threads=threads
    )
    if ngrams:
        cascade = importlib.import_module("inference.cascade")
        classifier = cascade.join_stages(classifier, ngrams, manifest.cascade, threshold)
    if manifest.language:
        check = importlib.import_module("inference.language")
        classifier = check.LanguageCheck(classifier, manifest.language, tokeniser.vocabulary())
    return classifier


def tokeniser_of(model_dir: Path, manifest: Manifest, ngrams: NgramModel | None = None) -> ReviewTokenizer:
    """Return the tokenizer of a model; `ngrams` choose sentences of long texts, and are read if not given."""
    if manifest.truncation == "sentences" and manifest.cascade:
        ngrams = ngrams or NgramModel.read(model_dir / manifest.cascade.ngrams)
    else:
        ngrams = None
    return ReviewTokenizer(model_dir / TOKENIZER, manifest.max_tokens, symbols=manifest.symbols, ngrams=ngrams)


def _warm_up(classifier: Classifier, pad_id: int) -> None:
    # The longest input that the network takes, so that every buffer has its full size before the first real review.
    tokens = classifier.info.max_tokens
    first = (0.0,) * len(classifier.info.labels)
    classifier.forward([Encoded((pad_id,) * tokens, tokens, truncated=False, first=first)])


def check_golden(classifier: Classifier, golden: Sequence[Golden]) -> None:
    """Classify the golden set in one batch, and raise `ModelError` if one sentence is misclassified."""
    if not golden:
        return
    batch = classifier.tokenise([item.text for item in golden])
    for item, answer in zip(golden, classifier.postprocess(batch, classifier.forward(batch)), strict=True):
        if answer.sentiment != item.sentiment:
            model = f"{classifier.info.name} {classifier.info.version}"
            raise ModelError(f"The model {model} classifies {item.text!r} as {answer.sentiment}, not {item.sentiment}.")
