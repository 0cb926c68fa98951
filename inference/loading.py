"""Load the classifier of a model folder: verify it, load its backend, warm it up, run its golden set."""

import importlib
from collections.abc import Sequence
from pathlib import Path

from inference.classifier import Classifier, Encoded
from inference.manifest import TOKENIZER, Golden, Manifest, ModelError, load_manifest
from inference.ngrams import NgramModel
from inference.tokenizer import ReviewTokenizer

# The module that runs the network; each holds `load(folder, info, tokeniser, pad_id, threads)`.
BACKENDS = {"onnx": "inference.onnx", "cascade": "inference.onnx"}


def load_classifier(model_dir: Path, *, threads: int, point: str | None = None, neutral: bool = False) -> Classifier:
    """Return a classifier that was verified, loaded and warmed up on its golden set.

    `point` is an operating point of a model of two stages (None: its default); a model of one stage ignores it, so
    that a worker can go back to such a version under the settings it has. With `neutral` the classifier has that label
    too.

    Raises:
        ModelError: the folder cannot be served so.
    """
    manifest = load_manifest(model_dir)
    if manifest.backend not in BACKENDS:
        raise ModelError(f"The model in {model_dir} needs the unknown backend {manifest.backend}.")
    threshold = manifest.cascade.threshold(point) if manifest.cascade else None
    try:
        classifier = _load(model_dir, manifest, threads, threshold)
    except Exception as exc:  # tokenizers raises bare Exception, onnxruntime its own kinds
        raise ModelError(f"The model in {model_dir} does not load: {' '.join(str(exc).split())[:300]}") from exc
    _warm_up(classifier, manifest.pad_id)
    check_golden(classifier, manifest.golden)
    if not neutral:
        return classifier
    if manifest.neutral is None:
        raise ModelError(f"The model in {model_dir} cannot answer neutral: its manifest says not when.")
    three: Classifier = importlib.import_module("inference.neutral").ThreeWayClassifier(classifier, manifest.neutral)
    return three


def _load(model_dir: Path, manifest: Manifest, threads: int, threshold: float | None) -> Classifier:
    # Imported when a model asks for them: each brings its libraries.
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
    """Return how a model reads a text; `ngrams` are its first stage, read from the folder if it needs them."""
    if manifest.truncation == "sentences" and manifest.cascade:
        ngrams = ngrams or NgramModel.read(model_dir / manifest.cascade.ngrams)
    else:
        ngrams = None
    return ReviewTokenizer(model_dir / TOKENIZER, manifest.max_tokens, symbols=manifest.symbols, ngrams=ngrams)


def _warm_up(classifier: Classifier, pad_id: int) -> None:
    # The longest input the network takes, so that the first real review finds every buffer at its size.
    tokens = classifier.info.max_tokens
    first = (0.0,) * len(classifier.info.labels)
    classifier.forward([Encoded((pad_id,) * tokens, tokens, truncated=False, first=first)])


def check_golden(classifier: Classifier, golden: Sequence[Golden]) -> None:
    """Classify the golden set in one batch; a model that judges one sentence wrong is not fit to serve."""
    if not golden:
        return
    batch = classifier.tokenise([item.text for item in golden])
    for item, answer in zip(golden, classifier.postprocess(batch, classifier.forward(batch)), strict=True):
        if answer.sentiment != item.sentiment:
            model = f"{classifier.info.name} {classifier.info.version}"
            raise ModelError(f"The model {model} judges {item.text!r} {answer.sentiment}, not {item.sentiment}.")
