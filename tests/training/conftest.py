"""A network so small that it trains in a second, and sentences for it to learn."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from training.recipes.options import TrainConfig

EXTRA = "the training extra is not installed: make test"
WORDS = {"bad": "awful dull boring weak", "fair": "okay average passable usual", "good": "superb moving witty lovely"}


def save_random_base(folder: Path, architecture: str, special: Mapping[str, str], words: str, positions: int) -> None:
    """Save a random encoder of two layers, of an architecture of transformers, with a tokenizer for `words`.

    `special` has the tokens pad, unk, cls, sep and mask by these names, in the order of their ids.
    """
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    transformers = pytest.importorskip("transformers", reason=EXTRA)
    vocabulary = {word: place for place, word in enumerate([*special.values(), *words.split()])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=special["unk"]))
    tokenizer.pre_tokenizer = Whitespace()
    first, last = special["cls"], special["sep"]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=[(each, vocabulary[each]) for each in (first, last)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=special["pad"], unk_token=special["unk"], mask_token=special["mask"]
    ).save_pretrained(folder)
    config = getattr(transformers, f"{architecture}Config")(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
    )
    torch.manual_seed(0)
    getattr(transformers, f"{architecture}Model")(config).save_pretrained(folder)


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder of two layers and the vocabulary of `sentences`."""
    folder = tmp_path_factory.mktemp("base")
    special = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    save_random_base(folder, "Bert", special, "the film was very " + " ".join(WORDS.values()), positions=32)
    return folder


@pytest.fixture(scope="session")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 sentences under three labels, each told by one word."""
    path = tmp_path_factory.mktemp("data") / "sentences.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "sentiment"])
        for turn in range(16):
            for label, words in WORDS.items():
                word = words.split()[turn % 4]
                writer.writerow([f"the film was {'very ' * (turn % 3)}{word}", label])
    return path


def recipe(base_model: Path, sentences: Path, output: Path, **changes: Any) -> TrainConfig:
    """Return a run of about a second, with changes."""
    values: dict[str, Any] = {
        "data": str(sentences),
        "base_model": str(base_model),
        "output": output,
        "validation_size": 8,
        "max_tokens": 8,
        "batch_size": 4,
        "epochs": 10,
        "learning_rate": 3e-3,
        "evaluations": 2,
        "freeze_embeddings": False,
        "threads": 1,
    }
    return TrainConfig.model_validate(values | changes)
