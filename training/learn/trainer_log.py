"""Forward the lines that the Trainer logs to the log of training."""

import logging
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.run_log import LOG


class RunLog(TrainerCallback):
    """Logs each line of the Trainer: evaluations at level INFO, training losses at DEBUG."""

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002 - the Trainer passes these by name
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        values = {name.removeprefix("eval_"): value for name, value in (logs or {}).items()}
        shown = ", ".join(f"{name} {_short(value)}" for name, value in values.items() if name not in QUIET)
        is_evaluation = "eval_loss" in (logs or {})
        level, kind = (logging.INFO, "evaluation") if is_evaluation else (logging.DEBUG, "training")
        LOG.log(level, "step %d of %d, %s: %s", state.global_step, state.max_steps, kind, shown)


QUIET = {"runtime", "samples_per_second", "steps_per_second", "total_flos"}


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
