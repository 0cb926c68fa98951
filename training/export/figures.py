"""Calibrate an exported network, join it with n-grams, and take every figure of its manifest."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from inference.classifier import Classifier, ModelInfo
from inference.figures import GroupFigures, Metrics
from inference.manifest import Batching, Calibration
from inference.stages import Cascade, Neutral
from training.data.reviews import DataSource, load_reviews
from training.data.soft_targets import even
from training.evaluate import classify, length_of, probabilities
from training.export.compose import compose
from training.export.fit_neutral import fit_neutral
from training.export.measure import MeasureOptions, batch_mates, calibrated, evaluation, load_network
from training.export.source import Source
from training.metrics import by_group


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that is fitted and measured on the exported model: parts of its manifest.

    `info` is that of the calibrated network.
    """

    info: ModelInfo
    calibration: Calibration
    cascade: Cascade | None
    neutral: Neutral | None
    batching: Batching
    metrics: list[Metrics]
    domains: list[GroupFigures]
    lengths: list[GroupFigures]


def measure(source: Source, float32: Path, folder: Path) -> Figures:
    """Fit on the validation reviews; measure the model on all data, and the network alone, and in float32, on those."""
    config, validation = source.config, source.validation
    options = MeasureOptions(
        source.tokeniser(), source.record.pad_id, config.threads, config.token_budget, source.settings.seed
    )
    alone = calibrated(folder, source.info(config.precision), validation, options)
    composed = compose(folder, alone, validation, options, config.settle_from) if config.ngrams else None
    classifier: Classifier = composed.classifier if composed else load_network(folder, alone.info, options)
    point = composed.cascade.default if composed else None
    metrics = [*(composed.metrics if composed else ()), alone.metrics]
    metrics += [evaluation(classifier, part, options, point) for part in source.tests]
    if config.precision != "float32":
        metrics.append(calibrated(float32, source.info("float32"), validation, options).metrics)
    # At `full` the network reads every review; the n-grams do not depend on the batch.
    mates = batch_mates(composed.full if composed else classifier, validation.reviews, options)
    domains, lengths = _domains(source, classifier)
    return Figures(
        info=alone.info,
        calibration=Calibration(
            temperature=alone.info.temperature, fitted_on=f"{validation.dataset}, {validation.split}"
        ),
        cascade=composed.cascade if composed else None,
        neutral=_neutral(source, classifier),
        batching=Batching(token_budget=config.token_budget, **asdict(mates)),
        metrics=metrics,
        domains=domains,
        lengths=lengths,
    )


def _domains(source: Source, classifier: Classifier) -> tuple[list[GroupFigures], list[GroupFigures]]:
    """Return the figures of each kind and of each length of the reviews in `domains`; empty lists without it."""
    rows = source.config.domains
    if rows is None:
        return [], []
    names = list(classifier.info.labels)
    reviews = load_reviews(
        DataSource(rows.data, group_column=rows.by, names=names, only=rows.only, without=rows.without)
    )
    found = probabilities(classify(classifier, reviews.texts, source.config.token_budget))
    truth = np.asarray(reviews.labels)
    kinds, lengths = (
        [GroupFigures(**asdict(each)) for each in by_group(groups, truth, found, names)]
        for groups in (reviews.groups, [length_of(text) for text in reviews.texts])
    )
    return kinds, lengths


def _neutral(source: Source, classifier: Classifier) -> Neutral | None:
    """Return when a prediction is neutral, fitted on neutral texts and the validation reviews; None without texts."""
    if not source.config.neutral:
        return None
    texts = even(source.config.neutral, len(classifier.info.labels), source.settings.seed).texts
    neutral, leaning = (
        probabilities(classify(classifier, each, source.config.token_budget))
        for each in (texts, source.validation.reviews.texts)
    )
    return fit_neutral(neutral, leaning, source.settings.seed)
