"""Every generated page and picture, by its path below docs/."""

from collections.abc import Callable

from docs.generate.chart import chart
from docs.generate.command_line import command_line_page
from docs.generate.http_api import http_api_page
from docs.generate.metrics_page import metrics_page
from docs.generate.problem_types import problem_types_page
from docs.generate.python_client import python_client_page
from docs.generate.row_errors import row_errors_page
from docs.generate.settings_page import settings_page
from settings import ROOT

PAGES: dict[str, Callable[[], str]] = {
    "reference/http-api.md": http_api_page,
    "reference/problem-types.md": problem_types_page,
    "reference/row-errors.md": row_errors_page,
    "reference/settings.md": settings_page,
    "reference/metrics.md": metrics_page,
    "reference/command-line.md": command_line_page,
    "reference/python-client.md": python_client_page,
    "pictures/figures.svg": chart,
}


def write() -> None:
    """Write every page."""
    for path, made in PAGES.items():
        (ROOT / "docs" / path).write_text(made(), encoding="utf-8")
