"""Other ways to prepare and cut texts than a worker's, for experiments; `verdict export` refuses such runs."""

import re
from collections.abc import Sequence
from pathlib import Path

from inference.classifier import Encoded
from inference.cleaning import clean
from inference.ngrams import NgramModel
from inference.tokenizer import ReviewTokenizer
from training.export.fit_cascade import NGRAMS
from training.recipes.options import PreprocessingConfig, TrainConfig

_TAG = re.compile(r"<[^<>]+>")


def tokeniser_of(
    config: TrainConfig, path: Path, max_tokens: int | None = None, ngrams: Path | None = None
) -> ReviewTokenizer:
    """Return the tokenizer of a recipe; by default it prepares texts as a worker does.

    `ngrams` is the folder of the n-grams that choose sentences of long texts, by default those of the training run.
    """
    limit = max_tokens or config.max_tokens
    if config.preprocessing != PreprocessingConfig():
        return VariantTokeniser(path, limit, config.preprocessing, symbols=config.symbols)
    chosen = NgramModel.read((ngrams or config.sentences) / NGRAMS) if config.sentences else None
    return ReviewTokenizer(path, limit, symbols=config.symbols, ngrams=chosen)


def prepare(text: str, config: PreprocessingConfig, *, symbols: bool = True) -> str:
    """Return the prepared text for the tokenizer."""
    if config.cleaning == "full":
        text = clean(text, symbols=symbols)
    elif config.cleaning == "html":
        text = _TAG.sub(" ", text)
    return text.lower() if config.lowercase else text


class VariantTokeniser(ReviewTokenizer):
    """A tokenizer with a configured preparation of texts."""

    def __init__(self, path: Path, max_tokens: int, config: PreprocessingConfig, *, symbols: bool) -> None:
        super().__init__(path, max_tokens, symbols=symbols)
        self._config = config

    def whole(self, texts: Sequence[str]) -> list[list[int]]:
        """Return all token ids of each text, in order."""
        prepared = [prepare(text, self._config, symbols=self.symbols) for text in texts]
        return [each.ids for each in self._tokenizer.encode_batch_fast(prepared)]

    def cut(self, ids: Sequence[int]) -> Encoded:
        """Return the ids within the limit; the special token of the end that is cut off is kept."""
        inner = self.max_tokens - 1
        if len(ids) <= self.max_tokens or self._config.truncation == "head+tail":
            return super().cut(ids)
        kept = (*ids[:inner], ids[-1]) if self._config.truncation == "head" else (ids[0], *ids[-inner:])
        return Encoded(tuple(kept), tokens=len(ids), truncated=True)
