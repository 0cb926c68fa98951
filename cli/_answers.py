"""GET a JSON object from a server; every failure is one line."""

from typing import Any

import httpx

from verdict import VerdictError
from verdict.connections import route
from verdict.errors import NotSecure, trouble, unreachable
from verdict_cli.output import CommandError

ANSWER_SECONDS = 30.0


def fetch(url: str, path: str, params: dict[str, str], *, hint: str) -> dict[str, Any]:
    """Return the JSON object that a server answers; `hint` says what to do if nothing answers.

    Raises:
        CommandError: the server is unreachable, refuses, or answers something else.
    """
    try:
        way = route(url)
        transport = httpx.HTTPTransport(verify=way.verify, proxy=way.proxy)
        with httpx.Client(base_url=way.url, transport=transport, timeout=ANSWER_SECONDS) as http:
            answer = http.get(path, params=params)
        if wrong := trouble(answer):
            raise wrong
        found = answer.json()
    except VerdictError as exc:
        raise CommandError(str(exc)) from exc
    except httpx.HTTPError as exc:
        ours = unreachable(exc, str(way))
        raise CommandError(str(ours) if isinstance(ours, NotSecure) else f"{ours}; {hint}") from exc
    except ValueError as exc:
        raise CommandError(f"{url} did not answer JSON: is the address right?") from exc
    if not isinstance(found, dict):
        raise CommandError(f"{url} answered JSON of another kind: is the address right?")
    return found
