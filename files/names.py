"""Derive the format of a file from its name."""

from typing import NamedTuple

from files.layout import Format

SUFFIXES: dict[str, Format] = {
    "csv": "csv",
    "tsv": "csv",
    "tab": "csv",
    "txt": "csv",
    "xlsx": "csv",
    "ods": "csv",
    "parquet": "csv",
    "zip": "csv",
    "ndjson": "ndjson",
    "jsonl": "ndjson",
    "json": "ndjson",
}
PACKED = ("gz", "bz2", "xz", "zst")


class Named(NamedTuple):
    """The format, and the delimiter if the suffix implies one."""

    format: Format
    delimiter: str | None = None


def named(filename: str) -> Named | None:
    """Return the format by the suffix before any suffix of a compression; None if it is unknown."""
    name = filename.lower()
    for suffix in PACKED:
        name = name.removesuffix(f".{suffix}")
    suffix = name.rpartition(".")[2] if "." in name else ""
    found = SUFFIXES.get(suffix)
    return Named(found, "tab" if suffix in {"tsv", "tab"} else None) if found else None
