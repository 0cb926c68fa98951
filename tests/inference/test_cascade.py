"""Two stages: n-grams classify the reviews they are sure of, the network of the shipped model the others."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.batching import micro_batches
from inference.cascade import join
from inference.classifier import Classifier
from inference.loading import load_classifier
from inference.manifest import ModelError, file_digest, load_manifest
from inference.ngrams import NgramModel, buckets
from inference.stages import Cascade
from inference.tokenizer import ReviewTokenizer
from tests.manifests import edit
from training.evaluate import classify

SHIPPED = Path("models/default/1")
SURE = {"superb": 127, "dreadful": -127}
EASY, HARD = "A superb film.", "It has its moments, and just as many that it has not."


def words(order: int, temperature: float = 1.0) -> NgramModel:
    """Return an n-gram model with weights for the words of `SURE` only."""
    weights = np.zeros((1 << 12, 1), dtype=np.int8)
    for ids, weight in zip(
        ReviewTokenizer(SHIPPED / "tokenizer.json", 512).whole(list(SURE)), SURE.values(), strict=True
    ):
        weights[buckets(ids[1:-1], 1, 12)] = weight
    one = np.ones(1, dtype=np.float32)
    return NgramModel(weights, scale=one, bias=one / np.float32(8), order=order, temperatures=(temperature,))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(SHIPPED, tmp_path_factory.mktemp("models") / "1"))
    words(order=1).write(folder / "ngrams.npz")
    cascade = {"ngrams": "ngrams.npz", "network_weight": 0.75, "ngram_weight": 0.5, "bias": [0.25, -0.25]}
    cascade |= {"points": {"fast": 0.4, "balanced": 0.9, "accurate": 1.01}, "default": "balanced"}
    digest = file_digest(folder / "ngrams.npz")
    edit(folder, lambda values: values.update(backend="cascade", cascade=cascade))
    edit(folder, lambda values: values["files"].update({"ngrams.npz": digest}))
    return folder


@pytest.fixture
def model(shipped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped, tmp_path / "1"))


@pytest.fixture(scope="module")
def classifier(shipped: Path) -> Classifier:
    return load_classifier(shipped, threads=1)


@pytest.fixture(scope="module")
def network() -> Classifier:
    return load_classifier(SHIPPED, threads=1)


def stages(classifier: Classifier, *texts: str) -> list[str]:
    return [answer.stage for answer in classify(classifier, texts, 256)]


def test_a_review_that_the_n_grams_are_sure_of_is_answered_by_them(classifier: Classifier) -> None:
    (review,) = batch = classifier.tokenise([EASY])
    assert review.settled
    assert (review.ids, review.tokens) == ((), 6)
    (answer,) = classifier.postprocess(batch, classifier.forward(batch))
    assert (answer.stage, answer.sentiment, answer.tokens) == ("ngram", "positive", 6)
    assert answer.confidence > 0.99


def test_the_network_reads_what_is_not_settled_and_both_are_weighed(
    classifier: Classifier, network: Classifier, shipped: Path
) -> None:
    (review,) = batch = classifier.tokenise([HARD])
    assert not review.settled
    cascade = load_manifest(shipped).cascade
    assert cascade is not None
    assert review.first is not None
    alone = network.forward(network.tokenise([HARD])) / network.info.temperature
    expected = 0.75 * alone + 0.5 * np.array([review.first]) + np.array([0.25, -0.25])
    assert classifier.forward(batch) == pytest.approx(expected, abs=1e-5)
    first = np.array([review.first], dtype=np.float32)
    assert join(cascade, alone, first, [review.tokens]) == pytest.approx(expected, abs=1e-5)
    assert stages(classifier, HARD) == ["transformer"]


def test_where_the_n_grams_say_nothing_the_network_answers_alone(
    model: Path, network: Classifier, classifier: Classifier
) -> None:
    replace(words(order=1), min_tokens=54).write(model / "ngrams.npz")
    edit(model, lambda values: values["files"].update({"ngrams.npz": file_digest(model / "ngrams.npz")}))
    edit(model, lambda values: values.update(golden=[]))
    silent = load_classifier(model, threads=1)
    text = "They never called me back."
    batch = silent.tokenise([text])
    alone = network.forward(network.tokenise([text])) / network.info.temperature
    assert silent.forward(batch) == pytest.approx(alone, abs=1e-5)
    assert classifier.forward(classifier.tokenise([text])) != pytest.approx(alone, abs=1e-2)


def test_a_short_review_is_never_left_to_the_n_grams_alone(model: Path) -> None:
    edit(model, lambda values: values["cascade"].update(settle_from=64))
    classifier = load_classifier(model, threads=1)
    assert stages(classifier, EASY) == ["transformer"]
    assert stages(classifier, "superb " * 70) == ["ngram"]


def test_each_length_of_review_has_weights_of_its_own() -> None:
    stacks = [{"network_weight": weight, "ngram_weight": 1, "bias": [0, 0]} for weight in (1, 2, 3)]
    cascade = Cascade.model_validate(
        {"ngrams": "n.npz", "lengths": [8, 32], "stacks": stacks, "points": {}, "default": "full"}
    )
    network, ngram = np.array([[0, 1.0]] * 5, dtype=np.float32), np.array([[1.0, 0]] * 5, dtype=np.float32)
    joined = join(cascade, network, ngram, [1, 8, 9, 32, 33])
    assert joined[:, 1].tolist() == [1, 1, 2, 2, 3]


def test_the_n_grams_read_the_whole_of_a_long_review(classifier: Classifier) -> None:
    (review,) = classifier.tokenise(["so " * 2000 + "superb" + " so" * 2000])
    assert (review.settled, review.truncated, review.tokens) == (True, False, 4003)
    (unsure,) = classifier.tokenise(["so " * 2000])
    assert (unsure.settled, unsure.truncated, len(unsure.ids)) == (False, True, classifier.info.max_tokens)


def test_settled_reviews_are_the_first_micro_batch_and_stand_in_no_other(classifier: Classifier) -> None:
    encoded = classifier.tokenise([HARD, EASY, "Fair enough.", "Dreadful stuff.", HARD])
    first, *others = micro_batches(encoded, 64)
    assert first == [1, 3]
    assert sorted(index for group in others for index in group) == [0, 2, 4]


def test_a_batch_of_both_kinds_gives_the_answers_of_each_alone(classifier: Classifier) -> None:
    texts = [HARD, EASY, "Fair enough.", "Dreadful stuff."]
    batch = classifier.tokenise(texts)
    together = classifier.forward(batch)
    alone = [classifier.forward([review])[0] for review in batch]
    assert together == pytest.approx(np.array(alone), abs=1e-4)
    assert classify(classifier, texts, 10_000) == classifier.postprocess(batch, together)


def test_a_logit_that_is_no_number_names_its_review(classifier: Classifier) -> None:
    batch = classifier.tokenise([EASY, EASY])
    broken = replace(batch[1], first=(float("nan"), 0.0))
    with pytest.raises(ValueError, match="review 1"):
        classifier.postprocess(batch, classifier.forward([batch[0], broken]))


@pytest.mark.parametrize("text", ["", " ", "\x00", "🙂" * 3000, "superb" * 10_000, "<br />"])
def test_odd_texts_get_an_answer(classifier: Classifier, text: str) -> None:
    (answer,) = classify(classifier, [text], 160)
    assert sum(answer.probabilities.values()) == pytest.approx(1)


def test_no_review_is_no_work(classifier: Classifier) -> None:
    assert classifier.tokenise([]) == []
    assert micro_batches([], 64) == []


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (None, ["ngram", "transformer"]),
        ("balanced", ["ngram", "transformer"]),
        ("fast", ["ngram", "ngram"]),
        ("accurate", ["transformer", "transformer"]),
        ("full", ["transformer", "transformer"]),
    ],
)
def test_the_operating_point_says_how_sure_the_n_grams_must_be(
    model: Path, point: str | None, expected: list[str]
) -> None:
    edit(model, lambda values: values.update(golden=[]))  # at `fast` these n-grams classify every review
    assert stages(load_classifier(model, threads=1, point=point), EASY, HARD) == expected


def test_a_point_that_the_model_lacks_is_refused_by_name(shipped: Path) -> None:
    with pytest.raises(ModelError, match="one of fast, balanced, accurate, full, not turbo"):
        load_classifier(shipped, threads=1, point="turbo")


def test_a_model_of_one_stage_ignores_the_point() -> None:
    assert stages(load_classifier(SHIPPED, threads=1, point="fast"), EASY) == ["transformer"]


def test_a_point_that_misclassifies_the_golden_set_is_not_served(shipped: Path) -> None:
    with pytest.raises(ModelError, match="classifies"):
        load_classifier(shipped, threads=1, point="fast")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backend": "onnx"}, "need each other"),
        ({"cascade": None}, "need each other"),
        ({"embedder": "embedder.npz"}, "files must hold embedder.npz"),
        ({"labels": ["negative", "neutral", "positive"]}, "one number a label"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(model: Path, change: dict[str, Any], message: str) -> None:
    edit(model, lambda values: values.update(change))
    with pytest.raises(ModelError, match=message):
        load_manifest(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ngrams": "words.npz"}, "files must hold words.npz"),
        ({"default": "turbo"}, "turbo is none of the points"),
        ({"points": {"full": 0.5}}, "no threshold applies"),
        ({"network_weight": float("nan")}, "network_weight"),
        ({"bias": [float("inf"), 0]}, "bias"),
    ],
)
def test_a_cascade_that_contradicts_itself_is_refused(model: Path, change: dict[str, Any], message: str) -> None:
    edit(model, lambda values: values["cascade"].update(change))
    with pytest.raises(ModelError, match=message):
        load_manifest(model)


def test_changed_n_grams_are_refused(model: Path) -> None:
    words(order=1, temperature=2).write(model / "ngrams.npz")
    with pytest.raises(ModelError, match=r"The file ngrams.npz .* is corrupt"):
        load_classifier(model, threads=1)


def test_n_grams_over_other_labels_are_refused(model: Path) -> None:
    three = np.ones(3, dtype=np.float32)
    model_of_three = replace(words(order=1), weights=np.zeros((4, 3), dtype=np.int8), scale=three, bias=three)
    model_of_three.write(model / "ngrams.npz")
    edit(model, lambda values: values["files"].update({"ngrams.npz": file_digest(model / "ngrams.npz")}))
    with pytest.raises(ModelError, match="n-grams have 3 labels, its network has 2"):
        load_classifier(model, threads=1)


def test_full_is_a_default_like_any_other(model: Path) -> None:
    edit(model, lambda values: values["cascade"].update(default="full"))
    assert stages(load_classifier(model, threads=1), EASY) == ["transformer"]
