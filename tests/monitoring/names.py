"""The names of all existing series, and of the series in an expression."""

import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.metrics import MetricWrapperBase

from monitoring import metrics
from monitoring.cgroup import Cgroup
from monitoring.gpu import Gpu, Gpus
from monitoring.resources import ContainerCollector, GpuCollector
from tests.monitoring.rules import recorded

ENDINGS = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}
NAME = re.compile(r"(?<![\w:{.])(?:verdict[_:][\w:]+|process_\w+|ALERTS|up)(?![\w(])")


class OneGpu(Gpus):
    """A driver that shows one GPU."""

    def __init__(self) -> None:
        super().__init__(None, 1)

    def read(self) -> Iterator[Gpu]:
        """Yield the GPU."""
        yield Gpu("0", 0.5, 1, 2)


def asked(expression: str) -> set[str]:
    """Return the series that an expression reads, without strings and labels."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\b(?:by|on|ignoring|without|group_left|group_right) *\([^)]*\)", "", bare)
    return set(NAME.findall(bare))


def existing(folder: Path) -> set[str]:
    """Return the series of processes, rules and Prometheus itself; `folder` becomes a control group."""
    (folder / "cpu.stat").write_text("usage_usec 1\n")
    (folder / "memory.current").write_text("1\n")
    registry = CollectorRegistry()
    registry.register(ContainerCollector(Cgroup.of_this_process(folder, folder / "none")))
    registry.register(GpuCollector(OneGpu()))
    ProcessCollector(registry=registry)
    of_collectors = {sample.name for family in registry.collect() for sample in family.samples}
    return {"up", "ALERTS"} | set(_of_metrics()) | of_collectors | recorded()


def gauges_without_labels() -> set[str]:
    """Return the names of all gauges without labels."""
    found = [each for each in vars(metrics).values() if isinstance(each, Gauge) and not each._labelnames]
    return {each._name for each in found}


def _of_metrics() -> Iterator[str]:
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            for family in metric.describe():
                yield from (f"{family.name}{ending}" for ending in ENDINGS[family.type])
