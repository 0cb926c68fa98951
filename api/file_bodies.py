"""What may be sent as a file, and what may be said about it. Used by api.uploads, and by api.jobs for OpenAPI."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import MODEL, ModelName

FORM = "multipart/form-data"
FORMATS: dict[str, Literal["csv", "ndjson"] | None] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/gzip": None,
    "application/x-gzip": None,
    FORM: None,
}


class UploadOptions(BaseModel):
    """What may be said about a file, in the query or in the fields of the form."""

    text_column: str | None = Field(None, description="The reviews' column; found by its name if not given.")
    id_column: str | None = Field(None, description="The column of your own ids.")
    label_column: str | None = Field(None, description="The column of true labels, for an evaluation at the end.")
    delimiter: str | None = Field(None, description="`,` `;` `|` or `tab`; found if not given.")
    format: Literal["csv", "ndjson"] | None = Field(None, description="Where the media type does not say it.")
    model: ModelName | None = Field(None, description=MODEL)
    deadline_seconds: float | None = Field(
        None, gt=0, le=31_536_000, allow_inf_nan=False, description="Unfinished work is dropped after this."
    )

    model_config = ConfigDict(extra="forbid")


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
