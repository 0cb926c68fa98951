"""Sentences made from patterns of our own."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from training.data.templates import SLOT, Part, load_patterns, sentences, write_sentences
from training.recipes.options import TemplatesConfig


@pytest.mark.parametrize("part", ["train", "held_out"])
def test_the_same_seed_gives_the_same_sentences_and_each_once(part: Part) -> None:
    made = sentences(part, per_pattern=5, seed=1)
    assert made == sentences(part, per_pattern=5, seed=1)
    texts = [each.text for each in made]
    assert len(set(texts)) == len(texts)
    assert not any("{" in text or text != text.strip() for text in texts)


def test_no_pattern_for_measuring_is_learnt_from() -> None:
    for kind in load_patterns().patterns.values():
        assert not set(kind.train) & set(kind.held_out)
    learnt = {each.text for each in sentences("train", per_pattern=40, seed=13)}
    assert not learnt & {each.text for each in sentences("held_out", per_pattern=40, seed=14)}


def test_every_slot_has_words_and_every_list_of_words_is_used() -> None:
    patterns = load_patterns()
    kinds = patterns.patterns.values()
    used = {slot for kind in kinds for pattern in (*kind.train, *kind.held_out) for slot in SLOT.findall(pattern)}
    assert used == set(patterns.words)


def test_an_article_fits_its_noun() -> None:
    texts = " ".join(each.text for each in sentences("train", per_pattern=40, seed=2))
    assert "It was not an excellent" in texts or "It was not an amazing" in texts
    assert " a excellent" not in texts


def test_each_part_is_a_file_with_a_column_for_each_detail(tmp_path: Path) -> None:
    counts = write_sentences(TemplatesConfig(per_pattern=3, seed=5, output=tmp_path / "made"))
    for part, count in counts.items():
        table = pq.read_table(tmp_path / "made" / f"{part}.parquet")
        assert table.column_names == ["text", "sentiment", "kind"]
        assert table.num_rows == count
        assert set(table["sentiment"].to_pylist()) == {"positive", "negative"}
