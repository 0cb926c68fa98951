"""The runbook docs/alerts.md: the section of each alert, and its address in the alert's `runbook_url`.

The API serves the sections (api.routes.runbook), so the default address works if its port is reachable. To write
another address into all rules: `python -m monitoring.runbook 'https://wiki.example.com/verdict#{anchor}'`.
"""

import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from settings import ROOT

PATH = ROOT / "docs" / "alerts.md"
DEFAULT = "http://127.0.0.1:8000/runbook/{alert}"
USAGE = (
    "usage: python -m monitoring.runbook URL; it must end with {alert} (VerdictApiDown) or {anchor} (verdictapidown)"
)
_URL = re.compile(r"(?<=runbook_url: )\S*(?:/|#|=)(verdict\w+)", re.IGNORECASE)


def sections() -> dict[str, str]:
    """Return the section of each alert, with its heading."""
    text = PATH.read_text()
    found = re.findall(r"^(## (Verdict\w+)\n.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return {name: section.strip() + "\n" for section, name in found}


def address(alert: str, pattern: str = DEFAULT) -> str:
    """Return the address of the section of an alert."""
    return pattern.format(alert=alert, anchor=alert.lower())


def rewritten(rules: str, pattern: str) -> str:
    """Return the text of a rule file with the addresses of `pattern`."""
    names = {name.lower(): name for name in sections()}
    return _URL.sub(lambda found: address(names[found[1].lower()], pattern), rules)


def files() -> list[Path]:
    """Return every file with addresses of the runbook."""
    rules = ROOT / "monitoring" / "prometheus" / "rules"
    return [*rules.glob("*.yml"), *rules.glob("tests/*.yml"), ROOT / "kubernetes/components/monitoring/rules.yaml"]


def main() -> None:
    """Write the addresses into all rules; a wrong URL is one line and exit code 2."""
    pattern = sys.argv[1] if len(sys.argv) == 2 else ""
    url = urlsplit(pattern)
    if url.scheme not in {"http", "https"} or not url.netloc or not re.search(r"[/#=]\{(?:alert|anchor)\}$", pattern):
        sys.stderr.write(f"{USAGE}\n")
        sys.exit(2)
    for path in files():
        path.write_text(rewritten(path.read_text(), pattern))


if __name__ == "__main__":
    main()
