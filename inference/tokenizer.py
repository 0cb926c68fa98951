"""Text to token ids: cleaning, tokenisation and head+tail truncation, the same in training and serving.

Called by the classifier backends and by `training`; wraps one `tokenizer.json`.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from inference.classifier import Encoded
from inference.cleaning import clean
from inference.ngrams import NgramModel
from inference.sentences import SENTENCE_ENDS, Sentences

# For who reads whole reviews.
NO_LIMIT = 1_000_000


def head_tail(ids: Sequence[int], max_tokens: int) -> tuple[int, ...]:
    """Return at most `max_tokens` ids: the first half and the last half, since reviews judge at both ends.

    The special tokens stand at the two ends, so they survive. An odd limit gives the head the extra token.
    """
    if len(ids) <= max_tokens:
        return tuple(ids)
    tail = max_tokens // 2
    return (*ids[: max_tokens - tail], *ids[len(ids) - tail :])


class ReviewTokenizer:
    """One tokenizer with its length limit (tokens, special ones included).

    Of a longer review the sentences that `ngrams` weigh most are kept, or without them its beginning and end.
    """

    def __init__(self, path: Path, max_tokens: int, *, symbols: bool = False, ngrams: NgramModel | None = None) -> None:
        # One thread: the cores belong to the inference that runs beside it, and the pool warns after a fork.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.max_tokens = max_tokens
        self.symbols = symbols
        self._shorten: Callable[[Sequence[int], int], tuple[int, ...]] = head_tail
        if ngrams:
            ends = [self._tokenizer.token_to_id(mark) for mark in SENTENCE_ENDS]
            self._shorten = Sentences(ngrams, frozenset(end for end in ends if end is not None)).choose

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Return one `Encoded` a text, in order; texts are cleaned first."""
        return [self.cut(ids) for ids in self.whole(texts)]

    def whole(self, texts: Sequence[str]) -> list[list[int]]:
        """Return all token ids of each text, in order; texts are cleaned first."""
        # encode_batch_fast leaves out the character offsets, which nobody reads.
        return [
            each.ids
            for each in self._tokenizer.encode_batch_fast([clean(text, symbols=self.symbols) for text in texts])
        ]

    def cut(self, ids: Sequence[int]) -> Encoded:
        """Return a whole review's ids within the limit."""
        return Encoded(self._shorten(ids, self.max_tokens), tokens=len(ids), truncated=len(ids) > self.max_tokens)

    def vocabulary(self) -> list[str]:
        """Return every token, at the place of its id."""
        places = self._tokenizer.get_vocab()
        return sorted(places, key=places.__getitem__)
