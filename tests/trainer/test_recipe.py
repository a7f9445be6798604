"""From a dataset on disk to a head on disk, with the real default backbone."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recipe_cases import SMALL, config_for, make_dataset

pytest.importorskip("torch")

from nearid_search import TrainConfig, TrainReport, train
from nearid_search.backbones.registry import open_backbone
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import ConfigError, FeatureStoreError
from nearid_search.eval.metrics import MarginScores, score_margins
from nearid_search.eval.protocols.pairs import pair_margins
from nearid_search.head_file import load_head
from nearid_search.head_numpy import embed
from nearid_search.similarity import unit_rows
from nearid_search.trainer.augment import AugmentConfig, augment
from nearid_search.trainer.dataset_rows import rows_of
from nearid_search.trainer.datasets import data_hash, hash_images, open_dataset
from nearid_search.trainer.extract import ExtractProgress, extract_features
from nearid_search.trainer.feature_store import FeatureStore
from nearid_search.trainer.recipe import Listener
from nearid_search.trainer.variants import Variants


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("dataset"), things={"train": 8, "val": 4, "test": 1})


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainConfig, TrainReport, list[str]]:
    config = config_for(dataset, tmp_path_factory.mktemp("trained") / "head")
    notes: list[str] = []
    return config, train(config, listener=Listener(on_note=notes.append)), notes


def test_the_report_and_the_head_say_what_was_done(trained: tuple[TrainConfig, TrainReport, list[str]]) -> None:
    config, report, notes = trained
    assert (report.steps, report.images, report.split_sizes) == (16, 48, {"train": 8, "val": 4, "test": 1})
    spec = open_backbone("dinov2-small", device="cpu").spec
    assert "0 images cached already, 48 to do: 28.3 MB" in notes[0]
    assert notes[0].endswith(f"dinov2-small in {spec.dtype} on cpu")
    head = load_head(Path(config.out), backbone_weights=spec.weights_fingerprint)
    assert head.fingerprint == report.head
    assert head.manifest.metrics["step"] == report.best_step
    assert head.manifest.metrics["ssr"] == report.scores.ssr
    resolved = replace(config, dtype=spec.dtype, head=replace(config.head, start="random"))
    # Of places the last name alone, so that a head can be given away.
    resolved = replace(resolved, dataset=Path(config.dataset).name, out="head")
    assert TrainConfig.from_dict(head.manifest.config) == resolved
    assert (head.manifest.seed, head.manifest.split_sizes) == (0, report.split_sizes)
    assert head.manifest.data_hash == data_hash(open_dataset(Path(config.dataset)))
    assert json.loads(json.dumps(report.as_dict()))["scores"]["n_samples"] == 4


def score_train(head: Path, trained: tuple[TrainConfig, TrainReport, list[str]]) -> tuple[MarginScores, MarginScores]:
    """Scores of a head, and of the plain average, on what the fixture's head was trained on."""
    config, _, _ = trained
    opened = open_dataset(Path(config.dataset))
    backbone = open_backbone("dinov2-small", device="cpu")
    store = FeatureStore(Path(config.out) / "features", backbone.spec)
    samples = rows_of(opened.split("train"), hash_images(opened), store)
    tokens = store.tokens(np.arange(len(store)))
    loaded = load_head(head)
    learnt = score_margins(pair_margins(samples, embed(loaded.spec, loaded.arrays, tokens)).margins)
    return learnt, score_margins(pair_margins(samples, unit_rows(tokens[0].mean(axis=1))).margins)


def test_what_was_trained_on_is_told_from_its_distractors(
    trained: tuple[TrainConfig, TrainReport, list[str]],
) -> None:
    learnt, frozen = score_train(Path(trained[0].out), trained)
    assert learnt.n_samples == 8
    assert learnt.pa > frozen.pa
    assert learnt.pa > 0.9


def test_the_same_recipe_gives_the_same_head(
    trained: tuple[TrainConfig, TrainReport, list[str]], dataset: Path, tmp_path: Path
) -> None:
    config, report, _ = trained
    again = train(config_for(dataset, tmp_path / "again", features=str(Path(config.out) / "features")))
    assert again.head == report.head
    assert again.scores == report.scores


