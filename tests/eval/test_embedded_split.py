"""Embedding a split with the real backbone: what is shared, what is cut out, what is dropped and counted."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from small_heads import write_head
from training_sets import Drawn, file_name, two_views, write_folder

from nearid_search.backbones.base import Backbone, BackboneSpec
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import ConfigError, DatasetError
from nearid_search.eval.embedded_split import EmbeddedSplit, embed_split
from nearid_search.eval.encode_pictures import Picture, encode_pictures
from nearid_search.eval.readouts import FROZEN, HEAD, MEAN, OTHER, Readouts, mean_tokens
from nearid_search.similarity import unit_rows
from nearid_search.trainer.datasets import open_dataset
from nearid_search.trainer.datasets.image_sources import FileImage

IMAGES = [*two_views("test", "cup", 100), *two_views("test", "jug", 200)]


def embed(root: Path, images: list[Drawn], encoder: IdentityEncoder, *, batch_size: int = 8) -> EmbeddedSplit:
    return embed_split(open_dataset(write_folder(root, images)).split("test"), Readouts(encoder), batch_size=batch_size)


def path_of(root: Path, image: Drawn) -> Path:
    return root / file_name(image)


def test_embeddings_are_the_encoders_own(tmp_path: Path, encoder: IdentityEncoder) -> None:
    split = embed(tmp_path, IMAGES, encoder)
    paths = [Path(picture.image.name) for picture in split.pictures]
    np.testing.assert_array_equal(split.embeddings[FROZEN], encoder.encode(paths))
    prepared = encoder.prepare(encoder.read(paths[0]).pixels)[None]
    np.testing.assert_array_equal(split.embeddings[MEAN][:1], unit_rows(mean_tokens(encoder.backbone.tokens(prepared))))
    assert len(paths) == len(IMAGES)
    assert split.placed.view_codes.tolist() == [0, 0, 1, 1]
    assert len(split.placed.distractor_rows) == 8


def test_the_batch_changes_nothing(tmp_path: Path, encoder: IdentityEncoder) -> None:
    whole = embed(tmp_path, IMAGES, encoder)
    single = embed(tmp_path, IMAGES, encoder, batch_size=1)
    assert whole.placed == single.placed
    np.testing.assert_array_equal(whole.embeddings[FROZEN], single.embeddings[FROZEN])


def test_equal_pictures_share_a_row(tmp_path: Path, encoder: IdentityEncoder) -> None:
    shared = [image._replace(seed=7) if image.source == "flux" else image for image in IMAGES]
    split = embed(tmp_path, shared, encoder)
    rows = {view.distractors["flux"] for sample in split.placed.rows for view in sample.views}
    assert len(rows) == 1
    assert len(split.embeddings[FROZEN]) == len(IMAGES) - 3
    assert len(split.placed.distractor_rows) == 5


def test_a_distractor_that_shows_another_identity_is_that_identity(tmp_path: Path, encoder: IdentityEncoder) -> None:
    seed_of_jug = next(image.seed for image in IMAGES if image.identity == "jug" and image.role == "positive")
    changed = [IMAGES[0], IMAGES[1]._replace(seed=seed_of_jug), *IMAGES[2:]]
    placed = embed(tmp_path, changed, encoder).placed
    assert placed.rows[0].views[0].distractors["flux"] == placed.rows[1].views[0].view
    assert len(placed.distractor_rows) == 7


def test_masks_cut_out_view_and_distractors(tmp_path: Path, encoder: IdentityEncoder) -> None:
    mask = Drawn("test", "cup", 1, "mask", "", 0)
    write_folder(tmp_path, [*IMAGES, mask])
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(path_of(tmp_path, mask))
    split = embed_split(open_dataset(tmp_path).split("test"), Readouts(encoder))
    assert [sample.identity for sample in split.masked.samples] == ["cup"]
    assert split.unmasked.rows[0].views[0] == split.placed.rows[0].views[0]
    row = split.masked.rows[0].views[0].view
    grey = encoder.encode([np.full((50, 50, 3), 128, np.uint8)])
    np.testing.assert_allclose(split.embeddings[FROZEN][[row]], grey, atol=1e-6)
    rows = [row, *split.masked.rows[0].views[0].distractors.values()]
    assert not set(rows) & set(split.placed.view_rows.tolist())
    assert len(set(rows)) == 3  # alike in pixels, but other contents


def test_what_cannot_be_read_is_dropped_and_counted(tmp_path: Path, encoder: IdentityEncoder) -> None:
    lamp = [image for image in two_views("test", "lamp", 300) if image.view == 1]
    write_folder(tmp_path, [*IMAGES, *lamp, Drawn("test", "jug", 2, "mask", "", 1)])
    path_of(tmp_path, IMAGES[0]).write_bytes(b"no picture")  # a view of cup: its two distractors go, too
    path_of(tmp_path, IMAGES[7]).write_bytes(b"")  # a distractor of jug
    path_of(tmp_path, Drawn("test", "jug", 2, "mask", "", 1)).write_bytes(b"no mask")
    samples = open_dataset(tmp_path).split("test")
    path_of(tmp_path, lamp[0]).unlink()
    dropped = embed_split(samples, Readouts(encoder)).dropped
    assert (dropped.identities, dropped.views, dropped.distractors, dropped.masked_pictures) == (1, 2, 5, 3)
    assert any("zero bytes" in failure.error for failure in dropped.failures)
    assert any("no such file" in failure.error for failure in dropped.failures)
    counts = dropped.as_dict()
    assert counts["views"] == 2
    assert len(dropped.failures) == 4  # two views, a distractor, and the mask, once for its three pictures


def test_copies_of_a_view_and_of_its_identity_are_dropped_and_counted(tmp_path: Path, encoder: IdentityEncoder) -> None:
    first, flux = IMAGES[0], IMAGES[1]
    second = IMAGES[3]
    copied = [first, flux._replace(seed=first.seed), *IMAGES[2:3], second._replace(seed=first.seed), *IMAGES[4:]]
    split = embed(tmp_path, copied, encoder)
    assert (split.dropped.duplicate_views, split.dropped.distractors, split.dropped.own_distractors) == (1, 2, 1)
    assert len(split.placed.samples[0].views) == 1


def test_one_picture_of_two_identities_is_refused(tmp_path: Path, encoder: IdentityEncoder) -> None:
    with pytest.raises(DatasetError, match=r"1 pictures are views of two identities.*\(cup and jug\)"):
        embed(tmp_path, [*IMAGES[:6], IMAGES[6]._replace(seed=IMAGES[0].seed), *IMAGES[7:]], encoder)


def test_a_split_without_anything_to_read_is_refused(tmp_path: Path, encoder: IdentityEncoder) -> None:
    write_folder(tmp_path, IMAGES[:1])
    path_of(tmp_path, IMAGES[0]).write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"no view of the split can be read: .*positive\.png"):
        embed_split(open_dataset(tmp_path).split("test"), Readouts(encoder))
    with pytest.raises(DatasetError, match="holds no images"):
        embed_split([], Readouts(encoder))


def test_fillers_in_the_split_or_twice_are_dropped_and_counted(tmp_path: Path, encoder: IdentityEncoder) -> None:
    samples = open_dataset(write_folder(tmp_path / "set", IMAGES)).split("test")
    others = write_folder(tmp_path / "others", [Drawn("train", "x", view, "positive", "", 50) for view in (1, 2)])
    paths = [*sorted(others.rglob("*.png")), path_of(tmp_path / "set", IMAGES[0])]
    fillers = [FileImage(path) for path in paths]
    split = embed_split(samples, Readouts(encoder), fillers=fillers)
    assert (len(split.fillers), split.dropped.fillers) == (1, 2)


class BrokenBackbone:
    """The real backbone with a readout that has no direction for dark pictures, as half precision can give."""

    def __init__(self, backbone: Backbone, value: float) -> None:
        self._backbone, self._value = backbone, value

    @property
    def spec(self) -> BackboneSpec:
        return self._backbone.spec

    @property
    def device(self) -> str:
        return self._backbone.device

    def tokens(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        return self._backbone.tokens(images)

    def pooled(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.features(images)[1]

    def features(self, images: NDArray[np.uint8]) -> tuple[tuple[NDArray[np.float32], ...], NDArray[np.float32]]:
        tokens, pooled = self._backbone.features(images)
        pooled[images.mean(axis=(1, 2, 3)) < 50] = self._value
        return tokens, pooled


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (0.0, "0.0")])
def test_embeddings_without_direction_are_named(
    tmp_path: Path, encoder: IdentityEncoder, value: float, shown: str
) -> None:
    dark, bright = tmp_path / "dark.png", tmp_path / "bright.png"
    Image.new("RGB", (64, 64), (3, 2, 1)).save(dark)
    Image.new("RGB", (64, 64), (200, 190, 180)).save(bright)
    pictures = [Picture(FileImage(path)) for path in (dark, bright)]
    found = encode_pictures(pictures, Readouts(IdentityEncoder(BrokenBackbone(encoder.backbone, value))))
    assert list(found.rows) == [pictures[1]]
    assert found.failures[pictures[0]].error == f"its frozen embedding has norm {shown}"
    assert all(len(rows) == 1 for rows in found.embeddings.values())


def test_a_second_head_needs_a_first(tmp_path: Path, encoder: IdentityEncoder) -> None:
    with pytest.raises(ConfigError, match="give --head, too"):
        Readouts(encoder, other=write_head(tmp_path, encoder.backbone.spec))


def test_heads_read_the_same_tokens_as_their_encoders(tmp_path: Path, encoder: IdentityEncoder) -> None:
    first, second = (write_head(tmp_path / str(seed), encoder.backbone.spec, seed=seed) for seed in (1, 2))
    encoders = [IdentityEncoder(encoder.backbone, head=head) for head in (first, second)]
    samples = open_dataset(write_folder(tmp_path / "set", IMAGES)).split("test")
    split = embed_split(samples, Readouts(encoders[0], other=second))
    paths = [Path(picture.image.name) for picture in split.pictures]
    for name, each in zip((HEAD, OTHER), encoders, strict=True):
        np.testing.assert_array_equal(split.embeddings[name], each.encode(paths))
