"""Fit an embedder: latent semantic analysis of word pieces, then contrastive training on reviews of one group.

The result is an `inference.embedder` file; `training.learn.neighbours` measures it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.embedder import Topics, words
from inference.manifest import TOKENIZER
from inference.tokenizer import NO_LIMIT, ReviewTokenizer
from training.data.reviews import load_grouped
from training.data.run_folder import load_split
from training.learn.model import save_tokenizer
from training.learn.neighbours import measure
from training.recipes.options import EmbedderConfig

FILE = "embedder.npz"


@dataclass(frozen=True, slots=True)
class Documents:
    """The distinct tokens of each review, and their weights."""

    tokens: list[NDArray[np.int64]]
    weights: list[NDArray[np.float32]]

    @classmethod
    def of(cls, texts: Sequence[str], tokeniser: ReviewTokenizer) -> "Documents":
        """Count the tokens of texts, a thousand texts at a time, since token lists take far more memory."""
        parts = (texts[start : start + 1000] for start in range(0, len(texts), 1000))
        pairs = [words(ids) for part in parts for ids in tokeniser.whole(part)]
        return cls([tokens for tokens, _ in pairs], [weights for _, weights in pairs])

    def idf(self, power: float, min_reviews: int) -> NDArray[np.float32]:
        """Return the inverse document frequency [vocabulary] to a power; 0 for tokens of few reviews."""
        found = np.bincount(np.concatenate(self.tokens))
        rarity = np.log((len(self.tokens) + 1) / (found + 1)) ** power
        return np.where(found < min_reviews, 0, rarity).astype(np.float32)

    def matrix(self, idf: NDArray[np.float32]) -> Tensor:
        """Return weight times idf, each review of length 1: sparse [reviews, vocabulary]."""
        values = [weights * idf[tokens] for tokens, weights in zip(self.tokens, self.weights, strict=True)]
        units = [each / (np.linalg.norm(each) or 1) for each in values]
        rows = np.repeat(np.arange(len(self.tokens)), [len(each) for each in self.tokens])
        places = torch.from_numpy(np.stack([rows, np.concatenate(self.tokens)]))
        shape = (len(self.tokens), len(idf))
        return torch.sparse_coo_tensor(places, torch.from_numpy(np.concatenate(units)), shape, check_invariants=True)

    def embed(self, rows: NDArray[np.int64], table: Tensor) -> Tensor:
        """Return the topics of some reviews [rows, dimensions], each of length 1."""
        sizes = np.array([0, *(len(self.tokens[row]) for row in rows[:-1])])
        sums = nn.functional.embedding_bag(
            torch.from_numpy(np.concatenate([self.tokens[row] for row in rows])),
            table,
            torch.from_numpy(sizes.cumsum()),
            mode="sum",
            per_sample_weights=torch.from_numpy(np.concatenate([self.weights[row] for row in rows])),
        )
        return nn.functional.normalize(sums)


def fit_embedder(config: EmbedderConfig) -> dict[str, object]:
    """Fit and measure an embedder, write it and its figures to `config.output`, and return the figures."""
    training, validation = load_split(config)
    config.output.mkdir(parents=True, exist_ok=True)
    save_tokenizer(config.base_model, config.output)
    tokeniser = ReviewTokenizer(config.output / TOKENIZER, NO_LIMIT)
    texts, groups = list(training.texts), list(training.groups)
    for location in config.unlabelled:
        more, theirs = load_grouped(location, config.text_column, config.group_column)
        texts += more
        groups += theirs
    torch.manual_seed(config.seed)
    documents = Documents.of(texts, tokeniser)
    table = analysed(config, documents)
    if config.group_column and config.steps:
        # The groups of the validation reviews are left out: the embedder must work for groups that it has not seen.
        table = contrasted(config, documents, pairs_of(groups, {"", *validation.groups}), table)
    topics = quantised(table, config.judgement)
    topics.write(config.output / FILE)
    figures = {"bytes": (config.output / FILE).stat().st_size, **measure(config, topics, training, validation)}
    record = {"config": config.model_dump(mode="json"), "texts": len(texts), "validation": figures}
    (config.output / "embedder.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return figures


def analysed(config: EmbedderConfig, documents: Documents) -> Tensor:
    """Return a table [vocabulary, dimensions] by latent semantic analysis (Deerwester et al. 1990)."""
    idf = documents.idf(config.idf_power, config.min_reviews)
    matrix = documents.matrix(idf)
    dimensions = min(config.dimensions, *matrix.shape)
    _, _, directions = torch.svd_lowrank(matrix, q=dimensions, niter=2)
    return torch.from_numpy(idf).unsqueeze(1) * directions


def pairs_of(groups: Sequence[str], left_out: set[str]) -> list[NDArray[np.int64]]:
    """Return the rows of each group that has at least two and is not left out."""
    rows: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        if group not in left_out:
            rows.setdefault(group, []).append(row)
    return [np.array(some) for some in rows.values() if len(some) > 1]


def contrasted(
    config: EmbedderConfig, documents: Documents, groups: Sequence[NDArray[np.int64]], table: Tensor
) -> Tensor:
    """Return the table after training to separate pairs of one group from pairs across groups (symmetric InfoNCE)."""
    draw = np.random.default_rng(config.seed)
    # Embeddings are normalised, and the step size of Adam does not depend on the scale of the table: set that scale.
    weights = (table * (0.1 / table.square().mean().sqrt())).requires_grad_()
    optimiser = torch.optim.Adam([weights], lr=config.learning_rate)
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, total_iters=config.steps)
    size = min(config.batch_size, len(groups))
    for _ in range(config.steps if size > 1 else 0):
        chosen = draw.choice(len(groups), size, replace=False)
        pairs = np.stack([draw.choice(groups[place], 2, replace=False) for place in chosen])
        near = documents.embed(pairs[:, 0], weights) @ documents.embed(pairs[:, 1], weights).T / config.temperature
        own = torch.arange(size)
        loss = nn.functional.cross_entropy(near, own) + nn.functional.cross_entropy(near.T, own)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        decay.step()
    return weights.detach()


def quantised(table: Tensor, judgement: float) -> Topics:
    """Return the table as int8 with a scale for each row."""
    scale = table.abs().amax(dim=1) / 127
    rows = (table / scale.clamp(min=1e-12).unsqueeze(1)).round().to(torch.int8)
    return Topics(rows.numpy(), scale.numpy(), judgement)
