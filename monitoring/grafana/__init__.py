"""Grafana's dashboards as code: `python -m monitoring.grafana.write` makes dashboards/*.json from it."""
