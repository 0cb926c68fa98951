"""A worker opens the embedder of its model if it can, and works without one otherwise."""

from pathlib import Path

import numpy as np
import pytest

from db.vectors import EMBEDDING_DIMENSIONS
from inference.embedder import Topics
from tests.embedders import write_manifest, write_model
from worker.context import _open_embedder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "1")


def test_an_embedder_that_fits_is_opened(folder: Path) -> None:
    embedder = _open_embedder(folder)
    assert embedder is not None
    assert embedder.dimensions == 5


def test_a_model_without_one_has_none(tmp_path: Path) -> None:
    assert _open_embedder(write_model(tmp_path / "1", embedder=False)) is None


def test_one_that_cannot_be_read_is_left_out(folder: Path) -> None:
    (folder / "embedder.npz").write_bytes(b"PK no zip")
    assert _open_embedder(write_manifest(folder)) is None


def test_one_with_more_dimensions_than_the_column_is_left_out(folder: Path) -> None:
    table = np.zeros((3, EMBEDDING_DIMENSIONS), dtype=np.int8)
    Topics(table, np.ones(3, dtype=np.float32), 0.2).write(folder / "embedder.npz")
    assert _open_embedder(write_manifest(folder)) is None
