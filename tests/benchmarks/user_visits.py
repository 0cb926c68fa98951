"""Visits for tests."""

from typing import Any

from benchmarks.users.user_model import Visit, VisitKind, VisitOutcome


def answered(start: float, seconds: float, **others: Any) -> Visit:
    """Return a single review that was submitted at `start` and answered after `seconds`."""
    visit = Visit(VisitKind.WAIT, 1, start, "interactive", sent=start, seconds=seconds, accepted=True, succeeded=1)
    visit.outcome = VisitOutcome.ANSWERED
    for name, value in others.items():
        setattr(visit, name, value)
    return visit


def refused(at: float, told: float, waited: float, refusals: int = 1) -> Visit:
    """Return a single review that was first refused at `at` and admitted after `waited` seconds."""
    return answered(
        at,
        0.1,
        sent=at + waited,
        refusals=refusals,
        told=told,
        first_refused=at,
        last_refused=at + (0 if refusals == 1 else waited / 2),
    )


def left(at: float) -> Visit:
    """Return a single review that was refused and not submitted again."""
    return Visit(VisitKind.WAIT, 1, at, sent=at, refusals=1, told=5, first_refused=at, last_refused=at)


def failed(at: float, why: str = "500") -> Visit:
    """Return a single review that failed."""
    return Visit(VisitKind.WAIT, 1, at, sent=at, outcome=VisitOutcome.FAILED, why=why)
