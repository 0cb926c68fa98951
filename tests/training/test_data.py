"""Reading labelled reviews: columns and labels that are recognised, and one line for each mistake."""

import gzip
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from training.data.reviews import DataSource, Reviews, load_reviews, sample
from training.data.split import split_reviews
from training.errors import TrainingError


def csv(folder: Path, content: str) -> str:
    path = folder / "reviews.csv"
    path.write_text(content, encoding="utf-8")
    return str(path)


def mistake(source: DataSource) -> str:
    with pytest.raises(TrainingError) as caught:
        load_reviews(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_columns_and_numeric_labels_are_found(tmp_path: Path) -> None:
    reviews = load_reviews(DataSource(csv(tmp_path, 'review,sentiment\n"a,\nb",1\nc,0\n')))
    assert (reviews.texts, reviews.labels) == (["a,\nb", "c"], [1, 0])
    assert reviews.names == ["negative", "positive"]


def test_word_labels_keep_their_names(tmp_path: Path) -> None:
    reviews = load_reviews(DataSource(csv(tmp_path, "text,label\na,pos\nb,neg\nc,mixed\n")))
    assert reviews.names == ["mixed", "negative", "positive"]
    assert reviews.labels == [2, 1, 0]


def test_a_scale_that_is_not_known_is_refused_with_its_values_and_the_way_to_say_it(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,label\na,1\nb,5\nc,10\n")
    said = mistake(DataSource(path))
    assert '"label" holds 1, 5, 10' in said
    assert "label_map=1:negative,10:positive" in said
    reviews = load_reviews(DataSource(path, label_map={"1": "low", "5": "middle", "10": "high"}))
    assert (reviews.names, reviews.labels) == (["high", "low", "middle"], [1, 2, 0])


@pytest.mark.parametrize(
    ("header", "values", "names"),
    [
        ("text,label", "-1 0 1 1", "negative neutral positive positive"),
        ("text,label", "-1.0 0.0 1.0 1", "negative neutral positive positive"),
        ("text,label", "0 1 1 0", "negative positive positive negative"),
        ("text,label", "0.0 1.0 1.0 0", "negative positive positive negative"),
        ("text,label", "true False TRUE false", "positive negative positive negative"),
        ("text,label", "0 2 4 4", "negative neutral positive positive"),
        ("text,label", "0 4 4 0", "negative positive positive negative"),
        ("text,label", "1 2 3 5", "negative negative neutral positive"),
        ("text,stars", "1 2 3 4", "negative negative neutral positive"),
        ("text,Star Rating", "1 1 4 4", "negative negative positive positive"),
        ("text,label", "Positive positive NEG neg", "positive positive negative negative"),
        ("Review,Sentiment", "Pos neu Neutral negative", "positive neutral neutral negative"),
        ("sentence,target", "good Good BAD bad", "good good bad bad"),
    ],
)
def test_the_whole_set_of_labels_decides_what_each_means(tmp_path: Path, header: str, values: str, names: str) -> None:
    rows = "".join(f"a film {place},{value}\n" for place, value in enumerate(values.split()))
    reviews = load_reviews(DataSource(csv(tmp_path, f"{header}\n{rows}")))
    assert [reviews.names[label] for label in reviews.labels] == names.split()
    assert reviews.dropped == 0


@pytest.mark.parametrize("values", ["0 1 2", "1 2 3", "1 2", "-1 0 5", "1 positive", "0.5 1.5", "true 2", "-2 2"])
def test_an_ambiguous_set_of_labels_is_refused(tmp_path: Path, values: str) -> None:
    rows = "".join(f"a film {place},{value}\n" for place, value in enumerate(values.split()))
    assert "label_map=" in mistake(DataSource(csv(tmp_path, f"text,label\n{rows}")))


def test_a_map_that_leaves_values_out_names_them(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,label\na,1\nb,2\nc,2\nd,5\n")
    assert '"2" (2 rows)' in mistake(DataSource(path, label_map={"1": "negative", "5": "positive"}))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", b"text\tlabel\ncaf\xc3\xa9, warm\tpositive\ndull\tnegative\n"),
        ("a.csv", b"text;label\ncaf\xc3\xa9, warm;positive\ndull;negative\n"),
        ("a.csv", b'text,label\n"caf\xe9, warm",positive\ndull,negative\n'),
        ("a.csv", 'text,label\n"café, warm",positive\ndull,negative\n'.encode("utf-16")),
        ("a.csv.gz", gzip.compress('text,label\n"café, warm",1\ndull,0\n'.encode())),
        ("a.json", '[{"text": "café, warm", "label": 1}, {"text": "dull", "label": 0}]'.encode()),
    ],
    ids=["tab", "semicolon", "windows-1252", "utf-16", "gzip", "json"],
)
def test_files_are_read_as_the_service_reads_them(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    reviews = load_reviews(DataSource(str(tmp_path / name)))
    assert (reviews.texts, reviews.names, reviews.labels) == (["café, warm", "dull"], ["negative", "positive"], [1, 0])


def test_each_reason_to_drop_a_row_is_counted_and_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = csv(tmp_path, "text,label\na,1\n,1\nb,0\nNULL,0\nc,\nd,1,2\ne,0,\n")
    reviews = load_reviews(DataSource(path))
    assert (reviews.texts, reviews.dropped) == (["a", "b", "e"], 4)
    assert reviews.reasons == {"empty_text": 2, "no_label": 1, "too_many_fields": 1}
    load_reviews(DataSource(path))
    assert len(caplog.messages) == 3
    assert caplog.messages[2].endswith(
        "1 rows dropped, too_many_fields; the first on line 7: The record has 3 fields; the header has 2."
    )


def test_given_names_fix_the_order_whatever_their_case(tmp_path: Path) -> None:
    source = DataSource(csv(tmp_path, "text,label\na,Positive\nb,NEG\n"), names=("positive", "negative"))
    assert load_reviews(source).labels == [0, 1]


def test_class_names_stored_by_datasets_are_kept(tmp_path: Path) -> None:
    meta = b'{"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}'
    table = pa.table({"text": ["a", "b"], "label": [1, 0]}).replace_schema_metadata({b"huggingface": meta})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    assert load_reviews(DataSource(str(tmp_path / "x.parquet"))).names == ["negative", "positive"]


def test_rows_without_text_or_label_are_dropped_and_counted(tmp_path: Path) -> None:
    reviews = load_reviews(DataSource(csv(tmp_path, "text,label\na,1\n,1\nc,\ne,0\n")))
    assert (reviews.texts, reviews.dropped) == (["a", "e"], 2)


def test_among_numbered_classes_minus_one_stands_for_no_label(tmp_path: Path) -> None:
    meta = b'{"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}'
    table = pa.table({"text": ["a", "b", "c"], "label": [1, -1, 0]}).replace_schema_metadata({b"huggingface": meta})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    reviews = load_reviews(DataSource(str(tmp_path / "x.parquet")))
    assert (reviews.texts, reviews.reasons) == (["a", "c"], {"no_label": 1})


def test_json_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"text":"a","label":"good"}\n{"text":"b","label":"bad"}\n')
    assert load_reviews(DataSource(str(tmp_path / "x.jsonl"))).names == ["bad", "good"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Cannot read"),
        ("text,label\n", "no rows"),
        ("words,label\na,1\n", 'columns are "words", "label"'),
        ("text,mark\na,1\n", "known name for labels"),
        ("text,label\na,1\nb,1\n", "only one label"),
        ("text,label\na,1,2\n", "no row with both a text and a label (1 too_many_fields)"),
    ],
)
def test_unusable_files_get_one_line(tmp_path: Path, content: str, said: str) -> None:
    assert said in mistake(DataSource(csv(tmp_path, content)))


