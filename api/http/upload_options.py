"""The media types of uploaded files, and the options that describe a file."""

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
    """Options that describe a file, in the query or in fields of the form."""

    text_column: str | None = Field(
        None, description="Column of the reviews, by name or by number from 1. Default: detected from names and cells."
    )
    id_column: str | None = Field(None, description="Column of your ids, by name or number.")
    label_column: str | None = Field(
        None, description="Column of the true labels, by name or number; the finished job is evaluated against them."
    )
    labels: str | None = Field(
        None, max_length=1_000, description="Meaning of labels that are no words: `1:negative,5:positive`."
    )
    delimiter: str | None = Field(None, description="`,` `;` `|` or `tab`. Default: detected.")
    quoting: Quoting | None = Field(
        None,
        description="Form of quotes within quoted cells: `doubled` or `backslash`; `none` if no cell is quoted."
        " Default: detected.",
    )
    header: str | None = Field(
        None,
        max_length=20,
        description="Line of the header (`4`), its first and last line (`1-2`), or `none`. Default: detected.",
    )
    encoding: str | None = Field(
        None, max_length=100, description="`utf-8`, `utf-16`, `windows-1252`, `mac-roman`, …. Default: detected."
    )
    encoding_errors: EncodingErrors = Field(
        "row",
        description="An invalid byte fails its `row`, refuses the file (`strict`), or becomes U+FFFD (`replace`).",
    )
    null_words: NullWords = Field(
        "empty",
        description="A text such as NULL, NaN, N/A or - counts as empty and its row fails (`empty`), or is classified"
        " (`keep`).",
    )
    format: Format | None = Field(
        None,
        description="Format of the file; the body may then have any media type, or none. Default: by media type or file"
        " name. Workbooks, Parquet and archives are recognised by their bytes.",
    )
    model: ModelName | None = Field(None, description=MODEL)
    deadline_seconds: float | None = Field(
        None,
        gt=0,
        le=31_536_000,
        allow_inf_nan=False,
        description="Seconds from now after which unfinished rows are dropped and the job is `expired`.",
    )

    model_config = ConfigDict(extra="forbid")


# The options of the file reader, by their names in `files.layout.WantedColumns`.
READER_OPTIONS = {"text_column", "id_column", "label_column", "quoting", "header", "encoding_errors", "null_words"}


def _described() -> dict[str, Any]:
    """Return the OpenAPI description of file uploads: to FastAPI they are another route of the same operation."""
    file = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {"file": file}, "required": ["file"]}
    fields = UploadOptions.model_json_schema()["properties"]
    return {
        "requestBody": {"content": {name: {"schema": form if name == FORM else file} for name in FORMATS}},
        "parameters": [
            {"name": name, "in": "query", "schema": schema, "description": f"Files only. {schema['description']}"}
            for name, schema in fields.items()
        ],
    }


FILE_BODIES = _described()
