"""Write the results of a training run beside its weights: figures, curves, the record and a model card."""

import json
from dataclasses import asdict, replace
from typing import Any

from transformers import TrainerState

from training.data.reviews import short_name
from training.data.run_folder import RunRecord
from training.learn.curves import plot_curves
from training.metrics import Scores
from training.recipes.options import TrainConfig
from training.run_log import LOG

FIGURES = ("accuracy", "precision", "recall", "f1", "ece")
TEST_METRICS = "metrics_test.json"


def save_outcome(
    config: TrainConfig, state: TrainerState, record: RunRecord, speed: float, test: Scores | None
) -> RunRecord:
    """Write `loss.png`, `metrics_test.json`, `README.md` and `run.json`, and return the record of the ended run."""
    evaluations = [entry for entry in state.log_history if "eval_f1" in entry]
    best = max(evaluations, key=lambda entry: entry["eval_f1"])
    result: dict[str, Any] = {
        "reviews_per_second": round(speed, 2),
        "best_step": best["step"],
        "steps": state.global_step,
        "validation": {name: round(best[f"eval_{name}"], 4) for name in FIGURES},
    }
    plot_curves(state.log_history, config.output / "loss.png")
    if test is not None:
        result["test"] = _write_test(config, test)
    done = replace(record, result=result)
    (config.output / "README.md").write_text(_card(config, done), encoding="utf-8")
    done.write(config.output)  # last: a record with a result marks the run as ended
    LOG.info("best at step %d of %d: %s", best["step"], state.global_step, _words(result["validation"]))
    return done


def _write_test(config: TrainConfig, test: Scores) -> dict[str, float]:
    measured_on = short_name(config.test) if config.test else f"{config.test_size} rows of {short_name(config.data)}"
    text = json.dumps({"data": measured_on, **asdict(test)}, indent=2)
    (config.output / TEST_METRICS).write_text(text + "\n", encoding="utf-8")
    shown = (test.accuracy, test.macro_precision, test.macro_recall, test.macro_f1, test.ece)
    return {name: round(value, 4) for name, value in zip(FIGURES, shown, strict=True)}


def _words(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())


def _card(config: TrainConfig, record: RunRecord) -> str:
    parts = [
        f"| {part} | {_words(record.result[part])} |\n" for part in ("validation", "test") if part in record.result
    ]
    loads = (config.output / "model.safetensors").is_file()
    how = LOADABLE.format(tokens=config.max_tokens) if loads else NOT_LOADABLE
    return CARD.format(
        base=short_name(config.base_model),
        labels=", ".join(record.labels),
        data=short_name(config.data),
        rows=record.rows["training"],
        figures="".join(parts),
        how=how,
        command=record.command,
    )


CARD = """---
library_name: transformers
pipeline_tag: text-classification
---
# A sentiment classifier, trained with Verdict

{base}, fine-tuned on {rows:,} reviews of {data}. Labels: {labels}.
Trained with `{command}`; `config.yaml` is the recipe.

| reviews | figures |
|---|---|
{figures}
{how}"""
LOADABLE = """`AutoModelForSequenceClassification.from_pretrained` and `AutoTokenizer.from_pretrained` load this folder.
Verdict decodes HTML entities, removes HTML tags and cuts a review to its first and last {tokens} / 2 tokens before the
network reads it. Load it in float32: in lower precision its answers are less exact.
"""
NOT_LOADABLE = """transformers cannot load this folder: it has no form for this encoder with mean pooling.
`verdict export` makes an ONNX model of it; trained with `head: own` the folder can be loaded.
"""
