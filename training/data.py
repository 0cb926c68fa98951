"""Labelled reviews from a CSV, Parquet or JSON-lines file or a hub data set, and their split.

Called by `training.train` and `training.evaluate`; files need pyarrow only, hub names the `datasets` library.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from training.errors import TrainingError

TEXT_NAMES = ("text", "review", "review_text", "sentence", "content", "comment", "body")
LABEL_NAMES = ("label", "sentiment", "labels", "target", "class")
# The short names that public sentiment data sets use.
SYNONYMS = {"neg": "negative", "pos": "positive", "neu": "neutral"}


@dataclass(frozen=True, slots=True)
class Reviews:
    """Labelled reviews: `labels` index into `names`; `groups` is empty when no column was asked for."""

    texts: list[str]
    labels: list[int]
    names: list[str]
    groups: list[str]
    dropped: int

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: Sequence[int]) -> "Reviews":
        """Return the reviews at `indices`, in that order."""
        return Reviews(
            texts=[self.texts[i] for i in indices],
            labels=[self.labels[i] for i in indices],
            names=self.names,
            groups=[self.groups[i] for i in indices] if self.groups else [],
            dropped=self.dropped,
        )


@dataclass(frozen=True, slots=True)
class Source:
    """Where labelled reviews lie: a file or a hub name, whose columns are found by their usual names when not given.

    `names` fixes the label names and their order, as a model or a config knows them. Of the rows, those are read
    whose columns hold one of the values in `only`, and none of those in `without`.
    """

    location: str
    split: str = "train"
    text_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    names: Sequence[str] | None = None
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    without: Mapping[str, Sequence[str]] = field(default_factory=dict)


def short_name(location: str) -> str:
    """Return the last two parts of a path or hub name, which tell data sets apart on any machine."""
    return "/".join(Path(location).parts[-2:])


def load_reviews(source: Source) -> Reviews:
    """Read labelled reviews; rows without text or label (null, blank, or the hub's -1) are dropped and counted."""
    table = _filtered(_read(source.location, source.split), source.only, source.without)
    text = _column(table, source.text_column, TEXT_NAMES, "text")
    label = _column(table, source.label_column, LABEL_NAMES, "label")
    group = _column(table, source.group_column, (), "group") if source.group_column else None
    rows = list(zip(table[text].to_pylist(), table[label].to_pylist(), strict=True))
    kept = [i for i, (body, value) in enumerate(rows) if str(body or "").strip() and value not in (None, "", -1)]
    if not kept:
        raise TrainingError(f"{source.location} holds no row with both a {text} and a {label}.")
    known = list(source.names) if source.names is not None else _stored_names(table, label)
    labels, known = _indices([rows[i][1] for i in kept], known)
    groups = table[group].cast(pa.string()).to_pylist() if group else []
    return Reviews(
        texts=[str(rows[i][0]) for i in kept],
        labels=labels,
        names=known,
        groups=[str(groups[i]) for i in kept] if groups else [],
        dropped=len(rows) - len(kept),
    )


def load_texts(
    location: str,
    text_column: str | None = None,
    *,
    only: Mapping[str, Sequence[str]] | None = None,
    without: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """Return the texts of a file, in its order and whether labelled or not; a null is an empty text."""
    table = _filtered(_read(location, "train"), only or {}, without or {})
    return [str(text or "") for text in table[_column(table, text_column, TEXT_NAMES, "text")].to_pylist()]


def load_grouped(location: str, text_column: str | None, group_column: str | None) -> tuple[list[str], list[str]]:
    """Return every text of a file and its group, empty where no column was asked for."""
    table = _read(location, "train")
    texts = [str(text or "") for text in table[_column(table, text_column, TEXT_NAMES, "text")].to_pylist()]
    if group_column is None:
        return texts, [""] * len(texts)
    return texts, [str(group or "") for group in table[_column(table, group_column, (), "group")].to_pylist()]


def split_reviews(reviews: Reviews, validation_size: int, seed: int) -> tuple[Reviews, Reviews]:
    """Return (training, validation); whole groups go to validation until it holds at least `validation_size` rows."""
    groups = reviews.groups or [str(i) for i in range(len(reviews))]
    order = sorted(set(groups))
    random.Random(seed).shuffle(order)  # noqa: S311 - a repeatable draw, not a secret
    sizes = dict.fromkeys(order, 0)
    for group in groups:
        sizes[group] += 1
    held: set[str] = set()
    rows = 0
    for group in order:
        if rows >= validation_size:
            break
        held.add(group)
        rows += sizes[group]
    training = [i for i, group in enumerate(groups) if group not in held]
    if not training:
        raise TrainingError(f"validation_size {validation_size} leaves none of the {len(reviews)} rows to train on.")
    return reviews.take(training), reviews.take([i for i, group in enumerate(groups) if group in held])


def sample(reviews: Reviews, limit: int | None, seed: int) -> Reviews:
    """Return at most `limit` reviews drawn at random with the seed; files are often sorted by label."""
    if limit is None or limit >= len(reviews):
        return reviews
    draw = random.Random(seed).sample(range(len(reviews)), limit)  # noqa: S311 - a repeatable draw, not a secret
    return reviews.take(sorted(draw))


def _filtered(table: pa.Table, only: Mapping[str, Sequence[str]], without: Mapping[str, Sequence[str]]) -> pa.Table:
    for values, kept in ((only, True), (without, False)):
        for name, chosen in values.items():
            column = table[_column(table, name, (), name)].cast(pa.string())
            table = table.filter(
                pc.equal(pc.fill_null(pc.is_in(column, pa.array(list(chosen))), fill_value=False), kept)
            )
    return table


def _read(source: str, split: str) -> pa.Table:
    path = Path(source)
    if path.is_dir() or (not path.exists() and not path.suffix):
        return _read_hub(source, split)
    readers = {
        ".parquet": pyarrow.parquet.read_table,
        ".csv": _read_csv,
        ".jsonl": pyarrow.json.read_json,
        ".ndjson": pyarrow.json.read_json,
    }
    if path.suffix not in readers:
        raise TrainingError(f"{source} must end in {', '.join(readers)} or be the name of a data set on the hub.")
    try:
        return readers[path.suffix](path)
    except FileNotFoundError as exc:
        raise TrainingError(f"There is no file {source}.") from exc
    except (pa.ArrowInvalid, OSError) as exc:
        raise TrainingError(f"Cannot read {source}: {str(exc).splitlines()[0]}") from exc


def _read_csv(path: Path) -> pa.Table:
    # Reviews hold line breaks inside quotes.
    return pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True))


