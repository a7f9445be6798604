"""A head's folder: what is saved comes back, and whatever was done to it since is noticed."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from head_cases import SPECS, random_arrays
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from nearid_search.errors import ConfigError, WeightsError
from nearid_search.head_file import HeadManifest, load_head, read_head_manifest, save_head

SPEC = SPECS["two-scales-four-probes"]
MANIFEST = HeadManifest(
    spec=SPEC,
    backbone="dinov2-small",
    backbone_weights="dinov2-small:0123456789ab",
    data_hash="d" * 64,
    split_sizes={"train": 90, "val": 10},
    seed=3,
    created_at="2026-01-02T03:04:05+00:00",
    made_by="0.1.0",
    config={"alpha": 0.5, "layers": [4, 5, 6]},
    metrics={"ssr": 0.75, "ä": None},
)
Arrays = dict[str, NDArray[Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a head."""
    save_head(tmp_path / "head", random_arrays(SPEC), MANIFEST)
    return tmp_path / "head"


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest and give it the hash of its new content."""
    path = folder / "head.json"
    document = json.loads(path.read_text())
    del document["sha256"]
    change(document)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    path.write_text(json.dumps({**document, "sha256": hashlib.sha256(text.encode()).hexdigest()}))


def edit_weights(folder: Path, change: Callable[[Arrays], object]) -> None:
    """Change the weights and give the manifest their new hash."""
    path = folder / "head.safetensors"
    arrays = load_file(path)
    change(arrays)
    save_file(arrays, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    edit_manifest(folder, lambda document: document.update(weights_sha256=sha256))


def test_what_is_saved_comes_back(folder: Path) -> None:
    loaded = load_head(folder, backbone_weights=MANIFEST.backbone_weights)
    arrays = random_arrays(SPEC)
    assert loaded.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)
    sha256 = hashlib.sha256((folder / "head.safetensors").read_bytes()).hexdigest()
    assert loaded.manifest == replace(MANIFEST, weights_sha256=sha256) == read_head_manifest(folder)
    assert (loaded.spec, loaded.fingerprint) == (SPEC, loaded.manifest.fingerprint)
    assert sorted(path.name for path in folder.iterdir()) == ["head.json", "head.safetensors"]


def test_the_fingerprint_is_that_of_weights_and_spec_alone(tmp_path: Path) -> None:
    arrays = random_arrays(SPEC)
    first = save_head(tmp_path, arrays, MANIFEST).fingerprint
    assert (first[:4], len(first), int(first[4:], 16) > 0) == ("map:", 16, True)
    reordered = dict(reversed(arrays.items()))
    assert save_head(tmp_path, reordered, replace(MANIFEST, seed=4, metrics={})).fingerprint == first
    assert save_head(tmp_path, random_arrays(SPEC, seed=9), MANIFEST).fingerprint != first
    other = replace(MANIFEST, spec=replace(SPEC, num_heads=4))
    assert save_head(tmp_path, arrays, other).fingerprint != first


def test_views_into_other_arrays_are_saved_as_they_read(tmp_path: Path) -> None:
    arrays = random_arrays(SPEC)
    save_head(tmp_path, {name: np.asfortranarray(array) for name, array in arrays.items()}, MANIFEST)
    for name, array in load_head(tmp_path).arrays.items():
        np.testing.assert_array_equal(array, arrays[name])


def test_a_manifest_with_integer_keys_is_read_back(tmp_path: Path) -> None:
    save_head(tmp_path, random_arrays(SPEC), replace(MANIFEST, metrics={"recall": {10: 0.5, 2: 0.25}}))
    assert read_head_manifest(tmp_path).metrics == {"recall": {"10": 0.5, "2": 0.25}}


@pytest.mark.parametrize("name", ["head.json", "head.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "folder"])
def test_a_damaged_file_is_refused_by_its_name(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(b"" if damage == "empty" else content[:-5])
    with pytest.raises(WeightsError, match=name):
        load_head(folder)


@pytest.mark.parametrize("name", ["head.json", "head.safetensors"])
def test_any_flipped_byte_is_noticed(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    for position in np.random.default_rng(0).choice(len(content) - 2, 100, replace=False):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x11]) + content[position + 1 :])
        with pytest.raises(WeightsError, match=name):
            load_head(folder)
    path.write_bytes(content)
    load_head(folder)


def test_a_weights_file_of_another_training_is_refused(folder: Path, tmp_path: Path) -> None:
    save_head(tmp_path / "other", random_arrays(SPEC, seed=9), MANIFEST)
    (tmp_path / "other" / "head.safetensors").replace(folder / "head.safetensors")
    with pytest.raises(WeightsError, match=r"SHA-256 is \w{64}, head\.json says \w{64}: restore the folder"):
        load_head(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("key.bias"), r"'key\.bias' is missing; expected shape \(16,\)"),
        (lambda arrays: arrays.update(extra=np.ones(2, np.float32)), "'extra' is unexpected"),
        (lambda arrays: arrays.update(probes=arrays["probes"][:3].copy()), r"'probes' is float32 \(3, 16\), expected"),
        (lambda arrays: arrays.update(probes=arrays["probes"].astype(np.float16)), r"'probes' is float16 \(4, 16\)"),
    ],
)
def test_weights_that_do_not_fit_the_spec_are_refused(
    folder: Path, change: Callable[[Arrays], object], message: str
) -> None:
    edit_weights(folder, change)
    with pytest.raises(WeightsError, match=rf"head\.safetensors: {message}"):
        load_head(folder)


def test_a_spec_the_weights_do_not_have_is_refused(folder: Path) -> None:
    edit_manifest(folder, lambda document: document["spec"].update(mlp_dim=41))
    with pytest.raises(WeightsError, match=r"'mlp_in\.weight' is float32 \(40, 16\), expected float32 \(41, 16\)"):
        load_head(folder)


def test_weights_that_are_no_safetensors_are_refused(folder: Path) -> None:
    path = folder / "head.safetensors"
    path.write_bytes(b"these are no weights, whatever the name says")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    edit_manifest(folder, lambda document: document.update(weights_sha256=sha256))
    with pytest.raises(WeightsError, match=r"head\.safetensors: cannot be read as safetensors"):
        load_head(folder)


def test_another_backbone_is_refused_with_both_fingerprints(folder: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        load_head(folder, backbone_weights="efficientnet-lite0:fedcba987654")
    parts = ("dinov2-small:0123456789ab", "efficientnet-lite0:fedcba987654", "open dinov2-small or train a head")
    assert all(part in str(caught.value) for part in parts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: document.update(format_version=2), "has format 2, this version reads format 1: upgrade"),
        (lambda document: document.pop("format_version"), "has format None"),
        (lambda document: document.pop("seed"), "has the fields .* which are not a head's"),
        (lambda document: document.update(more=1), "has the fields .*'more'"),
        (lambda document: document["spec"].update(num_heads=5), "multiple of num_heads, got 16 and 5: restore"),
    ],
)
def test_a_manifest_that_is_not_a_heads_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    edit_manifest(folder, change)
    with pytest.raises(WeightsError, match=rf"head\.json: .*{message}"):
        load_head(folder)


@pytest.mark.parametrize("text", ["[]", "1", "{}", '{"sha256": "0"}'])
def test_json_that_is_no_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / "head.json").write_text(text)
    with pytest.raises(WeightsError, match=r"head\.json: was altered"):
        load_head(folder)


@pytest.mark.parametrize("value", [float("nan"), Path("x")])
def test_a_manifest_that_json_cannot_hold_changes_nothing(folder: Path, value: object) -> None:
    with pytest.raises(ConfigError, match="a head's manifest must be JSON"):
        save_head(folder, random_arrays(SPEC, seed=9), replace(MANIFEST, metrics={"ssr": value}))
    assert load_head(folder).manifest.metrics == MANIFEST.metrics


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_not_saved_over_a_good_head(folder: Path, value: float) -> None:
    arrays = random_arrays(SPEC, seed=9)
    arrays["value.weight"][3, 2] = value
    with pytest.raises(WeightsError, match=r"'value\.weight' holds NaN or infinity"):
        save_head(folder, arrays, MANIFEST)
    np.testing.assert_array_equal(load_head(folder).arrays["probes"], random_arrays(SPEC)["probes"])


def test_weights_that_do_not_fit_are_not_saved(tmp_path: Path) -> None:
    arrays: Arrays = {**random_arrays(SPEC), "probes": np.ones((4, 16))}
    with pytest.raises(WeightsError, match=r"weights to save: 'probes' is float64 \(4, 16\), expected float32"):
        save_head(tmp_path / "head", arrays, MANIFEST)
    assert not (tmp_path / "head").exists()


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match=r"file/head: the head cannot be written \(Not a directory\)"):
        save_head(tmp_path / "file" / "head", random_arrays(SPEC), MANIFEST)


def test_a_full_disk_leaves_the_earlier_head_whole(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "head.json.tmp").symlink_to("/dev/full")
    with pytest.raises(WeightsError, match=r"the head cannot be written \(No space left"):
        save_head(folder, random_arrays(SPEC, seed=9), MANIFEST)
    assert {name: (folder / name).read_bytes() for name in before} == before
    load_head(folder)


def test_a_head_is_read_and_run_without_torch(folder: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from nearid_search.head_file import load_head; from nearid_search.head_numpy import embed\n"
        "head = load_head(Path(sys.argv[1]))\n"
        "tokens = [np.ones((2, 3, dim), np.float32) for dim in head.spec.token_dims]\n"
        "print(embed(head.spec, head.arrays, tokens).shape, 'torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, env=environment, check=True
    )
    assert result.stdout.strip() == "(2, 6) False"
