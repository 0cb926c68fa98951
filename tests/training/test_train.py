"""The settings of one training run, beyond the round trip to a served model."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
pytest.importorskip("transformers", reason="the training extra is not installed: make test")

from safetensors.torch import load_file

from tests.training.conftest import recipe
from training.data.run_folder import trained_weights
from training.learn.train import train


def test_a_review_weighs_by_its_whole_length_though_the_network_sees_a_part(base_model: Path, tmp_path: Path) -> None:
    data = tmp_path / "long.csv"  # every review is cut to 8 tokens
    lines = [f"the film was {'very ' * times}{word}" for times in (8, 20) for word in ("awful", "superb")]
    data.write_text("text,label\n" + "".join(f"{line},{line.split()[-1]}\n" for line in lines * 4), encoding="utf-8")
    weights = []
    for exponent in (0, -1):
        loss = {"kind": "length", "length_exponent": exponent}
        output = tmp_path / str(exponent)
        train(recipe(base_model, data, output, loss=loss, validation_size=2, epochs=1))
        weights.append(load_file(trained_weights(output))["head.weight"])
    assert not weights[0].equal(weights[1])
