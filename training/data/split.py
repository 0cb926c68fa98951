"""Split labelled reviews into training and validation, which serves to choose the checkpoint and to calibrate."""

import math
import random
from collections import Counter, defaultdict

from training.data.reviews import Reviews, warn_once
from training.errors import TrainingError

SMALL_SHARE = 0.2  # held out where the set is too small for the configured size
_TRIES = 50  # draws of groups until both sides have every label


def split_reviews(reviews: Reviews, validation_size: int, seed: int) -> tuple[Reviews, Reviews]:
    """Return (training, validation); whole groups go to validation until it holds at least `validation_size` rows.

    If that is more than half of the rows, a fifth of each label is held out instead, with a warning.

    Raises:
        TrainingError: a label has too few rows, or groups, for both sides.
    """
    if 2 * validation_size <= len(reviews):
        held = _draw(reviews, validation_size, seed)
    else:
        size = math.ceil(SMALL_SHARE * len(reviews))
        warn_once(
            f"validation_size is {validation_size:,}, and there are {len(reviews):,} rows: {size:,} are held out for "
            "validation instead; figures from so few are rough"
        )
        held = _draw_each_group(reviews, size, seed) if reviews.groups else _draw_each_label(reviews, seed)
    training = [place for place in range(len(reviews)) if place not in held]
    _check(reviews, training)
    return reviews.take(training), reviews.take(sorted(held))


def _draw(reviews: Reviews, size: int, seed: int) -> set[int]:
    """Return the places of the rows of whole groups, drawn until there are at least `size` rows."""
    groups = reviews.groups or [str(place) for place in range(len(reviews))]
    order = sorted(set(groups))
    random.Random(seed).shuffle(order)  # noqa: S311 - a repeatable draw, not a secret
    sizes, held, rows = Counter(groups), set[str](), 0
    for group in order:
        if rows >= size:
            break
        held.add(group)
        rows += sizes[group]
    return {place for place, group in enumerate(groups) if group in held}


def _draw_each_label(reviews: Reviews, seed: int) -> set[int]:
    draw, held = random.Random(seed), set[int]()  # noqa: S311 - a repeatable draw, not a secret
    places = defaultdict(list)
    for place, label in enumerate(reviews.labels):
        places[label].append(place)
    for label in sorted(places):
        held |= set(draw.sample(places[label], max(1, round(SMALL_SHARE * len(places[label])))))
    return held


def _draw_each_group(reviews: Reviews, size: int, seed: int) -> set[int]:
    wanted = set(reviews.labels)
    for turn in range(_TRIES):
        held = _draw(reviews, size, seed + turn)
        if {reviews.labels[place] for place in held} == wanted and _labels_left(reviews, held) == wanted:
            return held
    raise TrainingError(
        f"{len(set(reviews.groups))} groups are too few to hold some out with every label on both sides; "
        "leave group_column away, or give more data."
    )


def _labels_left(reviews: Reviews, held: set[int]) -> set[int]:
    return {label for place, label in enumerate(reviews.labels) if place not in held}


def _check(reviews: Reviews, training: list[int]) -> None:
    left = Counter(reviews.labels[place] for place in training)
    for label, rows in sorted(Counter(reviews.labels).items()):
        if not left[label]:
            raise TrainingError(
                f"The label {reviews.names[label]} has {rows} {'row' if rows == 1 else 'rows'}, which leaves none to "
                "train on; give more rows of it, name another label for it with label_map, or lower validation_size."
            )
