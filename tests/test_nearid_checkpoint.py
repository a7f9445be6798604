"""Importing a published checkpoint: the same embeddings as transformers gives, and nothing accepted that is not one."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nearid_checkpoints import NUM_HEADS, SIZES, random_checkpoint, write_checkpoint
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch.nn import functional

from nearid_search.backbones.registry import open_backbone
from nearid_search.backbones.siglip_backbone import TowerSettings, save_tower
from nearid_search.cli.app import run
from nearid_search.errors import WeightsError
from nearid_search.head import MapHead
from nearid_search.head_file import load_head
from nearid_search.head_numpy import embed
from nearid_search.nearid_checkpoint import ImportedCheckpoint, import_nearid_checkpoint
from nearid_search.nearid_config import read_settings
from nearid_search.weights import load_state

# The published tower's traits in small: an image side that is no multiple of the patch, an odd MLP width.
PUBLISHED = {
    "hidden_size": 48,
    "intermediate_size": 179,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 44,
    "patch_size": 7,
}
TOWER, POOL = "backbone.vision_model.", "backbone.vision_model.head."
Change = Callable[[dict[str, NDArray[Any]]], object]


def images(size: int, num: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (num, size, size, 3), dtype=np.uint8)


def our_embeddings(imported: ImportedCheckpoint, batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Through the NumPy head and through the torch head."""
    backbone = open_backbone(imported.backbone, device="cpu")
    head = load_head(Path(imported.folder), backbone_weights=backbone.spec.weights_fingerprint)
    tokens = backbone.tokens(batch)
    with torch.inference_mode():
        by_torch = MapHead.from_arrays(head.spec, head.arrays)([torch.from_numpy(scale) for scale in tokens])
    return [embed(head.spec, head.arrays, tokens), by_torch.numpy()]


def siglip_model(**changes: object) -> Any:
    """A random model of transformers, weights large enough for attention and activations to be far from linear."""
    transformers = pytest.importorskip("transformers")
    model = transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**{**PUBLISHED, **changes})).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = parameter.shape[-1] ** -0.5 if parameter.ndim == 2 else 0.3
            parameter.copy_(2 * scale * torch.randn(parameter.shape, generator=generator))
    return model


def export(model: Any, folder: Path, head_prefix: str = POOL, dtype: torch.dtype = torch.float32) -> Path:
    """Write a model as the published checkpoint is, configuration included."""
    names = {name.removeprefix("vision_model."): tensor for name, tensor in model.state_dict().items()}
    keys = {
        name: head_prefix + name.removeprefix("head.") if name.startswith("head.") else TOWER + name for name in names
    }
    save_file({keys[name]: tensor.to(dtype).numpy() for name, tensor in names.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "nearid", "vision_config": model.config.to_dict()}))
    return folder / "model.safetensors"


def check_parity(model: Any, imported: ImportedCheckpoint) -> None:
    batch = images(model.config.image_size)
    pixels = torch.from_numpy(batch).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        pooled = model((pixels - 0.5) / 0.5).pooler_output
    expected = functional.normalize(pooled, dim=-1).numpy()
    assert np.abs(expected - expected[0]).max() > 0.01
    for ours in our_embeddings(imported, batch):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("head_prefix", [POOL, "backbone.head.", "head.", "map_head.", "pooler.", "backbone.pooler."])
def test_the_embeddings_are_those_of_transformers(head_prefix: str, tmp_path: Path) -> None:
    model = siglip_model()
    file = export(model, tmp_path, head_prefix)
    check_parity(model, import_nearid_checkpoint(file, tmp_path / "out"))


def test_other_sizes_and_half_precision_weights(tmp_path: Path) -> None:
    model = siglip_model(hidden_size=32, intermediate_size=64, num_hidden_layers=1, image_size=32, patch_size=16)
    model.half().float()
    file = export(model, tmp_path, dtype=torch.float16)
    imported = import_nearid_checkpoint(file, tmp_path / "out")
    check_parity(model, imported)
    assert {array.dtype for array in load_file(tmp_path / "out/backbone.safetensors").values()} == {
        np.dtype(np.float16)
    }


def test_the_tower_is_not_one_with_exact_gelu(tmp_path: Path) -> None:
    model = siglip_model(hidden_act="gelu")
    file = export(model, tmp_path)
    with pytest.raises(WeightsError, match=r"config\.json: hidden_act is 'gelu', but .* needs 'gelu_pytorch_tanh'"):
        import_nearid_checkpoint(file, tmp_path / "out")
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace('"hidden_act": "gelu"', '"hidden_act": "gelu_pytorch_tanh"'))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_parity(model, import_nearid_checkpoint(file, tmp_path / "out"))


