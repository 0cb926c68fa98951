"""Cut tokenised reviews into micro-batches of similar length."""

from collections.abc import Sequence

from inference.classifier import Encoded


def micro_batches(encoded: Sequence[Encoded], token_budget: int) -> list[list[int]]:
    """Group indices of reviews of like length so that longest x count <= `token_budget` padded tokens in each group.

    Padding is the cost that batching adds, and sorting by length removes it. A review over the budget stands alone.
    Settled reviews cost no tokens: they are the first group, so that their answers wait for no forward pass.
    """
    settled = [index for index, review in enumerate(encoded) if review.settled]
    return ([settled] if settled else []) + _by_length(encoded, token_budget)


def _by_length(encoded: Sequence[Encoded], token_budget: int) -> list[list[int]]:
    groups: list[list[int]] = []
    due = [index for index, review in enumerate(encoded) if not review.settled]
    for index in sorted(due, key=lambda i: len(encoded[i].ids)):
        # Lengths ascend, so the newest member sets the padded length of its group.
        if groups and len(encoded[index].ids) * (len(groups[-1]) + 1) <= token_budget:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups
