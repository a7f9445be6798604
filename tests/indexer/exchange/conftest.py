"""A file of embeddings, and where a gallery is to come."""

from pathlib import Path

import pytest
from embedding_files import NAMES, PATHS, directions, write_embeddings


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Four rows of three things, one without a path, one without metadata."""
    return write_embeddings(tmp_path / "e.parquet", directions(1, 4), NAMES, path=PATHS, bin=["A", None, "B", "B"])


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """Where nothing is yet."""
    return tmp_path / "gallery"