def test_what_is_written_says_what_it_is(tmp_path: Path) -> None:
    file = write_checkpoint(tmp_path / "model.safetensors")
    imported = import_nearid_checkpoint(file, tmp_path / "out", num_heads=NUM_HEADS)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"backbone.safetensors", "head.json", "head.safetensors"}
    head = load_head(tmp_path / "out")
    assert (head.fingerprint, head.manifest.backbone) == (imported.head, imported.backbone)
    assert head.manifest.config["imported"] == "model.safetensors"
    spec = open_backbone(imported.backbone, device="cpu").spec
    assert (spec.name, spec.fingerprint) == ("siglip:backbone.safetensors", imported.backbone_fingerprint)
    assert (spec.preprocessing.size, spec.preprocessing.filter) == (12, "bilinear")
    assert spec.preprocessing.mean == spec.preprocessing.std == (0.5, 0.5, 0.5)
    with pytest.raises(WeightsError, match="holds a head already"):
        import_nearid_checkpoint(file, tmp_path / "out", num_heads=NUM_HEADS)


def test_settings_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    file = write_checkpoint(tmp_path / "model.safetensors")
    fingerprints = set()
    for name, heads, resample in (("a", 3, 2), ("b", 4, 2), ("c", 3, 3)):
        (tmp_path / "preprocessor_config.json").write_text(json.dumps({"resample": resample}))
        fingerprints.add(import_nearid_checkpoint(file, tmp_path / name, num_heads=heads).backbone_fingerprint)
    assert len(fingerprints) == 3


def test_the_published_sizes_need_no_configuration(tmp_path: Path) -> None:
    published = replace(SIZES, width=1152, depth=27, patch_size=14, num_tokens=729, mlp_dim=4304, head_mlp_dim=4304)
    settings = read_settings(tmp_path / "model.safetensors", published, None)
    assert settings == TowerSettings(num_heads=16, image_size=384, filter="bilinear")
    assert published.head_spec(settings.num_heads).num_parameters == 15_238_352
    base = replace(published, width=768, patch_size=16, num_tokens=196)
    assert read_settings(tmp_path / "model.safetensors", base, None).image_size == 224


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(f"{TOWER}post_layernorm.bias"), r"'backbone\.vision_model\.post_layernorm\.bias' is missing"),
        (
            lambda t: t.pop(f"{POOL}probe"),
            r"'backbone\.vision_model\.head\.probe' is missing; expected shape \(1, 1, 24",
        ),
        (lambda t: t.pop(f"{POOL}mlp.fc1.weight"), r"head\.mlp\.fc1\.weight' is missing"),
        (
            lambda t: t.pop(f"{TOWER}embeddings.patch_embedding.weight"),
            r"patch_embedding\.weight' is missing; expected a SigLIP vision tower with its attention pool",
        ),
        (
            lambda t: [t.pop(key) for key in list(t) if key.startswith(f"{TOWER}encoder.layers.0.")],
            r"encoder\.layers\.0\.mlp\.fc1\.weight' is missing",
        ),
        (lambda t: t.update(logit_scale=np.ones(1, np.float32)), r"'logit_scale' is unknown"),
        (
            lambda t: t.update({f"{TOWER}encoder.layers.1.gamma": np.ones(24, np.float32)}),
            r"'backbone\.vision_model\.encoder\.layers\.1\.gamma' is unknown",
        ),
        (
            lambda t: t.update({"map_head.probe": t[f"{POOL}probe"]}),
            r"'backbone\.vision_model\.head\.probe' and 'map_head\.probe' are the same part|"
            r"'map_head\.probe' and 'backbone\.vision_model\.head\.probe' are the same part",
        ),
        (
            lambda t: t.update({f"{POOL}probe": np.ones((1, 1, 23), np.float32)}),
            r"head\.probe' is torch\.float32 \(1, 1, 23\), expected floating point \(1, 1, 24\)",
        ),
        (
            lambda t: t.update({f"{POOL}probe": np.ones((1, 1, 24), np.int8)}),
            r"head\.probe' is torch\.int8 \(1, 1, 24\), expected floating point",
        ),
        (
            lambda t: t.update({f"{TOWER}embeddings.patch_embedding.weight": np.ones((24, 48), np.float32)}),
            r"patch_embedding\.weight' has shape \(24, 48\), expected 4 dimensions",
        ),
        (
            lambda t: t.update({f"{TOWER}embeddings.position_embedding.weight": np.ones((8, 24), np.float32)}),
            "there are positions for 8 patches; expected a square number",
        ),
        (lambda t: t.update({f"{POOL}probe": np.full((1, 1, 24), np.nan, np.float32)}), r"'probes' holds NaN"),
    ],
)
def test_a_file_that_is_no_such_checkpoint_is_refused(change: Change, message: str, tmp_path: Path) -> None:
    tensors: dict[str, NDArray[Any]] = {**random_checkpoint()}
    change(tensors)
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=message) as caught:
        import_nearid_checkpoint(tmp_path / "model.safetensors", tmp_path / "out", num_heads=NUM_HEADS)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out/head.json").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04 this is a pickle, not tensors", None])
