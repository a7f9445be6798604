"""The feature store gives back what went in, survives a crash at any byte and refuses what is not its own."""

import dataclasses
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from toy_backbone import TOY_SPEC

from nearid_search.backbones.base import BackboneSpec
from nearid_search.errors import FeatureStoreError
from nearid_search.trainer.feature_store import FeatureStore
from nearid_search.trainer.token_codec import TokenCodec
from nearid_search.trainer.token_projection import TokenPca, fit_token_pca

SPEC, SCALES = TOY_SPEC, TOY_SPEC.token_scales
KEYS = [f"key-{number}" for number in range(6)]


def tokens_of(keys: Sequence[str]) -> tuple[NDArray[np.float32], ...]:
    """Tokens that half precision holds exactly."""
    return tuple(
        np.array(
            [np.random.default_rng(KEYS.index(key)).integers(-99, 99, (scale.num_tokens, scale.dim)) for key in keys],
            np.float32,
        ).reshape(len(keys), scale.num_tokens, scale.dim)
        for scale in SCALES
    )


def filled(folder: Path, keys: Sequence[str] = KEYS) -> FeatureStore:
    store = FeatureStore(folder, SPEC)
    for start in range(0, len(keys), 2):
        batch = keys[start : start + 2]
        store.append(batch, tokens_of(batch))
    return store


def assert_holds(store: FeatureStore, keys: Sequence[str]) -> None:
    assert len(store) == len(keys)
    assert [key in store for key in KEYS] == [key in keys for key in KEYS]
    for found, expected in zip(store.tokens(store.rows(keys)), tokens_of(keys), strict=True):
        assert found.dtype == np.float32
        assert np.array_equal(found, expected)
    store.verify()


def test_a_share_of_the_tokens_is_the_same_places_of_every_image(tmp_path: Path) -> None:
    store = filled(tmp_path)
    rows = store.rows(KEYS)
    whole, drawn = store.tokens(rows), store.tokens(rows, share=0.4, key=(1, 2))
    for scale, few in zip(whole, drawn, strict=True):
        places = [place for place in range(scale.shape[1]) if any((scale[0, place] == token).all() for token in few[0])]
        assert len(places) == few.shape[1] == max(1, round(0.4 * scale.shape[1]))
        assert np.array_equal(few, scale[:, places])
    other = [store.tokens(rows, share=0.4, key=(1, step))[1] for step in range(8)]
    assert not all(np.array_equal(other[0], found) for found in other[1:])
    assert all(np.array_equal(*pair) for pair in zip(drawn, store.tokens(rows, share=0.4, key=(1, 2)), strict=True))


