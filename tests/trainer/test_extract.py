"""Pictures of every size and kind are cached side by side, each as the backbone alone would see it."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from nearid_search.backbones.registry import open_backbone
from nearid_search.images import read_image
from nearid_search.trainer.datasets.image_sources import FileImage
from nearid_search.trainer.extract import extract_features
from nearid_search.trainer.feature_store import FeatureStore


def save(folder: Path, size: tuple[int, int], mode: str) -> Path:
    width, height = size
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 4), np.uint8)
    path = folder / f"{mode}-{width}-{height}.png"
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def test_sizes_and_kinds_may_be_mixed(tmp_path: Path) -> None:
    kinds = [((1, 1), "RGB"), ((500, 20), "RGBA"), ((64, 300), "L"), ((97, 61), "P"), ((800, 600), "RGB")]
    paths = [save(tmp_path, size, mode) for size, mode in kinds]
    images = {hashlib.sha256(path.read_bytes()).hexdigest(): FileImage(path) for path in paths}
    backbone = open_backbone("dinov2-small", device="cpu", dtype="float32")
    store = FeatureStore(tmp_path / "store", backbone.spec)
    assert extract_features(images, backbone, store, batch_size=len(paths)) == []
    preprocessing = backbone.spec.preprocessing
    for key, source in images.items():
        pixels = read_image(source.path, min_side=2 * preprocessing.size).pixels
        (alone,) = backbone.tokens(preprocessing.resize(pixels)[None])
        (cached,) = store.tokens(store.rows([key]))
        assert np.allclose(cached, alone, rtol=2**-10, atol=1e-6)
