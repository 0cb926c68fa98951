"""NVIDIA's GPUs, as their driver measures them; none without `nvidia-ml-py`."""

import importlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU at one moment: `utilisation` is the share of time with running kernels, memory is in bytes."""

    index: str
    utilisation: float | None
    memory_used: int
    memory: int


class Gpus:
    """A session with the driver, which has `count` GPUs."""

    def __init__(self, driver: Any, count: int) -> None:
        self._driver = driver
        self.count = count

    @classmethod
    def open(cls) -> "Gpus":
        """Open a session; without the library, the driver or a GPU the count is 0."""
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
        """Yield each GPU that the driver can read."""
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