def test_the_backbone_runs_once_an_image(trained: tuple[TrainConfig, TrainReport, list[str]]) -> None:
    config, report, _ = trained
    notes: list[str] = []
    assert train(config, listener=Listener(on_note=notes.append)).head == report.head
    assert "48 images cached already, 0 to do" in notes[0]


def test_cached_tokens_are_the_backbones(trained: tuple[TrainConfig, TrainReport, list[str]], dataset: Path) -> None:
    config, _, _ = trained
    backbone = open_backbone("dinov2-small", device="cpu")
    store = FeatureStore(Path(config.out) / "features", backbone.spec)
    store.verify()
    path = dataset / "train/thing-01/1/positive.png"
    key = hashlib.sha256(path.read_bytes()).hexdigest()
    (cached,) = store.tokens(store.rows([key]))
    pixels = np.asarray(Image.open(path).convert("RGB"))
    (tokens,) = backbone.tokens(backbone.spec.preprocessing.resize(pixels)[None])
    assert np.allclose(cached, tokens, rtol=2**-10, atol=1e-6)


def test_variants_of_the_training_images_alone_are_cached_and_learnt_from(
    trained: tuple[TrainConfig, TrainReport, list[str]], dataset: Path, tmp_path: Path
) -> None:
    plain, plain_report, _ = trained
    features = tmp_path / "features"
    shutil.copytree(Path(plain.out) / "features", features)
    notes: list[str] = []
    augmented = config_for(dataset, tmp_path / "head", features=str(features), epochs=1, augment={"variants": 2})
    report = train(augmented, listener=Listener(on_note=notes.append))
    # 8 identities of 2 views with a distractor each: 32 images, 2 variants of each.
    assert "48 images cached already, 64 to do: 37.7 MB" in notes[0]
    assert "64 of the images are variants" in notes[0]
    assert report.images == 48
    assert load_head(Path(augmented.out)).manifest.config["augment"]["variants"] == 2
    assert len((features / "rows.txt").read_text().splitlines()) == 48 + 64
    # Another augmentation makes its own and leaves these; without one the plain head comes out again.
    other = config_for(
        dataset, tmp_path / "other", features=str(features), epochs=1, augment={"variants": 1, "flip": 1.0}
    )
    assert train(other, listener=Listener(on_note=notes.append)).head != report.head
    assert "48 images cached already, 32 to do" in notes[1]
    assert train(config_for(dataset, tmp_path / "again", features=str(features))).head == plain_report.head


def test_cached_variants_are_the_backbones_of_the_augmented_picture(tmp_path: Path) -> None:
    path = make_dataset(tmp_path / "data", things={"train": 2}, views=1)
    home = path / "train/thing-01/1"
    Image.fromarray(np.pad(np.ones((64, 64), bool), 16)).save(home / "mask.png")
    opened = open_dataset(path)
    hashes = hash_images(opened)
    backbone = open_backbone("dinov2-small", device="cpu")
    store = FeatureStore(tmp_path / "store", backbone.spec)
    config = AugmentConfig(variants=2, foreground=1.0)
    variants = Variants(config, opened.split("train"), hashes)
    images = {hashes[placed.image]: placed.image for placed in opened.images() if placed.role != "mask"}
    progress: list[ExtractProgress] = []
    extract_features(images, backbone, store, variants=variants, batch_size=5, on_progress=progress.append)
    assert [(report.done, report.total) for report in progress] == [(5, 12), (10, 12), (12, 12)]
    mask = np.pad(np.ones((64, 64), bool), 16)
    for name in ("positive", "distractor-other"):
        pixels = np.asarray(Image.open(home / f"{name}.png").convert("RGB"))
        key = hashlib.sha256((home / f"{name}.png").read_bytes()).hexdigest()
        made = [augment(pixels, mask, config=config, key=key, variant=number) for number in range(3)]
        (tokens,) = backbone.tokens(np.stack([backbone.spec.preprocessing.resize(picture) for picture in made]))
        (cached,) = store.tokens(store.rows(variants.keys(key)))
        assert np.allclose(cached, tokens, rtol=2**-10, atol=1e-6)


