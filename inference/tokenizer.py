"""Text to token ids: cleaning, tokenisation and truncation, the same in training and serving."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from inference.classifier import Encoded
from inference.cleaning import clean
from inference.ngrams import NgramModel
from inference.sentences import SENTENCE_ENDS, Sentences

# A limit that no review reaches, for callers that need all tokens.
NO_LIMIT = 1_000_000


def head_tail(ids: Sequence[int], max_tokens: int) -> tuple[int, ...]:
    """Return at most `max_tokens` ids: the first and the last half, since reviews state their opinion at both ends.

    The special tokens are at the two ends, so they are kept. With an odd limit the head gets the extra token.
    """
    if len(ids) <= max_tokens:
        return tuple(ids)
    tail = max_tokens // 2
    return (*ids[: max_tokens - tail], *ids[len(ids) - tail :])


class ReviewTokenizer:
    """A `tokenizer.json` with a length limit in tokens, special ones included.

    A longer review is cut to the sentences of most weight by `ngrams`, or without them to its beginning and end.
    """

    def __init__(self, path: Path, max_tokens: int, *, symbols: bool = False, ngrams: NgramModel | None = None) -> None:
        # One thread: inference runs at the same time and needs the cores, and the thread pool warns after a fork.
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
        """Clean each text and return one `Encoded` for each, in order."""
        return [self.cut(ids) for ids in self.whole(texts)]

    def whole(self, texts: Sequence[str]) -> list[list[int]]:
        """Clean each text and return all its token ids, in order."""
        # encode_batch_fast skips the character offsets, which are not needed.
        return [
            each.ids
            for each in self._tokenizer.encode_batch_fast([clean(text, symbols=self.symbols) for text in texts])
        ]

    def cut(self, ids: Sequence[int]) -> Encoded:
        """Return the ids of a whole review cut to the limit."""
        return Encoded(self._shorten(ids, self.max_tokens), tokens=len(ids), truncated=len(ids) > self.max_tokens)

    def vocabulary(self) -> list[str]:
        """Return all tokens, ordered by id."""
        places = self._tokenizer.get_vocab()
        return sorted(places, key=places.__getitem__)
