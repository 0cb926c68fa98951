"""The names of settings in the architectures of transformers: dropout, and the largest number of tokens."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from training.errors import TrainingError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

# The names of dropout in the encoders of transformers: of hidden states, attention and classification heads.
DROPOUT_NAMES = (
    "hidden_dropout_prob",  # BERT, RoBERTa, ELECTRA, MPNet, DeBERTa
    "attention_probs_dropout_prob",
    "dropout",  # DistilBERT, XLM
    "attention_dropout",  # DistilBERT, ModernBERT
    "mlp_dropout",  # ModernBERT
    "embedding_dropout",
    "hidden_dropout",  # ESM, EuroBERT
    "activation_dropout",
    "resid_pdrop",  # GPT-2 and its relatives
    "attn_pdrop",
    "embd_pdrop",
    "seq_classif_dropout",  # DistilBERT's head
    "classifier_dropout",
)
HEAD_ONLY = {"seq_classif_dropout", "classifier_dropout"}
# Their positions count from the padding id on, so they read fewer tokens than the table has rows.
POSITIONS_AFTER_PADDING = {
    "roberta",
    "xlm-roberta",
    "xlm-roberta-xl",
    "camembert",
    "mpnet",
    "data2vec-text",
    "roberta-prelayernorm",
}


def dropout_options(config: "PreTrainedConfig", dropout: float) -> Mapping[str, float]:
    """Return the dropout under each name that this architecture has for it.

    Raises:
        TrainingError: it has none, so the setting would have no effect.
    """
    known = {name: dropout for name in DROPOUT_NAMES if hasattr(config, name)}
    if not set(known) - HEAD_ONLY and dropout:
        raise TrainingError(f"dropout: the architecture {config.model_type} has no dropout that Verdict knows; set 0.")
    return known


def token_limit(config: "PreTrainedConfig") -> int | None:
    """Return the largest number of tokens that an architecture can read, or None if it has no table of positions."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return None
    return positions - (config.pad_token_id or 0) - 1 if config.model_type in POSITIONS_AFTER_PADDING else positions


def check_max_tokens(config: "PreTrainedConfig", max_tokens: int, name: str) -> None:
    """Raise `TrainingError` for more tokens than a network has positions, which would end in an index error."""
    limit = token_limit(config)
    if limit is not None and max_tokens > limit:
        raise TrainingError(f"max_tokens {max_tokens} is more than {name} can read; it has {limit} positions.")