def test_what_goes_in_comes_out_in_any_order(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert_holds(store, KEYS)
    wanted = ["key-4", "key-0", "key-4"]
    for found, expected in zip(store.tokens(store.rows(wanted)), tokens_of(wanted), strict=True):
        assert np.array_equal(found, expected)
    assert_holds(FeatureStore(tmp_path, SPEC), KEYS)


def test_the_size_on_disk_is_the_one_announced(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert store.bytes_per_image == 2 * (4 * 3 + 2 * 5)
    assert sum(path.stat().st_size for path in tmp_path.glob("*.bin")) == 6 * store.bytes_per_image
    assert store.require_space(10) == 10 * store.bytes_per_image


def test_an_empty_store(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, SPEC)
    assert_holds(store, [])


def test_every_truncation_loses_whole_images_at_the_end_only(tmp_path: Path) -> None:
    filled(tmp_path)
    rows = (tmp_path / "rows.txt").read_bytes()
    data = {path: path.read_bytes() for path in tmp_path.glob("*.bin")}
    for length in range(len(rows) + 1):
        (tmp_path / "rows.txt").write_bytes(rows[:length])
        for path, content in data.items():
            path.write_bytes(content)
        kept = rows[:length].count(b"\n")
        assert_holds(FeatureStore(tmp_path, SPEC), KEYS[:kept])


def test_records_without_a_line_are_cut_off_and_written_again(tmp_path: Path) -> None:
    filled(tmp_path, KEYS[:4])
    with (tmp_path / "tokens-0.bin").open("ab") as file:
        file.write(b"half a record")
    store = FeatureStore(tmp_path, SPEC)
    store.append(KEYS[4:], tokens_of(KEYS[4:]))
    assert_holds(store, KEYS)


def test_two_writers_and_a_reader_share_a_store(tmp_path: Path) -> None:
    one, other = FeatureStore(tmp_path, SPEC), FeatureStore(tmp_path, SPEC)
    one.append(KEYS[:2], tokens_of(KEYS[:2]))
    other.append(KEYS[1:4], tokens_of(KEYS[1:4]))
    one.append(KEYS[3:], tokens_of(KEYS[3:]))
    assert_holds(one, KEYS)
    assert_holds(FeatureStore(tmp_path, SPEC), KEYS)
    assert sorted(key for key in KEYS if key in other) == KEYS[:4]


def test_opening_a_store_leaves_alone_what_another_process_is_writing(tmp_path: Path) -> None:
    filled(tmp_path, KEYS[:2])
    path = tmp_path / "tokens-0.bin"
    with path.open("ab") as file:
        file.write(b"half a record")
    before = path.read_bytes()
    assert_holds(FeatureStore(tmp_path, SPEC), KEYS[:2])
    assert path.read_bytes() == before


def test_processes_that_fill_at_once_lose_nothing(tmp_path: Path) -> None:
    folder, program = tmp_path / "store", Path(__file__).with_name("fill_store.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    keys = [f"image-{number}" for number in range(40)]
    fillers = [
        subprocess.Popen([sys.executable, str(program), str(folder), *order], env=environment)
        for order in (keys, keys[::-1], keys[1::2] + keys[::2])
    ]
    assert [filler.wait(timeout=120) for filler in fillers] == [0, 0, 0]
    store = FeatureStore(folder, SPEC)
    store.verify()
    assert len(store) == 40
    expected = np.arange(40, dtype=np.float32)
    for scale in store.tokens(store.rows(keys)):
        assert (scale == expected[:, None, None]).all()


def test_lost_records_are_noticed(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / "tokens-1.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FeatureStoreError, match=r"119 bytes, 120 expected"):
        FeatureStore(tmp_path, SPEC)


@pytest.mark.parametrize("name", ["tokens-0.bin", "tokens-1.bin"])
def test_every_flipped_byte_of_the_tokens_is_found(tmp_path: Path, name: str) -> None:
    filled(tmp_path)
    path = tmp_path / name
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(FeatureStoreError, match="were altered"):
            FeatureStore(tmp_path, SPEC).verify()


def test_a_damaged_list_of_rows_is_noticed(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / "rows.txt"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        with pytest.raises(FeatureStoreError):
            FeatureStore(tmp_path, SPEC).rows(KEYS)
        for data, dtype_size in (("tokens-0.bin", 24), ("tokens-1.bin", 20)):
            (tmp_path / data).write_bytes((tmp_path / data).read_bytes().ljust(6 * dtype_size, b"\0"))


@pytest.mark.parametrize(
    ("spec", "codec"),
    [(dataclasses.replace(SPEC, weights_sha256="1" * 64), TokenCodec()), (SPEC, TokenCodec(dtype="int8"))],
    ids=["backbone", "codec"],
)
def test_a_store_of_another_making_is_refused(tmp_path: Path, spec: BackboneSpec, codec: TokenCodec) -> None:
    filled(tmp_path)
    with pytest.raises(FeatureStoreError, match=r"were made with .*toy.*but this is .*toy"):
        FeatureStore(tmp_path, spec, codec)
    assert_holds(FeatureStore(tmp_path, SPEC), KEYS)


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(FeatureStoreError, match="holds other files"):
        FeatureStore(tmp_path, SPEC)


def test_a_damaged_description_is_noticed(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "store.json").write_text("{")
    with pytest.raises(FeatureStoreError, match=r"store\.json cannot be read"):
        FeatureStore(tmp_path, SPEC)
    (tmp_path / "store.json").write_text(json.dumps({"format_version": 99}))
    with pytest.raises(FeatureStoreError, match="were made with"):
        FeatureStore(tmp_path, SPEC)


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(FeatureStoreError, match="lacks the features of image key-4"):
        filled(tmp_path, KEYS[:4]).rows(KEYS)


def test_too_little_space_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(FeatureStoreError, match=r"take 44,000,000\.0 MB"):
        FeatureStore(tmp_path, SPEC).require_space(10**12)


def test_a_write_that_the_system_cuts_short_loses_nothing(tmp_path: Path) -> None:
    store = filled(tmp_path, KEYS[:4])
    path = tmp_path / "tokens-0.bin"
    whole = path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As on a full disk, some bytes are written and then no more.
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole + 7, limits[1]))
    try:
        with pytest.raises(FeatureStoreError, match=r"cannot write features .*; 4 images are kept"):
            store.append(KEYS[4:], tokens_of(KEYS[4:]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.stat().st_size == whole + 7
    assert_holds(store, KEYS[:4])
    store.append(KEYS[4:], tokens_of(KEYS[4:]))
    assert_holds(store, KEYS)


PROJECTING = TokenCodec(pca_dim=2)


def projected(folder: Path) -> tuple[FeatureStore, list[TokenPca]]:
    projections = [fit_token_pca(scale.reshape(-1, scale.shape[2]), dim=2) for scale in tokens_of(KEYS)]
    store = FeatureStore(folder, SPEC, PROJECTING)
    assert store.lacks_projections
    store.set_projections(projections)
    store.append(KEYS, tokens_of(KEYS))
    return store, projections


def test_projected_tokens_come_out_projected(tmp_path: Path) -> None:
    _, projections = projected(tmp_path)
    store = FeatureStore(tmp_path, SPEC, PROJECTING)
    assert store.token_dims == (2, 2)
    assert store.bytes_per_image == 2 * (4 * 2 + 2 * 2)
    for found, pca, whole in zip(store.tokens(store.rows(KEYS)), projections, tokens_of(KEYS), strict=True):
        np.testing.assert_allclose(found, pca.project(whole), rtol=2**-10, atol=1e-3)
    store.verify()


def test_projections_are_set_once_and_before_anything_else(tmp_path: Path) -> None:
    with pytest.raises(FeatureStoreError, match="no projections yet"):
        FeatureStore(tmp_path / "other", SPEC, PROJECTING).append(KEYS, tokens_of(KEYS))
    store, projections = projected(tmp_path / "store")
    store.set_projections([TokenPca(pca.mean + 1, pca.components) for pca in projections])
    assert np.array_equal(store.projections[0].mean, projections[0].mean)


def test_every_damaged_byte_of_the_projections_is_noticed(tmp_path: Path) -> None:
    projected(tmp_path)
    path = tmp_path / "projections.safetensors"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            found = FeatureStore(tmp_path, SPEC, PROJECTING).projections
        except (FeatureStoreError, KeyError):
            continue
        pytest.fail(f"byte {place} was changed and {found} came out")
