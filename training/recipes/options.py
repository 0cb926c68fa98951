"""The options of each training command: one YAML file, overridden by `-o key=value`.

Every mistake raises a `TrainingError` of one line.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from files.errors import FileRefused
from files.labels import parse_told


class LossConfig(BaseModel):
    """The loss; `training.learn.losses` has formulas and reasons. `combined` applies all three."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["cross_entropy", "confidence", "length", "class", "combined"] = "cross_entropy"
    penalty: float = Field(1.0, ge=0, description="strength of the confidence penalty")
    penalty_power: float = Field(2.0, ge=1, description="how much faster it grows with a wrong label's probability")
    length_exponent: float = Field(-0.5, description="below zero, long reviews count less; above, more")


class Teacher(BaseModel):
    """The predictions of one model, and their weight."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    logits: Path = Field(
        description="a file or folder that `verdict label` or `verdict ngram` has written, or a served model, whose "
        "n-grams then label the texts"
    )
    weight: float = Field(1.0, gt=0)


class DistilConfig(BaseModel):
    """Texts without labels to learn from, and the teachers whose predictions replace labels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field(description="the file that the teachers have labelled")
    text_column: str | None = None
    teachers: list[Teacher] = Field(min_length=1, description="rows that all of them have labelled are learnt from")


class FocusConfig(BaseModel):
    """The labelled reviews to train on: those that a cheaper model is unsure of, and a share of the others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: Path = Field(description="predictions of `verdict ngram` with `cross_fit` for the training reviews")
    below: float = Field(0.9, gt=0, le=1, description="a prediction is sure when its top probability reaches this")
    keep: float = Field(0.2, ge=0, le=1, description="share of the sure ones that is trained on too")


class RowsConfig(BaseModel):
    """Labelled rows of one more file, for training or for validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str
    text_column: str | None = None
    label_column: str | None = None
    only: dict[str, list[str]] = Field(default_factory=dict, description="column: values; other rows are left out")
    without: dict[str, list[str]] = Field(default_factory=dict, description="column: values; these rows are left out")
    limit: int | None = Field(None, gt=0, description="use this many rows, drawn with the split's seed")
    repeat: int = Field(1, ge=1, description="how many times an epoch each row is learnt from")


class PreprocessingConfig(BaseModel):
    """How a text is prepared before it is tokenised and cut; a worker supports the defaults only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cleaning: Literal["full", "html", "none"] = Field(
        "full", description="full: as a worker cleans; html: only tags become spaces; none: as written"
    )
    lowercase: bool = Field(False, description="without effect if the tokenizer of the base model lowers case itself")
    truncation: Literal["head+tail", "head", "tail"] = "head+tail"


def _label_map(value: object) -> object:
    """Read `1:negative,5:positive`, and a YAML mapping whose keys may be numbers or truth values."""
    if isinstance(value, str):
        try:
            return parse_told(value)
        except FileRefused as exc:
            raise ValueError(str(exc).removesuffix(".")) from exc
    return {str(key): label for key, label in value.items()} if isinstance(value, dict) else value


LabelMap = Annotated[dict[str, str], BeforeValidator(_label_map)]


def _folders(value: object) -> object:
    """Read one folder as a list of one, and null as an empty list."""
    return [] if value is None else [value] if isinstance(value, str | Path) else value


Folders = Annotated[list[Path], BeforeValidator(_folders)]


class DomainsConfig(BaseModel):
    """Labelled rows for measuring only; the column `by` holds their kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str
    by: str
    only: dict[str, list[str]] = Field(default_factory=dict, description="column: values; other rows are left out")
    without: dict[str, list[str]] = Field(default_factory=dict, description="column: values; these rows are left out")


