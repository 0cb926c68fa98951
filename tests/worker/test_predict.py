"""A failing batch is split until the review that breaks it is alone."""

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from worker.predict import isolate


class Step:
    """Doubles each number, but fails on any batch with a culprit; `batches` has its inputs."""

    def __init__(self, culprits: set[int], tries: int = 1_000) -> None:
        self.culprits = culprits
        self.tries = tries  # failures until culprits succeed
        self.batches: list[list[int]] = []

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        if self.culprits & set(items) and self.tries:
            self.tries -= 1
            raise MemoryError(items)
        return [2 * item for item in items]


def test_a_batch_without_a_culprit_is_one_step() -> None:
    step = Step(set())
    assert isolate(step, [1, 2, 3], 3) == [2, 4, 6]
    assert step.batches == [[1, 2, 3]]


def test_the_neighbours_of_a_culprit_get_their_results() -> None:
    results = isolate(Step({3}), [1, 2, 3, 4], 3)
    assert isinstance(results.pop(2), MemoryError)
    assert results == [2, 4, 8]


def test_a_culprit_is_tried_alone_so_many_times() -> None:
    step = Step({1})
    isolate(step, [1, 2], 3)
    assert step.batches.count([1]) == 3


def test_an_item_that_fails_once_and_then_not_has_its_result() -> None:
    assert isolate(Step({1}, tries=1), [1], 3) == [2]


def test_nothing_is_no_step() -> None:
    step = Step({1})
    assert isolate(step, [], 3) == []
    assert step.batches == []


def test_too_few_results_are_an_error_of_every_item() -> None:
    few: Callable[[Sequence[int]], list[int]] = lambda _: []  # noqa: E731
    assert [type(result) for result in isolate(few, [1, 2], 1)] == [ValueError, ValueError]


@given(items=st.lists(st.integers(0, 200), unique=True, max_size=64), culprits=st.sets(st.integers(0, 200), max_size=8))
def test_exactly_the_culprits_fail_and_the_order_is_kept(items: list[int], culprits: set[int]) -> None:
    results = isolate(Step(culprits), items, 2)
    assert len(results) == len(items)
    for item, result in zip(items, results, strict=True):
        assert isinstance(result, MemoryError) if item in culprits else result == 2 * item


@given(size=st.integers(1, 64), culprit=st.integers(0, 63))
def test_one_culprit_costs_about_twice_the_logarithm_of_the_batch_in_steps(size: int, culprit: int) -> None:
    step = Step({culprit})
    isolate(step, range(size), 1)
    assert len(step.batches) <= 1 + 2 * (size - 1).bit_length()
