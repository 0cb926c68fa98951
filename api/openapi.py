"""Write the OpenAPI document of the API to `openapi.json`: `python -m api.openapi`."""

import json
from typing import Any

from api.app import create_app
from settings import ROOT, ApiSettings, DatabaseSettings, QueueSettings

PATH = ROOT / "openapi.json"


def document() -> dict[str, Any]:
    """Return the OpenAPI document. It depends on no setting."""
    database = DatabaseSettings(database_url="postgresql://localhost/verdict")
    return create_app(ApiSettings(), database, QueueSettings(redis_url="redis://localhost")).openapi()


def as_text() -> str:
    """Return the contents of `openapi.json`."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(as_text(), encoding="utf-8")