class DataConfig(BaseModel):
    """The labelled reviews and their split, for every command. Paths are relative to the working directory."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    data: str = Field(description="a CSV, Parquet or JSON-lines file, or the name of a data set on the hub")
    split: str = Field("train", description="the split to read; a file is its own split")
    text_column: str | None = Field(None, description="found by its name when not given")
    label_column: str | None = Field(None, description="found by its name when not given")
    group_column: str | None = Field(None, description="all rows of a group stay on one side of the split")
    labels: list[str] | None = Field(None, description="label names in order; read from the data when not given")
    label_map: LabelMap | None = Field(None, description="the label of each value: 1:negative,5:positive, or a mapping")
    limit: int | None = Field(None, gt=1, description="use this many rows, drawn with the seed")
    only: dict[str, list[str]] = Field(default_factory=dict, description="column: values; other rows are left out")
    without: dict[str, list[str]] = Field(default_factory=dict, description="column: values; these rows are left out")
    keep: float = Field(1.0, gt=0, le=1, description="share of the training part that is learnt from")
    more: list[RowsConfig] = Field(default_factory=list, description="further rows to train on")
    validation: list[RowsConfig] = Field(default_factory=list, description="further rows to validate on")
    validation_size: int = Field(1500, ge=0, description="rows held out to choose the checkpoint and to calibrate")
    test_size: int = Field(0, ge=0, description="further rows held out, for metrics_test.json only")
    symbols: bool = Field(True, description="replace emoji, emoticons and ratings by words")
    base_model: str = Field("all-MiniLM-L6-v2", description="hub name, local folder, or the packaged all-MiniLM-L6-v2")
    split_seed: int = Field(13, description="draws `limit` and the validation split, independent of `seed`")
    seed: int = Field(13, description="first weights and the order of reviews")
    output: Path = Field(Path("runs/default"), description="folder of the result and its figures")


class TargetsConfig(DataConfig):
    """The target of each review."""

    label_smoothing: float = Field(0.05, ge=0, lt=1)
    even: list[RowsConfig] = Field(
        default_factory=list, description="texts without a leaning, such as neutral ones: all labels are equally likely"
    )
    distil: DistilConfig | None = Field(None, description="learn from teachers in addition to the labelled reviews")


class TrainConfig(TargetsConfig):
    """One training run of a network; its output holds checkpoints, the best weights and run.json."""

    start: Folders = Field(
        default_factory=list,
        description="folder of a run or a served model to start from; of a list of folders, the mean of their weights",
    )
    focus: FocusConfig | None = Field(None, description="train on the harder part of the labelled reviews")
    test: str | None = Field(None, description="labelled data for metrics_test.json, if not `test_size` rows")
    max_tokens: int = Field(160, ge=8, le=8192, description="texts are cut to this length, special tokens included")
    sentences: Path | None = Field(
        None, description="folder of `verdict ngram`; longer reviews are cut to the sentences of most weight by it"
    )
    preprocessing: PreprocessingConfig = PreprocessingConfig()
    head: Literal["mean", "own"] | None = Field(
        None,
        description="mean: mean pooling and one linear layer; own: the classification head of the architecture; "
        "if not given, mean for BERT and own for every other architecture",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="hidden and attention dropout; 1.3x CPU time at 0.1")
    freeze_embeddings: bool = True
    frozen_layers: int = Field(0, ge=0, description="lowest encoder layers not trained; half of them: 1.5x speed")

    epochs: float = Field(1.0, gt=0)
    batch_size: int = Field(16, gt=0)
    learning_rate: float = Field(1e-4, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1, description="part of all steps; a linear decay to zero follows")
    loss: LossConfig = LossConfig()
    evaluations: int = Field(4, gt=0, description="checkpoints, each with an evaluation, evenly over the run")
    checkpoint_minutes: float = Field(5.0, gt=0, description="a checkpoint at least this often, for --resume")
    threads: int | None = Field(None, gt=0, description="CPU threads; all cores when not given")
    bf16: bool = Field(False, description="multiply in bfloat16 on the CPU: 1.6x where it has AVX512-BF16 or AMX")


class NgramConfig(TargetsConfig):
    """One fit of the linear n-gram classifier; its output holds ngrams.npz, ngrams.json and the tokenizer."""

    prior: Literal["naive_bayes", "idf"] = Field(
        "naive_bayes", description="n-grams that may get large weights: those leaning to a label, or the rare ones"
    )
    order: int = Field(3, ge=1, le=3, description="longest n-gram, in tokens")
    bits: int = Field(20, ge=8, le=24, description="the table holds 2^bits weights a column, a byte each")
    min_reviews: float = Field(2.0, ge=0, description="n-grams of fewer reviews have weight 0")
    l2: float = Field(3e-6, gt=0, description="pull to zero, in units of the naive Bayes prior")
    iterations: int = Field(40, gt=0, description="of L-BFGS; stopping early regularises too")
    judge: str | None = Field(None, description="a file to label every text of, as a teacher")
    cross_fit: int = Field(0, ge=0, le=20, description="folds: each training review is labelled by a fit on the others")


class TemplatesConfig(BaseModel):
    """Generated sentences, written to `output` as train.parquet and held_out.parquet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_pattern: int = Field(40, gt=0, description="most sentences of one pattern")
    seed: int = Field(13, description="draws the words of the slots")
    output: Path = Field(Path("runs/templates"), description="folder of the two files")


