"""The shipped model on ONNX Runtime, as in a worker."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inference.classifier import Classifier
from inference.loading import check_golden, load_classifier
from inference.manifest import load_manifest
from training.data.reviews import DataSource, load_reviews, sample
from training.data.split import split_reviews
from training.evaluate import classify
from training.recipes.options import TrainConfig

SHIPPED = Path("models/default/1")
TRAIN = Path("../shared/data/imdb/train.parquet")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier(SHIPPED, threads=2)


def test_the_golden_set_is_classified_correctly(classifier: Classifier) -> None:
    golden = load_manifest(SHIPPED).golden
    assert len(golden) >= 8
    check_golden(classifier, golden)


def test_tokens_count_the_whole_text_and_truncation_is_reported(classifier: Classifier) -> None:
    short, long = classifier.tokenise(["good", "good " * 500])
    assert (len(short.ids), short.tokens, short.truncated) == (3, 3, False)
    assert (len(long.ids), long.tokens, long.truncated) == (classifier.info.max_tokens, 502, True)


def test_line_breaks_do_not_change_the_answer(classifier: Classifier) -> None:
    plain, broken = classifier.tokenise(["good. bad.", "good.<br /><br />bad."])
    assert plain.ids == broken.ids


@pytest.mark.parametrize("text", ["", " ", "\x00", "🙂" * 3000, "a" * 100_000, "<br />", "ÀÉ 文字 \u202e"])
def test_odd_texts_get_an_answer(classifier: Classifier, text: str) -> None:
    (answer,) = classify(classifier, [text], 160)
    assert sum(answer.probabilities.values()) == pytest.approx(1)


def test_padding_and_batch_mates_do_not_move_a_probability(classifier: Classifier) -> None:
    texts = ["Fine.", "A dull and lifeless film. " * 12, "I loved it, truly. " * 30, "Bad, bad, bad."]
    alone = [classify(classifier, [text], 160)[0].probabilities["positive"] for text in texts]
    together = [answer.probabilities["positive"] for answer in classify(classifier, texts, 10_000)]
    assert load_manifest(SHIPPED).batching.largest_probability_change < 1e-4
    assert np.abs(np.subtract(alone, together)).max() < 1e-4


def test_the_same_batch_gives_the_same_answer_twice(classifier: Classifier) -> None:
    texts = ["So-so, but the ending was good.", "Dreadful."]
    assert classify(classifier, texts, 512) == classify(classifier, texts, 512)


def test_the_model_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= 30_000_000


def test_serving_imports_no_training_library() -> None:
    code = (
        "import sys; from pathlib import Path; from inference.loading import load_classifier;"
        "load_classifier(Path('models/default/1'), threads=1);"
        "print([name for name in ('torch', 'transformers', 'datasets', 'training') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.timeout(400)  # 5 s on idle cores; 80 s were seen on cores that a benchmark shared
@pytest.mark.skipif(not TRAIN.exists(), reason="the reviews are not at ../shared/data/imdb")
def test_held_out_reviews_are_classified_correctly(classifier: Classifier) -> None:
    config = TrainConfig.model_validate(load_manifest(SHIPPED).training.config)
    reviews = load_reviews(DataSource(str(TRAIN), group_column=config.group_column))
    _, validation = split_reviews(reviews, config.validation_size, config.split_seed)
    part = sample(validation, 200, seed=0)
    answers = classify(classifier, part.texts, load_manifest(SHIPPED).batching.token_budget)
    right = [answer.sentiment == part.names[label] for answer, label in zip(answers, part.labels, strict=True)]
    assert np.mean(right) >= 0.85
