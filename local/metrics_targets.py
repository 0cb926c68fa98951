"""Addresses where the processes of a run serve their metrics, and the file with them for Prometheus.

The file has the format of `file_sd_configs`, so that Prometheus finds a restarted run.
"""

import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from local.errors import LocalError
from settings import MetricsSettings

FILE = "prometheus.json"
MAINTENANCE = "maintenance"  # the process of this name; all others with an exporter are workers
HIGHEST_PORT = 65_535

Address: TypeAlias = tuple[str, int]


def exporters(settings: MetricsSettings, names: Sequence[str], taken: int) -> dict[str, Address]:
    """Return an address for each process: from METRICS_PORT on, or free ports other than `taken`.

    Raises:
        LocalError: an address is not available.
    """
    first = settings.metrics_port
    if first + len(names) - 1 > HIGHEST_PORT:
        raise LocalError(f"METRICS_PORT={first} leaves no room for {len(names)} processes below port {HIGHEST_PORT}")
    found: dict[str, Address] = {}
    for place, name in enumerate(names):
        address = free_address(settings.metrics_host, first and first + place, "METRICS_HOST", "METRICS_PORT")
        while not first and address[1] in {taken, *(port for _, port in found.values())}:
            address = free_address(settings.metrics_host, 0, "METRICS_HOST", "METRICS_PORT")
        if address[1] == taken:
            raise LocalError(f"port {taken} belongs to the API; choose another with METRICS_PORT=…")
        found[name] = address
    return found


def write(home: Path, api: Address, exporters: Mapping[str, Address]) -> Path:
    """Write the file for Prometheus; it appears complete or not at all, and other users may read it."""
    workers = [address for name, address in exporters.items() if name != MAINTENANCE]
    parts = {"api": [api], "worker": workers, "maintenance": [exporters[MAINTENANCE]]}
    groups = [
        {"targets": [netloc(*reachable(each)) for each in addresses], "labels": {"job": job}}
        for job, addresses in parts.items()
    ]
    draft = home / f"{FILE}.new"
    draft.write_text(json.dumps(groups, indent=2) + "\n")
    return draft.replace(home / FILE)


def free_address(host: str, port: int, host_setting: str = "HOST", port_setting: str = "PORT") -> Address:
    """Return an address to listen on; port 0 becomes a free one. Raises LocalError if it is not available."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as exc:
        raise LocalError(f"{host_setting}={host} is not an address of this machine: {exc.strerror}") from exc
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as exc:
            raise LocalError(
                f"port {port} of {host} is not available ({exc.strerror}); choose another with {port_setting}=…"
            ) from exc
        return host, int(probe.getsockname()[1])


def reachable(address: Address) -> Address:
    """Return the address by which a client on this machine reaches a server that listens on `address`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0]), address[1]  # noqa: S104 - compared, not bound


def netloc(host: str, port: int) -> str:
    """Format an address as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
