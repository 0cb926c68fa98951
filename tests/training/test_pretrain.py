"""Masked-language training: the hidden tokens, the order of windows, and that a resumed run gives the same result."""

# ruff: noqa: E402 - the skips must come before the libraries that may be absent

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
pytest.importorskip("transformers", reason="the training extra is not installed: make test")

from safetensors.torch import load_file

import training.learn.pretrain
from tests.training.conftest import recipe
from training.errors import TrainingError
from training.learn.masked import Masking, cut, order
from training.learn.pretrain import pretrain
from training.learn.train import train
from training.recipes.options import PretrainConfig

MASK = 99
MASKING = Masking(share=0.25, mask_id=MASK, pad_id=0, special=frozenset({0, 2, 3}), vocabulary=90)


def test_a_review_is_cut_between_its_special_tokens() -> None:
    assert [part.tolist() for part in cut([2, 5, 6, 7, 3], 4)] == [[2, 5, 6, 3], [2, 7, 3]]
    assert cut([2, 3], 4) == []


def test_a_share_of_the_words_is_hidden_and_never_a_special_token() -> None:
    windows = [np.array([2, *range(10, 90), 3], dtype=np.int32)] * 50
    ids, mask, hidden, truth = MASKING.batch(windows, np.random.default_rng(0))
    assert mask.all()
    assert len(hidden) / (50 * 80) == pytest.approx(0.25, abs=0.03)
    original = torch.from_numpy(np.stack(windows)).long()
    assert (original[hidden[:, 0], hidden[:, 1]] == truth).all()
    shown = ids[hidden[:, 0], hidden[:, 1]]
    assert (shown == MASK).float().mean().item() == pytest.approx(0.8, abs=0.05)
    assert (shown == truth).float().mean().item() == pytest.approx(0.1, abs=0.05)
    untouched = ids.clone()
    untouched[hidden[:, 0], hidden[:, 1]] = truth
    assert (untouched == original).all()


def test_a_batch_too_small_for_chance_still_hides_one_word() -> None:
    _, _, hidden, truth = MASKING.batch([np.array([2, 50, 3], dtype=np.int32)], np.random.default_rng(1))
    assert (hidden.tolist(), truth.tolist()) == ([[0, 1]], [50])


def test_every_epoch_shows_every_window_once_in_another_order() -> None:
    sizes = [index % 7 + 3 for index in range(40)]
    batches = list(order(sizes, batch_size=8, steps=10, seed=5))
    first, second = ([index for batch in part for index in batch] for part in (batches[:5], batches[5:]))
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second
    assert batches == list(order(sizes, batch_size=8, steps=10, seed=5))


def pretraining(base_model: Path, sentences: Path, output: Path, **changes: Any) -> PretrainConfig:
    values: dict[str, Any] = {
        "data": str(sentences),
        "unlabelled": [str(sentences)],
        "base_model": str(base_model),
        "output": output,
        "validation_size": 8,
        "max_tokens": 8,
        "batch_size": 8,
        "epochs": 4,
        "learning_rate": 3e-3,
        "dropout": 0.1,
        "threads": 1,
    }
    return PretrainConfig.model_validate(values | changes)


def test_it_learns_and_its_result_is_a_base_model(base_model: Path, sentences: Path, tmp_path: Path) -> None:
    figures = pretrain(pretraining(base_model, sentences, tmp_path / "pretrained"))
    loss = figures["held_out_loss"]
    assert isinstance(loss, dict)
    assert loss["after"] < loss["before"] - 0.5
    record = train(recipe(tmp_path / "pretrained", sentences, tmp_path / "run"))
    assert record.result["validation"]["accuracy"] == 1.0


def test_a_resumed_run_ends_with_the_same_weights(
    base_model: Path, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain(pretraining(base_model, sentences, tmp_path / "whole"))
    config = pretraining(base_model, sentences, tmp_path / "cut", checkpoint_minutes=1e-9)
    step, taken = training.learn.pretrain._step, []

    def killed(*arguments: Any) -> float:
        taken.append(1)
        if len(taken) == 10:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(training.learn.pretrain, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        pretrain(config)
    with pytest.raises(TrainingError, match="--resume"):
        pretrain(config)
    pretrain(config, resume=True)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(first[name].equal(second[name]) for name in first)


def test_a_base_model_without_a_mask_token_gets_one_line(sentences: Path, tmp_path: Path, maskless: Path) -> None:
    with pytest.raises(TrainingError, match="no mask token"):
        pretrain(pretraining(maskless, sentences, tmp_path / "run"))


@pytest.fixture
def maskless(base_model: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "maskless"
    folder.mkdir()
    for file in base_model.iterdir():
        text = file.read_bytes()
        changed = text.replace(b'"mask_token": "[MASK]"', b'"mask_token": null')
        (folder / file.name).write_bytes(changed if file.name == "tokenizer_config.json" else text)
    return folder
