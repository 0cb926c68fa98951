"""A tiny embedder with three topics of a few words each."""

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from inference.embedder import Embedder, Topics
from inference.manifest import file_digest
from inference.tokenizer import NO_LIMIT, ReviewTokenizer
from tests.fakes import LABELS

THEMES = ("pirates ship sea", "robots space laser", "wedding bride cake")
SPECIAL = ["[UNK]", "[CLS]", "[SEP]"]


def write_tokenizer(path: Path) -> None:
    """Write a tokenizer.json with the words of the topics."""
    vocabulary = {word: place for place, word in enumerate([*SPECIAL, *" ".join(THEMES).split()])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    tokenizer.save(str(path))


def topics(judgement: float = 0.2) -> Topics:
    """Return the matrix of embeddings, one dimension a topic; a word's scale is its weight."""
    themes = [place for place, words in enumerate(THEMES) for _ in words.split()]
    table = np.vstack([np.zeros((len(SPECIAL), 3)), np.eye(3)[themes] * 127]).astype(np.int8)
    return Topics(table, np.linspace(0.5, 1, len(table), dtype=np.float32), judgement)


def small_embedder(folder: Path, judgement: float = 0.2) -> Embedder:
    """Return the embedder, with the labels of the fake model."""
    path = folder / "themes.json"
    write_tokenizer(path)
    return Embedder(topics(judgement), ReviewTokenizer(path, NO_LIMIT), LABELS, digest="themes")


def write_model(folder: Path, *, embedder: bool = True) -> Path:
    """Write a model folder with labels, a tokenizer and, if wanted, the embedder, but without a classifier."""
    folder.mkdir(parents=True)
    write_tokenizer(folder / "tokenizer.json")
    if embedder:
        topics().write(folder / "embedder.npz")
    return write_manifest(folder)


def write_manifest(folder: Path) -> Path:
    """Write the manifest of the files in the folder."""
    files = {path.name: file_digest(path) for path in folder.iterdir() if path.name != "manifest.json"}
    manifest = {
        "format": 1,
        "name": "default",
        "version": folder.name,
        "created": "2026-11-22T00:00:00Z",
        "backend": "none",
        "precision": "fake",
        "stage": "fake",
        "labels": LABELS,
        "max_tokens": 128,
        "truncation": "head+tail",
        "pad_id": 0,
        "calibration": {"temperature": 1.0},
        "files": files,
        "golden": [],
        "batching": {"token_budget": 1, "largest_probability_change": 0.0, "n": 1},
        "embedder": "embedder.npz" if "embedder.npz" in files else None,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
