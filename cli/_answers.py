"""One question to a server over HTTP; whatever goes wrong is one line. Called by cli.sla and cli._prometheus."""

from typing import Any

import httpx

from cli.output import CommandError
from verdict.errors import trouble, unreachable

ANSWER_SECONDS = 30.0


def fetch(url: str, path: str, params: dict[str, str], *, hint: str) -> dict[str, Any]:
    """The JSON object that a server answers to GET. Raises CommandError, in one line, for whatever else happens."""
    try:
        answer = httpx.get(url.rstrip("/") + path, params=params, timeout=ANSWER_SECONDS)
        if wrong := trouble(answer):
            raise CommandError(str(wrong))
        found = answer.json()
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
        raise CommandError(f"{url!r} is no address of a server: {exc}") from exc
    except httpx.HTTPError as exc:
        raise CommandError(f"{unreachable(exc, url)}; {hint}") from exc
    except ValueError as exc:
        raise CommandError(f"{url} answered something that is no JSON: is it the right one?") from exc
    if not isinstance(found, dict):
        raise CommandError(f"{url} answered something that was not asked for: is it the right one?")
    return found
