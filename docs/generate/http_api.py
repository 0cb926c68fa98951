"""`reference/http-api.md`: every call and every object, from the OpenAPI document that the service itself serves."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from api.app import create_app
from docs.generate.markdown import code, page, plain, table
from settings import ApiSettings, DatabaseSettings, QueueSettings

INTRODUCTION = """\
A running service serves the same as OpenAPI at `/openapi.json`, and as a page to try calls on at `/docs`. All
bodies are JSON in UTF-8 unless the call takes a file. Every error is `application/problem+json`: [Problem
types](problem-types.md) lists each `type`. The service answers for `localhost`, IP addresses, `HOST` and the names
in `ALLOWED_HOSTS`, and refuses requests that a page of another site sends; so any call can also answer 400, 403 or
421.

Any POST takes an `Idempotency-Key`: repeated with the same key and the same body, the request is carried out once.
Every answer has an `X-Request-ID`, which finds the request in the log."""
METHODS = ("get", "post", "put", "patch", "delete")
ALWAYS = {"400", "403", "421"}
GROUPS = {"jobs": "Jobs", "classify": "One review", "reviews": "Feedback", "sla": "Promises", "health": "Health"}


def spec() -> dict[str, Any]:
    """Return the OpenAPI document; nothing is connected to for it."""
    database, queue = DatabaseSettings(database_url="postgresql://nowhere"), QueueSettings(redis_url="redis://nowhere")
    return create_app(ApiSettings(), database, queue).openapi()


def http_api_page() -> str:
    """Return the page: calls by group, then objects."""
    document = spec()
    calls = list(_calls(document))
    head = table(["call", "purpose"], ((f"[{title}](#{_anchor(title)})", _first(call)) for _, title, call in calls))
    blocks = [INTRODUCTION, "## Every call\n\n" + head]
    for tag in dict.fromkeys(tag for tag, _, _ in calls):
        blocks.append(f"## {GROUPS.get(tag, tag.capitalize())}")
        blocks += [_call(title, call, document) for group, title, call in calls if group == tag]
    blocks.append("## Objects")
    blocks += [_schema(name, each) for name, each in document["components"]["schemas"].items() if _is_ours(name)]
    return page("HTTP API", *blocks)


def _calls(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield (item[method].get("tags") or ["other"])[0], f"{method.upper()} {path}", item[method]


def _first(call: dict[str, Any]) -> str:
    return plain(str(call.get("description", call.get("summary", ""))).partition("\n\n")[0])


def _anchor(title: str) -> str:
    kept = (char if char.isalnum() or char in "_-" else "-" if char.isspace() else "" for char in title.lower())
    return "".join(kept)


def _call(title: str, call: dict[str, Any], document: dict[str, Any]) -> str:
    blocks = [f"### {title}", plain(call.get("description", ""))]
    if parameters := call.get("parameters"):
        blocks.append(table(["parameter", "in", "type", "meaning"], map(_parameter, parameters)))
    if body := call.get("requestBody"):
        blocks.append(_body(body["content"], document))
    rows = [
        (number, _when(number, answer["description"]), ", ".join(map(code, answer.get("content", {}))))
        for number, answer in sorted(call["responses"].items())
        if number < "400"
    ]
    blocks.append(table(["answer", "when", "media types"], rows))
    refused = [number for number in sorted(call["responses"]) if number >= "400" and number not in ALWAYS]
    blocks.append(f"Errors: {', '.join(refused)}." if refused else "")
    return "\n\n".join(filter(None, blocks))


def _parameter(each: dict[str, Any]) -> tuple[str, str, str, str]:
    kind = _type(each["schema"]).removesuffix(" or null")  # left out, not sent as null
    return code(each["name"]), each["in"], kind, plain(each.get("description", ""))


def _when(number: str, description: str) -> str:
    """Return the description of an answer; the framework's own says nothing."""
    return HTTPStatus(int(number)).phrase if description == "Successful Response" else plain(description)


def _body(content: dict[str, Any], document: dict[str, Any]) -> str:
    blocks = []
    name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    if name:
        blocks.append(f"The body is a [{name}](#{name.lower()}).")
        examples = document["components"]["schemas"][name].get("examples", [])[:1]
        blocks += [f"```json\n{json.dumps(example, indent=2, ensure_ascii=False)}\n```" for example in examples]
    if others := [each for each in content if each != "application/json"]:
        blocks.append(f"Or a file, as {', '.join(map(code, others))}.")
    return "\n\n".join(blocks)


def _is_ours(name: str) -> bool:
    return name not in {"HTTPValidationError", "ValidationError", "JsonValue"}


def _schema(name: str, schema: dict[str, Any]) -> str:
    blocks = [f"### {name}", plain(schema.get("description", ""))]
    if words := schema.get("enum"):
        blocks.append(f"One of {', '.join(map(code, words))}.")
    required = set(schema.get("required", []))
    rows = [
        (code(field), _type(each), "yes" if field in required else "", plain(each.get("description", "")))
        for field, each in schema.get("properties", {}).items()
    ]
    if rows:
        blocks.append(table(["field", "type", "always there", "meaning"], rows))
    return "\n\n".join(filter(None, blocks))


def _type(schema: dict[str, Any]) -> str:
    """Return a type as one phrase: its name, the kinds of its items, its bounds and its default."""
    name = _name(schema)
    lowest = schema.get("minimum", schema.get("exclusiveMinimum", schema.get("minLength", schema.get("minItems"))))
    highest = schema.get("maximum", schema.get("exclusiveMaximum", schema.get("maxLength", schema.get("maxItems"))))
    bounds = f", {lowest:,} to {highest:,}" if lowest is not None and highest is not None else ""
    if not bounds and highest is not None:
        bounds = f", at most {highest:,}"
    if not bounds and lowest is not None:
        bounds = f", at least {lowest:,}"
    default = f", default {code(str(schema['default']))}" if schema.get("default") not in {None, ""} else ""
    return f"{name}{bounds}{default}"


def _name(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": path}:
            name = path.rpartition("/")[2]
            return f"[{name}](#{name.lower()})" if _is_ours(name) else "any JSON"
        case {"enum": words}:
            return " or ".join(map(code, words))
        case {"anyOf": kinds}:
            return " or ".join(dict.fromkeys(map(_type, kinds)))
        case {"type": "array"}:
            return f"list of {_type(schema.get('items', {}))}"
        case {"type": "object", "additionalProperties": dict() as values}:
            return f"object of {_type(values)}"
    return str(schema.get("format") or schema.get("type") or "any JSON")
