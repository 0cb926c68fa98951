"""One parser reads every duration: of `verdict requests`, of `verdict sla` and of `GET /v1/sla`."""

from datetime import timedelta

import pytest

from monitoring.durations import duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("2m", 120), ("90m", 5_400), ("6h", 21_600), ("7d", 604_800), ("0090s", 90)]
)
def test_a_duration_is_a_number_with_its_unit(text: str, seconds: int) -> None:
    assert duration(text, least="1m", most="30d") == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "s", "90", "-90s", "1.5h", "1h30m", "1w", "90S", " 90s", "90s\n", "\u0669s", "59s", "31d", "99999999d"],
)
def test_anything_else_is_refused_with_the_range(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number with s, m, h or d, from 1m to 30d, such as 90s"):
        duration(text, least="1m", most="30d")
