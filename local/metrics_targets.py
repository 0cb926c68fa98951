"""Where the processes of a run serve their metrics, and the file that tells Prometheus. Called by cli.run.

The file has the format of `file_sd_configs`, so that a Prometheus finds a restarted run by itself.
"""

import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from local.errors import LocalError
from settings import MetricsSettings

FILE = "prometheus.json"
MAINTENANCE = "maintenance"  # by this name; every other process with an exporter is a worker
HIGHEST_PORT = 65_535

Address: TypeAlias = tuple[str, int]


def exporters(settings: MetricsSettings, names: Sequence[str], taken: int) -> dict[str, Address]:
    """Give each process an address of its own: from METRICS_PORT on, or where there is a free port but `taken`.

    Raises:
        LocalError: one of them cannot be had.
    """
    first = settings.metrics_port
    if first + len(names) - 1 > HIGHEST_PORT:
        raise LocalError(f"METRICS_PORT={first} leaves no room for {len(names)} processes; the last is {HIGHEST_PORT}")
    found: dict[str, Address] = {}
    for place, name in enumerate(names):
        address = free_address(settings.metrics_host, first and first + place, "METRICS_HOST", "METRICS_PORT")
        while not first and address[1] in {taken, *(port for _, port in found.values())}:
            address = free_address(settings.metrics_host, 0, "METRICS_HOST", "METRICS_PORT")
        if address[1] == taken:
            raise LocalError(f"port {taken} is the API's; choose another with METRICS_PORT=…")
        found[name] = address
    return found


def write(home: Path, api: Address, exporters: Mapping[str, Address]) -> Path:
    """Write the file, whole or not at all; who scrapes may be another user."""
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
    """Return the address to listen on, with a port chosen for 0. Raises LocalError when it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as exc:
        raise LocalError(f"{host_setting}={host} is no address of this machine: {exc.strerror}") from exc
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as exc:
            raise LocalError(
                f"port {port} of {host} cannot be had ({exc.strerror}); choose another with {port_setting}=…"
            ) from exc
        return host, int(probe.getsockname()[1])


def reachable(address: Address) -> Address:
    """Return where a client on this machine finds a server that listens on `address`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0]), address[1]  # noqa: S104 - compared, not bound


def netloc(host: str, port: int) -> str:
    """Write an address as a URL does."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
