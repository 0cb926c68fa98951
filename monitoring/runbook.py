"""The runbook, docs/alerts.md: the section of an alert, and the address that each alert names as its `runbook_url`.

The API serves the sections (api.routes.runbook), so the default address works wherever its port is reached. Another one
is written into all rules by `python -m monitoring.runbook 'https://wiki.example.com/verdict#{anchor}'`.
"""

import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from settings import ROOT

PATH = ROOT / "docs" / "alerts.md"
DEFAULT = "http://127.0.0.1:8000/runbook/{alert}"
USAGE = "usage: python -m monitoring.runbook URL, which holds {alert} (VerdictApiDown) or {anchor} (verdictapidown)"
_URL = re.compile(r"(?<=runbook_url: )\S*(?:/|#|=)(verdict\w+)", re.IGNORECASE)


def sections() -> dict[str, str]:
    """Each alert's section, with its heading."""
    text = PATH.read_text()
    found = re.findall(r"^(## (Verdict\w+)\n.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return {name: section.strip() + "\n" for section, name in found}


def address(alert: str, pattern: str = DEFAULT) -> str:
    """Where the section of an alert is read."""
    return pattern.format(alert=alert, anchor=alert.lower())


def rewritten(rules: str, pattern: str) -> str:
    """A rule file with the addresses of `pattern`."""
    names = {name.lower(): name for name in sections()}
    return _URL.sub(lambda found: address(names[found[1].lower()], pattern), rules)


def files() -> list[Path]:
    """Every file that names the runbook."""
    rules = ROOT / "monitoring" / "prometheus" / "rules"
    return [*rules.glob("*.yml"), *rules.glob("tests/*.yml"), ROOT / "kubernetes/components/monitoring/rules.yaml"]


def main() -> None:
    """Write the addresses into all rules; exit code 2 and one line for what is no URL."""
    pattern = sys.argv[1] if len(sys.argv) == 2 else ""
    url = urlsplit(pattern)
    if url.scheme not in {"http", "https"} or not url.netloc or not re.search(r"[/#=]\{(?:alert|anchor)\}$", pattern):
        sys.stderr.write(f"{USAGE}, at its end\n")
        sys.exit(2)
    for path in files():
        path.write_text(rewritten(path.read_text(), pattern))


if __name__ == "__main__":
    main()
