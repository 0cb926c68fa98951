"""A network so small that it trains in a second, and sentences for it to learn."""

import csv
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from training.recipes.options import TrainConfig

EXTRA = "the training extra is not installed: pip install 'verdict[train]'"
WORDS = {"bad": "awful dull boring weak", "fair": "okay average passable usual", "good": "superb moving witty lovely"}


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder of two layers and the vocabulary of `sentences`."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    transformers = pytest.importorskip("transformers", reason=EXTRA)
    folder = tmp_path_factory.mktemp("base")
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] the film was very " + " ".join(WORDS.values())
    vocabulary = {word: place for place, word in enumerate(words.split())}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    fast = transformers.PreTrainedTokenizerFast
    fast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]").save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
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
