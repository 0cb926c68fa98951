"""Use and limits of a container in both versions of control groups; and GPUs."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from monitoring.cgroup import Cgroup
from monitoring.gpu import Gpus
from monitoring.resources import ContainerCollector, GpuCollector, machine_memory, process_memory

MEBIBYTE = 2**20

VERSION_2 = {
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\n",
    "memory.current": f"{100 * MEBIBYTE}\n",
    "memory.stat": f"anon 1\ninactive_file {30 * MEBIBYTE}\n",
    "memory.max": f"{200 * MEBIBYTE}\n",
    "cpu.max": "50000 100000\n",
}
VERSION_1 = {
    "cpuacct/cpuacct.usage": "2500000000\n",
    "memory/memory.usage_in_bytes": f"{100 * MEBIBYTE}\n",
    "memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {30 * MEBIBYTE}\n",
    "memory/memory.limit_in_bytes": f"{200 * MEBIBYTE}\n",
    "cpu/cpu.cfs_quota_us": "50000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
}


def cgroup(folder: Path, files: Mapping[str, str], own: str = "") -> Cgroup:
    """Return the control group of a process for these files of the kernel."""
    for name, contents in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents)
    (folder / "self").write_text(own)
    return Cgroup.of_this_process(folder, folder / "self")


def figures(group: Cgroup) -> tuple[float | None, ...]:
    return group.cpu_seconds(), group.memory_used(), group.memory_limit(), group.cores_limit()


@pytest.mark.parametrize("files", [VERSION_2, VERSION_1], ids=["version 2", "version 1"])
def test_both_versions_give_the_same_figures(tmp_path: Path, files: Mapping[str, str]) -> None:
    assert figures(cgroup(tmp_path, files)) == (2.5, 70 * MEBIBYTE, 200 * MEBIBYTE, 0.5)


def test_no_limit_is_none(tmp_path: Path) -> None:
    free = VERSION_2 | {"memory.max": "max\n", "cpu.max": "max 100000\n"}
    assert figures(cgroup(tmp_path, free))[2:] == (None, None)
    old = {"memory/memory.limit_in_bytes": f"{2**63 - 4096}\n", "cpu/cpu.cfs_quota_us": "-1\n"}
    assert figures(cgroup(tmp_path / "old", old | {"cpu/cpu.cfs_period_us": "100000\n"}))[2:] == (None, None)


def test_without_control_groups_there_are_no_figures(tmp_path: Path) -> None:
    assert figures(cgroup(tmp_path, {})) == (None, None, None, None)


def test_the_tightest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    files = {"memory.max": "1000\n", "ours/memory.max": "max\n", "ours/in/memory.max": "2000\n"}
    assert cgroup(tmp_path, files, "0::/ours/in\n").memory_limit() == 1000


def test_a_group_that_the_container_does_not_show_is_its_root(tmp_path: Path) -> None:
    assert cgroup(tmp_path, VERSION_2, "0::/docker/0123\n").cpu_seconds() == 2.5


def test_controllers_have_their_own_paths_in_version_1(tmp_path: Path) -> None:
    files = {"memory/ours/memory.usage_in_bytes": "5\n", "memory/memory.usage_in_bytes": "9\n"}
    assert cgroup(tmp_path, files, "5:cpu,cpuacct:/\n4:memory:/ours\n0::/\n").memory_used() == 5


def samples(collector: Any) -> dict[str, float]:
    return {each.name: each.value for metric in collector.collect() for each in metric.samples}


def test_a_container_without_limits_may_use_the_machine(tmp_path: Path) -> None:
    assert samples(ContainerCollector(cgroup(tmp_path, {}))) == {
        "verdict_container_cpu_limit_cores": len(os.sched_getaffinity(0)),
        "verdict_container_memory_limit_bytes": machine_memory(),
    }


def test_a_container_shows_what_it_uses_and_may_use(tmp_path: Path) -> None:
    assert samples(ContainerCollector(cgroup(tmp_path, VERSION_2))) == {
        "verdict_container_cpu_seconds_total": 2.5,
        "verdict_container_memory_bytes": 70 * MEBIBYTE,
        "verdict_container_cpu_limit_cores": 0.5,
        "verdict_container_memory_limit_bytes": 200 * MEBIBYTE,
    }


def test_in_a_group_with_others_a_process_shows_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise an idle API under `make run` would report the CPU of the workers, and alert."""
    monkeypatch.setenv("VERDICT_RUN", "/somewhere")
    found = samples(ContainerCollector(cgroup(tmp_path, VERSION_2)))
    assert found["verdict_container_cpu_seconds_total"] == pytest.approx(time.process_time(), abs=1)
    assert found["verdict_container_memory_bytes"] == pytest.approx(process_memory(), rel=0.2)
    assert found["verdict_container_cpu_limit_cores"] == 0.5


@pytest.mark.parametrize(
    ("own", "is_shared"),
    [
        ("0::/user.slice/user-1000.slice/session-3.scope\n", True),
        ("0::/system.slice/verdict-api.service\n", False),
        ("0::/system.slice/docker-0123.scope\n", False),
        ("0::/\n", False),
    ],
)
def test_the_group_of_a_session_is_shared_and_that_of_a_container_is_not(
    tmp_path: Path, own: str, *, is_shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VERDICT_RUN", raising=False)
    assert cgroup(tmp_path, VERSION_2, own).is_shared == is_shared


class DriverError(Exception):
    """The error of the driver's library."""


class Driver:
    """NVIDIA's library with two GPUs, the second partitioned and without utilisation, and a third that fails."""

    NVMLError = DriverError

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802  the library's name
        if index == 2:
            raise DriverError
        return index

    def nvmlDeviceGetMemoryInfo(self, device: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(used=device + 1, total=100)

    def nvmlDeviceGetUtilizationRates(self, device: int) -> SimpleNamespace:  # noqa: N802
        if device:
            raise DriverError
        return SimpleNamespace(gpu=50)


def test_each_gpu_shows_its_available_figures() -> None:
    found = {
        (each.name, each.labels["gpu"]): each.value
        for metric in GpuCollector(Gpus(Driver(), 3)).collect()
        for each in metric.samples
    }
    assert found == {
        ("verdict_gpu_utilisation_ratio", "0"): 0.5,
        ("verdict_gpu_memory_bytes", "0"): 1,
        ("verdict_gpu_memory_limit_bytes", "0"): 100,
        ("verdict_gpu_memory_bytes", "1"): 2,
        ("verdict_gpu_memory_limit_bytes", "1"): 100,
    }


def test_without_a_gpu_there_is_no_such_metric() -> None:
    assert samples(GpuCollector(Gpus(None, 0))) == {}
