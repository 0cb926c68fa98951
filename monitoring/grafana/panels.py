"""The kinds of panel that the dashboards consist of; each has a description of one sentence."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row, ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

SOURCE = DataSourceRef("prometheus", "${datasource}")  # the variable of each dashboard: any Prometheus of any Grafana
WIDTH = 24  # columns of a dashboard
MET: list[ValueMapping] = [
    ValueMap({"0": ValueMappingResult(text="missed", color="red"), "1": ValueMappingResult(text="met", color="green")})
]

Panel = stat.Panel | timeseries.Panel | bargauge.Panel


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and the legend of its series."""

    expr: str
    legend: str


def dashboard(uid: str, title: str, description: str, rows: dict[str, list[Panel]]) -> Dashboard:
    """Return a dashboard; its rows are filled from left to right."""
    made = (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["verdict"])
        .time("now-1h", "now")
        .refresh("15s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for heading, panels in rows.items():
        made = made.with_row(Row(heading))
        for panel in panels:
            made = made.with_panel(panel)
    return made


def figure(title: str, description: str, query: Query, unit: str, *, limit: float | None = None) -> stat.Panel:
    """Return a panel with a number and its recent course; red from `limit` on."""
    panel = stat.Panel().graph_mode(BigValueGraphMode.AREA).color_mode(BigValueColorMode.VALUE)
    panel = panel.title(title).description(description).datasource(SOURCE).unit(unit).no_value("no data")
    return panel.thresholds(_red_from(limit)).with_target(_target(query, 0)).height(5).span(6)


def floor(title: str, description: str, query: Query, unit: str, *, least: float) -> stat.Panel:
    """Return a panel with a number that is red below `least`."""
    return figure(title, description, query, unit).thresholds(_steps((None, "red"), (least, "green")))


def verdict(title: str, description: str, query: Query, *, span: int) -> stat.Panel:
    """Return a panel with `met` or `missed`, in colour and in words."""
    panel = stat.Panel().graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.BACKGROUND)
    panel = panel.title(title).description(description).datasource(SOURCE).no_value("no data")
    panel = panel.text_mode(BigValueTextMode.VALUE_AND_NAME).mappings(MET).thresholds(_steps((None, "text")))
    return panel.with_target(_target(query, 0)).height(5).span(span)


def shares(title: str, description: str, query: Query, *, span: int) -> bargauge.Panel:
    """Return a panel with a bar for each series, from 0 to 1; red below 0."""
    panel = bargauge.Panel().orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC)
    panel = panel.title(title).description(description).datasource(SOURCE).no_value("no data")
    panel = panel.unit("percentunit").min(0).max(1).thresholds(_steps((None, "red"), (0, "orange"), (0.25, "green")))
    return panel.with_target(_target(query, 0)).height(5).span(span)


def lines(title: str, description: str, unit: str, *queries: Query, limit: float | None = None) -> timeseries.Panel:
    """Return a panel with series over time, and a line at `limit`."""
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.BOTTOM)
    legend = legend.show_legend(show_legend=True).calcs(["lastNotNull", "max"])
    panel = timeseries.Panel().title(title).description(description).datasource(SOURCE).unit(unit).axis_soft_min(0)
    if limit is not None:
        style = common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED)
        panel = panel.thresholds(_red_from(limit)).thresholds_style(style)
    for number, query in enumerate(queries):
        panel = panel.with_target(_target(query, number))
    return panel.fill_opacity(10).legend(legend).height(8).span(WIDTH // 3)


def _target(query: Query, number: int) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + number))


def _red_from(limit: float | None) -> ThresholdsConfig:
    return _steps((None, "green"), *([] if limit is None else [(limit, "red")]))


def _steps(*steps: tuple[float | None, str]) -> ThresholdsConfig:
    made = [Threshold(value, color) for value, color in steps]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)
