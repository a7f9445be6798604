"""A missing or doubled FAISS is named with the line that mends it."""

import sys
from pathlib import Path

import numpy as np
import pytest

from nearid_search.errors import ConfigError, MissingExtraError
from nearid_search.indexer.search.backend import make_backend

GALLERY = np.eye(2, dtype=np.float32)


def test_a_missing_faiss_is_named_with_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)  # what the import system does for a module that is not there
    with pytest.raises(MissingExtraError, match=r"needs faiss-cpu.*pip install 'nearid-search\[cpu\]"):
        make_backend("faiss-flat", GALLERY)


def test_a_small_gallery_needs_no_faiss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert make_backend("auto", GALLERY).num_rows == 2


def test_two_of_them_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("faiss_cpu", "faiss_gpu"):
        metadata = tmp_path / f"{name}-1.15.0.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.15.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match="pip uninstall faiss-cpu faiss-gpu"):
        make_backend("faiss-flat", GALLERY)