def _read_hub(name: str, split: str) -> pa.Table:
    try:
        import datasets  # noqa: PLC0415 - files need no such library
    except ImportError as exc:
        raise TrainingError(f"There is no file {name}; to read hub data sets: pip install 'verdict[train]'.") from exc
    try:
        table = datasets.load_dataset(name, split=split).with_format("arrow")[:]
    except Exception as exc:  # the hub's errors share no base class
        reason = (str(exc).splitlines() or [type(exc).__name__])[0]
        raise TrainingError(f"Neither a file nor a readable data set on the hub: {name} ({reason})") from exc
    return table


def _column(table: pa.Table, wanted: str | None, usual: Sequence[str], role: str) -> str:
    names = table.column_names
    found = [wanted] if wanted else [name for name in usual if name in names]
    if not found or found[0] not in names:
        asked = f"no column {wanted}" if wanted else f"no column that looks like the {role}"
        raise TrainingError(f"The data have {asked} (columns: {', '.join(names)}); set {role}_column.")
    return found[0]


def _stored_names(table: pa.Table, column: str) -> list[str] | None:
    """Return the class names that `datasets` keeps in the schema of its tables and Parquet files."""
    stored = (table.schema.metadata or {}).get(b"huggingface")
    feature = json.loads(stored).get("info", {}).get("features", {}).get(column, {}) if stored else {}
    return [_canonical(name) for name in feature["names"]] if feature.get("_type") == "ClassLabel" else None


def _canonical(name: object) -> str:
    text = str(name).strip()
    return SYNONYMS.get(text.lower(), text)


def _indices(values: Sequence[object], names: list[str] | None) -> tuple[list[int], list[str]]:
    """Turn label values (whole numbers or words) into indices into the label names, finding the names if not given."""
    whole = all(isinstance(value, int | float) and float(value).is_integer() for value in values)
    words = [str(int(float(str(value)))) if whole else _canonical(value) for value in values]
    if names is None:
        names = _found_names(set(words), whole=whole)
    places = {name.lower(): place for place, name in enumerate(names)}
    if whole and not set(words) <= set(names):
        places = {str(place): place for place in range(len(names))}
    if unknown := {word for word in words if word.lower() not in places}:
        raise TrainingError(f"The data have the label {min(unknown)}, which is none of {', '.join(names)}.")
    return [places[word.lower()] for word in words], names


def _found_names(words: set[str], *, whole: bool) -> list[str]:
    if len(words) < 2:
        raise TrainingError(f"The data have only one label ({min(words)}); at least two are needed.")
    if words == {"0", "1"} and whole:
        return ["negative", "positive"]
    return sorted(words, key=int) if whole else sorted(words)
