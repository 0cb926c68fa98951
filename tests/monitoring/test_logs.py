"""Logs: JSON, one line for each event, with all known ids and without texts of reviews."""

import json
import subprocess
import sys
from typing import Any

from settings import ROOT

SCRIPT = """
import logging, structlog
from monitoring.logs import configure_logs, ids

log = structlog.get_logger()
configure_logs("api")
log.debug("not shown")
known = {"request_id": "r"}
before = ids.set(lambda: known)
log.info("early", ms=1.5)
known["job_id"] = "j"
with structlog.contextvars.bound_contextvars(batch="b"):
    log.warning("late", odd=object)
logging.getLogger("library").error("said %s", "so")
ids.reset(before)

def judge(text):
    raise ValueError("broken")

try:
    judge("a confidential film")
except ValueError:
    log.exception("failed")
    logging.getLogger("library").exception("failed too")
"""


def lines() -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_lines_have_the_ids_that_are_known_when_they_are_written_and_no_local_variables() -> None:
    early, late, library, failed, failed_too = lines()
    assert early.pop("timestamp").endswith("Z")
    assert early == {"event": "early", "level": "info", "process": "api", "request_id": "r", "ms": 1.5}
    assert (late["request_id"], late["job_id"], late["batch"], late["level"]) == ("r", "j", "b", "warning")
    assert (library["event"], library["logger"], library["job_id"]) == ("said so", "library", "j")
    for each in (failed, failed_too):
        assert each["exception"][0]["exc_value"] == "broken"
        assert "confidential" not in json.dumps(each)
        assert "request_id" not in each
