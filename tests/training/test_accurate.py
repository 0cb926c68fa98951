"""The recipe of the accurate tier, run on a random network of its architecture: MPNet, whose attention has a bias."""
# ruff: noqa: E402 - the skips must come before the libraries that may be absent

import csv
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime as ort
import pytest
import yaml

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
transformers = pytest.importorskip("transformers", reason="the training extra is not installed: make test")

from inference.loading import load_classifier
from inference.manifest import load_manifest
from tests.training.conftest import WORDS, save_random_base
from training.data.run_folder import RunRecord
from training.learn.model import load_trained
from training.recipes.options import NgramConfig, TrainConfig
from training.recipes.recipe import load_recipe
from training.recipes.steps import run_step

pytestmark = pytest.mark.timeout(400)  # 20 s on idle cores: every step of the recipe

RECIPE = Path("training/configs/accurate.yaml")
LABELS = {"negative": WORDS["bad"], "positive": WORDS["good"]}
# MPNet takes the id of the padding token for granted: 1.
SPECIAL = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random MPNet of two layers, with a tokenizer."""
    folder = tmp_path_factory.mktemp("mpnet")
    save_random_base(folder, "MPNet", SPECIAL, f"the film was very {' '.join(LABELS.values())}", positions=34)
    return folder


@pytest.fixture(scope="module")
def folder(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of runs and of the model that the recipe makes with small sizes."""
    folder = tmp_path_factory.mktemp("accurate")
    data = folder / "reviews.csv"
    with data.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "sentiment"])
        for turn in range(64):
            label = ("negative", "positive")[turn % 2]
            writer.writerow([f"the film was {'very ' * (turn % 3)}{LABELS[label].split()[turn // 2 % 4]}", label])
    small = {
        "data": str(data),
        "base_model": str(base),
        "group_column": None,
        "validation_size": 16,
        "more": [],
        "even": [],
        "validation": [],
        "distil": None,
        "unlabelled": [],
        "bits": 10,
        "dimensions": 8,
        "train.max_tokens": 8,
        "train.batch_size": 4,
        "train.epochs": 8,
        "train.learning_rate": 3e-3,
        "train.freeze_embeddings": False,
        "train.sentences": str(folder / "ngram"),
        "train.bf16": False,
        "threads": 1,
        "export.run": str(folder / "train"),
        "export.ngrams": str(folder / "ngram"),
        "export.embedder": str(folder / "embedder"),
        "embedder.ngrams": str(folder / "ngram"),
        "export.target": str(folder / "models" / "accurate"),
        "export.golden": None,
        "export.neutral": [],
        "export.domains": None,
        "export.language": None,
        "export.test": [str(data)],
        "export.token_budget": 64,
    }
    overrides = [f"{key}={yaml.safe_dump(value, default_flow_style=True).strip()}" for key, value in small.items()]
    overrides += [f"{kind}.output={folder / kind}" for kind in ("templates", "ngram", "train", "embedder")]
    for step in load_recipe(RECIPE, [each.removesuffix("\n...") for each in overrides]):
        run_step(step, "verdict train")
    return folder


def test_every_part_has_the_tokens_of_the_wide_network() -> None:
    steps = [step.config for step in load_recipe(RECIPE)]
    fitted = [config for config in steps if hasattr(config, "base_model")]
    assert {config.base_model for config in fitted} == {"sentence-transformers/all-mpnet-base-v2"}
    [ngram] = [config for config in fitted if isinstance(config, NgramConfig)]
    [network] = [config for config in fitted if isinstance(config, TrainConfig)]
    assert (network.head, network.start, network.frozen_layers) == ("mean", [], 0)
    assert network.sentences == ngram.output == steps[-1].ngrams
    assert (network.data, network.split_seed, network.validation) == (ngram.data, ngram.split_seed, ngram.validation)
    assert steps[-1].precision == "int8"


def test_the_exported_model_classifies_as_it_was_trained(folder: Path) -> None:
    target = folder / "models" / "accurate" / "1"
    manifest = load_manifest(target)
    assert (manifest.precision, manifest.backend, manifest.pad_id) == ("int8", "cascade", 1)
    assert manifest.embedder == "embedder.npz"
    assert next(entry.accuracy for entry in manifest.metrics if entry.split == "test") == 1.0
    for point in (None, "full"):
        classifier = load_classifier(target, threads=1, point=point)
        batch = classifier.tokenise(["the film was superb", "the film was very very dull"])
        answers = classifier.postprocess(batch, classifier.forward(batch))
        assert [answer.sentiment for answer in answers] == ["positive", "negative"]


def test_the_int8_file_of_the_wide_network_has_at_most_110_megabytes(folder: Path) -> None:
    path = folder / "models" / "accurate" / "1" / "model.onnx"
    graph = onnx.load(path).graph
    weights = sum(onnx.numpy_helper.to_array(value).nbytes for value in graph.initializer)
    overhead = (path.stat().st_size - weights) / len(graph.node)
    assert overhead < 500  # bytes a node
    with torch.device("meta"):
        network = transformers.MPNetModel(transformers.MPNetConfig(vocab_size=30_527, max_position_embeddings=514))
    shapes = [value.shape for name, value in network.named_parameters() if "pooler" not in name]
    channels = sum(shape[0] for shape in shapes if len(shape) == 2 and shape[0] < 30_000)
    values = sum(shape.numel() * (1 if len(shape) == 2 else 4) for shape in shapes)
    nodes_a_layer = len(graph.node) / 2
    assert (values + 5 * channels + 12 * nodes_a_layer * overhead) / 1e6 < 110


def test_int8_changes_a_logit_little_and_leaves_the_attention_exact(folder: Path) -> None:
    graph = folder / "models" / "accurate" / "1" / "model.onnx"
    network = load_trained(folder / "train", len(RunRecord.read(folder / "train").labels))
    ids = np.random.default_rng(0).integers(3, 16, (8, 12))
    mask = np.ones_like(ids)
    mask[::2, 6:] = 0
    with torch.inference_mode():
        exact = network(torch.from_numpy(ids), torch.from_numpy(mask))["logits"].numpy()
    session = ort.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    (served,) = session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
    assert np.abs(np.asarray(served) - exact).mean() < 0.05 * np.abs(exact).mean()
    biases = [value for value in onnx.load(graph).graph.initializer if "relative_attention_bias" in value.name]
    assert [value.data_type for value in biases] == [onnx.TensorProto.FLOAT]
    made = {name: node.op_type for node in onnx.load(graph).graph.node for name in node.output}
    products = [node for node in onnx.load(graph).graph.node if node.op_type == "MatMul"]
    attention = [node for node in products if "Softmax" in {made.get(name) for name in node.input}]
    assert len(attention) == 2
    quantised = [node for node in products if {made.get(name) for name in node.input} == {"DequantizeLinear"}]
    assert len(quantised) == 2 * 6  # query, key, value and three dense layers, in two layers