def test_a_file_that_is_no_safetensors_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.safetensors: cannot be read as safetensors"):
        import_nearid_checkpoint(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", r"config\.json: cannot be read as JSON"),
        ("config.json", "[1]", r"config\.json: holds no JSON object"),
        ("config.json", '{"vision_config": [1]}', r"config\.json: vision_config is \[1\], expected an object"),
        ("config.json", '{"hidden_size": 768}', "hidden_size is 768, but the checkpoint beside it needs 24"),
        ("config.json", '{"layer_norm_eps": 1e-5}', "layer_norm_eps is 1e-05"),
        ("config.json", '{"num_attention_heads": 5}', "width 24 cannot be split into 5 attention heads"),
        ("config.json", '{"num_attention_heads": "3"}', "give --heads"),
        (
            "config.json",
            '{"num_attention_heads": 3, "image_size": 99}',
            "an image of 99 pixels has 576 patches of 4, but",
        ),
        (
            "config.json",
            '{"num_attention_heads": 3, "image_size": [12, 12]}',
            r"image_size \[12, 12\] .* not supported",
        ),
        ("preprocessor_config.json", '{"image_mean": [0.4, 0.4, 0.4]}', r"image_mean is \[0\.4, 0\.4, 0\.4\], but"),
        ("README.md", "", r"no SigLIP of width 24 is known: put the checkpoint's config\.json .* or give --heads"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(name: str, content: str, message: str, tmp_path: Path) -> None:
    file = write_checkpoint(tmp_path / "model.safetensors")
    (tmp_path / name).write_text(content)
    with pytest.raises(WeightsError, match=message):
        import_nearid_checkpoint(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_resize_filter_that_is_not_supported_is_refused(tmp_path: Path) -> None:
    file = write_checkpoint(tmp_path / "model.safetensors")
    (tmp_path / "preprocessor_config.json").write_text('{"resample": 1}')
    with pytest.raises(WeightsError, match=r"resample 1 in preprocessor_config\.json is not supported"):
        import_nearid_checkpoint(file, tmp_path / "out", num_heads=NUM_HEADS)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    file = write_checkpoint(tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="cannot be written"):
        import_nearid_checkpoint(file, file / "out", num_heads=NUM_HEADS)


def test_a_backbone_file_that_was_not_imported_is_refused(tmp_path: Path) -> None:
    file = write_checkpoint(tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="metadata does not describe a SigLIP tower"):
        open_backbone(f"siglip:{file}", device="cpu")
    with pytest.raises(WeightsError, match="there is no such file"):
        open_backbone(f"siglip:{file}x", device="cpu")
    settings = TowerSettings(num_heads=0, image_size=12, filter="bilinear")
    save_tower(tmp_path / "tower.safetensors", load_state(file), settings)
    with pytest.raises(WeightsError, match="describes no possible SigLIP tower"):
        open_backbone(f"siglip:{tmp_path / 'tower.safetensors'}", device="cpu")
    save_tower(tmp_path / "tower.safetensors", load_state(file), replace(settings, num_heads=3))
    with pytest.raises(WeightsError, match=r"'patch_embed\.proj\.weight' is missing"):
        open_backbone(f"siglip:{tmp_path / 'tower.safetensors'}", device="cpu")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_checkpoint(tmp_path / "model.safetensors")
    arguments = ["models", "import", str(file), "--out", str(tmp_path / "out"), "--heads", str(NUM_HEADS)]
    assert run([*arguments, "--json"]) == 0
    imported = ImportedCheckpoint(**json.loads(capsys.readouterr().out))
    assert imported.folder == str(tmp_path / "out")
    assert load_head(tmp_path / "out").fingerprint == imported.head
    assert run(arguments) == 1
    assert "holds a head already" in capsys.readouterr().err
    assert run(["models", "import", str(file)]) == 2


def test_importing_loads_no_transformers(tmp_path: Path) -> None:
    file = write_checkpoint(tmp_path / "model.safetensors")
    code = (
        "import sys; from nearid_search.nearid_checkpoint import import_nearid_checkpoint; "
        f"import_nearid_checkpoint({str(file)!r}, {str(tmp_path / 'out')!r}, num_heads=3); "
        "print('transformers' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
