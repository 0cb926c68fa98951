"""The recording of the load generator, and its JSON file."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from pathlib import Path

from benchmarks.users.user_model import Phase, Plan, Visit, VisitKind, VisitOutcome

_FIELDS = tuple(each.name for each in fields(Visit))
_values = attrgetter(*_FIELDS)

Request = tuple[str, str, int]


@dataclass(slots=True)
class Recording:
    """One run of the generator; `requests` counts by method, route and status, which is 0 without an answer."""

    plan: Plan
    dataset: str
    began_at: float = 0.0  #: seconds since 1970
    visits: list[Visit] = field(default_factory=list)
    requests: Counter[Request] = field(default_factory=Counter)
    lag_ms: list[float] = field(default_factory=list)  #: delays of the generator's own timer
    cpu_seconds: float = 0.0
    errors: list[str] = field(default_factory=list)  #: exceptions of the generator itself


def write(recording: Recording, path: Path) -> None:
    """Write the recording as JSON; a visit is a list in the order of its fields."""
    plan = recording.plan
    content = {
        "plan": {"users": plan.users, "mix": plan.mix, "phases": [(each.rate, each.seconds) for each in plan.phases]},
        "dataset": recording.dataset,
        "began_at": recording.began_at,
        "visits": [_values(each) for each in recording.visits],
        "requests": [(*request, count) for request, count in recording.requests.items()],
        "lag_ms": recording.lag_ms,
        "cpu_seconds": recording.cpu_seconds,
        "errors": recording.errors,
    }
    path.write_text(json.dumps(content))


def read(path: Path) -> Recording:
    """Read a file of `write`."""
    content = json.loads(path.read_text())
    plan = content["plan"]
    return Recording(
        plan=Plan(plan["users"], plan["mix"], [Phase(*each) for each in plan["phases"]]),
        dataset=content["dataset"],
        began_at=content["began_at"],
        visits=[_visit(each) for each in content["visits"]],
        requests=Counter({(method, route, status): count for method, route, status, count in content["requests"]}),
        lag_ms=content["lag_ms"],
        cpu_seconds=content["cpu_seconds"],
        errors=content["errors"],
    )


def _visit(values: Sequence[object]) -> Visit:
    seen = Visit(*values)  # type: ignore[arg-type]  # in the order of `write`
    seen.kind, seen.outcome = VisitKind(seen.kind), VisitOutcome(seen.outcome)
    return seen
