"""Convert Parquet to CSV lines, some rows at a time."""

from collections.abc import Iterator
from typing import IO, Any

from files.errors import CorruptArchive, NotText
from files.written import as_line

ROWS = 1_000


def parquet_lines(file: IO[bytes]) -> Iterator[str]:
    """Yield the header and a line for each row; a null becomes an empty cell, a list or structure its `str`.

    Raises:
        NotText: pyarrow is not installed.
        CorruptArchive: the file cannot be read; from here, or while the lines are iterated.
    """
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415  takes 100 MB, which only a Parquet file needs
    except ImportError as error:
        file.close()
        raise NotText("The file is Parquet, and pyarrow is not installed here; send CSV.") from error
    with file:
        try:
            table = parquet.ParquetFile(file)
            yield as_line(table.schema_arrow.names)
            for batch in table.iter_batches(ROWS):
                for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    yield as_line([_cell(cell) for cell in cells])
        except (ArrowException, OSError) as error:
            raise _corrupt(error) from error


def _corrupt(error: Exception) -> CorruptArchive:
    return CorruptArchive(
        f"The Parquet file cannot be read ({(str(error) or 'damaged').splitlines()[0]}); write it again."
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value).lower() if isinstance(value, bool) else str(value)
