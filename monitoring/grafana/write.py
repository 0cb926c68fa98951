"""Write dashboards/*.json for Grafana: `python -m monitoring.grafana.write`. A test compares them with the code."""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.grafana import service, sla, workers

FOLDER = Path(__file__).resolve().parent / "dashboards"


def documents() -> dict[Path, str]:
    """Return the contents of every dashboard's file, by path."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {
        FOLDER / f"{name}.json": encoder.encode(module.build().build()) + "\n"
        for name, module in (("service", service), ("sla", sla), ("workers", workers))
    }


def main() -> None:
    """Write all files."""
    for path, text in documents().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
