"""NVIDIA's GPUs, as their driver measures them; none without `nvidia-ml-py`. Called by monitoring.resources."""

import importlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU at one moment: the share of the time that kernels ran, and bytes."""

    index: str
    utilisation: float | None
    memory_used: int
    memory: int


class Gpus:
    """A session with the driver, `count` GPUs in it."""

    def __init__(self, driver: Any, count: int) -> None:
        self._driver = driver
        self.count = count

    @classmethod
    def open(cls) -> "Gpus":
        """Ask the driver once; without the library, the driver or a GPU there are none."""
        try:
            driver = importlib.import_module("pynvml")
        except ImportError:
            return cls(None, 0)
        try:
            driver.nvmlInit()
            return cls(driver, int(driver.nvmlDeviceGetCount()))
        except driver.NVMLError:
            return cls(None, 0)

    def read(self) -> Iterator[Gpu]:
        """Each GPU that answers."""
        for index in range(self.count):
            with suppress(self._driver.NVMLError):
                yield self._read(index)

    def _read(self, index: int) -> Gpu:
        device = self._driver.nvmlDeviceGetHandleByIndex(index)
        memory = self._driver.nvmlDeviceGetMemoryInfo(device)
        return Gpu(str(index), self._utilisation(device), int(memory.used), int(memory.total))

    def _utilisation(self, device: Any) -> float | None:
        with suppress(self._driver.NVMLError):
            return float(self._driver.nvmlDeviceGetUtilizationRates(device).gpu) / 100
        return None