def test_a_named_column_that_is_missing_gets_one_line(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,label\na,1\nb,0\n")
    assert 'no column "film"' in mistake(DataSource(path, group_column="film"))


def test_an_unknown_label_gets_one_line(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,label\na,good\nb,bad\n")
    assert "none of negative, positive" in mistake(DataSource(path, names=("negative", "positive")))


def test_a_missing_file_gets_one_line(tmp_path: Path) -> None:
    assert "There is no file" in mistake(DataSource(str(tmp_path / "none.csv")))


def test_a_file_of_another_kind_gets_one_line(tmp_path: Path) -> None:
    assert "must end in" in mistake(DataSource(str(tmp_path / "x.docx")))


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


def test_of_a_small_set_a_fifth_of_each_label_is_held_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    labels = [0] * 90 + [1] * 9 + [2] * 2
    reviews = Reviews([str(i) for i in range(101)], labels, ["a", "b", "c"], [], 0)
    training, validation = split_reviews(reviews, 1500, seed=3)
    assert Counter(validation.labels) == {0: 18, 1: 2, 2: 1}
    assert Counter(training.labels) == {0: 72, 1: 7, 2: 1}
    assert "validation_size is 1,500, and there are 101 rows" in caplog.text


def test_of_a_small_set_with_groups_whole_groups_of_each_label_are_held_out() -> None:
    groups = [str(i // 4) for i in range(40)]
    reviews = Reviews([str(i) for i in range(40)], [i % 2 for i in range(40)], ["a", "b"], groups, 0)
    training, validation = split_reviews(reviews, 1500, seed=3)
    assert not set(training.groups) & set(validation.groups)
    assert set(training.labels) == set(validation.labels) == {0, 1}
    assert len(validation) == 8


def test_a_label_of_one_row_cannot_be_split() -> None:
    reviews = Reviews([str(i) for i in range(11)], [0] * 10 + [1], ["a", "b"], [], 0)
    with pytest.raises(TrainingError, match=r"The label b has 1 row, .* label_map, or lower validation_size"):
        split_reviews(reviews, 1500, seed=0)


def test_too_few_groups_cannot_be_split() -> None:
    with pytest.raises(TrainingError, match=r"2 groups are too few .* group_column"):
        split_reviews(Reviews(list("abcd"), [0, 0, 1, 1], ["a", "b"], ["x", "x", "y", "y"], 0), 1500, seed=0)


def test_a_sample_is_drawn_from_the_whole_and_not_from_the_top() -> None:
    drawn = sample(Reviews([str(i) for i in range(1000)], [0] * 1000, ["a", "b"], [], 0), 50, seed=0)
    assert len(drawn) == 50
    assert int(drawn.texts[-1]) > 900
