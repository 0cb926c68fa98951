"""The files beside `model.onnx` that give a model folder the layout of optimum, which other programs can load."""

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from training.learn.model import label_options, trained_config

TOKENIZER_FILES = ("tokenizer_config.json", "special_tokens_map.json")


def write_onnx_config(run: Path, labels: list[str], folder: Path) -> None:
    """Write `config.json` with the labels, and the settings of the tokenizer; `tokenizer.json` must already exist.

    The folder has no weights for torch, so `AutoModelForSequenceClassification` raises an error for it.
    """
    config = trained_config(run)
    values: dict[str, Any] = config.to_diff_dict()
    options = label_options(labels)
    values |= {"id2label": options["id2label"], "label2id": options["label2id"], "model_type": config.model_type}
    values["problem_type"] = "single_label_classification"
    (folder / "config.json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    for name in TOKENIZER_FILES:
        source = run / name
        if source.is_file():
            (folder / name).write_bytes(source.read_bytes())
    if not (folder / TOKENIZER_FILES[0]).exists():  # a run of an earlier version
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": config.max_position_embeddings}
        settings["pad_token"] = Tokenizer.from_file(str(run / "tokenizer.json")).id_to_token(config.pad_token_id or 0)
        (folder / TOKENIZER_FILES[0]).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
