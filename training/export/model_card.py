"""The model card: the contents of a manifest in Markdown."""

from collections.abc import Sequence

from inference.figures import Metrics
from inference.manifest import Batching, Manifest
from training.data.reviews import short_name
from training.export.fit_cascade import FOLDS
from training.recipes.options import TrainConfig

CARD = """\
# {name} {version}

Classifies a review as {labels}. {base_model} fine-tuned with {head}, {precision} ONNX
({megabytes:.1f} MB){with_first}, made {created}. `manifest.json` holds the same for machines, with the sha256 of
every file.

## Figures
| data set | split | precision | by | n | accuracy | precision (macro) | recall (macro) | F1 (macro) | ECE | date |
|---|---|---|---|---|---|---|---|---|---|---|
{rows}
{stages}{domains}
Measured with the serving classifier ({threads} threads, micro-batches of at most {token_budget} padded tokens).

## Confusion
{confusion}

## How it reads a review
- HTML entities are decoded, HTML tags and line breaks become spaces.{symbols}
{first}- At most {max_tokens} tokens: longer reviews keep {kept}, and results have `truncated`.
- Confidence is calibrated: logits are divided by {temperature}, fitted on the validation split.
- Batch-mates: {batch_mates}

## Training
{averaged}`{command}` on {training_rows:,} reviews, {validation_rows:,} held out{groups}; seed {seed}; {libraries}.
Then `{export_command}`.

## Limits
Trained on {data} only: other kinds of text, other languages, irony and mixed opinions are less reliable.{language}
Do not use it to judge people.
"""


KEPT = {"head+tail": "their beginning and end", "sentences": "the sentences that the n-grams weigh most"}
LANGUAGE = " Texts that do not look like `{language}` get the warning `language` and little confidence."
MEAN_POOLING = "mean pooling and one linear layer"
OWN_HEAD = "the classification head of its architecture"
AVERAGED = "The weights are the mean of {runs}; the first: "
FIRST = """\
- A linear model over the n-grams of the whole review classifies the reviews that it is sure of; the operating point
  sets the threshold (`{default}` by default). The network reads the others, and both stages are weighed.
"""


def model_card(manifest: Manifest, settings: TrainConfig, megabytes: float, *, own_head: bool) -> str:
    """Return the model card in Markdown; `settings` are those of the run, `own_head` is the head of its network."""
    training, metrics, cascade = manifest.training, manifest.metrics, manifest.cascade
    groups = settings.group_column
    return CARD.format(
        name=manifest.name,
        version=manifest.version,
        precision=manifest.precision,
        created=manifest.created.isoformat(timespec="seconds"),
        max_tokens=manifest.max_tokens,
        labels=" or ".join(manifest.labels),
        base_model=settings.base_model,
        head=OWN_HEAD if own_head else MEAN_POOLING,
        megabytes=megabytes,
        with_first=" behind n-grams" if cascade else "",
        rows="\n".join(map(_row, metrics)),
        stages=_stages(metrics),
        first=FIRST.format(default=cascade.default) if cascade else "",
        threads=metrics[0].threads,
        token_budget=manifest.batching.token_budget,
        confusion="\n\n".join(
            _confusion(entry, manifest.labels) for entry in metrics if entry.precision == manifest.precision
        ),
        kept=KEPT[manifest.truncation],
        symbols=" Emoji, emoticons and ratings become words." if manifest.symbols else "",
        language=LANGUAGE.format(language=manifest.language) if manifest.language else "",
        domains=_domains(manifest),
        temperature=manifest.calibration.temperature,
        batch_mates=_batch_mates(manifest.batching),
        averaged=AVERAGED.format(runs=", ".join(each.run for each in training.averaged)) if training.averaged else "",
        command=training.command,
        training_rows=training.rows["training"],
        validation_rows=training.rows["validation"],
        groups=f" (no {groups} on both sides)" if groups else "",
        seed=settings.seed,
        libraries=", ".join(f"{name} {version}" for name, version in training.libraries.items()),
        export_command=training.export_command,
        data=learnt_from(settings),
    )


def learnt_from(settings: TrainConfig) -> str:
    """Return the names of the data sets that a run was trained on."""
    more = [rows.data for rows in (*settings.more, *settings.even)]
    return ", ".join(dict.fromkeys(short_name(data) for data in (settings.data, *more)))


def _domains(manifest: Manifest) -> str:
    """Return a table of each kind and length of review, or nothing if none were measured."""
    groups, labels = [*manifest.domains, *manifest.lengths], manifest.labels
    if not groups:
        return ""
    head = f"| reviews | n | accuracy | {' | '.join(f'recall of {label}' for label in labels)} | ECE |"
    lines = ["", head, f"|---|---|---|{'---|' * len(labels)}---|"]
    for each in groups:
        recalls = " | ".join(f"{each.recalls[label]:.3f}" for label in labels)
        lines.append(f"| {each.group} | {each.n:,} | {each.accuracy:.3f} | {recalls} | {each.ece:.3f} |")
    return "\n".join([*lines, ""])


def _row(entry: Metrics) -> str:
    scores = (entry.accuracy, entry.macro_precision, entry.macro_recall, entry.macro_f1, entry.ece)
    head = f"{entry.dataset} | {entry.split} | {entry.precision} | {_classifier(entry)} | {entry.n:,}"
    return f"| {head} | {' | '.join(f'{value:.4f}' for value in scores)} | {entry.date} |"


def _classifier(entry: Metrics) -> str:
    return f"cascade, {entry.point}" if entry.point else "network"


def _stages(metrics: Sequence[Metrics]) -> str:
    """Return a table of the stages at each operating point; nothing for a model of one stage."""
    entries = [entry for entry in metrics if entry.point]
    if not entries:
        return ""
    lines = ["", "| data set | split | point | stage | share | accuracy |", "|---|---|---|---|---|---|"]
    for entry in entries:
        where = f"{entry.dataset} | {entry.split} | {entry.point}"
        lines += [
            f"| {where} | {stage} | {each.share:.3f} | {each.accuracy:.4f} |" for stage, each in entry.stages.items()
        ]
    note = f"Weights and thresholds are fitted on the validation split; its figures are cross-fitted in {FOLDS} folds."
    return "\n".join([*lines, "", note, ""])


def _confusion(entry: Metrics, labels: Sequence[str]) -> str:
    cells = [
        [f"{entry.dataset}, {entry.split}, {_classifier(entry)}: true", *(f"predicted {label}" for label in labels)],
        ["---"] * (len(labels) + 1),
        *([label, *map(str, row)] for label, row in zip(labels, entry.confusion, strict=True)),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _batch_mates(batching: Batching) -> str:
    if batching.largest_probability_change < 1e-5:
        return "a prediction does not depend on the reviews that share its batch."
    return (
        "int8 scales activations by batch, so the reviews that share a batch change a probability by "
        f"{batching.mean_probability_change:.4f} on average and {batching.largest_probability_change:.3f} at "
        f"most ({batching.n} reviews alone, sorted and mixed; {batching.changed_verdicts} labels changed)."
    )
