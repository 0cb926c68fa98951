"""Save checkpoints by time, not by steps: a step takes 0.1 s or 10 s depending on model and machine."""

import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class CheckpointClock(TrainerCallback):
    """Requests a checkpoint when `minutes` have passed since the last one, including those for other reasons."""

    def __init__(self, minutes: float) -> None:
        self._seconds = minutes * 60
        self._last = time.monotonic()

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002 - the Trainer passes these by name
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        if time.monotonic() - self._last >= self._seconds:
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:  # noqa: ARG002
        self._last = time.monotonic()
