"""The script `verdict-client`; also `python -m verdict_cli`."""

import sys


def main() -> None:
    """Run the command line, or say in one line that its packages are not installed."""
    try:
        from verdict_cli.main import app
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error.name} is not installed; the command line needs pip install 'verdict-client[cli]'")
    app()


if __name__ == "__main__":
    main()
