"""Settings of architectures: dropout has an effect or is refused, and texts are no longer than the network reads."""

# ruff: noqa: E402 - the skips must come before the libraries that may be absent

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
transformers = pytest.importorskip("transformers", reason="the training extra is not installed: make test")

from tests.training.conftest import recipe
from tests.training.test_folder import OTHERS, other_base
from training.errors import TrainingError
from training.export.export_model import export
from training.learn.architecture import check_max_tokens, dropout_options, token_limit
from training.learn.model import load_base, load_encoder
from training.learn.pretrain import pretrain
from training.learn.train import train
from training.recipes.recipe import ExportConfig, RecipeStep
from training.recipes.steps import check


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_dropout_reaches_every_architecture(kind: str, dropout: float, base_model: Path, tmp_path: Path) -> None:
    encoder = load_encoder(str(other_base(kind, base_model, tmp_path)), dropout).train()
    assert {module.p for module in encoder.modules() if isinstance(module, torch.nn.Dropout)} <= {dropout}
    ids = torch.arange(5, 25).unsqueeze(0)
    first, second = (encoder(input_ids=ids).last_hidden_state for _ in range(2))
    assert first.equal(second) is (dropout == 0)


def test_dropout_reaches_the_head_of_an_architecture(base_model: Path, sentences: Path, tmp_path: Path) -> None:
    base = other_base("distilbert", base_model, tmp_path)
    network = load_base(recipe(base, sentences, tmp_path, dropout=0.3), ["bad", "good"]).train()
    assert {module.p for module in network.modules() if isinstance(module, torch.nn.Dropout)} == {0.3}


def test_dropout_that_would_be_without_effect_is_refused() -> None:
    config = transformers.PreTrainedConfig()
    config.model_type = "unheard-of"
    with pytest.raises(TrainingError, match="unheard-of has no dropout"):
        dropout_options(config, 0.1)
    assert dropout_options(config, 0.0) == {}


@pytest.mark.parametrize(("kind", "limit"), [("bert", 34), ("roberta", 33), ("mpnet", 32), ("distilbert", 34)])
def test_the_longest_text_is_what_the_positions_allow(kind: str, limit: int) -> None:
    padding = 1 if kind == "mpnet" else 0
    config = transformers.AutoConfig.for_model(kind, vocab_size=30, max_position_embeddings=34, pad_token_id=padding)
    assert token_limit(config) == limit
    model = transformers.AutoModel.from_config(config).eval()
    model(input_ids=torch.full((1, limit), 5))
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, limit + 1), 5))
    check_max_tokens(config, limit, "x")
    with pytest.raises(TrainingError, match=f"it has {limit} positions"):
        check_max_tokens(config, limit + 1, "x")


def test_more_tokens_than_the_network_reads_get_one_line_everywhere(
    base_model: Path, sentences: Path, tmp_path: Path
) -> None:
    said = "max_tokens 33 is more than .* can read; it has 32 positions"
    config = recipe(base_model, sentences, tmp_path / "run", max_tokens=33)
    with pytest.raises(TrainingError, match=said):
        check([RecipeStep("train", config)], resume=False)
    with pytest.raises(TrainingError, match=said):
        train(config)
    done = tmp_path / "done"
    train(recipe(base_model, sentences, done, epochs=1, evaluations=1))
    with pytest.raises(TrainingError, match=said):
        export(ExportConfig(run=[done], target=tmp_path / "m" / "1", max_tokens=33))


def test_pretraining_windows_fit_the_network(base_model: Path, sentences: Path, tmp_path: Path) -> None:
    from tests.training.test_pretrain import pretraining  # noqa: PLC0415 - its recipe

    with pytest.raises(TrainingError, match="it has 32 positions"):
        pretrain(pretraining(base_model, sentences, tmp_path, max_tokens=64))
