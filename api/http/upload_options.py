"""What may be sent as a file, and what may be said about it.

Used by api.routes.uploads, and by api.routes.jobs for OpenAPI.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import MODEL, ModelName
from files.layout import EncodingErrors, Format, NullWords, Quoting

FORM = "multipart/form-data"
FORMATS: dict[str, Literal["csv", "ndjson"] | None] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "csv",
    "application/vnd.oasis.opendocument.spreadsheet": "csv",
    "application/vnd.apache.parquet": "csv",
    "application/zip": "csv",
    "text/plain": None,
    "application/octet-stream": None,
    "application/gzip": None,
    "application/x-gzip": None,
    "application/x-bzip2": None,
    "application/x-xz": None,
    "application/zstd": None,
    FORM: None,
}


class UploadOptions(BaseModel):
    """What may be said about a file, in the query or in the fields of the form."""

    text_column: str | None = Field(
        None, description="The reviews' column, by name or number from 1; found by name and content if not given."
    )
    id_column: str | None = Field(None, description="The column of your own ids, by name or number.")
    label_column: str | None = Field(
        None, description="The column of true labels, by name or number, for an evaluation at the end."
    )
    labels: str | None = Field(
        None, max_length=1_000, description="What the labels mean where they do not tell it: `1:negative,5:positive`."
    )
    delimiter: str | None = Field(None, description="`,` `;` `|` or `tab`; found if not given.")
    quoting: Quoting | None = Field(
        None, description="Quotes within cells: `doubled`, `backslash`, or `none` where they are signs like others."
    )
    header: str | None = Field(
        None, max_length=20, description="`none`, the line of the header (`4`), or its first and last line (`1-2`)."
    )
    encoding: str | None = Field(
        None, max_length=100, description="`utf-8`, `utf-16`, `windows-1252`, `mac-roman`, …; found if not given."
    )
    encoding_errors: EncodingErrors = Field(
        "row", description="A byte that the encoding lacks fails its `row`, the file (`strict`), or is `replace`d."
    )
    null_words: NullWords = Field(
        "empty", description="A text such as NULL, NaN, N/A or - is `empty` and fails, or is judged (`keep`)."
    )
    format: Format | None = Field(
        None, description="Where the media type does not say it; workbooks and Parquet are recognised by their bytes."
    )
    model: ModelName | None = Field(None, description=MODEL)
    deadline_seconds: float | None = Field(
        None, gt=0, le=31_536_000, allow_inf_nan=False, description="Unfinished work is dropped after this."
    )

    model_config = ConfigDict(extra="forbid")


# The options that say how the file is to be read, by the names that `files.layout.WantedColumns` has for them.
READ_AS = {"text_column", "id_column", "label_column", "quoting", "header", "encoding_errors", "null_words"}


def _described() -> dict[str, Any]:
    """The part of OpenAPI that FastAPI cannot know: one operation takes JSON by one route and files by another."""
    file = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {"file": file}, "required": ["file"]}
    fields = UploadOptions.model_json_schema()["properties"]
    return {
        "requestBody": {"content": {name: {"schema": form if name == FORM else file} for name in FORMATS}},
        "parameters": [
            {"name": name, "in": "query", "schema": schema, "description": f"Of a file: {schema['description']}"}
            for name, schema in fields.items()
        ],
    }


FILE_BODIES = _described()
