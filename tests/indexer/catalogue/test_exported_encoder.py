"""A gallery made by an exported encoder, without the backbone and head it came from."""

from pathlib import Path

import numpy as np
import pytest
from catalogues import MakeCatalogue
from head_cases import random_arrays

from nearid_search.backbones.registry import open_backbone
from nearid_search.config import EncoderConfig
from nearid_search.encoder import IdentityEncoder, describe_encoder, open_encoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import ConfigError, GalleryMismatchError, WeightsError
from nearid_search.head_file import HeadManifest, load_head, save_head
from nearid_search.head_spec import HeadSpec
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.encoder_choice import find_encoder_config
from nearid_search.indexer.gallery import Gallery
from nearid_search.onnx_encoder import OnnxEncoder
from nearid_search.onnx_export import export_onnx

SPEC = HeadSpec(token_dims=(1152,), width=32, num_heads=4, num_probes=2, mlp_dim=48, out_dim=16)
FOUR = {"chair/1.png": 1, "chair/2.png": 2, "lamp/1.png": 3, "table/1.png": 4}


def export(folder: Path, seed: int) -> Path:
    backbone = open_backbone("dinov2-small", device="cpu", dtype="float32")
    manifest = HeadManifest(
        spec=SPEC,
        backbone="dinov2-small",
        backbone_weights=backbone.spec.weights_fingerprint,
        data_hash="0" * 64,
        split_sizes={"train": 1},
        seed=seed,
        created_at="2026-01-01T00:00:00+00:00",
        made_by="0",
    )
    save_head(folder / "head", random_arrays(SPEC, seed), manifest)
    export_onnx(backbone, load_head(folder / "head"), folder / "encoder.onnx")
    return folder / "encoder.onnx"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("exported"), seed=0)


def test_a_gallery_is_made_refreshed_and_asked_by_the_file(
    exported: Path, catalogue: MakeCatalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, gallery = catalogue(FOUR), tmp_path / "gallery"
    monkeypatch.chdir(exported.parent)
    config = find_encoder_config(gallery, backbone="onnx:encoder.onnx", dtype=None, device="auto")
    index_catalogue(folder, gallery=gallery, encoder_config=config)
    record = Gallery.open(gallery).manifest.encoder
    assert (record.backbone, record.dtype, record.head, record.dim) == (f"onnx:{exported}", "float32", None, 16)
    monkeypatch.chdir(tmp_path)
    answer = SearchEngine.open(gallery).query(folder / "lamp/1.png", k=1)
    assert answer.matches[0].identity == "lamp"
    assert answer.matches[0].score == pytest.approx(1, abs=1e-6)
    (folder / "chair/1.png").unlink()
    again = find_encoder_config(gallery, backbone=None, dtype=None, device="auto")
    assert index_catalogue(folder, gallery=gallery, encoder_config=again).removed == 1


def test_it_encodes_files_as_backbone_and_head_do(exported: Path, catalogue: MakeCatalogue) -> None:
    paths = sorted(catalogue(FOUR).rglob("*.png"))
    apart = IdentityEncoder.open(head=exported.parent / "head", device="cpu", dtype="float32")
    found = OnnxEncoder(exported)
    np.testing.assert_allclose(found.encode(paths), apart.encode(paths), atol=1e-4)
    assert found.min_side == apart.min_side


def test_another_file_under_the_same_name_is_refused(catalogue: MakeCatalogue, tmp_path: Path) -> None:
    folder, gallery = catalogue(FOUR), tmp_path / "gallery"
    file = export(tmp_path, seed=1)
    index_catalogue(folder, gallery=gallery, encoder=OnnxEncoder(file))
    export(tmp_path, seed=2)
    with pytest.raises(GalleryMismatchError, match=r"\+onnx:[0-9a-f]{12}, but this encoder is .*\+onnx:"):
        SearchEngine.open(gallery)
    file.unlink()
    with pytest.raises(WeightsError, match=r"encoder\.onnx"):
        SearchEngine.open(gallery)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"dtype": "bfloat16"}, "runs in float32 on the CPU, got bfloat16 on auto"),
        ({"device": "cuda"}, "runs in float32 on the CPU, got auto on cuda"),
        ({"head": "head"}, "has its head inside: leave out the head head"),
    ],
)
def test_what_the_file_cannot_have_is_refused(exported: Path, setting: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_encoder(EncoderConfig(backbone=f"onnx:{exported}", **setting))


def test_an_encoder_is_described_without_opening_it(exported: Path) -> None:
    assert describe_encoder(EncoderConfig(backbone="onnx:none.onnx")) == "onnx:none.onnx in float32 on cpu"
    config = EncoderConfig(backbone="dinov2-small", device="cpu", head=str(exported.parent / "head"))
    opened = open_encoder(config)
    assert describe_encoder(config) == f"dinov2-small with head {config.head} in {opened.dtype} on {opened.device}"
