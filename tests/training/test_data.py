"""Reading labelled reviews: what is found by itself, and one line for each mistake."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from training.data import Reviews, Source, load_reviews, sample, split_reviews
from training.errors import TrainingError


def csv(folder: Path, content: str) -> str:
    path = folder / "reviews.csv"
    path.write_text(content, encoding="utf-8")
    return str(path)


def mistake(source: Source) -> str:
    with pytest.raises(TrainingError) as caught:
        load_reviews(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_columns_and_numeric_labels_are_found(tmp_path: Path) -> None:
    reviews = load_reviews(Source(csv(tmp_path, 'review,sentiment\n"a,\nb",1\nc,0\n')))
    assert (reviews.texts, reviews.labels) == (["a,\nb", "c"], [1, 0])
    assert reviews.names == ["negative", "positive"]


def test_word_labels_keep_their_names(tmp_path: Path) -> None:
    reviews = load_reviews(Source(csv(tmp_path, "text,label\na,pos\nb,neg\nc,mixed\n")))
    assert reviews.names == ["mixed", "negative", "positive"]
    assert reviews.labels == [2, 1, 0]


def test_star_ratings_are_labels_of_their_own(tmp_path: Path) -> None:
    reviews = load_reviews(Source(csv(tmp_path, "text,label\na,1\nb,5\nc,10\n")))
    assert reviews.names == ["1", "5", "10"]


def test_given_names_fix_the_order_whatever_their_case(tmp_path: Path) -> None:
    source = Source(csv(tmp_path, "text,label\na,Positive\nb,NEG\n"), names=("positive", "negative"))
    assert load_reviews(source).labels == [0, 1]


def test_class_names_stored_by_datasets_are_kept(tmp_path: Path) -> None:
    meta = b'{"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}'
    table = pa.table({"text": ["a", "b"], "label": [1, 0]}).replace_schema_metadata({b"huggingface": meta})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    assert load_reviews(Source(str(tmp_path / "x.parquet"))).names == ["negative", "positive"]


def test_rows_without_text_or_label_are_dropped_and_counted(tmp_path: Path) -> None:
    reviews = load_reviews(Source(csv(tmp_path, "text,label\na,1\n,1\nc,\nd,-1\ne,0\n")))
    assert (reviews.texts, reviews.dropped) == (["a", "e"], 3)


def test_json_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"text":"a","label":"good"}\n{"text":"b","label":"bad"}\n')
    assert load_reviews(Source(str(tmp_path / "x.jsonl"))).names == ["bad", "good"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Cannot read"),
        ("text,label\n", "no row"),
        ("words,label\na,1\n", "columns: words, label"),
        ("text,mark\na,1\n", "looks like the label"),
        ("text,label\na,1\nb,1\n", "only one label"),
        ("text,label\na,1,2\n", "Cannot read"),
    ],
)
def test_unusable_files_get_one_line(tmp_path: Path, content: str, said: str) -> None:
    assert said in mistake(Source(csv(tmp_path, content)))


def test_a_named_column_that_is_missing_gets_one_line(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,label\na,1\nb,0\n")
    assert "no column film" in mistake(Source(path, group_column="film"))


def test_an_unknown_label_gets_one_line(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,label\na,good\nb,bad\n")
    assert "none of negative, positive" in mistake(Source(path, names=("negative", "positive")))


def test_a_missing_file_gets_one_line(tmp_path: Path) -> None:
    assert "There is no file" in mistake(Source(str(tmp_path / "none.csv")))


def test_a_file_of_another_kind_gets_one_line(tmp_path: Path) -> None:
    assert "must end in" in mistake(Source(str(tmp_path / "x.docx")))


def reviews_of(groups: list[str]) -> Reviews:
    return Reviews([f"text {i}" for i in range(len(groups))], [0] * len(groups), ["a", "b"], groups, 0)


def test_no_group_stands_on_both_sides_of_the_split() -> None:
    training, validation = split_reviews(reviews_of([str(i % 7) for i in range(70)]), 15, seed=1)
    assert not set(training.groups) & set(validation.groups)
    assert (len(training), len(validation)) == (50, 20)


def test_the_split_is_the_same_for_the_same_seed() -> None:
    reviews = reviews_of([])
    assert len(reviews) == 0
    many = Reviews([str(i) for i in range(100)], [0] * 100, ["a", "b"], [], 0)
    assert split_reviews(many, 30, seed=5) == split_reviews(many, 30, seed=5)
    assert split_reviews(many, 30, seed=5) != split_reviews(many, 30, seed=6)


def test_a_split_that_leaves_nothing_gets_one_line() -> None:
    with pytest.raises(TrainingError, match="leaves none of the 3 rows"):
        split_reviews(reviews_of(["a", "b", "c"]), 3, seed=0)


def test_a_sample_is_drawn_from_the_whole_and_not_from_the_top() -> None:
    drawn = sample(Reviews([str(i) for i in range(1000)], [0] * 1000, ["a", "b"], [], 0), 50, seed=0)
    assert len(drawn) == 50
    assert int(drawn.texts[-1]) > 900
