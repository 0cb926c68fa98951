"""Write dashboards/*.json, which Grafana reads: `python -m monitoring.grafana.write`. A test holds them to the code."""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.grafana import service, sla, workers

FOLDER = Path(__file__).resolve().parent / "dashboards"


def documents() -> dict[Path, str]:
    """Every dashboard's file, and what must stand in it."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {
        FOLDER / f"{name}.json": encoder.encode(module.build().build()) + "\n"
        for name, module in (("service", service), ("sla", sla), ("workers", workers))
    }


def main() -> None:
    """Write all of them."""
    for path, text in documents().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
