"""The model card: a manifest for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.data.reviews import short_name
from training.export.fit_cascade import FOLDS

SCORES = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "ece")

CARD = """\
# {name} {version}

Classifies a review as {labels}. {base_model} fine-tuned with mean pooling and one linear layer, {precision} ONNX
({megabytes:.1f} MB){with_first}, made {created}. `manifest.json` holds the same for machines, with the sha256 of
every file.

## Figures
| data set | split | precision | by | n | accuracy | precision (macro) | recall (macro) | F1 (macro) | ECE | date |
|---|---|---|---|---|---|---|---|---|---|---|
{rows}
{stages}{domains}
Taken through the serving classifier ({threads} threads, micro-batches of at most {token_budget} padded tokens).

## Confusion
{confusion}

## How it reads a review
- HTML entities are decoded, HTML tags and line breaks become spaces.{symbols}
{first}- At most {max_tokens} tokens: longer reviews keep {kept}, and answers say `truncated`.
- Confidence is calibrated: logits are divided by {temperature}, fitted on the validation split.
- Batch-mates: {batch_mates}

## Training
`{command}` on {training_rows:,} reviews, {validation_rows:,} held out{groups}; seed {seed}; {libraries}.
Then `{export_command}`.

## Limits
Trained on {data} only: other kinds of text, other languages, irony and mixed verdicts are judged less well.{language}
Do not use it to judge people.
"""


KEPT = {"head+tail": "their beginning and end", "sentences": "the sentences that the n-grams weigh most"}
LANGUAGE = " Texts that do not look like `{language}` get the warning `language` and little confidence."
FIRST = """\
- A linear model over the n-grams of the whole review answers what it is surer of than a threshold, which the operating
  point sets (`{default}` if nothing else is asked for). The network reads the rest; its answer weighs in both.
"""


def model_card(values: Mapping[str, Any], megabytes: float) -> str:
    """Return the card in Markdown for a manifest's values."""
    training, metrics = values["training"], values["metrics"]
    config = training["config"]
    return CARD.format(
        **{key: values[key] for key in ("name", "version", "precision", "created", "max_tokens")},
        labels=" or ".join(values["labels"]),
        base_model=config["base_model"],
        megabytes=megabytes,
        with_first=" behind n-grams" if "cascade" in values else "",
        rows="\n".join(_row(entry) for entry in metrics),
        stages=_stages(metrics),
        first=FIRST.format(**values["cascade"]) if "cascade" in values else "",
        threads=metrics[0]["threads"],
        token_budget=values["batching"]["token_budget"],
        confusion="\n\n".join(_confusion(entry, values["labels"]) for entry in metrics if _shipped(entry, values)),
        kept=KEPT[values["truncation"]],
        symbols=" Emoji, emoticons and ratings become words." if values["symbols"] else "",
        language=LANGUAGE.format(**values) if values.get("language") else "",
        domains=_domains(values),
        temperature=values["calibration"]["temperature"],
        batch_mates=_batch_mates(values["batching"]),
        command=training["command"],
        training_rows=training["rows"]["training"],
        validation_rows=training["rows"]["validation"],
        groups=f" (no {config['group_column']} on both sides)" if config["group_column"] else "",
        seed=config["seed"],
        libraries=", ".join(f"{name} {version}" for name, version in training["libraries"].items()),
        export_command=training["export_command"],
        data=learnt_from(config),
    )


def learnt_from(config: Mapping[str, Any]) -> str:
    """Return the names of the data sets that a run has learnt from."""
    more = [each["data"] for part in ("more", "even") for each in config.get(part, ())]
    return ", ".join(dict.fromkeys(short_name(data) for data in (config["data"], *more)))


def _domains(values: Mapping[str, Any]) -> str:
    """Return a table of each kind and length of review; nothing where none were measured."""
    groups = [*values.get("domains", ()), *values.get("lengths", ())]
    if not groups:
        return ""
    head = f"| reviews | n | accuracy | {' | '.join(f'recall of {label}' for label in values['labels'])} | ECE |"
    lines = ["", head, f"|---|---|---|{'---|' * len(values['labels'])}---|"]
    for each in groups:
        recalls = " | ".join(f"{each['recalls'][label]:.3f}" for label in values["labels"])
        lines.append(f"| {each['group']} | {each['n']:,} | {each['accuracy']:.3f} | {recalls} | {each['ece']:.3f} |")
    return "\n".join([*lines, ""])


def _shipped(entry: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    return bool(entry["precision"] == values["precision"])


def _row(entry: Mapping[str, Any]) -> str:
    scores = " | ".join(f"{entry[key]:.4f}" for key in SCORES)
    what = f"{entry['dataset']} | {entry['split']} | {entry['precision']} | {_answerer(entry)} | {entry['n']:,}"
    return f"| {what} | {scores} | {entry['date']} |"


def _answerer(entry: Mapping[str, Any]) -> str:
    return f"cascade, {entry['point']}" if "point" in entry else "network"


def _stages(metrics: Sequence[Mapping[str, Any]]) -> str:
    """Return what each stage answered at each operating point; nothing for a model of one stage."""
    entries = [entry for entry in metrics if "point" in entry]
    if not entries:
        return ""
    lines = [
        "",
        "| data set | split | point | stage | share | accuracy |",
        "|---|---|---|---|---|---|",
    ]
    for entry in entries:
        where = f"{entry['dataset']} | {entry['split']} | {entry['point']}"
        lines += [
            f"| {where} | {stage} | {each['share']:.3f} | {each['accuracy']:.4f} |"
            for stage, each in entry["stages"].items()
        ]
    note = f"Weights and thresholds are fitted on the validation split; its figures are cross-fitted in {FOLDS} folds."
    return "\n".join([*lines, "", note, ""])


def _confusion(entry: Mapping[str, Any], labels: Sequence[str]) -> str:
    cells = [
        [f"{entry['dataset']}, {entry['split']}, {_answerer(entry)}: truly", *(f"judged {label}" for label in labels)],
        ["---"] * (len(labels) + 1),
        *([label, *map(str, row)] for label, row in zip(labels, entry["confusion"], strict=True)),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _batch_mates(batching: Mapping[str, Any]) -> str:
    if batching["largest_probability_change"] < 1e-5:
        return "an answer does not depend on the reviews that share its batch."
    return (
        "int8 scales activations by batch, so the reviews that share a batch move a probability by "
        f"{batching['mean_probability_change']:.4f} on average and {batching['largest_probability_change']:.3f} at "
        f"most ({batching['n']} reviews alone, sorted and mixed; {batching['changed_verdicts']} verdicts changed)."
    )
