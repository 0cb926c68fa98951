"""Grafana's dashboards as code: `python -m monitoring.grafana.write` writes dashboards/*.json from it."""
