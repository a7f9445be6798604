"""A gallery made with a head: it keeps the head, opens with it anywhere and refuses others."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from catalogues import MakeCatalogue
from head_cases import random_arrays

from nearid_search.config import EncoderConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import GalleryMismatchError, WeightsError
from nearid_search.head_file import HeadManifest, save_head
from nearid_search.head_numpy import embed
from nearid_search.head_spec import HeadSpec
from nearid_search.images import read_image
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.encoder_choice import find_encoder_config
from nearid_search.indexer.gallery import Gallery

SPEC = HeadSpec(token_dims=(1152,), width=32, num_heads=4, num_probes=2, mlp_dim=48, out_dim=16)
FOUR = {"chair/1.png": 1, "chair/2.png": 2, "lamp/1.png": 3, "table/1.png": 4}


def make_head(folder: Path, encoder: IdentityEncoder, seed: int = 0, *, backbone: str | None = None) -> Path:
    save_head(
        folder,
        random_arrays(SPEC, seed),
        HeadManifest(
            spec=SPEC,
            backbone=encoder.source,
            backbone_weights=backbone or encoder.backbone.spec.weights_fingerprint,
            data_hash="0" * 64,
            split_sizes={"train": 1},
            seed=seed,
            config={"dtype": "float32"},
            created_at="2026-01-01T00:00:00+00:00",
            made_by="0",
        ),
    )
    return folder


@pytest.fixture
def head(encoder: IdentityEncoder, tmp_path: Path) -> Path:
    return make_head(tmp_path / "head", encoder)


def test_the_embedding_is_the_heads_of_the_backbones_tokens(
    encoder: IdentityEncoder, head: Path, catalogue: MakeCatalogue
) -> None:
    paths = sorted(catalogue(FOUR).rglob("*.png"))
    with_head = IdentityEncoder.open(head=head, device="cpu")
    embeddings = with_head.encode(paths)
    tokens = with_head.backbone.tokens(np.stack([encoder.prepare(read_image(path).pixels) for path in paths]))
    assert np.array_equal(embeddings, embed(SPEC, random_arrays(SPEC), tokens))
    assert with_head.dim == embeddings.shape[1] == 16
    assert np.array_equal(with_head.encode(paths[2:], batch_size=1), embeddings[2:])


def test_the_fingerprint_names_the_head(encoder: IdentityEncoder, head: Path, tmp_path: Path) -> None:
    first = IdentityEncoder.open(head=head, device="cpu")
    other = IdentityEncoder.open(head=make_head(tmp_path / "other", encoder, seed=1), device="cpu")
    assert first.fingerprint.startswith(encoder.backbone.spec.fingerprint + "+map:")
    assert len({encoder.fingerprint, first.fingerprint, other.fingerprint}) == 3


def test_a_gallery_keeps_its_head_when_it_is_moved_and_the_original_is_gone(
    head: Path, catalogue: MakeCatalogue, tmp_path: Path
) -> None:
    folder = catalogue(FOUR)
    config = find_encoder_config(tmp_path / "gallery", backbone=None, dtype=None, device="cpu", head=head)
    index_catalogue(folder, gallery=tmp_path / "gallery", encoder_config=config)
    shutil.rmtree(head)
    (tmp_path / "moved").mkdir()
    moved = (tmp_path / "gallery").rename(tmp_path / "moved/gallery")
    answer = SearchEngine.open(moved, device="cpu").query(folder / "lamp/1.png", k=1)
    assert answer.matches[0].identity == "lamp"
    assert answer.matches[0].score == pytest.approx(1, abs=1e-6)


def test_a_second_run_and_a_rebuild_use_the_gallerys_head(head: Path, catalogue: MakeCatalogue, tmp_path: Path) -> None:
    folder, gallery = catalogue(FOUR), tmp_path / "gallery"

    def index(*, rebuild: bool = False) -> str:
        config = find_encoder_config(gallery, backbone=None, dtype=None, device="cpu", fresh=rebuild)
        index_catalogue(folder, gallery=gallery, encoder_config=config, rebuild=rebuild)
        return Gallery.open(gallery).manifest.encoder.fingerprint

    first = find_encoder_config(gallery, backbone=None, dtype=None, device="cpu", head=head)
    index_catalogue(folder, gallery=gallery, encoder_config=first)
    made_by = Gallery.open(gallery).manifest.encoder.fingerprint
    (folder / "chair/1.png").unlink()
    assert index() == made_by
    assert index(rebuild=True) == made_by
    assert len(list(gallery.glob("head*"))) == 1


def test_another_head_is_refused_and_a_rebuild_takes_it(
    encoder: IdentityEncoder, head: Path, catalogue: MakeCatalogue, tmp_path: Path
) -> None:
    folder, gallery = catalogue(FOUR), tmp_path / "gallery"
    index_catalogue(folder, gallery=gallery, encoder=IdentityEncoder.open(head=head, device="cpu"))
    other = IdentityEncoder.open(head=make_head(tmp_path / "other", encoder, seed=1), device="cpu")
    for wrong in (other, encoder):
        with pytest.raises(GalleryMismatchError, match="gallery migrate"):
            index_catalogue(folder, gallery=gallery, encoder=wrong)
    index_catalogue(folder, gallery=gallery, encoder=other, rebuild=True)
    opened = Gallery.open(gallery)
    assert opened.manifest.encoder.fingerprint == other.fingerprint
    assert [path.name for path in gallery.glob("head*")] == [opened.manifest.encoder.head]


def test_a_head_can_be_dropped(head: Path, catalogue: MakeCatalogue, tmp_path: Path) -> None:
    folder, gallery = catalogue(FOUR), tmp_path / "gallery"
    index_catalogue(folder, gallery=gallery, encoder=IdentityEncoder.open(head=head, device="cpu"))
    config = find_encoder_config(gallery, backbone=None, dtype=None, device="cpu", head="none", fresh=True)
    assert config.head is None
    index_catalogue(folder, gallery=gallery, encoder_config=config, rebuild=True)
    assert list(gallery.glob("head*")) == []


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_head_serves_any_arithmetic_and_the_gallery_remembers_which(
    head: Path, catalogue: MakeCatalogue, tmp_path: Path, dtype: str
) -> None:
    folder, gallery = catalogue(FOUR), tmp_path / "gallery"
    config = find_encoder_config(gallery, backbone=None, dtype=dtype, device="cpu", head=head)
    index_catalogue(folder, gallery=gallery, encoder_config=config)
    record = Gallery.open(gallery).manifest.encoder
    assert (record.dtype, record.details["dtype"]) == (dtype, dtype)
    engine = SearchEngine.open(gallery, device="cpu")
    assert engine.encoder.dtype == dtype
    assert engine.query(folder / "lamp/1.png", k=1).matches[0].score == pytest.approx(1, abs=1e-6)
    # Whatever the machine prefers, the gallery's own arithmetic comes first; another is refused.
    for left_open in (None, "auto"):
        again = find_encoder_config(gallery, backbone=None, dtype=left_open, device="cpu", head=head)
        assert again.dtype == dtype
    (folder / "lamp/2.png").write_bytes((folder / "table/1.png").read_bytes() + b"\0")
    automatic = EncoderConfig(backbone="dinov2-small", device="cpu", head=str(head))
    assert index_catalogue(folder, gallery=gallery, encoder_config=automatic).added == 1
    other = find_encoder_config(
        gallery, backbone=None, dtype={"float32": "bfloat16", "bfloat16": "float32"}[dtype], device="cpu"
    )
    assert other.head == str(gallery / str(record.head))
    with pytest.raises(GalleryMismatchError, match=f"--dtype {other.dtype}"):
        index_catalogue(folder, gallery=gallery, encoder_config=other)


def test_a_head_of_another_backbone_is_refused(encoder: IdentityEncoder, tmp_path: Path) -> None:
    head = make_head(tmp_path / "head", encoder, backbone="other:123456789abc")
    with pytest.raises(WeightsError, match=r"other:123456789abc"):
        IdentityEncoder.open(head=head, device="cpu")
