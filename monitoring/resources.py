"""What the container may use and does use, and its GPUs: read from the kernel whenever somebody asks for metrics.

Registered once by each process (monitoring.exporter, api.routes.health). Under `verdict run` all processes, and the
shell, are in one control group: what it uses says nothing about any of them, so each shows its own CPU and memory
instead.
"""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import REGISTRY, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitoring.cgroup import Cgroup
from monitoring.gpu import Gpus

_registered: list[Collector] = []


def register() -> None:
    """Let this process's metrics include its container's and its GPUs'; a second call changes nothing."""
    if _registered:
        return
    # A second series beside each, which nothing reads.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library says no types
    _registered.extend([ContainerCollector(Cgroup.of_this_process()), GpuCollector(Gpus.open())])
    for collector in _registered:
        REGISTRY.register(collector)


class ContainerCollector(Collector):
    """The cgroup of this process, or the process alone where others share its cgroup; what is unknown is left out."""

    def __init__(self, cgroup: Cgroup) -> None:
        self._cgroup = cgroup

    def collect(self) -> Iterator[Metric]:
        """Two of what is used, and two of what may be: without a limit, what the machine has."""
        cgroup = self._cgroup
        cores = min(cgroup.cores_limit() or float("inf"), len(os.sched_getaffinity(0)))
        memory = min(cgroup.memory_limit() or float("inf"), machine_memory())
        if (seconds := time.process_time() if cgroup.is_shared else cgroup.cpu_seconds()) is not None:
            help_text = "CPU time of the container; of the process where others are in its control group"
            yield CounterMetricFamily("verdict_container_cpu_seconds", help_text, seconds)
        if (used := process_memory() if cgroup.is_shared else cgroup.memory_used()) is not None:
            help_text = "Memory of the container, or of the process, without the file cache that can be dropped"
            yield GaugeMetricFamily("verdict_container_memory_bytes", help_text, used)
        yield GaugeMetricFamily("verdict_container_cpu_limit_cores", "CPUs that the container may use", cores)
        yield GaugeMetricFamily("verdict_container_memory_limit_bytes", "Memory that the container may use", memory)


class GpuCollector(Collector):
    """The GPUs that NVIDIA's driver shows; nothing where there is none."""

    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus

    def collect(self) -> Iterable[Metric]:
        """Utilisation and memory of each."""
        if not self._gpus.count:
            return []
        busy = GaugeMetricFamily("verdict_gpu_utilisation_ratio", "Share of the time that kernels ran", labels=["gpu"])
        used = GaugeMetricFamily("verdict_gpu_memory_bytes", "Memory of the GPU that is in use", labels=["gpu"])
        size = GaugeMetricFamily("verdict_gpu_memory_limit_bytes", "Memory that the GPU has", labels=["gpu"])
        for gpu in self._gpus.read():
            if gpu.utilisation is not None:  # a part of a divided GPU has none
                busy.add_metric([gpu.index], gpu.utilisation)
            used.add_metric([gpu.index], gpu.memory_used)
            size.add_metric([gpu.index], gpu.memory)
        return [busy, used, size]


def process_memory() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def machine_memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
