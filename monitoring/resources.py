"""Use and limits of the container, and its GPUs, read from the kernel at each scrape.

Under `verdict run` all processes and the shell share one control group, whose use says nothing about a single process,
so each process reports its own CPU and memory.
"""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitoring.cgroup import Cgroup
from monitoring.gpu import Gpus


class ContainerCollector(Collector):
    """The control group of this process, or the process alone if others share the group; unknown figures are absent."""

    def __init__(self, cgroup: Cgroup) -> None:
        self._cgroup = cgroup

    def collect(self) -> Iterator[Metric]:
        """Yield CPU and memory in use, and their limits; without a limit the size of the machine."""
        cgroup = self._cgroup
        cores = min(cgroup.cores_limit() or float("inf"), len(os.sched_getaffinity(0)))
        memory = min(cgroup.memory_limit() or float("inf"), machine_memory())
        if (seconds := time.process_time() if cgroup.is_shared else cgroup.cpu_seconds()) is not None:
            help_text = "CPU time of the container; of the process if others share its control group"
            yield CounterMetricFamily("verdict_container_cpu_seconds", help_text, seconds)
        if (used := process_memory() if cgroup.is_shared else cgroup.memory_used()) is not None:
            help_text = "Memory of the container, or of the process, without droppable file cache"
            yield GaugeMetricFamily("verdict_container_memory_bytes", help_text, used)
        yield GaugeMetricFamily("verdict_container_cpu_limit_cores", "CPUs that the container may use", cores)
        yield GaugeMetricFamily("verdict_container_memory_limit_bytes", "Memory that the container may use", memory)


class GpuCollector(Collector):
    """The GPUs that NVIDIA's driver lists; no metric without a GPU."""

    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus

    def collect(self) -> Iterable[Metric]:
        """Return utilisation and memory of each GPU."""
        if not self._gpus.count:
            return []
        busy = GaugeMetricFamily("verdict_gpu_utilisation_ratio", "Share of the time that kernels ran", labels=["gpu"])
        used = GaugeMetricFamily("verdict_gpu_memory_bytes", "Memory of the GPU that is in use", labels=["gpu"])
        size = GaugeMetricFamily("verdict_gpu_memory_limit_bytes", "Memory that the GPU has", labels=["gpu"])
        for gpu in self._gpus.read():
            if gpu.utilisation is not None:  # a MIG partition has none
                busy.add_metric([gpu.index], gpu.utilisation)
            used.add_metric([gpu.index], gpu.memory_used)
            size.add_metric([gpu.index], gpu.memory)
        return [busy, used, size]


def process_memory() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def machine_memory() -> int:
    """Return the memory of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
