"""The processes of one rung, which share its reviews evenly."""

import multiprocessing
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import Self

from benchmarks.classifier.rungs import Rung, RungAnswers, Timing, measure

# Reviews to warm up with: the first forward pass allocates buffers.
WARM_UP = 2


def end_with_parent() -> None:
    """End this process when its parent ends; the processes of a pool otherwise outlive a parent that was killed."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Team:
    """One executor for each process, so that each gets its share; a context manager that ends them all."""

    def __init__(self, rung: Rung) -> None:
        # A fork after the use of torch or onnxruntime can hang, and would count the memory of the parent.
        context = multiprocessing.get_context("spawn")
        self.rung = rung
        self._processes = [ProcessPoolExecutor(1, context, end_with_parent) for _ in range(rung.processes)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._processes:
            process.shutdown(cancel_futures=True)

    def warm_up(self, texts: Sequence[str]) -> None:
        """Load the model in every process, and classify a few texts."""
        for task in [process.submit(measure, self.rung, texts[:WARM_UP]) for process in self._processes]:
            task.result()

    def judge(self, texts: Sequence[str]) -> Timing:
        """Classify texts, each process its share, and return the timing from the first start to the last end."""
        count = min(len(self._processes), len(texts))
        shares = [slice(start, None, count) for start in range(count)]
        tasks = [
            process.submit(measure, self.rung, texts[share])
            for process, share in zip(self._processes, shares, strict=False)
        ]
        timings = [task.result() for task in tasks]
        answers = RungAnswers.none(len(texts), timings[0].answers.probabilities.shape[1])
        for share, timing in zip(shares, timings, strict=True):
            answers.put(share, timing.answers)
        return Timing(
            min(timing.began for timing in timings),
            max(timing.ended for timing in timings),
            sum(timing.peak_memory for timing in timings),
            answers,
        )
