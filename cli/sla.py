"""`verdict sla`: compare the service with the targets of its SLA; figures of the service or of a Prometheus."""

from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli import _prometheus
from cli._answers import fetch
from monitoring.sla import window_of
from verdict_cli.output import CommandError, JsonOption, UrlOption, show


def sla(
    window: Annotated[str, typer.Option(help="Period up to now, such as 90s, 15m, 6h or 30d.")] = "1h",
    prometheus: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Use the figures of this Prometheus, which has memory and CPU too."),
    ] = None,
    url: UrlOption = "http://127.0.0.1:8000",
    json: JsonOption = False,
) -> None:
    """Show for each target of the SLA whether it is met, with the figure and the rest of its error budget.

    Exit code 0: no target is missed; 1: a target is missed; 2: no figures could be read.
    """
    try:
        window_of(window)
    except ValueError as exc:
        raise CommandError(f"--window {window}: {exc}") from exc
    verdict = _prometheus.verdict(prometheus, window) if prometheus else _of_service(url, window)
    show(verdict, as_json=json, table=lambda: _drawn(verdict))
    if verdict["met"] is False:
        raise typer.Exit(1)


def _of_service(url: str, window: str) -> dict[str, Any]:
    answer = fetch(url, "/v1/sla", {"window": window}, hint="start the service with `verdict run`, or give --url")
    if not isinstance(answer.get("targets"), list) or not {"met", "headline"} <= answer.keys():
        raise CommandError(f"{url} answered, but not as Verdict does: is the address right?")
    return answer


def _drawn(verdict: dict[str, Any]) -> Group:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("target", "figure", "limit", "verdict", "budget left", "missed"):
        table.add_column(name, no_wrap=True, justify="right" if name in {"figure", "limit", "budget left"} else "left")
    for each in verdict["targets"]:
        table.add_row(
            each["title"],
            _quantity(each["figure"], each["unit"]),
            f"{'≥' if each['is_floor'] else '≤'} {_quantity(each['limit'], each['unit'])}",
            _word(each["met"]),
            "" if each["budget_left"] is None else f"{each['budget_left']:.0%}",
            f"of {each['counted']:,}" if each["missed"] is None else f"{each['missed']:,} of {each['counted']:,}",
        )
    headline = Text(verdict["headline"], "bold red" if verdict["met"] is False else "")
    return Group(Text.assemble(f"The last {verdict['window']}: ", headline), table)


def _quantity(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return {"ms": f"{value:,.0f} ms", "rows": f"{value:,.0f}"}.get(unit, f"{value:.2%}")


def _word(met: bool | None) -> Text:
    """Return the outcome as a word, since colour alone is not readable for all."""
    if met is None:
        return Text("no data", "dim")
    return Text("met", "green") if met else Text("MISSED", "bold red")