class PretrainConfig(DataConfig):
    """Masked-language training on the texts of the training part and of files without labels."""

    unlabelled: list[str] = Field(default_factory=list, description="files whose texts are learnt from too")
    max_tokens: int = Field(128, ge=8, le=512, description="reviews are cut into windows of this many tokens")
    mask_share: float = Field(0.2, gt=0, lt=1, description="share of the tokens that is hidden, drawn in each epoch")
    dropout: float = Field(0.0, ge=0, lt=1, description="hidden and attention dropout; 1.3x CPU time at 0.1")
    freeze_embeddings: bool = False

    epochs: float = Field(1.0, gt=0)
    batch_size: int = Field(32, gt=0, description="windows")
    learning_rate: float = Field(2e-4, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.05, ge=0, lt=1, description="part of all steps; a linear decay to zero follows")
    checkpoint_minutes: float = Field(5.0, gt=0, description="a checkpoint at least this often, for --resume")
    threads: int | None = Field(None, gt=0, description="CPU threads; all cores when not given")
    bf16: bool = Field(False, description="multiply in bfloat16 on the CPU: 1.6x where it has AVX512-BF16 or AMX")


class EmbedderConfig(DataConfig):
    """One fit of an embedder; its output holds embedder.npz, embedder.json and the tokenizer."""

    unlabelled: list[str] = Field(default_factory=list, description="files whose texts are learnt from too")
    dimensions: int = Field(120, gt=1, description="topics; topics and labels together are at most 128 in the database")
    idf_power: float = Field(1.5, gt=0, description="above 1, rare words such as names count for more")
    min_reviews: int = Field(3, gt=0, description="tokens of fewer reviews are ignored")
    steps: int = Field(1000, ge=0, description="of pulling reviews of one group together; 0, or no group: none")
    batch_size: int = Field(512, gt=1, description="groups a step, two reviews of each")
    temperature: float = Field(0.05, gt=0, description="of the contrast: lower gives the nearest others more weight")
    learning_rate: float = Field(0.01, gt=0)
    judgement: float = Field(0.2, ge=0, le=1, description="share of the similarity that comes from the sentiment")
    ngrams: Path | None = Field(None, description="folder of `verdict ngram`, to classify the validation reviews with")


class ExperimentConfig(BaseModel):
    """Losses or preprocessings to compare: each replaces that of `train`, once a seed. The first is the baseline."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: TrainConfig
    losses: dict[str, LossConfig] | None = Field(None, min_length=1)
    preprocessing: dict[str, PreprocessingConfig] | None = Field(None, min_length=1)
    seeds: list[int] = Field(min_length=2, description="a spread needs two")
    output: Path = Path("runs/losses")

    @model_validator(mode="after")
    def _one_kind(self) -> "ExperimentConfig":
        if (self.losses is None) == (self.preprocessing is None):
            raise ValueError("give either losses or preprocessing")
        return self

    def variants(self) -> tuple[str, dict[str, TrainConfig]]:
        """Return the compared setting, in one word, and the run of each variant by name."""
        if self.losses:
            return "loss", {name: self.train.model_copy(update={"loss": loss}) for name, loss in self.losses.items()}
        prepared = self.preprocessing or {}
        runs = {name: self.train.model_copy(update={"preprocessing": each}) for name, each in prepared.items()}
        return "preprocessing", runs


class SearchConfig(BaseModel):
    """A hyper-parameter search: each trial is `train` with values drawn from these ranges."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: TrainConfig
    learning_rate: tuple[PositiveFloat, PositiveFloat] = Field((2e-5, 3e-4), description="lowest and highest")
    batch_size: list[PositiveInt] = Field([8, 16, 32], min_length=1)
    epochs: tuple[PositiveFloat, PositiveFloat] = Field((1.0, 3.0), description="lowest and highest")
    trials: int = Field(12, gt=0, description="all of them together, those of an earlier start included")
    seed: int = Field(13, description="of the sampler")
    output: Path = Path("runs/search")

    @model_validator(mode="after")
    def _ordered(self) -> "SearchConfig":
        for name in ("learning_rate", "epochs"):
            lowest, highest = getattr(self, name)
            if lowest > highest:
                raise ValueError(f"{name} must be the lowest value and the highest")
        return self
