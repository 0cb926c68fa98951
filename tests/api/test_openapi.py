"""What OpenAPI says is what happens."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.schemas import ClassifyOut
from settings import ApiSettings, DatabaseSettings, QueueSettings
from tests.api import steps

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    database, queue = DatabaseSettings(database_url="postgresql://nowhere"), QueueSettings(redis_url="redis://nowhere")
    return create_app(ApiSettings(), database, queue).openapi()


def operations(spec: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in spec["paths"].items():
        yield from ((path, method, operation) for method, operation in item.items() if method in METHODS)


def examples(spec: dict[str, Any], operation: dict[str, Any]) -> list[Any]:
    content = operation.get("requestBody", {}).get("content", {})
    name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    return list(spec["components"]["schemas"].get(name, {}).get("examples", []))


@pytest.mark.usefixtures("worker")
def test_every_documented_body_is_taken(client: httpx.Client, spec: dict[str, Any]) -> None:
    judged = steps.post(client, "a film")["results"][0]["review_id"]
    for path, method, operation in operations(spec):
        for example in examples(spec, operation):
            answer = client.request(method, path.format(review_id=judged), json=example)
            assert str(answer.status_code) in operation["responses"]
            assert answer.is_success, (path, answer.text)


def test_every_operation_with_a_body_has_an_example(spec: dict[str, Any]) -> None:
    bodies = {path: examples(spec, operation) for path, _, operation in operations(spec) if "requestBody" in operation}
    assert bodies.keys() == {"/v1/jobs", "/v1/classify", "/v1/reviews/{review_id}/feedback"}
    assert all(bodies.values())


def test_the_answer_that_is_shown_is_possible(spec: dict[str, Any]) -> None:
    for example in spec["components"]["schemas"]["ClassifyOut"]["examples"]:
        assert ClassifyOut.model_validate(example).model_dump() == example


def test_every_refusal_is_documented_as_a_problem(spec: dict[str, Any]) -> None:
    for path, method, operation in operations(spec):
        refusals = {code: each["content"] for code, each in operation["responses"].items() if code >= "400"}
        if path != "/readyz":  # its 503 says which check failed
            assert {media for content in refusals.values() for media in content} <= {"application/problem+json"}
        if path.startswith("/v1/"):
            assert {"405", "500", "503"} <= refusals.keys(), (method, path)
        if operation.get("parameters") or "requestBody" in operation:
            assert "422" in refusals, (method, path)
        if "requestBody" in operation:
            assert {"400", "413", "415"} <= refusals.keys(), (method, path)
        if "{" in path:
            assert "404" in refusals, (method, path)


def test_a_real_problem_has_the_documented_members(client: httpx.Client, spec: dict[str, Any]) -> None:
    documented = spec["paths"]["/v1/jobs"]["get"]["responses"]["422"]["content"]["application/problem+json"]["schema"]
    assert client.get("/v1/jobs?limit=0").json().keys() == documented["properties"].keys()


def test_every_operation_has_a_summary_and_an_answer_when_all_is_well(spec: dict[str, Any]) -> None:
    for path, method, operation in operations(spec):
        assert operation["description"], (method, path)
        assert any(code.startswith("2") for code in operation["responses"]), (method, path)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_it_is_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200
