"""Cut tokenised reviews into micro-batches of similar length."""

from collections.abc import Sequence

from inference.classifier import Encoded


def micro_batches(encoded: Sequence[Encoded], token_budget: int) -> list[list[int]]:
    """Return groups of indices of similar length; in each, longest x count <= `token_budget` padded tokens.

    Sorting by length removes most of the padding that batching adds. A review over the budget is a group of its own.
    Settled reviews need no forward pass. They form the first group, so their results are not delayed by one.
    """
    settled = [index for index, review in enumerate(encoded) if review.settled]
    return ([settled] if settled else []) + _by_length(encoded, token_budget)


def _by_length(encoded: Sequence[Encoded], token_budget: int) -> list[list[int]]:
    groups: list[list[int]] = []
    due = [index for index, review in enumerate(encoded) if not review.settled]
    for index in sorted(due, key=lambda i: len(encoded[i].ids)):
        # Lengths ascend, so the latest member sets the padded length of its group.
        if groups and len(encoded[index].ids) * (len(groups[-1]) + 1) <= token_budget:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups
