"""What architectures of transformers call their settings: dropout, and how many tokens they can read."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from training.errors import TrainingError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

# Every name that an encoder of transformers gives to dropout of hidden states, attention or its classification head.
DROPOUT_NAMES = (
    "hidden_dropout_prob",  # BERT, RoBERTa, ELECTRA, MPNet, DeBERTa
    "attention_probs_dropout_prob",
    "dropout",  # DistilBERT, XLM
    "attention_dropout",  # DistilBERT, ModernBERT
    "mlp_dropout",  # ModernBERT
    "embedding_dropout",
    "hidden_dropout",  # ESM, EuroBERT
    "activation_dropout",
    "resid_pdrop",  # GPT-2 and its kin
    "attn_pdrop",
    "embd_pdrop",
    "seq_classif_dropout",  # DistilBERT's head
    "classifier_dropout",
)
HEAD_ONLY = {"seq_classif_dropout", "classifier_dropout"}
# Their positions count from the padding id on, so that the table holds fewer than its length says.
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
    """Return the dropout under the names that this architecture has for it.

    Raises:
        TrainingError: it has none, and so the setting would be without effect.
    """
    known = {name: dropout for name in DROPOUT_NAMES if hasattr(config, name)}
    if not set(known) - HEAD_ONLY and dropout:
        raise TrainingError(f"dropout: the architecture {config.model_type} has no dropout that Verdict knows; set 0.")
    return known


def token_limit(config: "PreTrainedConfig") -> int | None:
    """Return how many tokens an architecture can read at most, or None if it has no table of positions."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return None
    return positions - (config.pad_token_id or 0) - 1 if config.model_type in POSITIONS_AFTER_PADDING else positions


def check_max_tokens(config: "PreTrainedConfig", max_tokens: int, name: str) -> None:
    """Refuse more tokens than a network has positions for: the forward pass would end in an index error."""
    limit = token_limit(config)
    if limit is not None and max_tokens > limit:
        raise TrainingError(f"max_tokens {max_tokens} is more than {name} can read; it has {limit} positions.")
