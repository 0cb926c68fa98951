"""The OpenAPI document is current, complete, and true."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api import openapi
from api.schemas import ClassifyOut
from tests.api import steps

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    return openapi.document()


def test_the_committed_document_is_current() -> None:
    current = openapi.PATH.read_text(encoding="utf-8") == openapi.as_text()
    assert current, "openapi.json is out of date: run `python -m api.openapi` and commit the file"


def operations(spec: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in spec["paths"].items():
        yield from ((path, method, operation) for method, operation in item.items() if method in METHODS)


def examples(spec: dict[str, Any], operation: dict[str, Any]) -> list[Any]:
    content = operation.get("requestBody", {}).get("content", {})
    name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    return list(spec["components"]["schemas"].get(name, {}).get("examples", []))


@pytest.mark.usefixtures("worker")
def test_every_documented_body_is_accepted(client: httpx.Client, spec: dict[str, Any]) -> None:
    review = steps.post(client, "a film")["results"][0]["review_id"]
    for path, method, operation in operations(spec):
        for example in examples(spec, operation):
            answer = client.request(method, path.format(review_id=review), json=example)
            assert str(answer.status_code) in operation["responses"]
            assert answer.is_success, (path, answer.text)


def test_every_operation_with_a_body_has_an_example(spec: dict[str, Any]) -> None:
    bodies = {path: examples(spec, operation) for path, _, operation in operations(spec) if "requestBody" in operation}
    assert bodies.keys() == {"/v1/jobs", "/v1/classify", "/v1/reviews/{review_id}/feedback"}
    assert all(bodies.values())


def test_the_example_of_an_answer_is_valid(spec: dict[str, Any]) -> None:
    for example in spec["components"]["schemas"]["ClassifyOut"]["examples"]:
        assert ClassifyOut.model_validate(example).model_dump() == example


def test_every_error_is_documented_as_a_problem(spec: dict[str, Any]) -> None:
    for path, method, operation in operations(spec):
        errors = {code: set(each["content"]) for code, each in operation["responses"].items() if code >= "400"}
        assert errors, (method, path)
        if path == "/readyz":  # its 503 lists the checks
            assert errors.pop("503") == {"application/json"}
        assert set().union(*errors.values()) == {"application/problem+json"}, (method, path)


def test_a_real_problem_has_the_documented_members(client: httpx.Client, spec: dict[str, Any]) -> None:
    documented = spec["components"]["schemas"]["Problem"]
    assert client.get("/v1/jobs?limit=0").json().keys() == documented["properties"].keys()


def test_every_reference_leads_to_a_schema(spec: dict[str, Any]) -> None:
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(spec)))
    assert "Problem" in names
    assert names <= spec["components"]["schemas"].keys()


def test_every_operation_has_a_description_and_a_success(spec: dict[str, Any]) -> None:
    for path, method, operation in operations(spec):
        assert operation["description"], (method, path)
        assert any(code.startswith("2") for code in operation["responses"]), (method, path)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_it_is_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200
