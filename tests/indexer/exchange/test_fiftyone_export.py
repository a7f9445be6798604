"""A gallery as a FiftyOne dataset: what is in it, and that FiftyOne's importer reads it where there is one."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogues import draw
from embedding_files import directions, write_embeddings

from nearid_search.cli.app import run
from nearid_search.config import EncoderConfig
from nearid_search.errors import ConfigError, FilterError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.exchange.fiftyone_export import export_fiftyone
from nearid_search.indexer.gallery import Gallery

PYTHON = "NEARID_FIFTYONE_PYTHON"
READER = """
import json
import sys

import fiftyone as fo
from fiftyone.utils.data import importers

importer, _ = importers.build_dataset_importer(fo.types.FiftyOneDataset, dataset_dir=sys.argv[1])
importer = importers._handle_legacy_formats(importer)
with importer:
    found = [
        {
            "filepath": sample.filepath,
            "media": sample.media_type,
            "identity": sample.identity.label,
            "size": [sample.metadata.width, sample.metadata.height],
            "embedding": list(sample.embedding),
            "fields": sorted(sample.field_names),
            "bin": sample["bin"],
        }
        for sample in importer
    ]
    print(json.dumps({"info": importer.get_dataset_info(), "samples": found}))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of three pictures with metadata, of which one has a name that FiftyOne uses, and its dataset."""
    folder = tmp_path_factory.mktemp("home")
    for number in range(3):
        draw(folder / f"catalog/{number}.png", number)
    rows = ['0.png,"cup, ""red""",A3,old,1.5', "1.png,茶碗,B1,,", '2.png,"cup, ""red""",,new,2.5']
    (folder / "table.csv").write_text("\n".join(["path,identity,bin,tags,size", *rows]) + "\n", encoding="utf-8")
    config = EncoderConfig(backbone="dinov2-small", device="cpu", head=None)
    index_catalogue(
        folder / "catalog", gallery=folder / ".nearid", identities=folder / "table.csv", encoder_config=config
    )
    export_fiftyone(folder / "dataset", gallery=folder / ".nearid")
    return folder


def samples_of(dataset: Path) -> list[dict[str, Any]]:
    read: dict[str, Any] = json.loads((dataset / "samples.json").read_text(encoding="utf-8"))
    assert read.keys() == {"samples"}
    return sorted(read["samples"], key=lambda sample: str(sample["filepath"]))


def test_every_picture_is_a_sample(home: Path) -> None:
    samples = samples_of(home / "dataset")
    assert [sample["filepath"] for sample in samples] == [str(home / f"catalog/{n}.png") for n in range(3)]
    assert [sample["identity"] for sample in samples] == [
        {"_cls": "Classification", "label": label} for label in ('cup, "red"', "茶碗", 'cup, "red"')
    ]
    assert [sample["bin"] for sample in samples] == ["A3", "B1", None]
    assert [sample["column_tags"] for sample in samples] == ["old", None, "new"]
    assert [sample["size"] for sample in samples] == [1.5, None, 2.5]
    assert all(sample["tags"] == [] for sample in samples)
    gallery = Gallery.open(home / ".nearid")
    keys = gallery.store.image_table([]).column("key").to_pylist()
    vectors = dict(zip(keys, gallery.rows().vectors, strict=True))
    for sample in samples:
        np.testing.assert_array_equal(np.asarray(sample["embedding"], np.float32), vectors[sample["key"]])
    about = json.loads((home / "dataset/metadata.json").read_text(encoding="utf-8"))
    assert about["info"]["encoder"] == gallery.manifest.encoder.fingerprint
    assert "version" not in about  # by this FiftyOne tells the plain format from its database's


def test_a_filter_chooses_and_what_has_no_picture_is_left_out(home: Path, tmp_path: Path) -> None:
    report = export_fiftyone(tmp_path / "some", gallery=home / ".nearid", where="bin = 'B1'")
    assert (report.exported, report.what) == (1, "fiftyone")
    assert [Path(sample["filepath"]).name for sample in samples_of(tmp_path / "some")] == ["1.png"]
    with pytest.raises(FilterError):
        export_fiftyone(tmp_path / "none", gallery=home / ".nearid", where="colour = 'red'")
    assert not (tmp_path / "none").exists()
    source = write_embeddings(tmp_path / "e.parquet", directions(1, 2), ["cup", "jug"], path=["a.jpg", None])
    import_embeddings(source, gallery=tmp_path / "shop")
    assert export_fiftyone(tmp_path / "empty", gallery=tmp_path / "shop").exported == 0
    assert samples_of(tmp_path / "empty") == []


def test_the_command_writes_a_new_folder(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = ["gallery", "export", str(tmp_path / "d"), "--what", "fiftyone", "--gallery", str(home / ".nearid")]
    assert run(export) == 0
    assert capsys.readouterr().out.startswith("3 samples for FiftyOne in ")
    assert run(export) == 1
    assert "exists already" in capsys.readouterr().err
    assert run([*export, "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exported"] == 3
    assert run([*export, "--force", "--format", "csv"]) == 1
    assert "fiftyone is one folder: leave out --format" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot write into .*file: File exists: give a new folder"):
        export_fiftyone(tmp_path / "file", gallery=home / ".nearid")


@pytest.mark.skipif(PYTHON not in os.environ, reason=f"{PYTHON} names no Python that has FiftyOne")
def test_fiftyone_reads_it(home: Path) -> None:
    environment = {**os.environ, "FIFTYONE_DISABLE_SERVICES": "1", "FIFTYONE_DO_NOT_TRACK": "1", "HOME": str(home)}
    environment.pop("PYTHONPATH", None)
    command = [os.environ[PYTHON], "-c", READER, str(home / "dataset")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout.splitlines()[-1])
    samples = samples_of(home / "dataset")
    for sample, seen in zip(samples, sorted(read["samples"], key=lambda seen: str(seen["filepath"])), strict=True):
        assert (seen["filepath"], seen["media"]) == (sample["filepath"], "image")
        assert (seen["identity"], seen["bin"]) == (sample["identity"]["label"], sample["bin"])
        assert seen["size"] == [sample["metadata"]["width"], sample["metadata"]["height"]]
        assert seen["embedding"] == sample["embedding"]
        assert {"column_tags", "size", "key"} <= set(seen["fields"])
    assert read["info"]["encoder"] == Gallery.open(home / ".nearid").manifest.encoder.fingerprint