def test_features_of_another_backbone_are_refused(
    trained: tuple[TrainConfig, TrainReport, list[str]], dataset: Path, tmp_path: Path
) -> None:
    features = str(Path(trained[0].out) / "features")
    with pytest.raises(FeatureStoreError, match="were made with"):
        train(config_for(dataset, tmp_path / "head", features=features, codec={"dtype": "int8"}))


def test_an_extraction_that_was_stopped_goes_on(dataset: Path, tmp_path: Path) -> None:
    hashes = hash_images(open_dataset(dataset))
    images = {key: image for image, key in hashes.items()}
    backbone = open_backbone("dinov2-small", device="cpu")

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_features(images, backbone, FeatureStore(tmp_path / "s", backbone.spec), batch_size=5, on_progress=stop)
    store = FeatureStore(tmp_path / "s", backbone.spec)
    assert len(store) == 5
    assert extract_features(images, backbone, store) == []
    assert sorted(images) == sorted(key for key in images if key in store)
    whole = FeatureStore(tmp_path / "whole", backbone.spec)
    extract_features(images, backbone, whole)
    for name in ("rows.txt", "tokens-0.bin"):
        assert (tmp_path / "s" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_head_learnt_from_projected_tokens_reads_whole_ones(dataset: Path, tmp_path: Path) -> None:
    config = config_for(dataset, tmp_path / "head", epochs=2, codec={"pca_dim": 24})
    report = train(config)
    head = load_head(tmp_path / "head")
    assert head.spec.token_dims == (1152,)
    backbone = open_backbone("dinov2-small", device="cpu")
    store = FeatureStore(tmp_path / "head/features", backbone.spec, config.codec)
    assert store.bytes_per_image == 256 * 24 * 2
    opened = open_dataset(dataset)
    hashes = hash_images(opened)
    samples = rows_of(opened.split("val"), hashes, store)
    paths = sorted((dataset / "val").rglob("*.png"))
    encoder = IdentityEncoder.open(head=tmp_path / "head", device="cpu")
    row_of = {int(store.rows([hashlib.sha256(path.read_bytes()).hexdigest()])[0]): path for path in paths}
    embeddings = np.full((len(store), 32), 32**-0.5, np.float32)  # of pictures outside the split: anything of length 1
    for row, embedding in zip(row_of, encoder.encode(list(row_of.values())), strict=True):
        embeddings[row] = embedding
    # Seen through the saved head and the whole encoder, the split scores what the training said.
    assert score_margins(pair_margins(samples, embeddings).margins).pa == pytest.approx(report.scores.pa, abs=1 / 16)


def test_no_room_in_the_head_for_a_projection_is_said_before_features_are_cached(dataset: Path, tmp_path: Path) -> None:
    head = {**SMALL, "width": 1152, "num_heads": 16}
    with pytest.raises(ConfigError, match=r"choose another width"):
        train(config_for(dataset, tmp_path / "head", head=head, codec={"pca_dim": 24}))
    assert not (tmp_path / "head/features/rows.txt").exists()


def test_a_share_of_the_identities_is_learnt_from_and_a_larger_share_holds_it(
    trained: tuple[TrainConfig, TrainReport, list[str]], dataset: Path, tmp_path: Path
) -> None:
    steps = {}
    for share in (0.4, 0.7):
        config = config_for(dataset, tmp_path / str(share), train_share=share, batch_size=2, epochs=1)
        steps[share] = train(replace(config, features=str(Path(trained[0].out) / "features"))).steps
    assert 1 <= steps[0.4] < steps[0.7] < 4


def test_a_head_that_bends_tokens_learns_and_takes_scaled_columns_in(
    trained: tuple[TrainConfig, TrainReport, list[str]], dataset: Path, tmp_path: Path
) -> None:
    head = {**SMALL, "nonlinear_tokens": True}
    config = config_for(dataset, tmp_path / "bent", head=head, codec={"standardise": True})
    train(config)
    assert load_head(Path(config.out)).spec.nonlinear_tokens
    learnt, frozen = score_train(Path(config.out), trained)
    assert learnt.pa > max(frozen.pa, 0.8)
