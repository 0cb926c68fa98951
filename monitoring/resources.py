"""What the container may use and does use, and its GPUs: read from the kernel whenever somebody asks for metrics.

Registered once by each process (monitoring.exporter, api.health). CPU and memory of the process alone come from
prometheus_client itself.
"""

import os
from collections.abc import Iterable, Iterator

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
    """The cgroup that this process is in; what the kernel does not say is left out."""

    def __init__(self, cgroup: Cgroup) -> None:
        self._cgroup = cgroup

    def collect(self) -> Iterator[Metric]:
        """Two of what is used, and two of what may be: without a limit, what the machine has."""
        cgroup = self._cgroup
        cores = min(cgroup.cores_limit() or float("inf"), len(os.sched_getaffinity(0)))
        memory = min(cgroup.memory_limit() or float("inf"), machine_memory())
        if (seconds := cgroup.cpu_seconds()) is not None:
            yield CounterMetricFamily("verdict_container_cpu_seconds", "CPU time of the container", seconds)
        if (used := cgroup.memory_used()) is not None:
            help_text = "Memory of the container without the file cache that can be dropped"
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


def machine_memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
