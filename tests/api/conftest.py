"""Every error that a test provokes must be documented in OpenAPI for its route."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest

from api import openapi, problems

NOT_OF_AN_OPERATION = {"not-found", "method-not-allowed"}  # no request that OpenAPI describes gets these


@pytest.fixture(scope="session")
def documented() -> dict[tuple[str, str], set[tuple[int, str]]]:
    """Statuses and problem types that OpenAPI lists for each method and path."""
    paths = openapi.document()["paths"].items()
    return {
        (method.upper(), path): set(listed(operation)) for path, item in paths for method, operation in item.items()
    }


def listed(operation: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield the statuses and problem types of an operation."""
    for status, response in operation["responses"].items():
        problem = response.get("content", {}).get(problems.MEDIA_TYPE)
        for name in problem["schema"]["allOf"][1]["properties"]["type"]["enum"] if problem else ():
            yield int(status), name.removeprefix("urn:verdict:")


@pytest.fixture(autouse=True)
def only_documented_errors(
    monkeypatch: pytest.MonkeyPatch, documented: dict[tuple[str, str], set[tuple[int, str]]]
) -> Iterator[None]:
    """Fail a test in which a route answered with an error that OpenAPI does not list for it."""
    undocumented = set()
    answer = problems._answer

    def recording(request: Any, status: HTTPStatus, name: str, *args: Any, **options: Any) -> Any:
        method = "GET" if request.method == "HEAD" else request.method
        operation = (method, getattr(request.scope.get("route"), "path", ""))
        error = (int(status), name)
        if operation in documented and name not in NOT_OF_AN_OPERATION and error not in documented[operation]:
            undocumented.add((operation, error))
        return answer(request, status, name, *args, **options)

    monkeypatch.setattr(problems, "_answer", recording)
    yield
    assert undocumented == set()
